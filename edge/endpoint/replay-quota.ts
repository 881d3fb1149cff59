/**
 * What all subscribers of one sender are sent of the past: S27 of PROTOCOL.md. It is counted when it has been sent, for nobody knows
 * before how much will follow a position. What an origin is asked for is counted when it is asked, too, by what came last: the
 * origin has as much to do, and many questions at once would all be answered before one of them was counted.
 *
 * Whoever has been sent too much waits, and what is sent to it is spread by that; a subscribe that would wait for long is refused.
 */
import type { Frame } from "../../shared/protocol/frame.ts";
import type { Senders } from "./connection-limits.ts";
import { countedOf, type Replays } from "./replays.ts";

/** To one that is refused for that. */
export const TOO_MUCH_PAST = "too much of the past is asked for from here";

export class ReplayQuota<S> implements Replays<S> {
  readonly #senders: Senders<S> | undefined;

  /** @param senders undefined: nothing is counted. */
  constructor(senders: Senders<S> | undefined) {
    this.#senders = senders;
  }

  waitMs(socket: S): number {
    const sender = this.#senders?.senderOf(socket);
    return sender === undefined ? 0 : (this.#senders?.spending.replayWaitMs(sender) ?? 0);
  }

  asks(socket: S): void {
    const sender = this.#senders?.senderOf(socket);
    if (sender !== undefined) this.#senders?.spending.asksReplay(sender);
  }

  answered(socket: S, frames: readonly Frame[]): void {
    const sender = this.#senders?.senderOf(socket);
    if (sender !== undefined) this.#senders?.spending.answeredReplay(sender, countedOf(frames));
  }

  sent(socket: S, frames: readonly Frame[]): void {
    const counted = this.#senders === undefined ? 0 : countedOf(frames);
    const sender = counted === 0 ? undefined : this.#senders?.senderOf(socket);
    if (sender !== undefined) this.#senders?.spending.replayed(sender, counted);
  }
}
