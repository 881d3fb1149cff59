/**
 * The publishes to one partition, from when they come until they are answered: which of them are answered at once, which go
 * together, and what each is told when the outcome of its batch is known. Whoever writes the partition says what is known of the
 * log. Pure.
 */
import type { Held } from "./held.ts";
import type { Marks } from "./mark.ts";
import {
  FULL,
  LATE,
  NOT_WRITER,
  type PublishResult,
  REUSED,
  refusal,
  UNKNOWN,
  unlessUnknown,
} from "./result.ts";
import type { BatchOutcome } from "./sink.ts";
import { isSame, type MarkedPublish, type Pending, type Room, Waiting } from "./waiting.ts";

const FORGETS_NONE = refusal(
  "overloaded",
  "more was published here in the last 20 minutes than this origin can remember: try again later",
);
const IN_FLIGHT = refusal("in_flight", "the same publish is under way");

export class PartitionPublishes {
  /** Of the partition. */
  readonly #epoch: string;
  /** Milliseconds since 1970. */
  readonly #time: () => number;
  readonly #waiting: Waiting;

  constructor(epoch: string, room: Room, time: () => number) {
    this.#epoch = epoch;
    this.#time = time;
    this.#waiting = new Waiting(room);
  }

  /** Whether none waits to be sent. */
  get isEmpty(): boolean {
    return this.#waiting.isEmpty;
  }

  /**
   * Answers it, unless it is to be written: then it waits. Returns whether it does.
   * @param held What is known of the log; undefined if the partition isn't claimed.
   */
  take(publish: MarkedPublish, held: Held | undefined): boolean {
    const result = this.#atOnce(publish, held);
    if (result !== undefined) {
      publish.answer(result);
      return false;
    }
    const before = this.#waiting.find(publish.marks);
    if (before === undefined) this.#waiting.add(publish, held);
    else {
      // Whoever asked first was told that the outcome isn't known: this one is told when it is.
      before.answer = publish.answer;
      before.deadline = publish.deadline;
      before.until = publish.until;
    }
    return true;
  }

  /** The next ones to be written together. Those that aren't to be written any more are answered. */
  next(held: Held, now: number): readonly Pending[] {
    const { forgets } = held;
    while (!this.#waiting.isEmpty) {
      const pendings = this.#waiting.take().filter((pending) => {
        // By the same claim it can't have come into the log since: the same would have been found to be under way.
        const found = pending.missingIn === held ? undefined : this.#known(pending.marks, held);
        const known = found ?? unpromised(pending.isPromised, forgets);
        const over = known ?? (pending.until <= now ? LATE : undefined);
        if (over !== undefined) this.#waiting.settle(pending, over);
        // What an earlier claim of this partition sent, and this one doesn't know, was never appended.
        pending.isDoubtful = false;
        return over === undefined;
      });
      if (pendings.length > 0) return pendings;
    }
    return [];
  }

  /** They are in the log, from this offset on. */
  appended(pendings: readonly Pending[], first: number, timestamp: number, held: Held): void {
    let offset = first;
    for (const pending of pendings) {
      const { id, fingerprint, secret } = pending.marks[0];
      held.learn({ id, fingerprint, secret, offset, timestamp });
      this.#waiting.settle(pending, this.#positionAt(offset, held));
      offset++;
    }
  }

  /** The log takes no such batch. */
  refused(pendings: readonly Pending[], { why, message }: Extract<BatchOutcome, { kind: "refused" }>): void {
    if (pendings.length > 1 && why !== "forbidden") {
      // One of them is the reason, and the others are no worse for it.
      for (const pending of pendings) pending.isAlone = true;
      this.#waiting.putBack(pendings);
      return;
    }
    const code = why === "tooLarge" ? "too_large" : why;
    for (const pending of pendings) this.#waiting.settle(pending, refusal(code, message));
  }

  /** They may be in the log. */
  doubt(pendings: readonly Pending[]): void {
    for (const pending of pendings) pending.isDoubtful = true;
  }

  /** They are to be tried again. Those for whom nobody waits any more were told that it isn't known, and aren't. */
  putBack(pendings: readonly Pending[]): void {
    for (const pending of pendings) if (pending.answer === undefined) this.#waiting.settle(pending, UNKNOWN);
    this.#waiting.putBack(pendings.filter(({ answer }) => answer !== undefined));
  }

  /** Another writes the partition. */
  leave(pendings: readonly Pending[]): void {
    for (const pending of pendings)
      this.#waiting.settle(pending, unlessUnknown(pending.isDoubtful, NOT_WRITER));
  }

  /** Lets those go that wait, and shall be elsewhere: in order. */
  takeOut(isElsewhere: (pending: Pending) => boolean): readonly MarkedPublish[] {
    return this.#waiting.takeOut(isElsewhere);
  }

  /** Ends the wait of those that `isOver` says. */
  giveUpWaiting(isOver: (pending: Pending) => boolean): void {
    this.#waiting.settleQueued(isOver, ({ isDoubtful }) => unlessUnknown(isDoubtful, LATE));
  }

  /** Of those that were sent, tells those that `isOver` says; they stay under way. Returns whether somebody still waits for one. */
  giveUp(underWay: readonly Pending[], isOver: (pending: Pending) => boolean): boolean {
    for (const pending of underWay) if (isOver(pending)) tellUnknown(pending);
    return underWay.some(({ answer }) => answer !== undefined);
  }

  /** Answers all. */
  end(underWay: readonly Pending[], result: PublishResult): void {
    for (const pending of underWay) this.#waiting.settle(pending, UNKNOWN);
    this.#waiting.settleQueued(
      () => true,
      ({ isDoubtful }) => unlessUnknown(isDoubtful, result),
    );
  }

  /** What it is answered at once; undefined if it is to be written, or is. */
  #atOnce(
    { marks, bytes, isPromised, until }: MarkedPublish,
    held: Held | undefined,
  ): PublishResult | undefined {
    if (held !== undefined) {
      const known = this.#known(marks, held) ?? unpromised(isPromised, held.forgets);
      if (known !== undefined) return known;
    }
    const before = this.#waiting.find(marks);
    if (before !== undefined) {
      if (!isSame(before.marks, marks)) return REUSED;
      return before.answer === undefined ? undefined : IN_FLIGHT;
    }
    if (until <= this.#time()) return LATE;
    if (!this.#waiting.hasRoomFor(bytes)) return FULL;
    return held?.hasRoom() === false ? FORGETS_NONE : undefined;
  }

  /** What the log says of it; undefined if it wasn't published. */
  #known(marks: Marks, held: Held): PublishResult | undefined {
    const found = held.find(marks);
    if (found.kind === "new") return undefined;
    return found.kind === "done" ? this.#positionAt(found.offset, held) : REUSED;
  }

  #positionAt(offset: number, { claim: { guarantee } }: Held): PublishResult {
    const position = `${this.#epoch}:${offset}`;
    return guarantee === undefined ? { position } : { position, guarantee };
  }
}

/** What can't be kept isn't promised. */
function unpromised(isPromised: boolean, forgets: string | undefined): PublishResult | undefined {
  return isPromised && forgets !== undefined ? refusal("id_not_kept", forgets) : undefined;
}

/** It stays under way. */
function tellUnknown(pending: Pending): void {
  pending.answer?.(UNKNOWN);
  pending.answer = undefined;
}
