/**
 * What an endpoint's object decides: who is served from where, when the origin is asked, what is passed on.
 * S1–S9, R1–R5 and L1–L5 of PROTOCOL.md. Sockets, time, chance and the shard come in as ports.
 *
 *   subscribe ──▶ served from the window ──▶ live ◀── updates that chain ── link
 *       │ not covered                          ▲
 *       └──▶ waits ──▶ ask (one at a time) ──▶ answer: verdicts, replays ─┘
 *
 * Between two events nothing is pending here, no timer, no promise, so that the object can hibernate; the one
 * exception is an object that has subscribers and no link.
 */

import type { WindowLimits } from "../../shared/core/window.ts";
import { type Attached, encodeAttach } from "../../shared/protocol/attach.ts";
import { CLOSE, type ResetCause } from "../../shared/protocol/codes.ts";
import { type Frame, routingOf } from "../../shared/protocol/frame.ts";
import { LIMITS } from "../../shared/protocol/limits.ts";
import { decodeLinkDown, encodeEmpty, encodeOccupied } from "../../shared/protocol/link.ts";
import { type Message, packMessages, splitBinary, splitText } from "../../shared/protocol/message.ts";
import { type Position, reaches, samePosition } from "../../shared/protocol/position.ts";
import { RoutingReader } from "../../shared/protocol/routing-reader.ts";
import { encodeReset, isUpdate, URL_SUBSCRIBE_ID } from "../../shared/protocol/subscriber.ts";
import { type HibernatingPeer, sendQuietly } from "../peer.ts";
import { type Ask, type LinkFacts, saveLink } from "./attachment.ts";
import { type Answered, CatchUp, knowsLess, nextToAsk, proofOf } from "./catch-up.ts";
import { greet, type Link, survivingLink } from "./link.ts";
import { LinkSeeker, type LinkSeekerPorts } from "./link-seeker.ts";
import { Pacer } from "./pacer.ts";
import { Replica, type Span } from "./replica.ts";
import { answerFrames } from "./subscriber-frames.ts";
import { Subscribers } from "./subscribers.ts";

export interface EndpointPorts extends LinkSeekerPorts {
  /** Milliseconds since 1970. */
  now(): number;
  /** Messages that went out to subscribers. */
  sent(messages: number): void;
  /** A subscriber has its verdict. */
  answered(how: Answered): void;
}

export interface EndpointConfig {
  /** Canonical. */
  readonly path: string;
  readonly window: WindowLimits;
}

/** Sockets that outlived a hibernation. */
export interface Survivors {
  readonly links: readonly HibernatingPeer[];
  readonly subscribers: readonly HibernatingPeer[];
}

/** An id that no ask has: the shard, or the origin, answers a question that the object didn't put (L7). */
const UNASKED = 0;

export class EndpointCore {
  readonly #ports: EndpointPorts;
  readonly #path: string;
  readonly #replica: Replica;
  readonly #subscribers: Subscribers;
  readonly #catchUp: CatchUp;
  readonly #seeker: LinkSeeker;
  readonly #pacer: Pacer;
  /** Of the frames on the link. */
  readonly #heads = new RoutingReader();
  #link: Link | undefined;
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
  /**
   * What the shard was told last: whether there are subscribers. After a wake the worst is assumed: the last of them may
   * have been leaving while the object slept.
   */
  #occupied = true;

  constructor(ports: EndpointPorts, config: EndpointConfig, survivors: Survivors) {
    this.#ports = ports;
    this.#path = config.path;
    const survived = survivingLink(survivors.links);
    const facts = survived?.facts;
    this.#link = survived?.link;
    const { position, latest } = facts ?? { position: undefined, latest: undefined };
    this.#replica = new Replica(config.window, { position, latest }, ports.now());
    this.#subscribers = new Subscribers((messages) => ports.sent(messages));
    this.#subscribers.restore(survivors.subscribers);
    this.#catchUp = new CatchUp(config.path, this.#replica, this.#subscribers, (how) => ports.answered(how));
    this.#seeker = new LinkSeeker(ports, () => this.#subscribers.dropAll("unavailable"));
    this.#pacer = new Pacer(ports, () => this.#serveWaiting());
    if (facts !== undefined) {
      this.#nextAsk = facts.nextAsk;
      this.#ask = facts.ask;
      this.#behind = facts.behind;
      this.#held = facts.held;
    }
    this.#settle();
  }

  get subscribers(): number {
    return this.#subscribers.size;
  }

  /** Whether it is the socket of the link as it is now; that of another may be one, too. */
  isLink(socket: HibernatingPeer): boolean {
    return socket === this.#link?.socket;
  }

  /** S1: a socket that was just accepted. */
  subscribe(socket: HibernatingPeer, from: Position | undefined): void {
    this.#begin(socket, URL_SUBSCRIBE_ID, from);
    this.#settle();
  }

  subscriberMessage(socket: HibernatingPeer, message: Message): void {
    answerFrames(message, {
      path: this.#path,
      lastId: () => this.#subscribers.get(socket)?.id,
      subscribe: (id, from) => this.#begin(socket, id, from),
      send: (frame) => this.#subscribers.reply(socket, frame),
      close: (name) => this.#subscribers.drop(socket, name),
    });
    this.#settle();
  }

  subscriberClosed(socket: HibernatingPeer): void {
    this.#subscribers.remove(socket);
    this.#settle();
  }

  /** A socket that the shard has just dialled; its hello comes first (L3). */
  linkOpened(socket: HibernatingPeer): void {
    saveLink(socket, { ...this.#facts(), shard: 0, generation: 0, dial: 0 });
  }

  linkMessage(socket: HibernatingPeer, message: Message): void {
    const frames = typeof message === "string" ? splitText(message) : splitBinary(message);
    if (socket !== this.#link?.socket && !this.#greet(socket, frames?.[0])) return;
    // A malformed message may have held anything (F9).
    if (frames === undefined) this.#behind = true;
    const out: Frame[] = [];
    for (const frame of frames ?? []) {
      if (typeof frame !== "string" || isUpdate(frame)) this.#update(frame, out);
      else this.#control(frame, out);
    }
    if (out.length > 0 && out.length === frames?.length) this.#subscribers.fanOut(message);
    else this.#flush(out);
    this.#settle();
    this.#save();
  }

  linkClosed(socket: HibernatingPeer, code: number): void {
    if (socket !== this.#link?.socket) return;
    this.#link = undefined;
    this.#restartAsking();
    // After a break the shard dials again by itself; after a detach it has forgotten.
    if (this.#subscribers.size > 0) this.#seeker.seek(code === CLOSE.detached ? "now" : "later");
  }

  #begin(socket: HibernatingPeer, id: number, from: Position | undefined): void {
    const subscriber = this.#subscribers.wait(socket, id, from);
    this.#catchUp.serve(subscriber, this.#ports.now());
  }

  #greet(socket: HibernatingPeer, frame: Frame | undefined): boolean {
    const link = greet(socket, frame, this.#link);
    if (link === undefined) return false;
    this.#link = link;
    this.#seeker.stop();
    this.#restartAsking();
    this.#occupied = this.#subscribers.size > 0;
    if (!this.#occupied) sendQuietly(socket, encodeEmpty(this.#path));
    return true;
  }

  /** What was asked on another link won't be answered; from where the object is, it goes on. */
  #restartAsking(): void {
    this.#answer = undefined;
    this.#ask = undefined;
    this.#behind = true;
    this.#held = false;
    this.#recheck = undefined;
  }

  #update(frame: Frame, out: Frame[]): void {
    const routing = this.#heads.read(frame);
    if (routing !== undefined && routing.endpoint !== this.#path) return;
    if (this.#answer !== undefined) {
      this.#answer.frames.push(frame);
      if (this.#answer.frames.length >= this.#answer.attached.count) this.#complete(out);
      return;
    }
    const verdict = routing && this.#replica.apply(frame, routing, this.#ports.now());
    if (verdict === "next") out.push(frame);
    // While the object's own question is open, its answer will hold what was missed: asking twice helps nobody.
    else if (verdict !== "duplicate" && !this.#ask?.own) this.#behind = true;
  }

  #control(frame: string, out: Frame[]): void {
    const says = decodeLinkDown(frame);
    if (!says.ok) {
      this.#ports.log(`a frame on the link of ${this.#path} can't be read: ${says.problem}`);
      return;
    }
    if (says.value.kind === "waiting" && says.value.endpoint === this.#path) this.#held = true;
    if (says.value.kind !== "attached" || says.value.attached.endpoint !== this.#path) return;
    this.#abandon();
    this.#answer = { attached: says.value.attached, frames: [] };
    if (says.value.attached.count === 0) this.#complete(out);
  }

  /** An answer broke off: whoever waited for it asks again. */
  #abandon(): void {
    const id = this.#answer?.attached.id;
    this.#answer = undefined;
    if (id === undefined) return;
    if (id === UNASKED || this.#ask?.own) this.#behind = true;
    if (id === this.#ask?.id) this.#ask = undefined;
  }

  #complete(out: Frame[]): void {
    if (this.#answer === undefined) return;
    const { attached, frames } = this.#answer;
    const { verdict, to, id } = attached;
    const ask = this.#ask?.id === id ? this.#ask : undefined;
    const own = id === UNASKED || (ask?.own ?? false);
    this.#answer = undefined;
    if (ask !== undefined) this.#ask = undefined;
    this.#held = false;

    const now = this.#ports.now();
    const span = { position: verdict.position, to, frames };
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
    this.#flush(out);
    this.#catchUp.handOn(attached, span, own ? undefined : ask, !this.#behind, now);
    for (const subscriber of this.#subscribers.waiting())
      this.#catchUp.serve(subscriber, now, proofOf(attached));
  }

  /** Some who were too full may have room again. */
  #serveWaiting(): void {
    const now = this.#ports.now();
    for (const subscriber of this.#subscribers.waiting()) this.#catchUp.serve(subscriber, now);
    this.#settle();
  }

  /** Whether every update chains. */
  #apply(span: Span, out: Frame[]): boolean {
    const now = this.#ports.now();
    let whole = true;
    for (const frame of span.frames) {
      const routing = routingOf(frame);
      const verdict = routing === undefined ? "gap" : this.#replica.apply(frame, routing, now);
      if (verdict === "next") out.push(frame);
      if (verdict === "gap") whole = false;
    }
    this.#replica.lengthen(span, now);
    return whole;
  }

  /** Starts anew from an answer. Who is live lost continuity with the object and is told so (S5). */
  #adopt(span: Span, cause: ResetCause | undefined, out: Frame[]): void {
    this.#flush(out);
    this.#replica.adopt(span, this.#ports.now());
    const { position, frames } = this.#replica.snapshot();
    const reset = { position, head: span.to, cause: cause ?? "horizon" };
    out.push(encodeReset(this.#path, reset), ...frames);
    this.#flush(out);
  }

  #flush(out: Frame[]): void {
    for (const message of packMessages(out, LIMITS.batchBytes)) this.#subscribers.fanOut(message);
    out.length = 0;
  }

  /** What follows from an event: whether there are subscribers, what to ask, whether a link is needed. */
  #settle(): void {
    for (const socket of this.#pacer.wait(this.#subscribers.full()))
      this.#subscribers.drop(socket, "slow_consumer");
    const occupied = this.#subscribers.size > 0;
    if (this.#link === undefined) {
      if (occupied) this.#seeker.seek("now");
      else this.#seeker.stop();
      return;
    }
    if (occupied !== this.#occupied)
      sendQuietly(this.#link.socket, occupied ? encodeOccupied(this.#path) : encodeEmpty(this.#path));
    this.#occupied = occupied;
    if (this.#held) this.#subscribers.tellToWait("the source of this endpoint can't answer just now");
    if (occupied) this.#askNext(this.#link.socket);
  }

  /** One question at a time (R2): the object's own first, since its answer may serve those who wait. */
  #askNext(socket: HibernatingPeer): void {
    if (this.#ask !== undefined) return;
    const own = this.#behind || this.#replica.position === undefined;
    const theirs = nextToAsk(this.#subscribers.waiting().map(({ waiting }) => waiting));
    if (!own && theirs === undefined) return;
    const from = own ? this.#replica.position && new Map(this.#replica.position) : theirs?.from;
    this.#ask = { id: this.#nextAsk++, own, from };
    if (own) this.#behind = false;
    sendQuietly(socket, encodeAttach({ endpoint: this.#path, id: this.#ask.id, from }));
    this.#save();
  }

  #facts(): Omit<LinkFacts, keyof Link["hello"]> {
    // A half-received answer does not outlive the memory that holds it.
    const half = this.#answer !== undefined;
    const { position, latest } = this.#replica;
    return {
      path: this.#path,
      position,
      latest: latest === undefined || latest === "none" ? latest : latest.frame,
      nextAsk: this.#nextAsk,
      ask: half && this.#ask?.id === this.#answer?.attached.id ? undefined : this.#ask,
      behind: this.#behind || half,
      held: this.#held,
    };
  }

  #save(): void {
    if (this.#link !== undefined) saveLink(this.#link.socket, { ...this.#facts(), ...this.#link.hello });
  }
}
