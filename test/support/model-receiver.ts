/**
 * A subscriber that believes nothing: it checks each frame against the rule of continuity (P5) and each verdict
 * against what it asked. It shares the protocol's parsers with the product, but none of its decisions.
 */

import { decodeDown, type Verdict } from "../../shared/protocol/down.ts";
import { type Frame, routingOf } from "../../shared/protocol/frame.ts";
import { type Message, splitBinary, splitText } from "../../shared/protocol/message.ts";
import { formatPosition, type Position, samePosition } from "../../shared/protocol/position.ts";
import { encodeSubscribe, isUpdate } from "../../shared/protocol/subscriber.ts";
import type { End } from "./simulated-wires.ts";

export interface Skipped {
  readonly epoch: string;
  /** −1 where its position had no such component. */
  readonly after: number;
  readonly before: number;
  /** If all that it had of the epoch was claimed: how much had been written when that was believed. */
  readonly claimedAt: number | undefined;
}

export class ModelReceiver {
  readonly path: string;
  readonly violations: string[] = [];
  readonly updates: Frame[] = [];
  readonly verdicts: Verdict[] = [];
  readonly resets: Verdict[] = [];
  waits = 0;
  position: Map<string, number> | undefined;
  left = false;
  /** Whether it has never named a position. */
  fresh = true;
  /** Epochs of which it has named an offset that nobody had written. */
  readonly madeUp = new Set<string>();
  /** The furthest that it has said to be. */
  readonly claimed = new Map<string, number>();
  /** Offsets between an update and the one before it, `after` and `before` excluded, which hold nothing of the endpoint. */
  readonly skipped: Skipped[] = [];
  /** Epochs of which it has been told since its last verdict, or by it. */
  readonly #known = new Set<string>();
  /** All that it was sent. */
  readonly #had = new Set<string>();
  /** How much had been written at its last verdict. */
  #verdictAt = 0;
  readonly #written: () => number;
  /** Updates that it had been sent (`had`), or said to have had. */
  readonly duplicates: { readonly epoch: string; readonly offset: number; readonly had: boolean }[] = [];
  end: End | undefined;
  #id = 0;
  /** What was asked by subscribes whose verdicts are due. */
  #asked = new Map<number, Position | undefined>();

  /** @param written How much has been written so far. */
  constructor(path: string, written: () => number) {
    this.path = path;
    this.#written = written;
  }

  /** Whether the last subscribe has its verdict. One before it may have been overtaken. */
  get answered(): boolean {
    return !this.#asked.has(this.#id);
  }

  /** Where it is in an epoch. */
  standing(epoch: string): Omit<Skipped, "before"> {
    return {
      epoch,
      after: this.position?.get(epoch) ?? -1,
      claimedAt: this.#known.has(epoch) ? undefined : this.#verdictAt,
    };
  }

  begin(end: End, from: Position | undefined, closed: (code: number) => void): void {
    this.end = end;
    this.#claim(from);
    this.#id = 0;
    this.#asked = new Map([[0, from]]);
    end.listener = {
      message: (message) => this.#receive(message),
      close: (code) => {
        if (this.end === end) closed(code);
      },
    };
  }

  /** The frame of a new subscribe. */
  asks(from: Position | undefined): string {
    this.#asked.set(++this.#id, from);
    this.#claim(from);
    return encodeSubscribe(this.#id, this.path, from);
  }

  #claim(from: Position | undefined): void {
    this.fresh &&= from === undefined;
    for (const [epoch, offset] of from ?? [])
      this.claimed.set(epoch, Math.max(offset, this.claimed.get(epoch) ?? -1));
  }

  #receive(message: Message): void {
    const frames: readonly Frame[] =
      typeof message === "string" ? splitText(message) : (splitBinary(message) ?? []);
    for (const frame of frames) {
      if (typeof frame !== "string" || isUpdate(frame)) this.#update(frame);
      else this.#control(frame);
    }
  }

  #control(text: string): void {
    const down = decodeDown(text);
    if (!down.ok) {
      this.violations.push(`${text}: ${down.problem}`);
      return;
    }
    if (down.value.kind === "verdict") this.#verdict(down.value.id, down.value.verdict);
    else if (down.value.kind === "reset") {
      this.resets.push(down.value.verdict);
      if (down.value.verdict.cause === undefined) this.violations.push("a reset without a cause");
      this.#adopt(down.value.verdict);
    } else if (down.value.kind === "wait") this.waits++;
    else if (down.value.kind === "error") this.violations.push(`an error: ${text}`);
  }

  #verdict(id: number, verdict: Verdict): void {
    this.verdicts.push(verdict);
    if (!this.#asked.has(id))
      this.violations.push(`a verdict for ${id}, which was not asked, or was answered`);
    const from = this.#asked.get(id);
    this.#asked.delete(id);
    if ((from === undefined) !== (verdict.recovered === undefined))
      this.violations.push(`recovered is ${verdict.recovered} for ${from && formatPosition(from)}`);
    if (verdict.recovered === true && from !== undefined && !samePosition(from, verdict.position))
      this.violations.push(
        `recovered from ${formatPosition(from)}, but at ${formatPosition(verdict.position)}`,
      );
    if ((verdict.recovered === false) !== (verdict.cause !== undefined))
      this.violations.push("the cause is amiss");
    this.#adopt(verdict);
  }

  #adopt({ position, recovered }: Verdict): void {
    this.position = new Map(position);
    this.#verdictAt = this.#written();
    this.#known.clear();
    if (recovered !== true) for (const epoch of position.keys()) this.#known.add(epoch);
  }

  #update(frame: Frame): void {
    const routing = routingOf(frame);
    if (routing === undefined || routing.endpoint !== this.path) {
      this.violations.push(`no update of ${this.path}: ${String(frame)}`);
      return;
    }
    // Between a second subscribe and its verdict what comes is still of the first.
    if (this.position === undefined) this.violations.push(`an update before a verdict: ${String(frame)}`);
    const at = this.position?.get(routing.epoch) ?? -1;
    const where = `${routing.epoch}:${routing.offset} at ${at}`;
    if (routing.offset <= at) {
      const { epoch, offset } = routing;
      this.duplicates.push({ epoch, offset, had: this.#had.has(`${epoch}:${offset}`) });
      return;
    }
    if ((routing.previous ?? -1) > at) this.violations.push(`a gap: ${where}, after ${routing.previous}`);
    if (routing.offset > at + 1)
      this.skipped.push({ ...this.standing(routing.epoch), before: routing.offset });
    this.#known.add(routing.epoch);
    this.#had.add(`${routing.epoch}:${routing.offset}`);
    this.position?.set(routing.epoch, routing.offset);
    this.updates.push(frame);
  }
}
