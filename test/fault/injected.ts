/** What became of one fault. */
import type { Recovery } from "./recoveries.ts";

/** One fault, as it went. Times are of the monotonic clock, in milliseconds. */
export interface Injected {
  readonly kind: string;
  readonly startedAt: number;
  /** When its cause was gone. */
  goneAt: number | undefined;
  /** When every subscriber had all that had been acknowledged a moment after that. */
  settledAt: number | undefined;
  /** The longest that an update took to arrive, since then or since it was produced if that was later. */
  stallMs: number;
  /** The same since it began. */
  waitMs: number;
  /** The longest part of such a stall in which no fault was at work, whichever. */
  calmMs: number;
  /** Why it didn't take place, although it should have. */
  failure: string | undefined;
  /** Why it could not: what it needs wasn't there in time. */
  notInjected: string | undefined;
  /** Others were at work between its beginning and its settling. */
  combined: boolean;
  /** Ids of records that were produced meanwhile: from, and up to without. */
  readonly firstId: number;
  lastId: number;
  /** What subscribers were told until it had settled, and so what was due to others that were at work too. */
  announced: number;
  readonly recovered: Map<Recovery, number>;
}

export const tookPlace = ({ failure, notInjected }: Injected) =>
  failure === undefined && notInjected === undefined;
