/**
 * The endpoint states that an object of many endpoints holds: by path, by shard, and which of them the present event is about. Only
 * those are looked at when it ends, however many there are. Their windows share one budget of memory (window-budget.ts).
 */
import type { EndpointState } from "../endpoint/endpoint-state.ts";
import type { StateFacts } from "../endpoint/state-facts.ts";
import type { Peer } from "../peer.ts";
import { WindowBudget, type WindowShare } from "./window-budget.ts";

export interface Hosted<S extends Peer> extends WindowShare {
  readonly state: EndpointState<S>;
  readonly shard: number;
}

export class HostedStates<S extends Peer> {
  readonly #windows: WindowBudget;
  readonly #all = new Map<string, Hosted<S>>();
  readonly #byShard = new Map<number, Set<Hosted<S>>>();
  /** Of these those that have subscribers, as they were when the last event ended. */
  readonly #occupied = new Map<number, Set<Hosted<S>>>();
  /** What the present event was about. */
  readonly #touched = new Set<Hosted<S>>();
  /** Those with someone who waits and must take more first. */
  readonly #paced = new Set<Hosted<S>>();
  /** Whether one was forgotten in the present event. */
  #hasDropped = false;

  /** @param windowBytes What windows may take. */
  constructor(windowBytes: number) {
    this.#windows = new WindowBudget(windowBytes);
  }

  get size(): number {
    return this.#all.size;
  }

  has(path: string): boolean {
    return this.#all.has(path);
  }

  get(path: string): Hosted<S> | undefined {
    return this.#all.get(path);
  }

  all(): Iterable<Hosted<S>> {
    return this.#all.values();
  }

  of(shard: number): Iterable<Hosted<S>> {
    return this.#byShard.get(shard) ?? [];
  }

  paced(): Iterable<Hosted<S>> {
    return this.#paced;
  }

  touched(): Iterable<Hosted<S>> {
    return this.#touched;
  }

  /** What must outlive the memory. */
  *facts(): Iterable<readonly [path: string, StateFacts]> {
    for (const [path, { state }] of this.#all) yield [path, state.facts()];
  }

  /** Whether anything of a shard's is here. */
  isWatched(shard: number): boolean {
    return (this.#byShard.get(shard)?.size ?? 0) > 0;
  }

  /** Whether anything of a shard's has subscribers. */
  isOccupied(shard: number): boolean {
    return (this.#occupied.get(shard)?.size ?? 0) > 0;
  }

  add(state: EndpointState<S>, shard: number, now: number): Hosted<S> {
    const hosted = { state, shard, neededAt: now, bytes: 0 };
    this.#all.set(state.path, hosted);
    setIn(this.#byShard, shard).add(hosted);
    this.touch(hosted);
    return hosted;
  }

  /** The present event is about this one. */
  touch(hosted: Hosted<S>): void {
    this.#touched.add(hosted);
  }

  drop(hosted: Hosted<S>): void {
    this.#hasDropped = true;
    this.#touched.delete(hosted);
    this.#all.delete(hosted.state.path);
    this.#byShard.get(hosted.shard)?.delete(hosted);
    this.#occupied.get(hosted.shard)?.delete(hosted);
    this.#paced.delete(hosted);
    this.#windows.remove(hosted);
  }

  /** Those who wait for what doesn't fit just now, by whatever endpoint. */
  full(): readonly S[] {
    for (const hosted of this.#touched) this.#notePace(hosted);
    if (this.#paced.size === 0) return [];
    const full = new Set<S>();
    for (const { state } of this.#paced) for (const one of state.full()) full.add(one);
    return [...full];
  }

  /**
   * The event has ended: says what is to be said by now.
   * @returns Shards without a link that it was about; undefined if it was about no endpoint.
   */
  settle(hasLink: (shard: number) => boolean): ReadonlySet<number> | undefined {
    if (this.#touched.size === 0 && !this.#hasDropped) return undefined;
    const unlinked = new Set<number>();
    for (const hosted of this.#touched) {
      const { state, shard } = hosted;
      const isOccupied = state.subscribers > 0;
      if (isOccupied) setIn(this.#occupied, shard).add(hosted);
      else this.#occupied.get(shard)?.delete(hosted);
      this.#notePace(hosted);
      const isLinked = hasLink(shard);
      if (isLinked) state.speak();
      else unlinked.add(shard);
      // Nobody else knows of it: a shard that has it says when it is forgotten.
      if (!isOccupied && !isLinked) this.drop(hosted);
      else this.#windows.count(hosted);
    }
    this.#touched.clear();
    this.#hasDropped = false;
    this.#windows.keep(this.#all.values());
    return unlinked;
  }

  #notePace(hosted: Hosted<S>): void {
    if (hosted.state.full().length > 0) this.#paced.add(hosted);
    else this.#paced.delete(hosted);
  }
}

function setIn<T>(sets: Map<number, Set<T>>, key: number): Set<T> {
  const set = sets.get(key) ?? new Set();
  sets.set(key, set);
  return set;
}
