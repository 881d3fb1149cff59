/** Strangers that ask for more than they need: positions that don't exist, keys without a record, the past, again and again. */
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type Attack, HONEST_TOPIC, HOSTILE_TOPIC, heard } from "./attack.ts";

const STAY_MS = 2_000;

export const ASKS: readonly Attack[] = [
  {
    name: "false-partition",
    row: 1,
    by: "a stranger",
    how: "re-subscribes on one socket of an honest key every 5 s, from a partition that doesn't exist",
    async run(ground) {
      const path = `/${HONEST_TOPIC}/k0`;
      const socket = await ground.dial(path);
      if (socket === undefined) return;
      const [, topicId = "none"] = /"position":"([^.:"]+)/.exec((await heard(socket)) ?? "") ?? [];
      for (let id = 1; !ground.isOver; id++) {
        ground.requests++;
        socket.send(JSON.stringify({ id, sub: path, from: `${topicId}.999:5` }));
        await sleep(Math.min(5_000, ground.seconds * 500));
      }
    },
  },
  {
    name: "random-keys",
    row: 7,
    by: "a stranger",
    how: "subscribes to 40 random keys without a record a second, and leaves each after 2 s",
    run: (ground) =>
      ground.steadily(40, async () => {
        const socket = await ground.dial(`/${HONEST_TOPIC}/${randomBytes(12).toString("hex")}`);
        if (socket === undefined) return;
        await sleep(STAY_MS);
        socket.terminate();
      }),
  },
  {
    name: "replays",
    row: 9,
    by: "a stranger",
    how: "60 replays of all that a key has at once, again every 2 s",
    run: (ground) =>
      ground.steadily(30, async (n) => {
        const socket = await ground.dial(`/${HONEST_TOPIC}/k${n % 4}?from=oldest`);
        if (socket === undefined) return;
        await sleep(STAY_MS);
        socket.terminate();
      }),
  },
  {
    name: "large-heads",
    row: 9,
    by: "a stranger",
    how: "HEADs of a value of 4 MB, 40 under way at once, up to 200 a second",
    records: [{ key: "flat", value: () => Buffer.alloc(4_000_000, "a") }],
    run: (ground) =>
      ground.steadily(200, () => ground.ask({ method: "HEAD", path: `/${HOSTILE_TOPIC}/flat` }), {
        underWay: 40,
      }),
  },
  {
    name: "gets",
    row: 10,
    by: "a stranger",
    how: "GETs of honest keys, up to 1,500 under way at once, 1,500 a second",
    run: (ground) =>
      ground.steadily(1_500, (n) => ground.ask({ path: `/${HONEST_TOPIC}/k${n % 20}` }), {
        underWay: 1_500,
      }),
  },
];
