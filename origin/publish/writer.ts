/**
 * The one writer of one partition: claims it when something is first published there, and appends what comes in batches,
 * one after another. What arrives while a batch is under way goes with the next one; nothing is waited for. What it does next
 * is decided in writer-states.ts, and what publishes are answered in partition-publishes.ts; this holds both to the log.
 */
import { backoff } from "../../shared/core/backoff.ts";
import type { WriterStanding } from "../../shared/protocol/publish.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import { Held, type HeldPorts } from "./held.ts";
import { PartitionPublishes } from "./partition-publishes.ts";
import { CLOSED, NOT_WRITER, type PublishResult, refusal } from "./result.ts";
import { type Claim, type ClaimRequest, type KnownPublish, type SinkBatch, SinkError } from "./sink.ts";
import type { MarkedPublish, Pending, Room } from "./waiting.ts";
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

export class PartitionWriter {
  readonly #ports: WriterPorts;
  readonly #publishes: PartitionPublishes;
  readonly #closing = new AbortController();
  #state: State = { kind: "idle", failures: 0 };
  #timer: NodeJS.Timeout | undefined;
  #isDue = false;
  /** Batches that could not be appended, since one was. */
  #failures = 0;

  constructor(ports: WriterPorts) {
    this.#ports = ports;
    this.#publishes = new PartitionPublishes(ports.epoch, ports.room, ports.time);
  }

  get state(): State["kind"] {
    return this.#state.kind;
  }

  /** Answers once, perhaps at once; by its deadline at the latest, if `expire` is called. */
  publish(publish: MarkedPublish): void {
    const refused = this.#refusal;
    if (refused !== undefined) {
      publish.answer(refused);
      return;
    }
    if (!this.#publishes.take(publish, this.#held)) return;
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
    return this.#publishes.takeOut(isElsewhere);
  }

  /** Whether this is the claim that this writer has. */
  has(held: Held): boolean {
    return this.#held === held;
  }

  /** Answers those whose deadline has passed. */
  expire(now: number): void {
    const isLate = ({ deadline }: Pending) => deadline <= now;
    this.#publishes.giveUpWaiting(isLate);
    this.#publishes.giveUp(this.#underWay, isLate);
  }

  close(): void {
    this.#closing.abort();
    clearTimeout(this.#timer);
    this.#letGo(this.#held);
    if (this.#state.kind === "claiming") this.#ports.announce(undefined);
    this.#publishes.end(this.#underWay, CLOSED);
  }

  get #held(): Held | undefined {
    return "held" in this.#state ? this.#state.held : undefined;
  }

  /** Publishes that were sent, and whose outcome isn't known. */
  get #underWay(): readonly Pending[] {
    return "batch" in this.#state ? this.#state.batch.pendings : [];
  }

  /** What all are answered just now; undefined if they aren't all refused. */
  get #refusal(): PublishResult | undefined {
    const state = this.#state;
    if (this.#closing.signal.aborted) return CLOSED;
    if (state.kind === "resigned") return NOT_WRITER;
    return state.kind === "barred" ? barred(state.why) : undefined;
  }

  #step(event: WriterEvent<Held, Sending>): void {
    const before = this.#state;
    const after = stepWriter(before, event);
    if (after === before) return;
    this.#state = after;
    const held = "held" in before ? before.held : undefined;
    if (held !== this.#held) this.#letGo(held);
    if (before.kind === "claiming" && !("held" in after)) this.#ports.announce(undefined);
    // The next claim tells which of it was appended, and another writer's would, too.
    if ("batch" in before && !("held" in after)) {
      if (event.kind === "fenced") this.#publishes.leave(before.batch.pendings);
      else this.#publishes.putBack(before.batch.pendings);
    }
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
        this.#publishes.end(this.#underWay, barred(state.why));
        this.#later(backoff(state.failures - 1, TIME_LIMITS.publishClaimAgain, this.#ports.random()));
        break;
      case "resigned":
        this.#publishes.end(this.#underWay, NOT_WRITER);
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
    const isWanted = this.#publishes.giveUp(this.#underWay, isOver);
    if (this.#underWay.length === 0 || isWanted) {
      this.#step({ kind: "elapsed" });
      return;
    }
    // It isn't sent again: the next claim tells what became of it. That isn't made before somebody wants it: this process may
    // have been stopped, and another have the partition.
    this.#publishes.giveUpWaiting(isOver);
    this.#step({ kind: this.#publishes.isEmpty ? "unwanted" : "stale" });
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
    const pendings = this.#publishes.next(held, now);
    if (pendings.length === 0) return;
    const records = pendings.map(({ record }) => record);
    const batch = held.claim.batch(records, now);
    this.#step({ kind: "sent", batch: { pendings, timestamp: held.time, batch } });
  }

  /** Never rejects. */
  async #send(sending: Sending, claim: Claim, isFirst: boolean): Promise<void> {
    const { pendings, timestamp, batch } = sending;
    // Of a batch that may be in the log none can be left out.
    const isLate = () => {
      const now = this.#ports.time();
      const isOver = ({ until }: Pending) => until <= now;
      return isFirst ? pendings.some(isOver) : pendings.every(isOver);
    };
    const outcome = await batch.send(isLate);
    const held = this.#held;
    if (this.#closing.signal.aborted || held?.claim !== claim) return;
    switch (outcome.kind) {
      case "appended":
        this.#failures = 0;
        this.#publishes.appended(pendings, outcome.offset, timestamp, held);
        return this.#step({ kind: "settled" });
      case "refused":
        this.#publishes.refused(pendings, outcome);
        return this.#step({ kind: "settled" });
      case "notNow":
        this.#publishes.putBack(pendings);
        return this.#step({ kind: "notNow" });
      case "unknown":
        this.#publishes.doubt(pendings);
        return this.#step({ kind: "unknown" });
      case "stale":
        this.#publishes.doubt(pendings);
        return this.#step({ kind: "stale" });
      case "fenced":
        return this.#step({ kind: "fenced" });
    }
  }
}

const barred = ({ code, message }: Bar) => refusal(code, message);

function barOf(error: unknown): Bar {
  const message = error instanceof Error ? error.message : String(error);
  if (!(error instanceof SinkError) || error.code === "fenced") return { code: "unavailable", message };
  return { code: error.code === "changed" ? "unknown_topic" : error.code, message };
}
