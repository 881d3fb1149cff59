/**
 * How hard a run drives what it tests: two cores take many faults, or many subscribers, and not both. With both an edge is late
 * before anything befalls it. Whoever gives up a dial after 3 s leaves it behind to be served all the same, and dials again; a
 * thousand that do so keep an edge busy with nobody.
 */
import type { ConnectionsPlan } from "./population.ts";
import { TOPICS } from "./topics.ts";

/** How long a subscriber waits, in milliseconds. */
export interface Patience {
  /** Bounds of the waits between two dials. */
  readonly backoff: { readonly baseMs: number; readonly maxMs: number };
  /** For a dial. */
  readonly connectMs: number;
  /** Until it asks whether the other end is there. */
  readonly quietMs: number;
  /** For the answer to that. */
  readonly silenceMs: number;
  /** A connection that has lasted so long was a good one. */
  readonly steadyMs: number;
  /** For a verdict. */
  readonly answerMs: number;
}

/** Shorter than people would have it, so that a run sees many. */
export const HASTY: Patience = {
  backoff: { baseMs: 100, maxMs: 2_000 },
  connectMs: 3_000,
  quietMs: 1_500,
  silenceMs: 2_500,
  steadyMs: 1_000,
  answerMs: 10_000,
};

/** As clients have it: S10, S11 and S13. */
export const AS_CLIENTS: Patience = {
  backoff: { baseMs: 500, maxMs: 30_000 },
  connectMs: 10_000,
  quietMs: 15_000,
  silenceMs: 10_000,
  steadyMs: 5_000,
  answerMs: 30_000,
};

export interface Scale {
  readonly patience: Patience;
  /** Of how often each kind of fault comes. */
  readonly faults: number;
  /** Records that are written to the main topic in a second. */
  readonly perSecond: number;
  /** Between two batches of a writer, in milliseconds. Brokers are busy with how many there are, whatever they hold. */
  readonly batchMs: number;
}

const USUAL: Scale = { patience: HASTY, faults: 1, perSecond: TOPICS.load.perSecond, batchMs: 50 };
const CROWDED: Scale = { patience: AS_CLIENTS, faults: 0.15, perSecond: 60, batchMs: 200 };
/** Subscriptions of connections. */
const MANY = 10_000;

export const scaleOf = ({ count, each }: ConnectionsPlan): Scale => (count * each > MANY ? CROWDED : USUAL);
