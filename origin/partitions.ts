/**
 * How far each partition has been read, and which are ready: what answers are gated by (R5, U9), and what the
 * status shows. Kept by the consumer, read by everyone.
 */
import type { Batch } from "./source.ts";

/** How one partition of one incarnation of a topic stands. */
export interface Partition {
  readonly topic: string;
  readonly partition: number;
  readonly epoch: string;
  /** The offset that is read next: everything before it has been forwarded and is in the index. */
  readonly next: number;
  /** The offset that the next record written will get, as last seen. */
  readonly end: number;
  /** Whether it has been read to the end that it had when reading began. */
  readonly ready: boolean;
  /** Why it isn't being read, in one sentence; undefined while it is. */
  readonly error: string | undefined;
  /** Set where that can't pass: it isn't tried again before the origin restarts. */
  readonly stopped?: boolean;
}

/** Where reading a partition begins, or why that isn't known yet. */
export type Beginning = { readonly partition: number; readonly epoch: string } & (
  | { readonly next: number; readonly end: number }
  | { readonly unavailable: string }
);

/** The target of a partition whose offsets aren't known yet: it isn't ready before they are. */
const UNKNOWN = Number.POSITIVE_INFINITY;

interface State extends Partition {
  next: number;
  end: number;
  ready: boolean;
  error: string | undefined;
  stopped?: boolean;
  /** Ready when it has been read up to here. */
  target: number;
}

export class Partitions {
  /** Topics that haven't been described yet stand at undefined. */
  readonly #topics = new Map<string, Map<string, State> | undefined>();
  /** Whether it is known which topics match patterns. */
  #listed: boolean;
  /** How many partitions a topic has, those of other ranges included. */
  readonly #counts = new Map<string, number>();
  /** Topics that exist and match, but are not read. */
  #leftOut: ReadonlySet<string> = new Set();

  /** @param listed false where the topics that match patterns are still to be found. */
  constructor(topics: Iterable<string>, listed = true) {
    for (const topic of topics) this.#topics.set(topic, undefined);
    this.#listed = listed;
  }

  /** The topic's partitions in order; none where the topic doesn't exist, undefined where that isn't known yet. */
  of(topic: string): readonly Partition[] | undefined {
    const states = this.#topics.get(topic);
    if (states !== undefined) return [...states.values()];
    return this.#listed && !this.#topics.has(topic) && !this.#leftOut.has(topic) ? [] : undefined;
  }

  /** How many partitions the topic has, those that another range reads included; undefined where that isn't known yet. */
  count(topic: string): number | undefined {
    const partitions = this.of(topic);
    return partitions && (this.#counts.get(topic) ?? partitions.length);
  }

  /** All topics were listed: what is new among those that match, and what isn't read for being too many. */
  listed(fresh: readonly string[], leftOut: readonly string[]): void {
    // One that comes later did not exist before: who watches it is live already.
    for (const topic of fresh) this.#topics.set(topic, this.of(topic) && new Map());
    this.#leftOut = new Set(leftOut);
    this.#listed = true;
  }

  /** The topic has gone for good. */
  forget(topic: string): void {
    this.#topics.delete(topic);
    this.#counts.delete(topic);
  }

  /** How many records lie before the ends that the topic's partitions had when reading them began, at most. */
  behind(topic: string): number {
    let behind = 0;
    for (const { next, end, target } of this.#topics.get(topic)?.values() ?? [])
      behind += Math.max(0, Math.min(end, target) - next);
    return behind;
  }

  find(topic: string, epoch: string): Partition | undefined {
    return this.#topics.get(topic)?.get(epoch);
  }

  /** All of them have been read to the end that they had at start (U9). A topic that doesn't exist has none. */
  get ready(): boolean {
    if (!this.#listed) return false;
    for (const states of this.#topics.values()) {
      if (states === undefined) return false;
      for (const state of states.values()) if (!state.ready) return false;
    }
    return true;
  }

  /** Those that are read, or would be if they existed. */
  get topics(): readonly string[] {
    return [...this.#topics.keys()];
  }

  all(): readonly Partition[] {
    return [...this.#topics.values()].flatMap((states) => (states ? [...states.values()] : []));
  }

  /**
   * Takes the topic as it was described: partitions that were begun before stay as they are, others begin or go.
   * Returns whether any did, or the topic had not been described before, or has another number of partitions.
   * @param count How many it has, those of other ranges included.
   */
  describe(topic: string, beginnings: readonly Beginning[], count = beginnings.length): boolean {
    const before = this.#topics.get(topic);
    const states = new Map<string, State>();
    let changed = before?.size !== beginnings.length || this.#counts.get(topic) !== count;
    this.#counts.set(topic, count);
    for (const beginning of beginnings) {
      const known = before?.get(beginning.epoch);
      const stays = known !== undefined && (known.target !== UNKNOWN || "unavailable" in beginning);
      const state = stays ? known : begin(topic, beginning);
      if (state.target === UNKNOWN && "unavailable" in beginning) state.error = beginning.unavailable;
      // Whether or not what lies before it comes.
      if ("end" in beginning) state.end = Math.max(state.end, beginning.end);
      states.set(beginning.epoch, state);
      changed ||= !stays;
    }
    this.#topics.set(topic, states);
    return changed;
  }

  /** Whether the partition became ready by this batch. */
  advance(topic: string, epoch: string, batch: Batch): boolean {
    const state = this.#state(topic, epoch);
    if (state === undefined) return false;
    state.next = batch.nextOffset;
    state.end = batch.endOffset;
    state.error = undefined;
    if (state.ready || state.next < state.target) return false;
    state.ready = true;
    return true;
  }

  /** Reading begins anew at `next`: the partition is ready again once it has been read to `end`. */
  restart(topic: string, epoch: string, next: number, end: number): void {
    const state = this.#state(topic, epoch);
    if (state !== undefined) Object.assign(state, { next, end, target: end, ready: false });
  }

  fail(topic: string, epoch: string, error: string): void {
    const state = this.#state(topic, epoch);
    if (state !== undefined) state.error = error;
  }

  /** What failed isn't tried again. */
  stop(topic: string, epoch: string): void {
    const state = this.#state(topic, epoch);
    if (state !== undefined) state.stopped = true;
  }

  #state(topic: string, epoch: string): State | undefined {
    return this.#topics.get(topic)?.get(epoch);
  }
}

function begin(topic: string, beginning: Beginning): State {
  const { partition, epoch } = beginning;
  const state = { topic, partition, epoch, ready: false, error: undefined };
  if ("unavailable" in beginning) return { ...state, next: 0, end: 0, target: UNKNOWN };
  const { next, end } = beginning;
  return { ...state, next, end, target: end };
}
