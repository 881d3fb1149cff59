import type { Random } from "../random.ts";
import type { Rig } from "../rig.ts";
import type { Planned } from "../schedule.ts";

/** A kind of fault. */
export interface Kind extends Planned {
  /** Why it can't be had on this machine, or with this rig; undefined if it can. */
  readonly missing?: (rig: Rig) => string | undefined;
  /**
   * Resolves when its cause is gone, unless it said so before, by `gone`, and has things to put in order. Rejects where
   * it didn't take place.
   * @param late Judges that something took too long: it is wrong if nothing else was at work, and else may be another's fault.
   */
  readonly inject: (rig: Rig, random: Random, gone: () => void, late: Late) => Promise<void>;
}

/** Throws NotInjected if other faults were at work. */
export type Late = (problem: string) => void;

export const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
