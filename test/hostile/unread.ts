/** Strangers that don't read what they asked for. */
import { type Attack, HOSTILE_TOPIC } from "./attack.ts";

const MIB = 1024 * 1024;
const COUNT = 30;
const records = [
  { key: "large", value: () => Buffer.from(JSON.stringify({ pad: "x".repeat(8 * MIB - 64) })) },
];
const path = `/${HOSTILE_TOPIC}/large`;

export const UNREAD: readonly Attack[] = [
  {
    name: "unread-answers",
    holds: true,
    row: 6,
    by: "a stranger",
    how: `${COUNT} GETs of a value of 8 MiB, whose answers nobody reads`,
    records,
    run: (ground) =>
      ground.steadily(10, () => ground.mute(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`), {
        atMost: COUNT,
      }),
  },
  {
    name: "unread-subscribes",
    holds: true,
    row: 6,
    by: "a stranger",
    how: `${COUNT} subscribes whose first answer, of 8 MiB, nobody reads`,
    records,
    run: (ground) =>
      ground.steadily(
        10,
        async () => {
          const socket = await ground.dial(path);
          socket?.pause();
        },
        { atMost: COUNT },
      ),
  },
];
