/** What was written of one key, and what may be missing of it: what is told is held against that. */
import { type Frame, routingOf } from "../../shared/protocol/frame.ts";
import { formatPosition, type Position } from "../../shared/protocol/position.ts";
import type { ForgetfulIndex } from "./forgetful-index.ts";
import type { WrittenLog } from "./written-log.ts";

export class VouchingTruth {
  readonly problems: string[] = [];
  /** How often something was served as recovered that had records in it. */
  served = 0;
  readonly #log: WrittenLog;
  readonly #path: string;
  readonly #home: string;
  /** Before this offset some origin knew nothing any more, by epoch. */
  readonly #dropped = new Map<string, number>();

  constructor(log: WrittenLog, path: string, home: string) {
    this.#log = log;
    this.#path = path;
    this.#home = home;
  }

  /** @param told Of who is live: how much had been written when it was told that what came before may be lost. */
  expectAll(what: string, from: Position, to: Position, frames: readonly Frame[], told?: number): void {
    if (frames.length > 0) this.served++;
    for (const place of this.lacking(from, to, frames, told))
      this.problems.push(`${what} lacks ${place} after ${formatPosition(from)}`);
  }

  /** What of all between two positions isn't among the frames, and should be. */
  lacking(from: Position, to: Position, frames: readonly Frame[], told?: number): string[] {
    const sent = new Set(frames.map((frame) => componentOf(frame)));
    return this.#log.records(this.#path).flatMap(({ epoch, offset, at }) => {
      const place = `${epoch}:${offset}`;
      const after = from.get(epoch) ?? -1;
      if (offset <= after || offset > (to.get(epoch) ?? -1) || sent.has(place)) return [];
      const mayLack = at < (told ?? 0) || this.#isNotCovered(epoch, told === undefined ? from : to);
      return !from.has(epoch) && this.#isDropped(epoch, offset) && mayLack ? [] : [place];
    });
  }

  /** R6: not its home, or its receiver names another partition in which the key was seen. */
  #isNotCovered(epoch: string, from: Position): boolean {
    return epoch !== this.#home || this.#log.records(this.#path).some((written) => from.has(written.epoch));
  }

  /** By some origin, though its index may have been deleted since. */
  #isDropped(epoch: string, offset: number): boolean {
    return offset < (this.#dropped.get(epoch) ?? 0);
  }

  /** What indexes have dropped by now. */
  note(indexes: Iterable<ForgetfulIndex>): void {
    for (const index of indexes)
      for (const epoch of this.#log.epochs)
        this.#dropped.set(epoch, Math.max(index.horizonOf(epoch), this.#dropped.get(epoch) ?? 0));
  }
}

function componentOf(frame: Frame): string {
  const routing = routingOf(frame);
  return routing === undefined ? "" : `${routing.epoch}:${routing.offset}`;
}
