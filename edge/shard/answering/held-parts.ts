/**
 * What is held of an ask until all its parts have come (N7): parts, and what came live after those. It counts towards
 * what its shard may hold.
 */
import type { Frame, Routing } from "../../../shared/protocol/frame.ts";
import { LIMITS } from "../../../shared/protocol/limits.ts";

/** Bytes that a shard holds, for all asks. */
export class HeldBytes {
  #bytes = 0;

  get isFull(): boolean {
    return this.#bytes > LIMITS.scatterGatherBytes;
  }

  add(bytes: number): void {
    this.#bytes += bytes;
  }
}

export interface LiveUpdate {
  readonly slice: number;
  readonly frame: Frame;
  readonly routing: Routing;
}

export class HeldParts {
  readonly #shards: HeldBytes;
  #bytes = 0;
  #live: LiveUpdate[] = [];

  constructor(shards: HeldBytes) {
    this.#shards = shards;
  }

  addPart(frames: readonly Frame[]): void {
    for (const frame of frames) this.#count(frame.length);
  }

  dropPart(frames: readonly Frame[]): void {
    for (const frame of frames) this.#count(-frame.length);
  }

  addLive(update: LiveUpdate): void {
    this.#live.push(update);
    this.#count(update.frame.length);
  }

  holdsLiveOf(slice: number): boolean {
    return this.#live.some((update) => update.slice === slice);
  }

  /** What came live from a slice is held no more. */
  freeLiveOf(slice: number): readonly LiveUpdate[] {
    const freed = this.#live.filter((update) => update.slice === slice);
    if (freed.length === 0) return freed;
    this.#live = this.#live.filter((update) => update.slice !== slice);
    for (const { frame } of freed) this.#count(-frame.length);
    return freed;
  }

  /** Nothing is held any more. Returns what came live. */
  end(): readonly LiveUpdate[] {
    const freed = this.#live;
    this.#live = [];
    this.#count(-this.#bytes);
    return freed;
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    this.#shards.add(bytes);
  }
}
