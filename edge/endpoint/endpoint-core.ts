/**
 * What an endpoint's object decides: who is served from where, when the origin is asked, what is passed on.
 * S1–S9, R1–R5 and L1–L5. Sockets, time, chance and the shard come in as ports.
 *
 *   subscribe ──▶ served from the window ──▶ live ◀── updates that chain ── link
 *       │ not covered                          ▲
 *       └──▶ waits ──▶ ask ──▶ answer: verdicts, replays ─┘
 *
 * Between two events nothing is pending here, no timer, no promise, so that the object can hibernate; the one
 * exception is an object that has subscribers and no link.
 *
 * What is done per update is here; what is asked, and how an answer is taken, in asking.ts.
 */

import type { WindowLimits } from "../../shared/core/window.ts";
import { CLOSE } from "../../shared/protocol/codes.ts";
import type { Frame } from "../../shared/protocol/frame.ts";
import { decodeLinkDown, encodeEmpty, encodeOccupied } from "../../shared/protocol/link.ts";
import { type Message, splitBinary, splitText } from "../../shared/protocol/message.ts";
import { formatPosition, NOTHING, type Position, reaches } from "../../shared/protocol/position.ts";
import { RoutingReader } from "../../shared/protocol/routing-reader.ts";
import { isUpdate, URL_SUBSCRIBE_ID } from "../../shared/protocol/subscriber.ts";
import { type HibernatingPeer, sendQuietly } from "../peer.ts";
import { Asking } from "./asking.ts";
import { saveLink } from "./attachment.ts";
import { type Answered, CatchUp } from "./catch-up.ts";
import { Line } from "./line.ts";
import { greet, type Link, survivingLink } from "./link.ts";
import { LinkSeeker, type LinkSeekerPorts } from "./link-seeker.ts";
import { Pacer } from "./pacer.ts";
import { Replica } from "./replica.ts";
import { answerFrames } from "./subscriber-frames.ts";
import { isFull, Subscribers } from "./subscribers.ts";

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
  /** Whether the log is read again for what an origin's index no longer holds (R7). */
  readonly replays: boolean;
}

/** Sockets that outlived a hibernation. */
export interface Survivors {
  readonly links: readonly HibernatingPeer[];
  readonly subscribers: readonly HibernatingPeer[];
}

export class EndpointCore {
  readonly #ports: EndpointPorts;
  readonly #path: string;
  readonly #replica: Replica;
  readonly #subscribers: Subscribers;
  readonly #line: Line;
  readonly #catchUp: CatchUp;
  readonly #asking: Asking;
  readonly #seeker: LinkSeeker;
  readonly #pacer: Pacer;
  /** Of the frames on the link. */
  readonly #heads = new RoutingReader();
  #link: Link | undefined;
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
    const { position, latest, due } = facts ?? { position: undefined, latest: undefined, due: NOTHING };
    this.#replica = new Replica(config.window, { position, latest, due }, ports.now());
    this.#line = new Line({
      // Without a position there is nothing that the object hasn't passed.
      laneOf: (from) =>
        from === undefined || reaches(this.#replica.position ?? from, from) ? "known" : "other",
      hasRoom: (socket, waiting) => !isFull(socket, waiting),
      keyOf: (from) => (from === undefined ? "" : formatPosition(from)),
    });
    this.#subscribers = new Subscribers(this.#line, (messages) => ports.sent(messages));
    this.#subscribers.restore(survivors.subscribers);
    const { path, replays } = config;
    this.#catchUp = new CatchUp(path, this.#replica, this.#subscribers, replays, (how) =>
      ports.answered(how),
    );
    const [replica, subscribers, line, catchUp] = [
      this.#replica,
      this.#subscribers,
      this.#line,
      this.#catchUp,
    ];
    const learners = { replica, subscribers, line, catchUp };
    this.#asking = new Asking(config.path, learners, () => ports.now(), facts);
    this.#seeker = new LinkSeeker(ports, () => this.#subscribers.dropAll("unavailable"));
    this.#pacer = new Pacer(ports, () => this.#serveWaiting());
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
    this.#save({ socket, hello: { shard: 0, generation: 0, dial: 0 } });
  }

  linkMessage(socket: HibernatingPeer, message: Message): void {
    const frames = typeof message === "string" ? splitText(message) : splitBinary(message);
    if (socket !== this.#link?.socket && !this.#greet(socket, frames?.[0])) return;
    // A malformed message may have held anything (F9).
    if (frames === undefined) this.#asking.garbled();
    const out: Frame[] = [];
    for (const frame of frames ?? []) {
      if (typeof frame !== "string" || isUpdate(frame)) this.#update(frame, out);
      else this.#control(frame, out);
    }
    if (out.length > 0 && out.length === frames?.length) this.#subscribers.fanOut(message);
    else this.#subscribers.fanOutFrames(out);
    this.#settle();
    this.#save();
  }

  linkClosed(socket: HibernatingPeer, code: number): void {
    if (socket !== this.#link?.socket) return;
    this.#link = undefined;
    this.#asking.restart();
    // After a break the shard dials again by itself; after a detach it has forgotten.
    if (this.#subscribers.size > 0) this.#seeker.seek(code === CLOSE.detached ? "now" : "later");
  }

  #begin(socket: HibernatingPeer, id: number, from: Position | undefined): void {
    const now = this.#ports.now();
    const subscriber = this.#subscribers.wait(socket, id, from, now);
    if (!this.#catchUp.serve(subscriber, now)) this.#asking.waits(socket);
  }

  #greet(socket: HibernatingPeer, frame: Frame | undefined): boolean {
    const link = greet(socket, frame, this.#link);
    if (link === undefined) return false;
    this.#link = link;
    this.#seeker.stop();
    this.#asking.restart();
    this.#occupied = this.#subscribers.size > 0;
    if (!this.#occupied) sendQuietly(socket, encodeEmpty(this.#path));
    return true;
  }

  #update(frame: Frame, out: Frame[]): void {
    const routing = this.#heads.read(frame);
    if (routing !== undefined && routing.endpoint !== this.#path) return;
    if (this.#asking.take(frame, out)) return;
    const verdict = routing && this.#replica.apply(frame, routing, this.#ports.now());
    if (verdict === "next") out.push(frame);
    else if (verdict !== "duplicate") this.#asking.missed();
  }

  #control(frame: string, out: Frame[]): void {
    const says = decodeLinkDown(frame);
    if (!says.ok) {
      this.#ports.log(`a frame on the link of ${this.#path} can't be read: ${says.problem}`);
      return;
    }
    if (says.value.kind === "waiting" && says.value.endpoint === this.#path) this.#asking.hold(says.value.id);
    if (says.value.kind === "attached" && says.value.attached.endpoint === this.#path)
      this.#asking.answer(says.value.attached, out);
  }

  /** Some who were too full may have room again. */
  #serveWaiting(): void {
    const now = this.#ports.now();
    for (const subscriber of this.#subscribers.waiting()) this.#catchUp.serve(subscriber, now);
    this.#settle();
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
    const tookBack = this.#asking.takeBack(this.#link.socket);
    if (occupied !== this.#occupied)
      sendQuietly(this.#link.socket, occupied ? encodeOccupied(this.#path) : encodeEmpty(this.#path));
    this.#occupied = occupied;
    if ((occupied && this.#asking.askNext(this.#link.socket)) || tookBack) this.#save();
  }

  #save(link = this.#link): void {
    if (link === undefined) return;
    const { shard, generation, dial } = link.hello;
    const { position, latest, due } = this.#replica;
    saveLink(link.socket, {
      ...this.#asking.facts(),
      path: this.#path,
      shard,
      generation,
      dial,
      position,
      due,
      latest: latest === undefined || latest === "none" ? latest : latest.frame,
    });
  }
}
