/**
 * The one writer of one partition: claims it when something is first published there, and appends what comes in batches,
 * one after another. What arrives while a batch is under way goes with the next one; nothing is waited for. The
 * decisions are writer-states.ts's and the ledger's; this holds them to the log.
 */
import { backoff } from "../../shared/core/backoff.ts";
import type { WriterStanding } from "../../shared/protocol/publish.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import { Held, type HeldPorts } from "./held.ts";
import type { Marks } from "./mark.ts";
import {
  CLOSED,
  FULL,
  LATE,
  NOT_WRITER,
  type PublishResult,
  REUSED,
  refusal,
  UNKNOWN,
  unlessUnknown,
} from "./result.ts";
import {
  type BatchOutcome,
  type Claim,
  type ClaimRequest,
  type KnownPublish,
  type SinkBatch,
  SinkError,
} from "./sink.ts";
import { isSame, type MarkedPublish, type Pending, type Room, Waiting } from "./waiting.ts";
import { type Bar, stepWriter, type WriterEvent, type WriterState } from "./writer-states.ts";

export interface WriterPorts extends HeldPorts {
  /** Of the partition. */
  readonly epoch: string;
  /** Shared with the other partitions. */
  readonly room: Room;
  readonly claim: (request: Pick<ClaimRequest, "learn" | "signal">) => Promise<Claim>;
  /** Told of each claim before anything is sent by it. */
  readonly claimed: (held: Held) => void;
  /** Called when the writer begins to claim the partition, when it has it, and when it does neither any more. */
  readonly announce: (standing: WriterStanding) => void;
  readonly random: () => number;
}

interface Sending {
  readonly pendings: readonly Pending[];
  /** When it was made. */
  readonly timestamp: number;
  readonly batch: SinkBatch;
}

type State = WriterState<Held, Sending>;

const FORGETS_NONE = refusal(
  "overloaded",
  "more was published here in the last 20 minutes than this origin can remember: try again later",
);
const IN_FLIGHT = refusal("in_flight", "the same publish is under way");

export class PartitionWriter {
  readonly #ports: WriterPorts;
  readonly #waiting: Waiting;
  readonly #closing = new AbortController();
  #state: State = { kind: "idle", failures: 0 };
  #timer: NodeJS.Timeout | undefined;
  #isDue = false;
  /** Batches that could not be appended, since one was. */
  #failures = 0;

  constructor(ports: WriterPorts) {
    this.#ports = ports;
    this.#waiting = new Waiting(ports.room);
  }

  get state(): State["kind"] {
    return this.#state.kind;
  }

  /** Answers once, perhaps at once; by its deadline at the latest, if `expire` is called. */
  publish(publish: MarkedPublish): void {
    const refused = this.#refused(publish);
    if (refused !== undefined) {
      publish.answer(refused);
      return;
    }
    const before = this.#waiting.find(publish.marks);
    if (before === undefined) this.#waiting.add(publish, this.#held);
    else {
      // Whoever asked first was told that the outcome isn't known: this one is told when it is.
      before.answer = publish.answer;
      before.deadline = publish.deadline;
      before.until = publish.until;
    }
    this.#step({ kind: "wanted" });
    this.#flush();
  }

  /** Claims the partition, if this writer hasn't got it. */
  takeOver(): void {
    this.#step({ kind: "takeOver" });
  }

  /** Claims the partition, anew if this writer has it: what was sent there before has come by then, or never will. */
  renew(): void {
    this.#step({ kind: "stale" });
    this.takeOver();
  }

  /** Why the partition can't be claimed just now. */
  get bar(): PublishResult | undefined {
    return this.#state.kind === "barred" ? barred(this.#state.why) : undefined;
  }

  /** Lets those go that wait to be written, and shall be elsewhere: in order. */
  takeOut(isElsewhere: (pending: Pending) => boolean): readonly MarkedPublish[] {
    return this.#waiting.takeOut(isElsewhere);
  }

  /** Whether this is the claim that this writer has. */
  has(held: Held): boolean {
    return this.#held === held;
  }

  /** Answers those whose deadline has passed. */
  expire(now: number): void {
    const isLate = ({ deadline }: Pending) => deadline <= now;
    this.#waiting.settleQueued(isLate, ({ isDoubtful }) => unlessUnknown(isDoubtful, LATE));
    for (const pending of this.#sending?.pendings ?? []) {
      if (isLate(pending)) tellUnknown(pending);
    }
  }

  close(): void {
    this.#closing.abort();
    clearTimeout(this.#timer);
    this.#letGo(this.#held);
    if (this.#state.kind === "claiming") this.#ports.announce(undefined);
    this.#settleAll(CLOSED);
  }

  get #held(): Held | undefined {
    return "held" in this.#state ? this.#state.held : undefined;
  }

  get #sending(): Sending | undefined {
    return "batch" in this.#state ? this.#state.batch : undefined;
  }

  /** What it is answered at once; undefined if it is to be written, or is. */
  #refused({ marks, bytes, isPromised, until }: MarkedPublish): PublishResult | undefined {
    const state = this.#state;
    if (this.#closing.signal.aborted) return CLOSED;
    if (state.kind === "resigned") return NOT_WRITER;
    if (state.kind === "barred") return barred(state.why);
    const known = this.#known(marks) ?? this.#unpromised(isPromised, this.#held);
    if (known !== undefined) return known;
    const before = this.#waiting.find(marks);
    if (before !== undefined) {
      if (!isSame(before.marks, marks)) return REUSED;
      return before.answer === undefined ? undefined : IN_FLIGHT;
    }
    if (until <= this.#ports.time()) return LATE;
    if (!this.#waiting.hasRoomFor(bytes)) return FULL;
    return this.#held?.hasRoom() === false ? FORGETS_NONE : undefined;
  }

  /** What the log says of it; undefined if it wasn't published, or that isn't known before the partition is claimed. */
  #known(marks: Marks): PublishResult | undefined {
    const found = this.#held?.find(marks);
    if (found === undefined || found.kind === "new") return undefined;
    return found.kind === "done" ? this.#positionAt(found.offset) : REUSED;
  }

  /** What can't be kept isn't promised. */
  #unpromised(isPromised: boolean, held: Pick<Held, "forgets"> | undefined): PublishResult | undefined {
    const forgets = isPromised ? held?.forgets : undefined;
    return forgets === undefined ? undefined : refusal("id_not_kept", forgets);
  }

  #positionAt(offset: number): PublishResult {
    const position = `${this.#ports.epoch}:${offset}`;
    const guarantee = this.#held?.claim.guarantee;
    return guarantee === undefined ? { position } : { position, guarantee };
  }

  #step(event: WriterEvent<Held, Sending>): void {
    const before = this.#state;
    const after = stepWriter(before, event);
    if (after === before) return;
    this.#state = after;
    const held = "held" in before ? before.held : undefined;
    if (held !== this.#held) this.#letGo(held);
    if (before.kind === "claiming" && !("held" in after)) this.#ports.announce(undefined);
    if ("batch" in before && !("held" in after)) this.#giveBack(before.batch, event.kind);
    this.#enter(after);
  }

  #letGo(held: Held | undefined): void {
    if (held === undefined) return;
    held.claim.release();
    this.#ports.announce(undefined);
  }

  #enter(state: State): void {
    switch (state.kind) {
      case "claiming":
        this.#ports.announce("taking");
        void this.#claim();
        break;
      case "ready":
        this.#flush();
        break;
      case "sending":
        void this.#send(state.batch, state.held.claim, state.tries === 1);
        break;
      case "pausing":
        this.#later(backoff(this.#failures++, TIME_LIMITS.publishAgain, this.#ports.random()));
        break;
      case "doubtful":
        this.#later(backoff(state.tries - 1, TIME_LIMITS.publishAgain, this.#ports.random()));
        break;
      case "barred":
        this.#settleAll(barred(state.why));
        this.#later(backoff(state.failures - 1, TIME_LIMITS.publishClaimAgain, this.#ports.random()));
        break;
      case "resigned":
        this.#settleAll(NOT_WRITER);
        break;
      case "idle":
        break;
    }
  }

  #later(ms: number): void {
    clearTimeout(this.#timer);
    if (this.#closing.signal.aborted) return;
    this.#timer = setTimeout(() => this.#elapse(), ms);
  }

  #elapse(): void {
    const now = this.#ports.time();
    const isOver = ({ until }: Pending) => until <= now;
    const pendings = this.#sending?.pendings ?? [];
    for (const pending of pendings) if (isOver(pending)) tellUnknown(pending);
    if (pendings.length === 0 || pendings.some(({ answer }) => answer !== undefined)) {
      this.#step({ kind: "elapsed" });
      return;
    }
    // It isn't sent again: the next claim tells what became of it. That isn't made before somebody wants it: this process may
    // have been stopped, and another have the partition.
    this.#waiting.settleQueued(isOver, ({ isDoubtful }) => unlessUnknown(isDoubtful, LATE));
    this.#step({ kind: this.#waiting.isEmpty ? "unwanted" : "stale" });
  }

  /** Never rejects. */
  async #claim(): Promise<void> {
    const held = new Held(this.#ports);
    try {
      const learn = (publish: KnownPublish) => held.learn(publish);
      const claim = await this.#ports.claim({ learn, signal: this.#closing.signal });
      if (this.#closing.signal.aborted) {
        held.drop();
        return claim.release();
      }
      held.begin(claim);
      claim.lost.addEventListener("abort", () => this.#lose(held), { once: true });
      this.#ports.announce(claim.writer);
      this.#ports.claimed(held);
      this.#step({ kind: "claimed", held });
    } catch (error) {
      held.drop();
      if (this.#closing.signal.aborted) return;
      if (error instanceof SinkError && error.code === "fenced") this.#step({ kind: "fenced" });
      else this.#step({ kind: "failed", why: barOf(error) });
    }
  }

  /** What is being sent finds out by itself. */
  #lose(held: Held): void {
    if (this.#closing.signal.aborted) return;
    if (this.#held === held && this.#state.kind !== "sending") this.#step({ kind: "fenced" });
  }

  /** What comes in one turn of the loop goes together. */
  #flush(): void {
    if (this.#isDue || this.#state.kind !== "ready") return;
    this.#isDue = true;
    queueMicrotask(() => {
      this.#isDue = false;
      this.#next();
    });
  }

  #next(): void {
    const state = this.#state;
    if (state.kind !== "ready" || this.#closing.signal.aborted) return;
    const { held } = state;
    if (held.claim.lost.aborted || held.isClockSet) {
      this.#step({ kind: held.claim.lost.aborted ? "fenced" : "stale" });
      return;
    }
    held.forget();
    const now = this.#ports.time();
    const { forgets } = held;
    while (!this.#waiting.isEmpty) {
      const pendings = this.#waiting.take().filter((pending) => {
        // By the same claim it can't have come into the log since: the same would have been found to be under way.
        const found = pending.missingIn === held ? undefined : this.#known(pending.marks);
        const known = found ?? this.#unpromised(pending.isPromised, { forgets });
        const over = known ?? (pending.until <= now ? LATE : undefined);
        if (over !== undefined) this.#waiting.settle(pending, over);
        // What an earlier claim of this partition sent, and this one doesn't know, was never appended.
        pending.isDoubtful = false;
        return over === undefined;
      });
      if (pendings.length === 0) continue;
      const batch = held.claim.batch(
        pendings.map(({ record }) => record),
        now,
      );
      this.#step({ kind: "sent", batch: { pendings, timestamp: held.time, batch } });
      return;
    }
  }

  /** Never rejects. */
  async #send(sending: Sending, claim: Claim, isFirst: boolean): Promise<void> {
    const isOver = ({ until }: Pending) => until <= this.#ports.time();
    // Of a batch that may be in the log none can be left out.
    const isLate = () => (isFirst ? sending.pendings.some(isOver) : sending.pendings.every(isOver));
    const outcome = await sending.batch.send(isLate);
    if (this.#closing.signal.aborted || this.#held?.claim !== claim) return;
    switch (outcome.kind) {
      case "appended":
        this.#failures = 0;
        this.#appended(sending, outcome.offset);
        return this.#step({ kind: "settled" });
      case "refused":
        this.#refuse(sending.pendings, outcome);
        return this.#step({ kind: "settled" });
      case "notNow":
        this.#putBack(sending.pendings);
        return this.#step({ kind: "notNow" });
      case "unknown":
        for (const pending of sending.pendings) pending.isDoubtful = true;
        return this.#step({ kind: "unknown" });
      case "stale":
        for (const pending of sending.pendings) pending.isDoubtful = true;
        return this.#step({ kind: "stale" });
      case "fenced":
        return this.#step({ kind: "fenced" });
    }
  }

  #appended({ pendings, timestamp }: Sending, first: number): void {
    let offset = first;
    for (const pending of pendings) {
      const { id, fingerprint, secret } = pending.marks[0];
      this.#held?.learn({ id, fingerprint, secret, offset, timestamp });
      this.#waiting.settle(pending, this.#positionAt(offset));
      offset++;
    }
  }

  #refuse(pendings: readonly Pending[], { why, message }: Extract<BatchOutcome, { kind: "refused" }>): void {
    if (pendings.length > 1 && why !== "forbidden") {
      // One of them is the reason, and the others are no worse for it.
      for (const pending of pendings) pending.isAlone = true;
      this.#waiting.putBack(pendings);
      return;
    }
    const code = why === "tooLarge" ? "too_large" : why;
    for (const pending of pendings) this.#waiting.settle(pending, refusal(code, message));
  }

  /** Of a batch whose claim is gone: the next claim tells which of it was appended, and another writer's would, too. */
  #giveBack({ pendings }: Sending, why: WriterEvent<Held, Sending>["kind"]): void {
    if (why !== "fenced") {
      this.#putBack(pendings);
      return;
    }
    for (const pending of pendings)
      this.#waiting.settle(pending, unlessUnknown(pending.isDoubtful, NOT_WRITER));
  }

  /** Those for whom nobody waits any more were told that it isn't known, and aren't tried again. */
  #putBack(pendings: readonly Pending[]): void {
    for (const pending of pendings) if (pending.answer === undefined) this.#waiting.settle(pending, UNKNOWN);
    this.#waiting.putBack(pendings.filter(({ answer }) => answer !== undefined));
  }

  #settleAll(result: PublishResult): void {
    for (const pending of this.#sending?.pendings ?? []) this.#waiting.settle(pending, UNKNOWN);
    this.#waiting.settleQueued(
      () => true,
      ({ isDoubtful }) => unlessUnknown(isDoubtful, result),
    );
  }
}

/** It stays under way. */
function tellUnknown(pending: Pending): void {
  pending.answer?.(UNKNOWN);
  pending.answer = undefined;
}

const barred = ({ code, message }: Bar) => refusal(code, message);

function barOf(error: unknown): Bar {
  const message = error instanceof Error ? error.message : String(error);
  if (!(error instanceof SinkError) || error.code === "fenced") return { code: "unavailable", message };
  return { code: error.code === "changed" ? "unknown_topic" : error.code, message };
}
