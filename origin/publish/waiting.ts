/** Publishes that wait for one partition's writer, in the order in which they came, within bounds. Pure. */
import type { Held } from "./held.ts";
import type { Mark, Marks } from "./mark.ts";
import type { PublishResult } from "./result.ts";
import type { SinkRecord } from "./sink.ts";

/** What waits for one partition: about a second of what a partition takes. */
export const WAITING_BYTES = 8 * 1024 * 1024;
export const WAITING_COUNT = 10_000;
/** Of one batch. A larger record makes a batch of its own. */
const BATCH_BYTES = 512 * 1024;
const BATCH_RECORDS = 1_000;

/** A publish as the writers of its topic take it: marked, and as the record that it is to be. */
export interface MarkedPublish {
  readonly marks: Marks;
  readonly record: SinkRecord;
  readonly bytes: number;
  /** Its id is its client's own, who may come again with it for as long as is promised. */
  readonly isPromised: boolean;
  /** When whoever asked wants an answer at the latest, by the writer's clock. */
  readonly deadline: number;
  /** Nothing is written for it from then on: milliseconds since 1970. */
  readonly until: number;
  /** It may be in the log already. */
  readonly isDoubtful?: boolean;
  readonly answer: (result: PublishResult) => void;
}

/** A publish under way. */
export interface Pending {
  readonly marks: Marks;
  readonly record: SinkRecord;
  readonly bytes: number;
  readonly isPromised: boolean;
  deadline: number;
  until: number;
  /** Undefined once it was answered, though its outcome isn't known. */
  answer: ((result: PublishResult) => void) | undefined;
  /** It may be in the log already. */
  isDoubtful: boolean;
  /** The log took no batch that it was part of: it is tried by itself. */
  isAlone: boolean;
  /** What was known of the log when it came, and had nothing of it; undefined if nothing was known yet. */
  readonly missingIn: Held | undefined;
}

/** Of what may wait for all partitions together one has no more than this part of what it leaves for the others. */
const PART = 1 / 3;

/** What may wait for all partitions together, in bytes. */
export interface Room {
  left: number;
}

export class Waiting {
  readonly #room: Room;
  #queue: Pending[] = [];
  /** Those in the queue and those that were taken, by each of their ids. */
  readonly #byId = new Map<string, Pending>();
  #count = 0;
  #bytes = 0;

  constructor(room: Room) {
    this.#room = room;
  }

  get isEmpty(): boolean {
    return this.#queue.length === 0;
  }

  hasRoomFor(bytes: number): boolean {
    const { left } = this.#room;
    if (bytes > left) return false;
    if (this.#count === 0) return true;
    const own = this.#bytes + bytes;
    return own <= WAITING_BYTES && own <= PART * (left - bytes) && this.#count < WAITING_COUNT;
  }

  /** The one that is under way with one of these ids. */
  find(marks: Marks): Pending | undefined {
    for (const { id } of marks) {
      const found = this.#byId.get(id);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** @param missingIn What the log is known to hold, among which it isn't. */
  add(publish: MarkedPublish, missingIn: Held | undefined): void {
    const { marks, record, bytes, isPromised, deadline, until, isDoubtful = false, answer } = publish;
    const pending: Pending = {
      marks,
      record,
      bytes,
      isPromised,
      deadline,
      until,
      answer,
      isDoubtful,
      isAlone: false,
      missingIn,
    };
    this.#queue.push(pending);
    for (const { id } of marks) this.#byId.set(id, pending);
    this.#bytes += bytes;
    this.#room.left -= bytes;
    this.#count++;
  }

  /** The next ones, as many as may go together. They stay under way. */
  take(): Pending[] {
    let bytes = 0;
    let count = 0;
    for (const pending of this.#queue) {
      const isFull = count >= BATCH_RECORDS || bytes + pending.bytes > BATCH_BYTES || pending.isAlone;
      if (count > 0 && isFull) break;
      bytes += pending.bytes;
      count++;
      if (pending.isAlone) break;
    }
    return this.#queue.splice(0, count);
  }

  /** Puts some that were taken back to where they were. */
  putBack(pendings: readonly Pending[]): void {
    this.#queue = [...pendings, ...this.#queue];
  }

  /** It is no longer under way. */
  settle(pending: Pending, result: PublishResult): void {
    this.#remove(pending);
    pending.answer?.(result);
    pending.answer = undefined;
  }

  /** Lets those in the queue go that `isElsewhere` says, in order. Those for whom nobody waits are forgotten. */
  takeOut(isElsewhere: (pending: Pending) => boolean): readonly MarkedPublish[] {
    const out = this.#queue.filter(isElsewhere);
    if (out.length === 0) return [];
    this.#queue = this.#queue.filter((pending) => !isElsewhere(pending));
    return out.flatMap((pending) => {
      this.#remove(pending);
      const { answer } = pending;
      return answer === undefined ? [] : [{ ...pending, answer }];
    });
  }

  /** Ends those in the queue that `isOver` says. */
  settleQueued(isOver: (pending: Pending) => boolean, resultOf: (pending: Pending) => PublishResult): void {
    const over = new Set(this.#queue.filter(isOver));
    if (over.size === 0) return;
    this.#queue = this.#queue.filter((pending) => !over.has(pending));
    for (const pending of over) this.settle(pending, resultOf(pending));
  }

  #remove({ marks, bytes }: Pending): void {
    for (const { id } of marks) this.#byId.delete(id);
    this.#bytes -= bytes;
    this.#room.left += bytes;
    this.#count--;
  }
}

/** Whether two are the same publish, given that they have the same id. */
export function isSame(a: Marks, b: Marks): boolean {
  const has = (marks: Marks, { id, fingerprint }: Mark) =>
    marks.some((other) => other.id === id && other.fingerprint === fingerprint);
  return a.some((mark) => has(b, mark));
}
