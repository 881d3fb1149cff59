/**
 * All that is known of one path where its subscribers are: how far it is, its window, who is served from where, what is
 * asked, what the shard was told. S1–S9, R1–R5, L4 and L5. An object holds one of these, or many. Of its links, its sockets'
 * attachments and its name nothing is known here.
 *
 *   subscribe ──▶ served from the window ──▶ live ◀── updates that chain ── shard
 *       │ not covered                          ▲
 *       └──▶ waits ──▶ ask ──▶ answer: verdicts, replays ─┘
 *
 * Between two events nothing is pending here, no timer, no promise. After each event its object says `speak`, if there is a
 * link to the shard.
 *
 * What is done per update is here; what is asked, and how an answer is taken, in asking.ts.
 */
import type { WindowLimits } from "../../shared/core/window.ts";
import type { Attached } from "../../shared/protocol/attach.ts";
import { encodeCounted } from "../../shared/protocol/counting.ts";
import type { Frame, Routing } from "../../shared/protocol/frame.ts";
import { encodeCurious, encodeEmpty, encodeLater, encodeOccupied } from "../../shared/protocol/link.ts";
import type { Message } from "../../shared/protocol/message.ts";
import { formatPosition, NOTHING, type Position, reaches } from "../../shared/protocol/position.ts";
import { encodeOccupancy } from "../../shared/protocol/subscriber.ts";
import type { Peer } from "../peer.ts";
import { Asking, type AskingPorts } from "./asking.ts";
import { type Answered, CatchUp } from "./catch-up.ts";
import { Census } from "./census.ts";
import { Replica } from "./replica.ts";
import type { StateFacts } from "./state-facts.ts";
import { Subscribers, type SubscribersPorts } from "./subscribers.ts";
import type { SubscriptionFacts } from "./subscription-states.ts";
import { WaitingLine } from "./waiting-line.ts";

export interface EndpointStatePorts<S extends Peer> extends SubscribersPorts<S>, AskingPorts<S> {
  /** A subscriber has its verdict. */
  answered(how: Answered): void;
}

export interface EndpointStateConfig {
  /** Canonical. */
  readonly path: string;
  readonly window: WindowLimits;
  /** Whether the log is read again for what an origin's index no longer holds (R7). */
  readonly replays: boolean;
  /** Nobody is told how many subscribers there are. */
  readonly hidesOccupancy?: boolean;
}

export class EndpointState<S extends Peer> {
  readonly path: string;
  readonly #ports: EndpointStatePorts<S>;
  readonly #replica: Replica;
  readonly #subscribers: Subscribers<S>;
  readonly #catchUp: CatchUp<S>;
  readonly #asking: Asking<S>;
  readonly #census: Census;
  readonly #hidesOccupancy: boolean;
  /**
   * What the shard was told last. After a wake the worst is assumed: the last of the subscribers may have been leaving while
   * the object slept.
   */
  #told: "occupied" | "empty" = "occupied";
  /** Whether the shard was told that somebody wants to know how many there are; undefined: not on this link. */
  #toldCurious: boolean | undefined;

  /** Goes on from what outlived the memory. */
  constructor(
    ports: EndpointStatePorts<S>,
    { path, window, replays, hidesOccupancy = false }: EndpointStateConfig,
    facts: StateFacts | undefined,
    subscribers: Iterable<readonly [S, SubscriptionFacts]>,
  ) {
    this.path = path;
    this.#ports = ports;
    this.#hidesOccupancy = hidesOccupancy;
    const replica = new Replica(
      window,
      facts ?? { position: undefined, latest: undefined, due: NOTHING },
      ports.now(),
    );
    const line = new WaitingLine<S>({
      // Without a position there is nothing that the replica hasn't passed.
      laneOf: (from) => (from === undefined || reaches(replica.position ?? from, from) ? "known" : "other"),
      hasRoom: (socket, { kind, from }) =>
        !ports.pace.isFull(socket, kind) &&
        !ports.isHeld(socket) &&
        // Only the latest update is asked for.
        ((from === undefined && replica.latest === undefined) || ports.replays.waitMs(socket) === 0),
      keyOf: (from) => (from === undefined ? "" : formatPosition(from)),
    });
    this.#replica = replica;
    this.#subscribers = new Subscribers(line, ports);
    for (const [socket, subscription] of subscribers) this.#subscribers.restore(socket, subscription);
    this.#catchUp = new CatchUp(path, replica, this.#subscribers, replays, (how) => ports.answered(how));
    const learners = { replica, subscribers: this.#subscribers, line, catchUp: this.#catchUp };
    this.#asking = new Asking(path, learners, ports, facts);
    this.#census = new Census(facts?.counted);
    this.#toldCurious = facts?.curious ?? false;
  }

  get subscribers(): number {
    return this.#subscribers.size;
  }

  /** What must outlive the memory, subscriptions apart (`keep`). */
  facts(): StateFacts {
    const { position, latest, due } = this.#replica;
    const { nextAsk, own, asks, forgotten } = this.#asking.facts();
    const kept = latest === undefined || latest === "none" ? latest : latest.frame;
    const curious = this.#toldCurious ?? false;
    return {
      position,
      latest: kept,
      due,
      nextAsk,
      own,
      asks,
      forgotten,
      counted: this.#census.said,
      curious,
    };
  }

  members(): Iterable<S> {
    return this.#subscribers.members();
  }

  /** What its window takes of the object's memory. */
  get windowBytes(): number {
    return this.#replica.windowBytes;
  }

  /** Forgets its window: what is asked for is asked of the origin again. */
  forgetWindow(): void {
    this.#replica.forgetWindow();
  }

  // Subscribers.

  /** The id of the last subscribe of a socket; undefined if it doesn't follow this path, or no more. */
  lastId(socket: S): number | undefined {
    return this.#subscribers.get(socket)?.id;
  }

  /** Answers a subscribe from what is known here, or lets it wait for an answer of the source (S1, S2). */
  subscribe(socket: S, id: number, from: Position | undefined, occupancy?: true): void {
    const now = this.#ports.now();
    const isCurious = this.#hidesOccupancy ? undefined : occupancy;
    const subscriber = this.#subscribers.begin(socket, id, from, now, isCurious);
    const mustWait = this.#ports.isHeld(socket) || this.#ports.pace.isFull(socket, "waiting");
    const isServed = !mustWait && this.#catchUp.serve(subscriber, now);
    if (isServed) return;
    this.#subscribers.wait(subscriber);
    this.#asking.waits(socket);
  }

  /** Whether a socket's verdict is due. */
  awaits(socket: S): boolean {
    const kind = this.#subscribers.get(socket)?.subscription.kind;
    return kind === "waiting" || kind === "told";
  }

  /** A socket has gone, or follows this path no more. */
  leave(socket: S): void {
    this.#subscribers.remove(socket);
  }

  /** Keeps anew what must outlive the memory of a socket: something else that is kept with it has changed. */
  keep(socket: S): void {
    this.#subscribers.keep(socket);
  }

  reply(socket: S, frame: string): void {
    this.#subscribers.reply(socket, frame);
  }

  /** No link to the shard can be had. */
  sendAway(): void {
    this.#subscribers.closeAll("unavailable");
  }

  /** Those who are catching up and have not taken what they were sent. */
  full(): readonly S[] {
    return this.#subscribers.full();
  }

  /** Some who were too full may have room again. */
  serveWaiting(): void {
    const now = this.#ports.now();
    for (const subscriber of this.#subscribers.waiting()) this.#catchUp.serve(subscriber, now);
  }

  // What comes from the shard.

  /** There is a new link: nothing was said on it. */
  linked(): void {
    this.#asking.restart();
    this.#census.end();
    this.#told = "occupied";
    this.#toldCurious = undefined;
  }

  /** What was asked on it won't be answered. */
  linkLost(): void {
    this.#asking.restart();
  }

  /** @param routing undefined if the frame can't be read. */
  update(frame: Frame, routing: Routing | undefined): void {
    if (this.#asking.take(frame)) return;
    const verdict = routing && this.#replica.apply(frame, routing, this.#ports.now());
    if (verdict === "next") this.#subscribers.queue(frame);
    else if (verdict !== "duplicate") this.#asking.missed(routing?.epoch);
  }

  /** The head of an answer (U5). */
  attached(attached: Attached): void {
    this.#asking.answer(attached);
  }

  /** An answer will take time (U7). */
  waiting(id: number): void {
    this.#asking.hold(id);
  }

  /** Whether the shard wants to know how many subscribers there are, and whenever that changes (O2). */
  count(isWanted: boolean): void {
    if (isWanted) this.#census.begin();
    else this.#census.end();
  }

  /** How many subscribers there are altogether. */
  occupancy(subscribers: number): void {
    this.#subscribers.tellCurious(encodeOccupancy(this.path, subscribers));
  }

  /** A message couldn't be read: it may have held anything (F9). */
  garbled(): void {
    this.#asking.garbled();
  }

  /**
   * A message has ended: what it brought goes on. `came`: the message, where all its `count` frames were of this path; those
   * that pass on all of it pass it on as it is.
   */
  passOn(came?: Message, count?: number): void {
    this.#subscribers.flush(came, count);
  }

  /** Says to the shard what is to be said by now. Returns whether that changed what must outlive the memory. */
  speak(): boolean {
    const tookBack = this.#asking.takeBack();
    const counted = this.#sayCount();
    const now = this.#subscribers.size > 0 ? "occupied" : "empty";
    if (now !== this.#told) {
      const empty = () => encodeEmpty(this.path, this.#replica.latest === "none");
      this.#ports.ask(now === "occupied" ? encodeOccupied(this.path) : empty());
    }
    this.#told = now;
    const asked = now === "occupied" && this.#asking.askNext();
    // Behind the first question of a link: what nobody has asked about isn't watched there.
    const curious = this.#sayCurious();
    return asked || tookBack || counted || curious;
  }

  /** Once for each that has its verdict, since it is told the number then; on each new link; and when none is left. */
  #sayCurious(): boolean {
    const isCurious = this.#subscribers.curious > 0;
    const isNews = this.#subscribers.takeNewlyCurious() || (isCurious && this.#toldCurious === undefined);
    const isOver = this.#toldCurious === true && !isCurious;
    if (!isNews && !isOver) return false;
    this.#toldCurious = isCurious;
    this.#ports.ask(encodeCurious(this.path, isCurious));
    return true;
  }

  #sayCount(): boolean {
    const { size } = this.#subscribers;
    const news = this.#census.news(size, this.#ports.now());
    if (news === "counted") this.#ports.ask(encodeCounted(this.path, size));
    if (news === "later") this.#ports.ask(encodeLater(this.path));
    return news === "counted";
  }
}
