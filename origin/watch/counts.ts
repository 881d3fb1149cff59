/** What a watch list has done since it began, for metrics. */
import type { Proof } from "./proof.ts";

export interface WatchCounts {
  /** Updates put on uplinks as they came; one that two shards watch counts twice. */
  forwarded: number;
  /** Updates put on uplinks in answers, and to endpoints that had fallen behind. */
  replayed: number;
  /** Attaches by how they were answered; `log`: recovered, after the log was read again. */
  readonly answered: Record<Proof | "log", number>;
  /** Attaches that were told to wait (R5). */
  waited: number;
  /** Endpoints that were told, unasked, that continuity is lost. */
  reset: number;
  /** Questions for a latest record. */
  asked: number;
}

export function newWatchCounts(): WatchCounts {
  return {
    forwarded: 0,
    replayed: 0,
    answered: { recovered: 0, log: 0, fresh: 0, horizon: 0, epoch: 0, ahead: 0 },
    waited: 0,
    reset: 0,
    asked: 0,
  };
}
