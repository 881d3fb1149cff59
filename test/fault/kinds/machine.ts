/** What a machine does: full disks, and clocks that jump. */

import { noFakedClock } from "../faked-clock.ts";
import { between } from "../random.ts";
import { type Kind, pause } from "./kind.ts";

export const MACHINE: readonly Kind[] = [
  {
    name: "disk of an origin full",
    perTenMinutes: 12,
    lastsMs: 2_500,
    parts: ["disk"],
    missing: ({ disk }) => (typeof disk === "string" ? disk : undefined),
    inject: async ({ disk }, random) => {
      if (typeof disk === "string") throw new Error(disk);
      await disk.fill();
      await pause(between(random, 1_500, 2_500));
      disk.free();
    },
  },
  {
    name: "clock of an origin jumps, and back",
    perTenMinutes: 11,
    lastsMs: 3_000,
    parts: ["origin-clock"],
    missing: () => noFakedClock,
    inject: async ({ originClock }, random) => {
      const seconds = Math.round(between(random, 30, 600)) * (random() < 0.5 ? 1 : -1);
      originClock.jump(seconds);
      await pause(between(random, 1_500, 3_000));
      originClock.jump(0);
    },
  },
  {
    name: "clock of the edge jumps, and back",
    perTenMinutes: 11,
    lastsMs: 0,
    parts: [],
    missing: () => "workerd does not start under libfaketime",
    inject: async () => {},
  },
];
