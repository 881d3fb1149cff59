/** What a machine does: full disks, and clocks that jump. */

import { eventually } from "../../support/deadline.ts";
import { noFakedClock } from "../faked-clock.ts";
import { doneByOthers } from "../not-injected.ts";
import { between } from "../random.ts";
import { type Kind, pause } from "./kind.ts";

export const MACHINE: readonly Kind[] = [
  {
    name: "disk of an origin full",
    perTenMinutes: 12,
    lastsMs: 6_000,
    parts: ["disk"],
    missing: ({ disks }) => disks.find((disk) => typeof disk === "string"),
    inject: async ({ disks }, random) => {
      const small = disks.filter((disk) => typeof disk !== "string");
      for (const disk of small) await disk.fill();
      await pause(between(random, 1_500, 2_500));
      for (const disk of small) disk.free();
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
    lastsMs: 3_000,
    parts: ["edge", "origin-clock"],
    inject: async ({ edge }, random) => {
      const seconds = Math.round(between(random, 30, 7_200)) * (random() < 0.5 ? 1 : -1);
      await doneByOthers(edge.hook("clock", { seconds: String(seconds) }));
      await pause(between(random, 1_500, 3_000));
      // One that stayed would be in the way of all that comes later.
      await eventually(() => edge.hook("clock", { seconds: "0" }), "the clock of the edge is right again");
    },
  },
];
