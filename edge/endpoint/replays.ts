/**
 * What an endpoint state sends of the past, as far as others bound that: S27 of PROTOCOL.md. Who counts it, and for whom, is not
 * known here (replay-quota.ts).
 *
 * What is only a little is neither counted nor waits: resumes of thousands of others behind the same address, who were away for
 * moments, don't stand behind somebody who reads all there is.
 */
import type { Frame } from "../../shared/protocol/frame.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import type { Waiting } from "./subscription-states.ts";

export interface Replays<S> {
  /** Milliseconds until a socket may be sent more than a little; 0: now. */
  waitMs(socket: S): number;
  /** An origin is asked on behalf of a socket. */
  asks(socket: S): void;
  /** It has answered with these, which are sent to the socket. */
  answered(socket: S, frames: readonly Frame[]): void;
  /** A socket was sent these. */
  sent(socket: S, frames: readonly Frame[]): void;
}

/** Updates, or KiB. */
const LITTLE = 10;
const COUNTS_AS_ONE_BYTES = 1_024;

/** Whether these may be sent, whatever was before. */
export function isLittle(frames: readonly Frame[]): boolean {
  return countedOf(frames) === 0;
}

/** The larger of both, since each update costs something, and so does each byte; of a little nothing. */
export function countedOf(frames: readonly Frame[]): number {
  let bytes = 0;
  for (const frame of frames) bytes += frame.length;
  const amount = Math.max(frames.length, Math.floor(bytes / COUNTS_AS_ONE_BYTES));
  return amount > LITTLE ? amount : 0;
}

/** Whether one that would have to wait for `waitMs` more has waited enough. One that has its verdict waits on. */
export function isTooLong({ kind, since }: Waiting, waitMs: number, now: number): boolean {
  return kind !== "lagging" && now - since + waitMs > TIME_LIMITS.quotaPatienceMs;
}
