/**
 * What brief questions about large values were told (U8). To say it again nothing is read of the index but where the key
 * stands: its latest record is the same as long as that is.
 */
import type { Frame } from "../../shared/protocol/frame.ts";
import { type Position, samePosition } from "../../shared/protocol/position.ts";
import type { LatestValue } from "../../shared/protocol/uplink.ts";

/** Each takes a few KB at most. */
const MAX_HELD = 1_024;

/** A record as a question is told of it. */
export interface ToldRecord {
  /** The epoch of the record. */
  readonly epoch: string;
  readonly frame: Frame;
  /** Of a large value. */
  readonly value: LatestValue | undefined;
}

export class BriefAnswers {
  /** By path; that which was noted first goes first. */
  readonly #held = new Map<string, { readonly tails: Position; readonly told: ToldRecord }>();

  /** @param tails The last offset of the endpoint's key in each epoch in which it is known now. */
  find(path: string, tails: Position): ToldRecord | undefined {
    const held = this.#held.get(path);
    return held !== undefined && samePosition(held.tails, tails) ? held.told : undefined;
  }

  note(path: string, tails: Position, told: ToldRecord): void {
    this.#held.delete(path);
    this.#held.set(path, { tails, told });
    const [first] = this.#held.keys();
    if (this.#held.size > MAX_HELD && first !== undefined) this.#held.delete(first);
  }
}
