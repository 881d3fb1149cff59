/**
 * The subscribers of one endpoint: who is live, who waits, and what they are sent. Nothing here is done per subscriber
 * and update but one comparison and one send.
 */
import type { CloseName } from "../../shared/protocol/codes.ts";
import type { Verdict } from "../../shared/protocol/down.ts";
import type { Frame } from "../../shared/protocol/frame.ts";
import { LIMITS } from "../../shared/protocol/limits.ts";
import { type Message, packMessages } from "../../shared/protocol/message.ts";
import { later, type Position } from "../../shared/protocol/position.ts";
import { encodeVerdict, encodeWait } from "../../shared/protocol/subscriber.ts";
import { type Peer, sendQuietly } from "../peer.ts";
import type { Pace } from "./pace.ts";
import { isTooLong, type Replays } from "./replays.ts";
import {
  factsOf,
  hasVerdict,
  type Subscription,
  type SubscriptionEvent,
  type SubscriptionFacts,
  stepSubscription,
  subscribed,
  type Waiting,
} from "./subscription-states.ts";
import { LARGE_BYTES, type Unsent } from "./unsent.ts";
import type { WaitingLine } from "./waiting-line.ts";

/** What subscribers need of the object that holds their sockets. */
export interface SubscribersPorts<S extends Peer> {
  /** What is unsent to all subscribers of the object. */
  readonly unsent: Pick<Unsent<S>, "hasRoom" | "sent" | "sentFirst" | "remove">;
  readonly pace: Pace<S>;
  /** What they may be sent of the past. */
  readonly replays: Replays<S>;
  /** Keeps what must outlive the memory of a subscriber of this endpoint. */
  keep(socket: S, facts: SubscriptionFacts): void;
  close(socket: S, name: CloseName): void;
  /** Ends a subscription of which no verdict was sent: so long its sender should wait (S27). */
  refuse(socket: S, waitMs: number): void;
  /** Whether a socket that waits must not have its verdict yet (L10). */
  isHeld(socket: S): boolean;
  /** Messages that went out. */
  sent(messages: number): void;
}

export interface Subscriber<S> extends SubscriptionFacts {
  readonly socket: S;
}

export interface WaitingSubscriber<S> extends Subscriber<S> {
  readonly subscription: Waiting;
}

/** Nearly always, and asked for after every update. */
const NOBODY: readonly never[] = [];

export class Subscribers<S extends Peer> {
  readonly #ports: SubscribersPorts<S>;
  readonly #line: WaitingLine<S>;
  readonly #all = new Map<S, Subscriber<S>>();
  /** Of these those who wait, in the order in which they began to. */
  readonly #waiting = new Map<S, WaitingSubscriber<S>>();
  /** Sockets of the live ones, rebuilt only after one has left: this is what every update walks through. */
  #live: S[] = [];
  #stale = false;
  /** How many want to be told how many there are. */
  #curious = 0;
  /** Some of these have just had their verdict. */
  #hasNewlyCurious = false;
  /** What those who are live have yet to be sent of what has come. */
  readonly #queue: Frame[] = [];

  /** `line` hears who waits. */
  constructor(line: WaitingLine<S>, ports: SubscribersPorts<S>) {
    this.#line = line;
    this.#ports = ports;
  }

  /** One that outlived the memory. */
  restore(socket: S, facts: SubscriptionFacts): void {
    this.#put({ socket, ...facts });
    this.#stale = true;
  }

  get size(): number {
    return this.#all.size;
  }

  get curious(): number {
    return this.#curious;
  }

  /** Whether one of them has had its verdict since this was last asked, and was told nothing yet. */
  takeNewlyCurious(): boolean {
    const has = this.#hasNewlyCurious;
    this.#hasNewlyCurious = false;
    return has;
  }

  members(): Iterable<S> {
    return this.#all.keys();
  }

  get(socket: S): Subscriber<S> | undefined {
    return this.#all.get(socket);
  }

  keep(socket: S): void {
    const subscriber = this.#all.get(socket);
    if (subscriber !== undefined) this.#ports.keep(socket, factsOf(subscriber));
  }

  /** Those who can be sent more, in the order in which they began to wait. */
  waiting(): readonly WaitingSubscriber<S>[] {
    if (this.#waiting.size === 0) return NOBODY;
    const { pace } = this.#ports;
    return [...this.#waiting.values()].filter(
      ({ socket, subscription }) => !pace.isFull(socket, subscription.kind) && !this.#ports.isHeld(socket),
    );
  }

  /** Those who are catching up and have not taken what they were sent, or may not be sent more yet. */
  full(): readonly S[] {
    if (this.#waiting.size === 0) return NOBODY;
    const { pace, replays } = this.#ports;
    const all = [...this.#waiting.values()];
    return all
      .filter(({ socket, subscription: { kind } }) => pace.isFull(socket, kind) || replays.waitMs(socket) > 0)
      .map(({ socket }) => socket);
  }

  /** Whether one must wait for more than a little, since its sender was sent so much. If that would be for long it is refused. */
  mustWait(subscriber: WaitingSubscriber<S>, now: number): boolean {
    const waitMs = this.#ports.replays.waitMs(subscriber.socket);
    if (waitMs === 0) return false;
    this.wait(subscriber);
    if (isTooLong(subscriber.subscription, waitMs, now)) this.#ports.refuse(subscriber.socket, waitMs);
    return true;
  }

  /** A subscribe, whatever the socket was before. Most are served at once: one stands in no line until it has to `wait`. */
  begin(
    socket: S,
    id: number,
    from: Position | undefined,
    now: number,
    occupancy?: true,
  ): WaitingSubscriber<S> {
    const waiting = { socket, id, subscription: subscribed(from, Math.floor(now)), occupancy };
    if (this.#all.has(socket)) this.#change(waiting);
    else this.#note(waiting);
    return waiting;
  }

  /** One that has begun, unless it was served or ended since. */
  wait(subscriber: WaitingSubscriber<S>): void {
    const { socket } = subscriber;
    if (this.#all.get(socket) === subscriber && !this.#waiting.has(socket)) this.#change(subscriber);
  }

  /** A frame for those who are live; it leaves with the next `flush`. */
  queue(frame: Frame): void {
    this.#queue.push(frame);
  }

  /**
   * Passes on what is queued, as few messages as that allows. `came`: the message that it was, of `count` frames. If all of
   * them go on, the message does as it is.
   */
  flush(came?: Message, count = 0): void {
    const queue = this.#queue;
    if (queue.length === 0) return;
    if (came !== undefined && queue.length === count) this.#fanOut(came);
    else for (const message of packMessages(queue, LIMITS.batchBytes)) this.#fanOut(message);
    queue.length = 0;
  }

  /** Passes a message on to every live subscriber; those that can't keep up are sent away (S9). */
  #fanOut(message: Message): void {
    if (this.#stale) this.#rebuild();
    const live = this.#live;
    const { pace } = this.#ports;
    let sent = 0;
    for (let i = 0; i < live.length; i++) {
      const socket = live[i];
      if (socket === undefined) continue;
      const unsent = socket.bufferedAmount;
      if (pace.isBehind(socket, unsent)) this.#ports.close(socket, "slow_consumer");
      else if (this.#send(socket, message, unsent)) sent++;
    }
    this.#ports.sent(sent);
  }

  /**
   * Answers a subscribe: the verdict and the frames that follow it. Where these lead up to the present the
   * subscriber is live; else `then` says where it stands, and it waits for more.
   */
  answer(
    subscriber: Subscriber<S>,
    verdict: Verdict,
    frames: readonly Frame[],
    then: "live" | Position,
    beyond?: Position,
  ): void {
    this.continue(subscriber, frames, then, beyond, encodeVerdict(subscriber.id, verdict));
    const { socket } = subscriber;
    // Whether it takes this is looked at: if its client went while it was let in, nobody ever tells.
    if (this.#all.has(socket)) this.#ports.unsent.sentFirst(socket);
  }

  /** More for a subscriber that is catching up, its verdict sent before. */
  continue(
    subscriber: Subscriber<S>,
    frames: readonly Frame[],
    then: "live" | Position,
    beyond?: Position,
    verdict?: Frame,
  ): void {
    const { socket, subscription } = subscriber;
    // What follows is bounded by the window and by an answer, so it is checked once and not for each message:
    // a replay that is larger than the limit would otherwise never get through.
    if (this.#ports.pace.isBehind(socket, socket.bufferedAmount)) {
      this.#ports.close(socket, "slow_consumer");
      return;
    }
    const all = verdict === undefined ? frames : [verdict, ...frames];
    const messages = packMessages(all, LIMITS.batchBytes);
    const isLarge = messages.length > 1 || (messages[0]?.length ?? 0) > LARGE_BYTES;
    // One that is catching up is paced by what it takes, and is never far behind.
    if (isLarge && subscription.kind !== "lagging" && !this.#ports.unsent.hasRoom) {
      this.#ports.close(socket, "overloaded");
      return;
    }
    for (const message of messages)
      if (this.#send(socket, message, socket.bufferedAmount)) this.#ports.sent(1);
    this.#ports.pace.sentPast(socket);
    this.#ports.replays.sent(socket, frames);
    const event: SubscriptionEvent =
      then === "live" ? { kind: "served", upTo: then, beyond } : { kind: "served", upTo: then };
    this.#step(subscriber, stepSubscription(subscription, event));
  }

  /**
   * The endpoint goes on from its own position at another source, which says nothing of epochs that only its subscribers
   * name. Those that are live and stand in such epochs are proved whole by themselves again.
   */
  recall(position: Position, now: number): void {
    for (const subscriber of [...this.#all.values()]) {
      const { subscription } = subscriber;
      if (subscription.kind !== "live" || subscription.beyond === undefined) continue;
      const from = later(position, subscription.beyond);
      this.#step(
        subscriber,
        stepSubscription(subscription, { kind: "recalled", from, since: Math.floor(now) }),
      );
    }
  }

  /** An origin answered what was asked on behalf of one. */
  wasAnswered(socket: S, frames: readonly Frame[]): void {
    this.#ports.replays.answered(socket, frames);
  }

  /** Tells those who wait, once each, that their verdict will take its time (S4). */
  tellToWait(sockets: Iterable<S>, message: string): void {
    for (const socket of [...sockets]) {
      const subscriber = this.#all.get(socket);
      if (subscriber?.subscription.kind !== "waiting") continue;
      if (sendQuietly(socket, encodeWait(subscriber.id, "unavailable", message))) this.#ports.sent(1);
      this.#step(subscriber, stepSubscription(subscriber.subscription, { kind: "told" }));
    }
  }

  /** Tells those who want to know it, and have their verdict. */
  tellCurious(frame: string): void {
    if (this.#curious === 0) return;
    for (const { socket, subscription, occupancy } of [...this.#all.values()])
      if (occupancy && hasVerdict(subscription.kind)) this.reply(socket, frame);
  }

  /** Answers a frame. Bounded as all that is sent: who asks much and reads nothing is cut off. */
  reply(socket: S, frame: string): void {
    const unsent = socket.bufferedAmount;
    if (this.#ports.pace.isBehind(socket, unsent)) this.#ports.close(socket, "slow_consumer");
    else if (this.#send(socket, frame, unsent)) this.#ports.sent(1);
  }

  /** `unsent`: what was unsent before. Whether it was handed over. */
  #send(socket: S, message: Message, unsent: number): boolean {
    const isSent = sendQuietly(socket, message);
    if (unsent > 0 || message.length > LARGE_BYTES) this.#ports.unsent.sent(socket, unsent);
    return isSent;
  }

  closeAll(name: CloseName): void {
    for (const socket of [...this.#all.keys()]) this.#ports.close(socket, name);
  }

  remove(socket: S): void {
    const subscriber = this.#all.get(socket);
    if (subscriber === undefined) return;
    this.#all.delete(socket);
    if (subscriber.occupancy) this.#curious--;
    this.#ports.unsent.remove(socket);
    this.#waiting.delete(socket);
    this.#line.leave(socket);
    if (subscriber.subscription.kind === "live") this.#stale = true;
  }

  #step(subscriber: Subscriber<S>, subscription: Subscription): void {
    this.#change({ ...subscriber, subscription });
  }

  #change(subscriber: Subscriber<S>): void {
    const { socket, subscription } = subscriber;
    const before = this.#all.get(socket)?.subscription.kind;
    const isLive = subscription.kind === "live";
    if (subscriber.occupancy && hasVerdict(subscription.kind) && !hasVerdict(before))
      this.#hasNewlyCurious = true;
    this.#put(subscriber);
    this.#ports.keep(socket, factsOf(subscriber));
    if (!isLive && before === "live") this.#stale = true;
    if (isLive && before !== "live" && !this.#stale) this.#live.push(socket);
  }

  #put(subscriber: Subscriber<S>): void {
    const { socket, subscription } = subscriber;
    this.#note(subscriber);
    if (subscription.kind === "live") {
      this.#waiting.delete(socket);
      this.#line.leave(socket);
    } else {
      this.#waiting.set(socket, { ...subscriber, subscription });
      this.#line.join(socket, subscription);
    }
  }

  #note(subscriber: Subscriber<S>): void {
    const before = this.#all.get(subscriber.socket);
    this.#curious += Number(subscriber.occupancy === true) - Number(before?.occupancy === true);
    this.#all.set(subscriber.socket, subscriber);
  }

  #rebuild(): void {
    this.#live = [];
    for (const { socket, subscription } of this.#all.values())
      if (subscription.kind === "live") this.#live.push(socket);
    this.#stale = false;
  }
}
