/**
 * What all subscribers of one sender are sent of the past: S27 of PROTOCOL.md. It is counted when it has been sent, for nobody knows
 * before how much will follow a position. What an origin is asked for is counted when it is asked, too, by what came last: the
 * origin has as much to do, and many questions at once would all be answered before one of them was counted.
 *
 * Whoever has been sent too much waits, and what is sent to it is spread by that; a subscribe that would wait for long is refused.
 * What is only a little is neither counted nor waits: resumes of thousands of others behind the same address, who were away for
 * moments, don't stand behind somebody who reads all there is.
 */
import type { Frame } from "../../shared/protocol/frame.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import type { Senders } from "./connection-limits.ts";
import type { Waiting } from "./subscription-states.ts";

/** To one that is refused for that. */
export const TOO_MUCH_PAST = "too much of the past is asked for from here";

/** Updates, or KiB. */
const LITTLE = 10;
const COUNTS_AS_ONE_BYTES = 1_024;

export class ReplayQuota<S> {
  readonly #senders: Senders<S> | undefined;

  /** @param senders undefined: nothing is counted. */
  constructor(senders: Senders<S> | undefined) {
    this.#senders = senders;
  }

  /** Milliseconds until a socket may be sent more than a little; 0: now. */
  waitMs(socket: S): number {
    const sender = this.#senders?.senderOf(socket);
    return sender === undefined ? 0 : (this.#senders?.spending.replayWaitMs(sender) ?? 0);
  }

  /** An origin is asked on behalf of a socket. */
  asks(socket: S): void {
    const sender = this.#senders?.senderOf(socket);
    if (sender !== undefined) this.#senders?.spending.asksReplay(sender);
  }

  /** It has answered with these, which are sent to the socket. */
  answered(socket: S, frames: readonly Frame[]): void {
    const sender = this.#senders?.senderOf(socket);
    if (sender === undefined) return;
    const amount = amountOf(frames);
    this.#senders?.spending.answeredReplay(sender, amount > LITTLE ? amount : 0);
  }

  /** A socket was sent these. */
  sent(socket: S, frames: readonly Frame[]): void {
    const amount = this.#senders === undefined ? 0 : amountOf(frames);
    if (amount <= LITTLE) return;
    const sender = this.#senders?.senderOf(socket);
    if (sender !== undefined) this.#senders?.spending.replayed(sender, amount);
  }
}

/** Whether these may be sent, whatever was before. */
export function isLittle(frames: readonly Frame[]): boolean {
  return amountOf(frames) <= LITTLE;
}

/** Whether one that would have to wait for `waitMs` more has waited enough. One that has its verdict waits on. */
export function isTooLong({ kind, since }: Waiting, waitMs: number, now: number): boolean {
  return kind !== "lagging" && now - since + waitMs > TIME_LIMITS.quotaPatienceMs;
}

/** The larger of both: each update costs something, and so does each byte. */
function amountOf(frames: readonly Frame[]): number {
  let bytes = 0;
  for (const frame of frames) bytes += frame.length;
  return Math.max(frames.length, Math.floor(bytes / COUNTS_AS_ONE_BYTES));
}
