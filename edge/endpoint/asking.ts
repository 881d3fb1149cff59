/**
 * What an endpoint's object asks its source, and how it takes the answers: R2, R4, R5, U5 and L7 of PROTOCOL.md. One
 * question is open at a time. An answer comes frame by frame; once it is whole the replica learns it, those who are
 * live and those who wait are given their part of it, and it is seen whether to ask again.
 *
 * Of this only `facts` outlive the memory.
 */
import { type Attached, encodeAttach } from "../../shared/protocol/attach.ts";
import type { ResetCause } from "../../shared/protocol/codes.ts";
import { type Frame, routingOf } from "../../shared/protocol/frame.ts";
import { reaches, samePosition } from "../../shared/protocol/position.ts";
import { encodeReset } from "../../shared/protocol/subscriber.ts";
import { type HibernatingPeer, sendQuietly } from "../peer.ts";
import type { Ask, LinkFacts } from "./attachment.ts";
import { type CatchUp, knowsLess, nextToAsk, proofOf } from "./catch-up.ts";
import type { Replica, Span } from "./replica.ts";
import type { Subscribers } from "./subscribers.ts";

/** Who learns from an answer. */
export interface Learners {
  readonly replica: Replica;
  readonly subscribers: Subscribers;
  readonly catchUp: CatchUp;
}

export type AskingFacts = Pick<LinkFacts, "nextAsk" | "ask" | "behind" | "held">;

/** An id that no ask has: the shard, or the origin, answers a question that the object didn't put (L7). */
const UNASKED = 0;

export class Asking {
  readonly #path: string;
  readonly #replica: Replica;
  readonly #subscribers: Subscribers;
  readonly #catchUp: CatchUp;
  /** Milliseconds since 1970. */
  readonly #now: () => number;
  #nextAsk = 1;
  #ask: Ask | undefined;
  /** The object must ask from its own position. */
  #behind = true;
  /** The source said that its answer will take time (R5). */
  #held = false;
  /**
   * An answer to those who wait knew less than the object: its source may not have read that far. It is asked from where
   * the object is, which it answers when it has (R5), before anyone is told that continuity is lost.
   */
  #recheck: "due" | "done" | undefined;
  /** An answer of which `count` frames are not all there yet. */
  #answer: { readonly attached: Attached; readonly frames: Frame[] } | undefined;

  /** Goes on from what survived. */
  constructor(path: string, learners: Learners, now: () => number, facts: AskingFacts | undefined) {
    this.#path = path;
    this.#replica = learners.replica;
    this.#subscribers = learners.subscribers;
    this.#catchUp = learners.catchUp;
    this.#now = now;
    if (facts !== undefined) {
      this.#nextAsk = facts.nextAsk;
      this.#ask = facts.ask;
      this.#behind = facts.behind;
      this.#held = facts.held;
    }
  }

  facts(): AskingFacts {
    // A half-received answer does not outlive the memory that holds it.
    const half = this.#answer !== undefined;
    return {
      nextAsk: this.#nextAsk,
      ask: half && this.#ask?.id === this.#answer?.attached.id ? undefined : this.#ask,
      behind: this.#behind || half,
      held: this.#held,
    };
  }

  /** Whether the source said that its answer will take time (R5). */
  get held(): boolean {
    return this.#held;
  }

  hold(): void {
    this.#held = true;
  }

  /** What was asked on another link won't be answered; from where the object is, it goes on. */
  restart(): void {
    this.#answer = undefined;
    this.#ask = undefined;
    this.#behind = true;
    this.#held = false;
    this.#recheck = undefined;
  }

  /** Anything may have been missed. */
  fallBehind(): void {
    this.#behind = true;
  }

  /** An update came that doesn't chain, or can't be read. */
  missed(): void {
    // While the object's own question is open, its answer will hold what was missed: asking twice helps nobody.
    if (!this.#ask?.own) this.#behind = true;
  }

  /**
   * Puts one question at a time (R2): the object's own first, since its answer may serve those who wait. Returns whether
   * it put one.
   */
  askNext(socket: HibernatingPeer): boolean {
    if (this.#ask !== undefined) return false;
    const own = this.#behind || this.#replica.position === undefined;
    const theirs = nextToAsk(this.#subscribers.waiting().map(({ waiting }) => waiting));
    if (!own && theirs === undefined) return false;
    const from = own ? this.#replica.position && new Map(this.#replica.position) : theirs?.from;
    this.#ask = { id: this.#nextAsk++, own, from };
    if (own) this.#behind = false;
    sendQuietly(socket, encodeAttach({ endpoint: this.#path, id: this.#ask.id, from }));
    return true;
  }

  /** The head of an answer; as many frames as it counts are its body. What is to go to those who are live joins `out`. */
  answer(attached: Attached, out: Frame[]): void {
    this.#abandon();
    this.#answer = { attached, frames: [] };
    if (attached.count === 0) this.#complete(out);
  }

  /** Whether a frame belongs to the body of an answer. */
  take(frame: Frame, out: Frame[]): boolean {
    if (this.#answer === undefined) return false;
    this.#answer.frames.push(frame);
    if (this.#answer.frames.length >= this.#answer.attached.count) this.#complete(out);
    return true;
  }

  /** An answer broke off: whoever waited for it asks again. */
  #abandon(): void {
    const id = this.#answer?.attached.id;
    this.#answer = undefined;
    if (id === undefined) return;
    if (id === UNASKED || this.#ask?.own) this.#behind = true;
    if (id === this.#ask?.id) this.#ask = undefined;
  }

  /** An answer is whole. */
  #complete(out: Frame[]): void {
    if (this.#answer === undefined) return;
    const { attached, frames } = this.#answer;
    const { verdict, to, id } = attached;
    const ask = this.#ask?.id === id ? this.#ask : undefined;
    const own = id === UNASKED || (ask?.own ?? false);
    this.#answer = undefined;
    if (ask !== undefined) this.#ask = undefined;
    this.#held = false;

    const now = this.#now();
    const span = { position: verdict.position, to, horizon: attached.horizon, frames };
    const before = this.#replica.position && new Map(this.#replica.position);
    // Nothing has come since an answer of which the object hasn't all: it has still to learn what that held.
    const isEmptyHanded = before === undefined && id === UNASKED && verdict.recovered === true;
    if (isEmptyHanded && frames.length === 0) this.#behind = true;
    else if (before === undefined || (own && verdict.recovered === false))
      this.#adopt(span, verdict.cause, out);
    else {
      const whole = this.#apply(span, out);
      // To the object's own question; what others ask may name offsets that the endpoint never had.
      const reached = !own || reaches(this.#replica.position ?? to, to);
      // An answer that doesn't lead from where the object is to where it says won't do so when asked again.
      if (own && !reached && reaches(before, verdict.position)) this.#adopt(span, verdict.cause, out);
      else if (!whole || !reached) this.#behind = true;
    }
    if (ask !== undefined && ask.from === undefined) this.#replica.giveUpLatest();
    // An answer may hold only so much. One from where the object is, which brought nothing, has no more to follow.
    const position = this.#replica.position ?? to;
    const asked = ask?.own ? ask.from : before;
    const more = id === UNASKED || asked === undefined || !samePosition(asked, position);
    if (more && !reaches(position, verdict.head)) this.#behind = true;
    if (own) this.#recheck = this.#recheck && "done";
    else if (this.#recheck === "done" || !knowsLess(attached, position)) this.#recheck = undefined;
    else {
      this.#recheck = "due";
      this.#behind = true;
    }
    // Those who are live have been sent everything up to here before others join them.
    this.#subscribers.fanOutFrames(out);
    this.#catchUp.handOn(attached, span, own ? undefined : ask, !this.#behind, now);
    for (const subscriber of this.#subscribers.waiting())
      this.#catchUp.serve(subscriber, now, proofOf(attached));
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
}
