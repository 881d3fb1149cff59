/**
 * What an endpoint state asks its source, and how it takes the answers: R2, R4, R5, U5, L4, L7 and L8.
 * Questions are about positions: the state's own, from where it is, and one for each position at which somebody waits,
 * as many at once as have places (waiting-line.ts). In which states they can be is in question-states.ts.
 *
 * An answer comes frame by frame; once it is whole the replica learns it, those who are live and those who wait are
 * given their part of it, and it is seen what to ask again.
 *
 * Of this only `facts` outlive the memory.
 */
import { type Answer, AnswerAssembly } from "../../shared/core/answer.ts";
import { type Attached, encodeAttach, encodeCancel, UNASKED } from "../../shared/protocol/attach.ts";
import { type Frame, routingOf } from "../../shared/protocol/frame.ts";
import {
  componentsOf,
  later,
  NOTHING,
  type Position,
  reaches,
  samePosition,
} from "../../shared/protocol/position.ts";
import { encodeReset } from "../../shared/protocol/subscriber.ts";
import type { Peer } from "../peer.ts";
import { type CatchUp, knowsLess, proofOf } from "./catch-up.ts";
import { isChecked, type Own, type OwnEvent, openId, stepOwn } from "./question-states.ts";
import type { Replays } from "./replays.ts";
import type { ReadUpdate, Replica, Span } from "./replica.ts";
import type { StateFacts } from "./state-facts.ts";
import type { Subscribers } from "./subscribers.ts";
import type { Group, WaitingLine } from "./waiting-line.ts";

/** Who learns from an answer. */
export interface Learners<S extends Peer> {
  readonly replica: Replica;
  readonly subscribers: Subscribers<S>;
  readonly line: WaitingLine<S>;
  readonly catchUp: CatchUp<S>;
}

export type AskingFacts = Pick<StateFacts, "nextAsk" | "own" | "asks" | "forgotten">;

export interface AskingPorts<S> {
  readonly replays: Replays<S>;
  /** Milliseconds since 1970. */
  now(): number;
  /** Says something to the shard. */
  ask(frame: string): void;
}

/** Nearly always, and asked for after every message. */
const NONE: readonly never[] = [];

const NOT_THEIRS = {};

const WAIT = "the source of this endpoint can't answer just now";

export class Asking<S extends Peer> {
  readonly #path: string;
  readonly #replica: Replica;
  readonly #subscribers: Subscribers<S>;
  readonly #line: WaitingLine<S>;
  readonly #catchUp: CatchUp<S>;
  readonly #ports: AskingPorts<S>;
  #nextAsk = 1;
  #own: Own = { kind: "due" };
  readonly #answers = new AnswerAssembly<Attached>();

  /** Goes on from what survived. */
  constructor(path: string, learners: Learners<S>, ports: AskingPorts<S>, facts: AskingFacts | undefined) {
    this.#path = path;
    this.#replica = learners.replica;
    this.#subscribers = learners.subscribers;
    this.#line = learners.line;
    this.#catchUp = learners.catchUp;
    this.#ports = ports;
    if (facts === undefined) return;
    this.#nextAsk = facts.nextAsk;
    this.#own = facts.own;
    // A state that knows nothing, not even that there is nothing, has to ask.
    if (this.#replica.position === undefined) this.#step({ kind: "missed" });
    this.#line.restore(facts.asks);
    this.#line.cancel(facts.forgotten);
  }

  facts(): AskingFacts {
    const asks = this.#line.openCount === 0 ? NONE : [...this.#line.open()];
    const facts = { nextAsk: this.#nextAsk, own: this.#own, asks, forgotten: NONE };
    const { head } = this.#answers;
    if (head === undefined) return facts;
    // A half-received answer does not outlive the memory that holds it.
    return { ...facts, own: { kind: "due" }, asks: asks.filter((ask) => ask.id !== head.id) };
  }

  /** Questions asked on another link won't be answered; the state goes on from where it is. */
  restart(): void {
    this.#answers.breakOff();
    this.#step({ kind: "lost" });
    this.#line.stepAll({ kind: "lost" });
    this.#recall();
  }

  /** Something came that can't be read: it may have been anything, answers too. */
  garbled(): void {
    this.#line.stepAll({ kind: "lost" }, true);
    const id = openId(this.#own);
    if (id !== undefined) this.#line.cancel([id]);
    this.#answers.breakOff();
    this.#step({ kind: "lost" });
    this.#recall();
  }

  #recall(): void {
    this.#replica.recall();
    this.#subscribers.recall(this.#replica.position ?? NOTHING, this.#ports.now());
  }

  /** An update came that doesn't chain in this epoch, or can't be read. */
  missed(epoch: string | undefined): void {
    this.#step({ kind: "missed" });
    const position = this.#replica.position ?? NOTHING;
    // The answer need not speak of an epoch that only subscribers name, and which its source has dropped again.
    if (epoch === undefined || !position.has(epoch)) this.#subscribers.recall(position, this.#ports.now());
  }

  /** Somebody waits for more than is held here. */
  waits(socket: S): void {
    const question = this.#line.of(socket)?.question.kind;
    const isOwnHeld = this.#own.kind === "held" && this.#replica.position === undefined;
    if (isOwnHeld || question === "held" || question === "tired")
      this.#subscribers.tellToWait([socket], WAIT);
  }

  /** The source holds a question (R5): those who wait for it are told so (S4). */
  hold(id: number): void {
    const group = this.#line.asked(id);
    if (group !== undefined) {
      this.#line.hold(group);
      this.#tell(group);
    }
    if (openId(this.#own) !== id) return;
    this.#step({ kind: "waiting" });
    for (const other of this.#line.all())
      if (this.#replica.position === undefined || other.question.kind === "stalled") this.#tell(other);
  }

  /** Takes back what nobody waits for any more (L8); returns whether there was anything. */
  takeBack(): boolean {
    const cancelled = this.#line.takeCancelled();
    for (const id of cancelled) this.#ports.ask(encodeCancel({ endpoint: this.#path, id }));
    return cancelled.length > 0;
  }

  /**
   * Asks what there are places for (R2): the state's own first, since its answer may serve those who wait. Returns
   * whether it asked anything.
   */
  askNext(): boolean {
    const first = this.#nextAsk;
    const { position } = this.#replica;
    if (this.#own.kind === "due") {
      const from = position && new Map(position);
      const id = this.#nextAsk++;
      this.#step({ kind: "asks", id, from });
      this.#ports.ask(encodeAttach({ endpoint: this.#path, id, from }));
    }
    // The first answer tells what can be served without asking.
    for (;;) {
      const group = position && this.#line.next(this.#nextAsk);
      if (group === undefined) return this.#nextAsk > first;
      const id = this.#nextAsk++;
      const waited =
        group.question.kind === "tired"
          ? Math.max(0, Math.floor(this.#ports.now()) - group.joinedAt)
          : undefined;
      // Its answer counts, whoever is the source by then: it must have read what is here.
      const reached = isChecked(group.question) ? position : undefined;
      this.#line.step(group, { kind: "asks", id });
      if (group.from !== undefined && group.asker !== undefined) this.#ports.replays.asks(group.asker);
      this.#ports.ask(encodeAttach({ endpoint: this.#path, id, from: group.from, reached, waited }));
    }
  }

  /** The head of an answer. What is to go to those who are live is queued for them. */
  answer(attached: Attached): void {
    const { head } = this.#answers;
    if (head !== undefined) this.#abandon(head);
    const whole = this.#answers.begin(attached);
    if (whole !== undefined) this.#complete(whole);
  }

  /** Whether a frame belongs to the body of an answer. */
  take(frame: Frame): boolean {
    const taken = this.#answers.take(frame);
    if (taken === "live") return false;
    if (taken !== "part") this.#complete(taken);
    return true;
  }

  /** An answer broke off: whoever waited for it asks again. */
  #abandon({ id }: Attached): void {
    if (id === UNASKED) this.#step({ kind: "missed" });
    if (id === openId(this.#own)) this.#step({ kind: "answered", more: true });
    const group = this.#line.asked(id);
    if (group !== undefined) this.#line.step(group, { kind: "lost" });
  }

  /** An answer is whole. */
  #complete({ head: attached, frames }: Answer<Attached>): void {
    const { id, verdict, to } = attached;
    const now = this.#ports.now();
    const { horizon } = attached;
    const speaksOfHome = !attached.notHome && !attached.withoutHome;
    const span = { position: verdict.position, to, horizon, speaksOfHome, ...read(frames) };
    const own = openId(this.#own) === id && "from" in this.#own ? this.#own : undefined;
    const group = this.#line.asked(id);
    const wasNowhere = this.#replica.position === undefined;
    if (id === UNASKED) {
      this.#subscribers.flush();
      this.#recall();
    }
    const more = this.#learn(attached, span, own);
    const asked = own ?? group;
    if (asked !== undefined && asked.from === undefined) this.#replica.giveUpLatest();
    if (own !== undefined) this.#step({ kind: "answered", more });
    else if (more || this.#isToBeChecked(attached, group)) this.#step({ kind: "missed" });
    const steady = this.#own.kind === "settled";
    if (own !== undefined) this.#line.stepAll({ kind: "ownAnswered" });
    if (wasNowhere || (group === undefined && verdict.recovered === false)) this.#line.sort();
    if (group !== undefined) this.#line.step(group, { kind: "answered", steady });
    // Those who are live have been sent everything up to here before others join them.
    this.#subscribers.flush();
    this.#catchUp.handOn(attached, span, group ?? NOT_THEIRS, steady, now);
    for (const subscriber of this.#subscribers.waiting())
      this.#catchUp.serve(subscriber, now, proofOf(attached));
    if (group?.question.kind === "stalled" && this.#own.kind === "held") this.#tell(group);
  }

  /** Teaches the replica an answer; returns whether it must be asked (again) from where that is then. */
  #learn(
    { id, verdict, count }: Attached,
    span: Span,
    own: Extract<Own, { kind: "asked" | "held" }> | undefined,
  ): boolean {
    const { to } = span;
    const isOwn = own !== undefined || id === UNASKED;
    const before = this.#replica.position && new Map(this.#replica.position);
    let more = false;
    // Nothing has come since an answer of which not all has come: what that held is still to be learnt.
    if (before === undefined && id === UNASKED && verdict.recovered === true && count === 0) more = true;
    else if (before === undefined) this.#adopt(span, verdict.cause);
    else if (isOwn && verdict.recovered === false)
      this.#adopt(id === UNASKED ? keeping(span, before) : span, verdict.cause);
    else {
      if (isOwn) this.#replica.expect(verdict.head);
      const whole = this.#apply(span, isOwn);
      // To the state's own question; what others ask may name offsets that the endpoint never had.
      const reached = !isOwn || reaches(this.#replica.position ?? to, to);
      // An answer that doesn't lead from where the replica is to where it says won't do so when asked again.
      if (isOwn && !reached && reaches(before, verdict.position)) this.#adopt(span, verdict.cause);
      else if (!whole || !reached) more = true;
    }
    // An answer may hold only so much. One from where the replica is, which brought nothing, has no more to follow.
    const position = this.#replica.position ?? to;
    const asked = own === undefined ? before : own.from;
    const moved = id === UNASKED || asked === undefined || !samePosition(asked, position);
    const isPart = moved && !reaches(position, verdict.head);
    // It led the replica on, though it was for others: what comes live may follow what the rest of it brings.
    if (isPart && !isOwn) this.#replica.expect(later(this.#replica.due, verdict.head));
    return more || isPart;
  }

  /**
   * An answer to those who wait knew less than the replica: its source may not have read that far. It is asked from where
   * the replica is, which it answers when it has (R5), before anyone is told that continuity is lost.
   */
  #isToBeChecked(attached: Attached, group: Group<S> | undefined): boolean {
    if (group === undefined || group.question.kind === "stalled" || isChecked(group.question)) return false;
    return knowsLess(attached, this.#replica.position ?? attached.to);
  }

  /** Whether every update chains. */
  #apply(span: Span, isOwn: boolean): boolean {
    const now = this.#ports.now();
    let { whole } = span;
    for (const update of span.updates) {
      const verdict = this.#replica.apply(update.frame, update, now, span.position);
      if (verdict === "next") this.#subscribers.queue(update.frame);
      if (verdict === "gap") whole = false;
    }
    if (whole) this.#replica.learn(span, isOwn, now);
    return whole;
  }

  /** Starts anew from an answer. Live subscribers lose continuity by that, and are told so (S5). */
  #adopt(span: Span, cause: string | undefined): void {
    this.#subscribers.flush();
    this.#replica.adopt(span, this.#ports.now());
    const { position, frames } = this.#replica.snapshot();
    const reset = { position, head: span.to, cause: cause ?? "horizon" };
    this.#subscribers.queue(encodeReset(this.#path, reset));
    for (const frame of frames) this.#subscribers.queue(frame);
    this.#subscribers.flush();
  }

  #step(event: OwnEvent): void {
    this.#own = stepOwn(this.#own, event);
  }

  #tell({ members }: Group<S>): void {
    this.#subscribers.tellToWait(members.keys(), WAIT);
  }
}

function read(frames: readonly Frame[]): Pick<Span, "updates" | "whole"> {
  const updates: ReadUpdate[] = [];
  for (const frame of frames) {
    const routing = routingOf(frame);
    if (routing !== undefined) updates.push({ frame, ...routing });
  }
  return { updates, whole: updates.length === frames.length };
}

/**
 * What nobody asked for speaks of one slice, and says that in the others its link is at what was sent. The receiver need not
 * have taken that.
 */
function keeping(span: Span, before: Position): Span {
  const theirs = componentsOf(span.to, (epoch) => span.horizon.has(epoch));
  const kept = componentsOf(before, (epoch) => span.to.has(epoch) && !span.horizon.has(epoch));
  return { ...span, to: later(theirs, kept) };
}
