/** What followed a position, up to a bound: the answer to a GET with `from`. H12 of PROTOCOL.md. Pure. */

import type { Verdict } from "../../../shared/protocol/down.ts";
import type { ErrorBody } from "../../../shared/protocol/error-body.ts";
import { updateAsJson } from "../../../shared/protocol/frame.ts";
import { LIMITS } from "../../../shared/protocol/limits.ts";
import type { Message } from "../../../shared/protocol/message.ts";
import { formatPosition, type Position } from "../../../shared/protocol/position.ts";
import type { Follower } from "./follower.ts";
import { Receiver, type Told } from "./receiver.ts";

export class Page implements Follower {
  readonly #receiver: Receiver;
  readonly #waits: boolean;
  readonly #updates: string[] = [];
  #size = 0;
  /** The first thing that was said of continuity holds for the whole page. */
  #verdict: Verdict | undefined;
  /** After the last update of the page. */
  #next: Position;
  #isFull = false;
  #lossFollows = false;
  error: ErrorBody | undefined;

  /** `waits`: it isn't done before there is something to tell. */
  constructor(endpoint: string, from: Position, waits: boolean) {
    this.#receiver = new Receiver(endpoint, from);
    this.#waits = waits;
    this.#next = from;
  }

  /** Whether it can be told by now, done or not. */
  canTell(): boolean {
    return this.#verdict !== undefined;
  }

  isDone(): boolean {
    if (this.error !== undefined || this.#isFull) return true;
    const hasNews = this.#updates.length > 0 || this.#verdict?.recovered === false;
    return this.#receiver.isLive && (hasNews || !this.#waits);
  }

  /** Returns what is to be said in return. */
  hear(message: Message): readonly string[] {
    const asks: string[] = [];
    for (const told of this.#receiver.hear(message)) {
      if (told.kind === "gap") asks.push(told.ask);
      else this.#take(told);
      if (this.#isFull || this.error !== undefined) break;
    }
    return asks;
  }

  text(): string {
    const { recovered, cause } = this.#verdict ?? {};
    const fields = {
      position: formatPosition(this.#next),
      recovered,
      cause,
      more: this.#lossFollows || !this.#receiver.isLive,
    };
    return `${JSON.stringify(fields).slice(0, -1)},"updates":[${this.#updates.join(",")}]}`;
  }

  #take(told: Told): void {
    switch (told.kind) {
      case "verdict":
      case "reset":
        this.#judged(told.verdict);
        return;
      case "update": {
        const update = updateAsJson(told.frame);
        this.#updates.push(update);
        this.#size += update.length;
        this.#next = new Map(this.#receiver.position);
        this.#isFull = this.#updates.length >= LIMITS.answerUpdates || this.#size >= LIMITS.answerBytes;
        return;
      }
      case "wait":
      case "ended":
        this.error = told.error;
        return;
      default:
    }
  }

  /**
   * A loss after some updates is left to the next page, which is told of it by its own verdict. One before them stays one, though
   * nothing was missing any more when it was asked again.
   */
  #judged(verdict: Verdict): void {
    const isLoss = verdict.recovered !== true;
    if (this.#updates.length > 0) {
      if (isLoss) this.#lossFollows = this.#isFull = true;
      return;
    }
    // Its client named a position, so a verdict that says nothing of it is a loss, too.
    if (isLoss) this.#verdict = { ...verdict, recovered: false };
    else if (this.#verdict?.recovered !== false) this.#verdict = verdict;
    this.#next = verdict.position;
  }
}
