/**
 * Answers of slices that are on their way to whoever asked: the head has come, and not yet all updates of the body
 * (U5, U8).
 */
import type { Frame } from "../../shared/protocol/frame.ts";

/** A head, and as many of its updates as have come. */
export interface Part<H> {
  readonly head: H;
  readonly frames: Frame[];
}

export class Incoming<H extends { readonly count: number }> {
  /** By slice. */
  readonly #parts = new Map<number, Part<H>>();

  get isEmpty(): boolean {
    return this.#parts.size === 0;
  }

  /** The head of an answer: one before it has broken off. It stays here until it is whole. */
  begin(slice: number, head: H): Part<H> {
    const part = { head, frames: [] };
    if (isWhole(part)) this.drop(slice);
    else this.#parts.set(slice, part);
    return part;
  }

  /** Adds an update to the answer that it belongs to; undefined if it came live. */
  take(slice: number, frame: Frame): Part<H> | undefined {
    const part = this.#parts.get(slice);
    if (part === undefined) return undefined;
    part.frames.push(own(frame));
    if (isWhole(part)) this.drop(slice);
    return part;
  }

  /** What has come from a slice counts no more. */
  drop(slice: number): void {
    this.#parts.delete(slice);
  }
}

export function isWhole({ head, frames }: Part<{ readonly count: number }>): boolean {
  return frames.length >= head.count;
}

/** A view would keep its whole message. */
export function own(frame: Frame): Frame {
  return typeof frame === "string" ? frame : frame.slice();
}
