/** Strangers that connect, and say nothing. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Attack } from "./attack.ts";

const IDLE = 2_000;
const PROBES = 64;

export const CONNECTIONS: readonly Attack[] = [
  {
    name: "idle",
    holds: true,
    row: 10,
    by: "a stranger",
    how: `${IDLE.toLocaleString("en")} connections to the edge that say nothing`,
    run: (ground) => ground.steadily(400, () => ground.mute(""), { atMost: IDLE }),
  },
  {
    name: "idle-status",
    holds: true,
    row: 11,
    by: "a stranger",
    how: `${PROBES} connections to the origin's status port that say nothing, anew whenever they are ended`,
    async run(ground) {
      let open = 0;
      while (!ground.isOver) {
        for (; open < PROBES; open++) {
          const socket = await ground.mute("", ground.target.statusPort);
          socket.resume().once("close", () => open--);
        }
        await sleep(100);
      }
    },
  },
];
