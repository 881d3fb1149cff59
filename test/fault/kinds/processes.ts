/** Processes that die, stand still, or are replaced. */
import { between, oneOf } from "../random.ts";
import { type Kind, pause } from "./kind.ts";

export const PROCESSES: readonly Kind[] = [
  {
    name: "kill -9 of an origin",
    perTenMinutes: 40,
    lastsMs: 900,
    parts: ["origin"],
    inject: async (rig, random) => {
      const origin = oneOf(random, rig.origins);
      await origin.kill();
      await pause(between(random, 0, 1_500));
      origin.start();
    },
  },
  {
    name: "kill -9 of all origins",
    perTenMinutes: 15,
    lastsMs: 1_100,
    parts: ["origin"],
    inject: async (rig, random) => {
      await Promise.all(rig.origins.map((origin) => origin.kill()));
      await pause(between(random, 0, 1_000));
      for (const origin of rig.origins) origin.start();
    },
  },
  {
    name: "SIGSTOP of an origin past every deadline",
    perTenMinutes: 11,
    lastsMs: 7_500,
    parts: ["pause"],
    inject: async (rig, random) => {
      const origin = oneOf(random, rig.origins);
      origin.freeze(true);
      await pause(between(random, 6_000, 7_500));
      origin.freeze(false);
    },
  },
  {
    name: "index deleted under a stopped origin",
    perTenMinutes: 12,
    lastsMs: 1_000,
    parts: ["origin", "disk"],
    inject: async (rig, random) => {
      const origin = oneOf(random, rig.origins);
      await origin.stop();
      origin.deleteIndex();
      origin.start();
    },
  },
  {
    name: "kill -9 of the edge",
    perTenMinutes: 20,
    lastsMs: 1_500,
    parts: ["edge"],
    inject: async (rig) => {
      await rig.edge.kill();
      await rig.edge.start();
    },
  },
  {
    name: "deploy of another Worker",
    perTenMinutes: 12,
    lastsMs: 4_000,
    parts: ["edge"],
    inject: async (rig) => {
      await rig.edge.build();
      await rig.edge.stop();
      await rig.edge.start();
    },
  },
];
