/**
 * How far each partition has been read, and which are ready: what answers are gated by (R5, U9), and what the
 * status shows. Kept by the consumer, read by everyone.
 */
import { type Batch, isTorn } from "../source/source.ts";

/** How far reading is with what a partition held when it began. */
export type Stage =
  /** Its offsets aren't known yet. */
  | { readonly kind: "unplaced" }
  | {
      readonly kind: "catchingUp";
      /** Ready when it has been read up to here. */
      readonly target: number;
      /** What was read of it is being read again: it may hold keys that it isn't known to hold just now. */
      readonly again: boolean;
    }
  | { readonly kind: "ready" };

/** Why a partition isn't being read, in one sentence. */
export interface Trouble {
  /** `stopped` can't pass: it isn't tried again before the log has deleted what can't be read. */
  readonly kind: "retried" | "stopped";
  readonly error: string;
}

/** How one partition of one incarnation of a topic stands. */
export interface Partition {
  readonly topic: string;
  readonly partition: number;
  readonly epoch: string;
  /** The offset that is read next: everything before it has been forwarded and is in the index. */
  readonly next: number;
  /** The offset that the next record written will get, as last seen; but for what is held back. */
  readonly end: number;
  /** How many offsets from `end` on are taken, but held back by a transaction that is open. */
  readonly heldBack: number;
  /** Since when, without any of them having been let go: milliseconds of a clock that only goes forward. */
  readonly heldSince: number | undefined;
  readonly stage: Stage;
  /** undefined while it is being read. */
  readonly trouble: Trouble | undefined;
}

export function isReady({ stage }: Partition): boolean {
  return stage.kind === "ready";
}

export function isStopped({ trouble }: Partition): boolean {
  return trouble?.kind === "stopped";
}

/** Whether it can't be read just now. */
export function isRetried({ trouble }: Partition): boolean {
  return trouble?.kind === "retried";
}

/** Whether what was read of it before is being read once more. */
export function isReadAgain({ stage }: Partition): boolean {
  return stage.kind === "catchingUp" && stage.again;
}

/** What is known of the topics that match patterns. */
export interface Listing {
  /** Whether they were ever listed; so from the start if there are no patterns. */
  readonly isKnown: boolean;
  /** Why that can't be done again just now. */
  readonly error: string | undefined;
  /** How many exist and match, but aren't read, for being too many. */
  readonly leftOut: number;
}

/** Where reading a partition begins, or why that isn't known yet. */
export type Beginning = { readonly partition: number; readonly epoch: string } & (
  | { readonly next: number; readonly end: number }
  | { readonly unavailable: string }
);

type State = { -readonly [Field in keyof Partition]: Partition[Field] };

export class Partitions {
  /** Topics that haven't been described yet stand at undefined. */
  readonly #topics = new Map<string, Map<string, State> | undefined>();
  /** Whether it is known which topics match patterns. */
  #listed: boolean;
  /** How many partitions a topic has, those of other slices included. */
  readonly #counts = new Map<string, number>();
  /** Topics that exist and match, but are not read. */
  #leftOut: ReadonlySet<string> = new Set();
  /** Why topics can't be described just now. */
  readonly #topicErrors = new Map<string, string>();
  /** Why it can't be told just now which topics match patterns. */
  #listError: string | undefined;
  readonly #elapsed: () => number;

  /**
   * @param listed false if the topics that match patterns are still to be found.
   * @param elapsed Milliseconds, of a clock that only goes forward.
   */
  constructor(topics: Iterable<string>, listed = true, elapsed = () => performance.now()) {
    for (const topic of topics) this.#topics.set(topic, undefined);
    this.#listed = listed;
    this.#elapsed = elapsed;
  }

  /** The topic's partitions in order; none if the topic doesn't exist, undefined if that isn't known yet. */
  of(topic: string): readonly Partition[] | undefined {
    const states = this.#topics.get(topic);
    if (states !== undefined) return [...states.values()];
    return this.#listed && !this.#topics.has(topic) && !this.#leftOut.has(topic) ? [] : undefined;
  }

  /** How many partitions the topic has, those that another slice reads included; undefined if that isn't known yet. */
  count(topic: string): number | undefined {
    const partitions = this.of(topic);
    return partitions && (this.#counts.get(topic) ?? partitions.length);
  }

  /** All topics were listed: what is new among those that match, and what isn't read for being too many. */
  listed(fresh: readonly string[], leftOut: readonly string[]): void {
    // One that comes later did not exist before: whoever watches it is live already.
    for (const topic of fresh) this.#topics.set(topic, this.of(topic) && new Map());
    this.#leftOut = new Set(leftOut);
    this.#listed = true;
  }

  /** Whether the topics that match patterns could be listed: if not, why. */
  listing(error: string | undefined): void {
    this.#listError = error;
  }

  /** Which topics there are for patterns, as far as that is known. */
  get listingFacts(): Listing {
    return { isKnown: this.#listed, error: this.#listError, leftOut: this.#leftOut.size };
  }

  /** Whether the topic could be described: if not, why. */
  describing(topic: string, error: string | undefined): void {
    if (error === undefined) this.#topicErrors.delete(topic);
    else this.#topicErrors.set(topic, error);
  }

  /** Why the topic can't be described just now; undefined if it can. */
  errorOf(topic: string): string | undefined {
    return this.#topicErrors.get(topic);
  }

  /** The topic has gone for good. */
  forget(topic: string): void {
    this.#topics.delete(topic);
    this.#counts.delete(topic);
    this.#topicErrors.delete(topic);
  }

  /** How many records lie before the ends that the topic's partitions had when reading them began, at most. */
  unread(topic: string): number {
    let unread = 0;
    for (const { next, end, stage } of this.#topics.get(topic)?.values() ?? [])
      if (stage.kind === "catchingUp") unread += Math.max(0, Math.min(end, stage.target) - next);
    return unread;
  }

  find(topic: string, epoch: string): Partition | undefined {
    return this.#topics.get(topic)?.get(epoch);
  }

  /** All of them have been read to the end that they had at start (U9). A topic that doesn't exist has none. */
  get ready(): boolean {
    if (!this.#listed) return false;
    for (const states of this.#topics.values()) {
      if (states === undefined) return false;
      for (const state of states.values()) if (!isReady(state)) return false;
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
   * @param count How many it has, those of other slices included.
   */
  describe(topic: string, beginnings: readonly Beginning[], count = beginnings.length): boolean {
    const before = this.#topics.get(topic);
    const states = new Map<string, State>();
    let changed = before?.size !== beginnings.length || this.#counts.get(topic) !== count;
    this.#counts.set(topic, count);
    for (const beginning of beginnings) {
      const known = before?.get(beginning.epoch);
      const stays = known !== undefined && (known.stage.kind !== "unplaced" || "unavailable" in beginning);
      const state = stays ? known : begin(topic, beginning);
      if (state.stage.kind === "unplaced" && "unavailable" in beginning)
        state.trouble = { kind: "retried", error: beginning.unavailable };
      // Whether or not what lies before it comes.
      if ("end" in beginning) state.end = Math.max(state.end, beginning.end);
      states.set(beginning.epoch, state);
      changed ||= !stays;
    }
    this.#topics.set(topic, states);
    return changed;
  }

  /**
   * Whether the partition became ready by this batch. If something was removed before what the batch holds, it is not
   * ready until it was read to its present end: what replaced that follows.
   */
  advance(topic: string, epoch: string, batch: Batch): boolean {
    const state = this.#state(topic, epoch);
    if (state === undefined) return false;
    if (isTorn(batch, state.next)) state.stage = furtherToCatchUp(state.stage, batch.endOffset);
    const { heldBack = 0 } = batch;
    if (heldBack === 0) state.heldSince = undefined;
    // What lies behind another transaction than before begins to wait anew.
    else if (state.heldSince === undefined || batch.endOffset > state.end) state.heldSince = this.#elapsed();
    state.heldBack = heldBack;
    state.next = batch.nextOffset;
    // The topic may have been looked at after the batch was asked for.
    state.end = Math.max(state.end, batch.endOffset);
    state.trouble = undefined;
    if (state.stage.kind !== "catchingUp" || state.next < state.stage.target) return false;
    state.stage = READY;
    return true;
  }

  /**
   * Reading begins anew at `next`: the partition is ready again once it has been read to `end`.
   * @param again whether what was read before is read once more.
   */
  restart(topic: string, epoch: string, next: number, end: number, again = false): void {
    const state = this.#state(topic, epoch);
    if (state !== undefined)
      Object.assign(state, { next, end, stage: { kind: "catchingUp", target: end, again } });
  }

  /** It couldn't be read, and that is tried again. */
  fail(topic: string, epoch: string, error: string): void {
    const state = this.#state(topic, epoch);
    if (state !== undefined) state.trouble = { kind: "retried", error };
  }

  /** It can't be read, and that isn't tried again until it is resumed. */
  stop(topic: string, epoch: string, error: string): void {
    const state = this.#state(topic, epoch);
    if (state === undefined) return;
    Object.assign(state, { trouble: { kind: "stopped", error }, heldBack: 0, heldSince: undefined });
  }

  resume(topic: string, epoch: string): void {
    const state = this.#state(topic, epoch);
    if (state?.trouble !== undefined) state.trouble = { ...state.trouble, kind: "retried" };
  }

  #state(topic: string, epoch: string): State | undefined {
    return this.#topics.get(topic)?.get(epoch);
  }
}

const READY: Stage = { kind: "ready" };

/** More is to be read before it is ready than was: up to its present end. */
function furtherToCatchUp(stage: Stage, end: number): Stage {
  if (stage.kind === "unplaced") return stage;
  if (stage.kind === "ready") return { kind: "catchingUp", target: end, again: false };
  return { ...stage, target: Math.max(stage.target, end) };
}

function begin(topic: string, beginning: Beginning): State {
  const { partition, epoch } = beginning;
  const nothing = { heldBack: 0, heldSince: undefined, trouble: undefined };
  const state = { topic, partition, epoch, ...nothing };
  if ("unavailable" in beginning) return { ...state, next: 0, end: 0, stage: { kind: "unplaced" } };
  const { next, end } = beginning;
  return { ...state, next, end, stage: { kind: "catchingUp", target: end, again: false } };
}
