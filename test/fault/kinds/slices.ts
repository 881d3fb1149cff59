/** Origins that share the partitions: who divides them anew, and who of them dies. */
import type { Leaving } from "../crews.ts";
import { between, oneOf, type Random } from "../random.ts";
import type { Rig } from "../rig.ts";
import { goesOn } from "./edges.ts";
import { type Kind, pause } from "./kind.ts";

/** Rigs of two edges that turned to other slices together the last time: the next time they do one after the other. */
const inTurn = new WeakSet<Rig>();

/** Of two slices, whatever the partitions were divided into before. */
async function activeOfSlice(rig: Rig, random: Random) {
  if (rig.crews.atWork.slices === 1) await rig.crews.relieve("stop", () => {});
  return rig.crews.active((list) => oneOf(random, list));
}

/** Who relieves others must stand by at every edge first: nothing may keep origins from the second one meanwhile. */
const PARTS = ["origin", "pause", "disk", "second edge"] as const;

export const SLICES: readonly Kind[] = [
  {
    name: "1 slice divided into 2, or 2 made 1",
    perTenMinutes: 11,
    lastsMs: 13_000,
    parts: PARTS,
    inject: async (rig, random, gone, late) => {
      const { crews, edges } = rig;
      if (!inTurn.delete(rig)) {
        if (edges.length > 1) inTurn.add(rig);
        return crews.relieve(oneOf<Leaving>(random, ["stop", "kill"]), gone);
      }
      const apart = async () => {
        for (const edge of edges) await goesOn(rig, random, edge, late);
      };
      await crews.relieveInTurn(apart, gone);
    },
  },
  {
    name: "the same, while the origins before hang",
    perTenMinutes: 11,
    lastsMs: 19_000,
    parts: PARTS,
    inject: async ({ crews }, _, gone) => crews.relieve("hang", gone),
  },
  {
    name: "kill -9 of the active origin of 1 of 2 slices",
    perTenMinutes: 15,
    lastsMs: 6_500,
    parts: PARTS,
    inject: async (rig, random) => {
      const origin = await activeOfSlice(rig, random);
      await origin.kill();
      await pause(between(random, 0, 1_500));
      origin.start();
    },
  },
  {
    name: "SIGSTOP of the active origin of 1 of 2 slices",
    perTenMinutes: 11,
    lastsMs: 11_000,
    parts: PARTS,
    inject: async (rig, random) => {
      const origin = await activeOfSlice(rig, random);
      origin.freeze(true);
      await pause(between(random, 5_000, 6_500));
      origin.freeze(false);
    },
  },
];
