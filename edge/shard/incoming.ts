/** Answers of slices that are on their way to a link: the head has come, and not yet all updates of the body (U5). */
import { ownedFrame } from "../../shared/core/owned.ts";
import type { Attached } from "../../shared/protocol/attach.ts";
import type { Frame } from "../../shared/protocol/frame.ts";
import type { Part } from "./combine.ts";
import type { Watch } from "./links.ts";

export class Incoming {
  /** By slice. */
  readonly #parts = new Map<Watch, Map<number, Part>>();

  /** The head of an answer: one before it has broken off. It stays here until it is whole. */
  begin(watch: Watch, slice: number, attached: Attached): Part {
    const part = { attached, frames: [] };
    const parts = this.#parts.get(watch) ?? new Map<number, Part>();
    this.#parts.set(watch, parts.set(slice, part));
    if (isWhole(part)) this.drop(watch, slice);
    return part;
  }

  /** Adds an update to the answer that it belongs to; undefined where it came live. */
  take(watch: Watch, slice: number, frame: Frame): Part | undefined {
    const part = this.#parts.get(watch)?.get(slice);
    if (part === undefined) return undefined;
    part.frames.push(ownedFrame(frame));
    if (isWhole(part)) this.drop(watch, slice);
    return part;
  }

  drop(watch: Watch, slice: number): void {
    const parts = this.#parts.get(watch);
    if (parts?.delete(slice) && parts.size === 0) this.#parts.delete(watch);
  }

  /** Nobody watches it any more. */
  forget(watch: Watch): void {
    this.#parts.delete(watch);
  }

  /** A slice has no active origin any more. */
  lost(slice: number): void {
    for (const watch of [...this.#parts.keys()]) this.drop(watch, slice);
  }

  clear(): void {
    this.#parts.clear();
  }
}

export function isWhole({ attached, frames }: Part): boolean {
  return frames.length >= attached.count;
}
