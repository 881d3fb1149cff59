/** What a machine does: full disks, and clocks that jump. */

import type { FakedClock } from "../faked-clock.ts";
import { noFakedClock } from "../faked-clock.ts";
import { between, type Random } from "../random.ts";
import type { Part } from "../schedule.ts";
import { type Kind, pause } from "./kind.ts";

const jump = (clock: FakedClock, random: Random) => {
  const seconds = Math.round(between(random, 30, 600)) * (random() < 0.5 ? 1 : -1);
  clock.jump(seconds);
};

const jumps = (
  of: string,
  part: Part,
  clockOf: (rig: Parameters<Kind["inject"]>[0]) => FakedClock,
): Kind => ({
  name: `clock of ${of} jumps, and back`,
  perTenMinutes: 11,
  lastsMs: 3_000,
  parts: [part],
  missing: () => noFakedClock,
  inject: async (rig, random) => {
    jump(clockOf(rig), random);
    await pause(between(random, 1_500, 3_000));
    clockOf(rig).jump(0);
  },
});

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
  jumps("an origin", "origin-clock", ({ originClock }) => originClock),
  jumps("the edge", "edge-clock", ({ edgeClock }) => edgeClock),
];
