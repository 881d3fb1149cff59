/**
 * What an endpoint's object asks its source, and how it takes the answers: R2, R4, R5, U5, L4, L7 and L8.
 * Questions are about positions: the object's own, from where it is, and one for each position at which somebody waits,
 * as many at once as have places (line.ts). In which states they can be is in question-states.ts.
 *
 * An answer comes frame by frame; once it is whole the replica learns it, those who are live and those who wait are
 * given their part of it, and it is seen what to ask again.
 *
 * Of this only `facts` outlive the memory.
 */
import { ownedFrame } from "../../shared/core/owned.ts";
import { type Attached, encodeAttach, encodeCancel, UNASKED } from "../../shared/protocol/attach.ts";
import type { ResetCause } from "../../shared/protocol/codes.ts";
import { type Frame, routingOf } from "../../shared/protocol/frame.ts";
import { NOTHING, reaches, samePosition } from "../../shared/protocol/position.ts";
import { encodeReset } from "../../shared/protocol/subscriber.ts";
import { type HibernatingPeer, sendQuietly } from "../peer.ts";
import type { LinkFacts } from "./attachment.ts";
import { type CatchUp, knowsLess, proofOf } from "./catch-up.ts";
import type { Group, Line } from "./line.ts";
import { type Own, type OwnEvent, openId, stepOwn } from "./question-states.ts";
import type { Replica, Span } from "./replica.ts";
import type { Subscribers } from "./subscribers.ts";

/** Who learns from an answer. */
export interface Learners {
  readonly replica: Replica;
  readonly subscribers: Subscribers;
  readonly line: Line;
  readonly catchUp: CatchUp;
}

export type AskingFacts = Pick<LinkFacts, "nextAsk" | "own" | "asks" | "forgotten">;

/** What comes on the link: updates by themselves, or an answer of which `count` frames are not all there yet. */
type Reading =
  | { readonly kind: "updates" }
  | { readonly kind: "answer"; readonly attached: Attached; readonly frames: Frame[] };

const WAIT = "the source of this endpoint can't answer just now";

export class Asking {
  readonly #path: string;
  readonly #replica: Replica;
  readonly #subscribers: Subscribers;
  readonly #line: Line;
  readonly #catchUp: CatchUp;
  /** Milliseconds since 1970. */
  readonly #now: () => number;
  #nextAsk = 1;
  #own: Own = { kind: "due" };
  #reading: Reading = { kind: "updates" };

  /** Goes on from what survived. */
  constructor(path: string, learners: Learners, now: () => number, facts: AskingFacts | undefined) {
    this.#path = path;
    this.#replica = learners.replica;
    this.#subscribers = learners.subscribers;
    this.#line = learners.line;
    this.#catchUp = learners.catchUp;
    this.#now = now;
    if (facts === undefined) return;
    this.#nextAsk = facts.nextAsk;
    this.#own = facts.own;
    // An object that knows nothing, not even that there is nothing, has to ask.
    if (this.#replica.position === undefined) this.#step({ kind: "missed" });
    this.#line.restore(facts.asks);
    this.#line.cancel(facts.forgotten);
  }

  facts(): AskingFacts {
    const asks = [...this.#line.open()];
    const forgotten: number[] = [];
    const facts = { nextAsk: this.#nextAsk, own: this.#own, asks, forgotten };
    if (this.#reading.kind === "updates") return facts;
    // A half-received answer does not outlive the memory that holds it.
    const { id } = this.#reading.attached;
    return { ...facts, own: { kind: "due" }, asks: asks.filter((ask) => ask.id !== id) };
  }

  /** What was asked on another link won't be answered; from where the object is, it goes on. */
  restart(): void {
    this.#reading = { kind: "updates" };
    this.#step({ kind: "lost" });
    this.#line.stepAll({ kind: "lost" });
    this.#recall();
  }

  /** Something came that can't be read: it may have been anything, answers too. */
  garbled(): void {
    this.#line.stepAll({ kind: "lost" }, true);
    const id = openId(this.#own);
    if (id !== undefined) this.#line.cancel([id]);
    this.#reading = { kind: "updates" };
    this.#step({ kind: "lost" });
    this.#recall();
  }

  #recall(): void {
    this.#subscribers.recall(this.#replica.position ?? NOTHING, this.#now());
  }

  /** An update came that doesn't chain, or can't be read. */
  missed(): void {
    this.#step({ kind: "missed" });
  }

  /** Somebody waits for more than the object holds. */
  waits(socket: HibernatingPeer): void {
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
  takeBack(socket: HibernatingPeer): boolean {
    const cancelled = this.#line.takeCancelled();
    for (const id of cancelled) sendQuietly(socket, encodeCancel({ endpoint: this.#path, id }));
    return cancelled.length > 0;
  }

  /**
   * Asks what there are places for (R2): the object's own first, since its answer may serve those who wait. Returns
   * whether it asked anything.
   */
  askNext(socket: HibernatingPeer): boolean {
    const first = this.#nextAsk;
    const { position } = this.#replica;
    if (this.#own.kind === "due") {
      const from = position && new Map(position);
      const id = this.#nextAsk++;
      this.#step({ kind: "asks", id, from });
      sendQuietly(socket, encodeAttach({ endpoint: this.#path, id, from }));
    }
    // The first answer tells the object what it can serve by itself.
    for (;;) {
      const group = position && this.#line.next(this.#nextAsk);
      if (group === undefined) return this.#nextAsk > first;
      const id = this.#nextAsk++;
      const waited =
        group.question.kind === "tired" ? Math.max(0, Math.floor(this.#now()) - group.joinedAt) : undefined;
      this.#line.step(group, { kind: "asks", id });
      sendQuietly(socket, encodeAttach({ endpoint: this.#path, id, from: group.from, waited }));
    }
  }

  /** The head of an answer; as many frames as it counts are its body. What is to go to those who are live joins `out`. */
  answer(attached: Attached, out: Frame[]): void {
    if (this.#reading.kind === "answer") this.#abandon(this.#reading.attached);
    this.#reading = { kind: "answer", attached, frames: [] };
    if (attached.count === 0) this.#complete(this.#reading, out);
  }

  /** Whether a frame belongs to the body of an answer. */
  take(frame: Frame, out: Frame[]): boolean {
    const reading = this.#reading;
    if (reading.kind === "updates") return false;
    reading.frames.push(ownedFrame(frame));
    if (reading.frames.length >= reading.attached.count) this.#complete(reading, out);
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
  #complete({ attached, frames }: Extract<Reading, { kind: "answer" }>, out: Frame[]): void {
    this.#reading = { kind: "updates" };
    const { id, verdict, to } = attached;
    const now = this.#now();
    const span = { position: verdict.position, to, horizon: attached.horizon, frames };
    const own = openId(this.#own) === id && "from" in this.#own ? this.#own : undefined;
    const group = this.#line.asked(id);
    const wasNowhere = this.#replica.position === undefined;
    if (id === UNASKED) {
      this.#subscribers.fanOutFrames(out);
      this.#recall();
    }
    const more = this.#learn(attached, span, own, out);
    const asked = own ?? group;
    if (asked !== undefined && asked.from === undefined) this.#replica.giveUpLatest();
    if (own !== undefined) this.#step({ kind: "answered", more });
    else if (more || this.#isToBeChecked(attached, group)) this.#step({ kind: "missed" });
    const steady = this.#own.kind === "settled";
    if (own !== undefined) this.#line.stepAll({ kind: "ownAnswered" });
    if (wasNowhere || (group === undefined && verdict.recovered === false)) this.#line.sort();
    if (group !== undefined) this.#line.step(group, { kind: "answered", steady });
    // Those who are live have been sent everything up to here before others join them.
    this.#subscribers.fanOutFrames(out);
    this.#catchUp.handOn(attached, span, group?.from, steady, now);
    for (const subscriber of this.#subscribers.waiting())
      this.#catchUp.serve(subscriber, now, proofOf(attached));
    if (group?.question.kind === "stalled" && this.#own.kind === "held") this.#tell(group);
  }

  /** Teaches the replica an answer; returns whether the object must ask (again) from where it is then. */
  #learn(
    { id, verdict, count }: Attached,
    span: Span,
    own: Extract<Own, { kind: "asked" | "held" }> | undefined,
    out: Frame[],
  ): boolean {
    const { to } = span;
    const isOwn = own !== undefined || id === UNASKED;
    const before = this.#replica.position && new Map(this.#replica.position);
    let more = false;
    // Nothing has come since an answer of which the object hasn't all: it has still to learn what that held.
    if (before === undefined && id === UNASKED && verdict.recovered === true && count === 0) more = true;
    else if (before === undefined || (isOwn && verdict.recovered === false))
      this.#adopt(span, verdict.cause, out);
    else {
      if (isOwn) this.#replica.expect(verdict.head);
      const whole = this.#apply(span, out);
      // To the object's own question; what others ask may name offsets that the endpoint never had.
      const reached = !isOwn || reaches(this.#replica.position ?? to, to);
      // An answer that doesn't lead from where the object is to where it says won't do so when asked again.
      if (isOwn && !reached && reaches(before, verdict.position)) this.#adopt(span, verdict.cause, out);
      else if (!whole || !reached) more = true;
    }
    // An answer may hold only so much. One from where the object is, which brought nothing, has no more to follow.
    const position = this.#replica.position ?? to;
    const asked = own === undefined ? before : own.from;
    const moved = id === UNASKED || asked === undefined || !samePosition(asked, position);
    return more || (moved && !reaches(position, verdict.head));
  }

  /**
   * An answer to those who wait knew less than the object: its source may not have read that far. It is asked from where
   * the object is, which it answers when it has (R5), before anyone is told that continuity is lost.
   */
  #isToBeChecked(attached: Attached, group: Group | undefined): boolean {
    if (group === undefined || group.question.kind === "stalled" || group.question.checked) return false;
    return knowsLess(attached, this.#replica.position ?? attached.to);
  }

  /** Whether every update chains. */
  #apply(span: Span, out: Frame[]): boolean {
    const now = this.#now();
    let whole = true;
    for (const frame of span.frames) {
      const routing = routingOf(frame);
      const verdict = routing === undefined ? "gap" : this.#replica.apply(frame, routing, now, span.position);
      if (verdict === "next") out.push(frame);
      if (verdict === "gap") whole = false;
    }
    if (whole) this.#replica.learn(span, now);
    return whole;
  }

  /** Starts anew from an answer. Who is live lost continuity with the object and is told so (S5). */
  #adopt(span: Span, cause: ResetCause | undefined, out: Frame[]): void {
    this.#subscribers.fanOutFrames(out);
    this.#replica.adopt(span, this.#now());
    const { position, frames } = this.#replica.snapshot();
    const reset = { position, head: span.to, cause: cause ?? "horizon" };
    out.push(encodeReset(this.#path, reset), ...frames);
    this.#subscribers.fanOutFrames(out);
  }

  #step(event: OwnEvent): void {
    this.#own = stepOwn(this.#own, event);
  }

  #tell({ members }: Group): void {
    this.#subscribers.tellToWait(members.keys(), WAIT);
  }
}
