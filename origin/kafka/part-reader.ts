/**
 * Hands on the parts of an answer: at once, as nearly all can be, and without a promise for each. Only what is to be unpacked
 * when there is memory for it is waited for.
 */

import type { AbortedTransaction } from "./fetch-request.ts";
import type { Unpacking } from "./packed.ts";
import type { Part } from "./parts.ts";
import { stepsOf } from "./record-batches.ts";

export class PartReader {
  readonly #steps: ReturnType<typeof stepsOf>;
  /** Of the batch that is being waited for. */
  #coming: AsyncGenerator<Part, undefined, void> | undefined;

  /** As `partsOf`. */
  constructor(answer: Buffer, from: number, aborted: readonly AbortedTransaction[], unpacking: Unpacking) {
    this.#steps = stepsOf(answer, from, aborted, unpacking);
  }

  /** Undefined after the last one. Throws WireError, or rejects with it, and rejects when the signal aborts. */
  next(): Part | undefined | Promise<Part | undefined> {
    return this.#coming === undefined ? this.#step(this.#steps.next()) : this.#later(this.#coming);
  }

  /** Nobody wants more. */
  return(): Promise<void> | undefined {
    const coming = this.#coming;
    if (coming !== undefined) return coming.return(undefined).then(() => void this.#steps.return(undefined));
    this.#steps.return(undefined);
    return undefined;
  }

  #step({ value }: ReturnType<ReturnType<typeof stepsOf>["next"]>) {
    if (value === undefined || "records" in value) return value;
    this.#coming = value;
    return this.#later(value);
  }

  async #later(coming: AsyncGenerator<Part, undefined, void>): Promise<Part | undefined> {
    try {
      const { value } = await coming.next();
      if (value !== undefined) return value;
    } catch (error) {
      this.#coming = undefined;
      return this.#step(this.#steps.throw(error));
    }
    this.#coming = undefined;
    return this.next();
  }
}

/**
 * The parts in offset order, from `from` on; what is dropped advances `nextOffset`. Throws WireError, and rejects when the
 * signal aborts.
 */
export async function* partsOf(
  answer: Buffer,
  from: number,
  aborted: readonly AbortedTransaction[],
  unpacking: Unpacking,
): AsyncGenerator<Part, void, void> {
  const reader = new PartReader(answer, from, aborted, unpacking);
  try {
    for (let part = await reader.next(); part !== undefined; part = await reader.next()) yield part;
  } finally {
    await reader.return();
  }
}
