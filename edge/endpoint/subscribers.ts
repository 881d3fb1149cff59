/**
 * The subscribers of one endpoint's object: who is live, who waits, and what they are sent. Nothing here is
 * done per subscriber and update but one comparison and one send.
 */
import type { CloseName } from "../../shared/protocol/codes.ts";
import type { Frame } from "../../shared/protocol/frame.ts";
import { LIMITS } from "../../shared/protocol/limits.ts";
import { type Message, packMessages } from "../../shared/protocol/message.ts";
import { later, type Position } from "../../shared/protocol/position.ts";
import { encodeVerdict, encodeWait, type Verdict } from "../../shared/protocol/subscriber.ts";
import { closeQuietly, type HibernatingPeer, sendQuietly } from "../peer.ts";
import { loadSubscriber, saveSubscriber, type Waiting } from "./attachment.ts";
import type { Line } from "./line.ts";

export interface Subscriber {
  readonly socket: HibernatingPeer;
  /** Of its last subscribe. */
  readonly id: number;
  /** undefined: live. */
  readonly waiting: Waiting | undefined;
  /** Of one that is live: where it stands in epochs of which its object has nothing. */
  readonly beyond: Position | undefined;
}

/** Nearly always, and asked for after every update. */
const NOBODY: readonly never[] = [];

type WaitingSubscriber = Subscriber & { readonly waiting: Waiting };

export class Subscribers {
  readonly #all = new Map<HibernatingPeer, Subscriber>();
  /** Of these those who wait, in the order in which they began to. */
  readonly #waiting = new Map<HibernatingPeer, WaitingSubscriber>();
  /** Sockets of the live ones, rebuilt only after one has left: this is what every update walks through. */
  #live: HibernatingPeer[] = [];
  #stale = false;
  readonly #sent: (messages: number) => void;
  readonly #line: Line;

  /** `line` hears who waits, `sent` how many messages went out. */
  constructor(line: Line, sent: (messages: number) => void) {
    this.#line = line;
    this.#sent = sent;
  }

  /** After a hibernation. A socket whose attachment can't be read is sent away, to come back by position. */
  restore(sockets: readonly HibernatingPeer[]): void {
    for (const socket of sockets) {
      const facts = loadSubscriber(socket);
      if (facts === undefined) closeQuietly(socket, "going_away");
      else this.#put({ socket, ...facts });
    }
    this.#stale = true;
  }

  get size(): number {
    return this.#all.size;
  }

  get(socket: HibernatingPeer): Subscriber | undefined {
    return this.#all.get(socket);
  }

  /** Those who can be sent more, in the order in which they began to wait. */
  waiting(): readonly WaitingSubscriber[] {
    if (this.#waiting.size === 0) return NOBODY;
    return [...this.#waiting.values()].filter(({ socket, waiting }) => !isFull(socket, waiting));
  }

  /** Those who are catching up and have not taken what they were sent. */
  full(): readonly HibernatingPeer[] {
    if (this.#waiting.size === 0) return NOBODY;
    const full = [...this.#waiting.values()].filter(({ socket, waiting }) => isFull(socket, waiting));
    return full.map(({ socket }) => socket);
  }

  /** A subscribe: the socket waits for its verdict, whatever it was before. */
  wait(socket: HibernatingPeer, id: number, from: Position | undefined, now: number): Subscriber {
    return this.#change(socket, id, { from, answered: false, told: false, since: Math.floor(now) });
  }

  /** Passes a message on to every live subscriber; those that can't keep up are sent away (S9). */
  fanOut(message: Message): void {
    if (this.#stale) this.#rebuild();
    const live = this.#live;
    let sent = 0;
    for (let i = 0; i < live.length; i++) {
      const socket = live[i];
      if (socket === undefined) continue;
      if (socket.bufferedAmount > LIMITS.subscriberBacklogBytes) this.drop(socket, "slow_consumer");
      else if (sendQuietly(socket, message)) sent++;
    }
    this.#sent(sent);
  }

  /** Passes frames on as few messages, and empties the list. */
  fanOutFrames(frames: Frame[]): void {
    for (const message of packMessages(frames, LIMITS.batchBytes)) this.fanOut(message);
    frames.length = 0;
  }

  /**
   * Answers a subscribe: the verdict and the frames that follow it. Where these lead up to the present the
   * subscriber is live; else `then` says where it stands, and it waits for more.
   */
  answer(
    subscriber: Subscriber,
    verdict: Verdict,
    frames: readonly Frame[],
    then: "live" | Position,
    beyond?: Position,
  ): void {
    this.continue(subscriber, [encodeVerdict(subscriber.id, verdict), ...frames], then, beyond);
  }

  /** More for a subscriber that is catching up, its verdict sent before. */
  continue(
    subscriber: Subscriber,
    frames: readonly Frame[],
    then: "live" | Position,
    beyond?: Position,
  ): void {
    const { socket, id, waiting } = subscriber;
    // What follows is bounded by the window and by an answer, so it is checked once and not for each message:
    // a replay that is larger than the limit would otherwise never get through.
    if (socket.bufferedAmount > LIMITS.subscriberBacklogBytes) {
      this.drop(socket, "slow_consumer");
      return;
    }
    for (const message of packMessages(frames, LIMITS.batchBytes))
      if (sendQuietly(socket, message)) this.#sent(1);
    const since = waiting?.since ?? 0;
    this.#change(
      socket,
      id,
      then === "live" ? undefined : { from: then, answered: true, told: false, since },
      beyond,
    );
  }

  /**
   * The object goes on from its own position at another source, which says nothing of epochs that only its subscribers name.
   * Those that are live and stand in such epochs are proved whole by themselves again.
   */
  recall(position: Position, now: number): void {
    for (const { socket, id, waiting, beyond } of [...this.#all.values()]) {
      if (waiting !== undefined || beyond === undefined) continue;
      const from = later(position, beyond);
      this.#change(socket, id, { from, answered: true, told: false, since: Math.floor(now) });
    }
  }

  /** Tells those who wait, once each, that their verdict will take its time (S4). */
  tellToWait(sockets: Iterable<HibernatingPeer>, message: string): void {
    for (const socket of [...sockets]) {
      const { id, waiting } = this.#all.get(socket) ?? {};
      if (id === undefined || waiting === undefined || waiting.told || waiting.answered) continue;
      if (sendQuietly(socket, encodeWait(id, "unavailable", message))) this.#sent(1);
      this.#change(socket, id, { ...waiting, told: true });
    }
  }

  /** Answers a frame. Bounded as all that is sent: who asks much and reads nothing is cut off. */
  reply(socket: HibernatingPeer, frame: string): void {
    if (socket.bufferedAmount > LIMITS.subscriberBacklogBytes) this.drop(socket, "slow_consumer");
    else if (sendQuietly(socket, frame)) this.#sent(1);
  }

  /** Closes a socket and forgets it at once: a peer that doesn't answer the close may linger for long. */
  drop(socket: HibernatingPeer, name: CloseName): void {
    this.remove(socket);
    // Should the socket outlive the object's memory, nobody must take it for a subscriber again.
    socket.serializeAttachment(null);
    closeQuietly(socket, name);
  }

  dropAll(name: CloseName): void {
    for (const socket of [...this.#all.keys()]) this.drop(socket, name);
  }

  remove(socket: HibernatingPeer): void {
    const subscriber = this.#all.get(socket);
    if (subscriber === undefined) return;
    this.#all.delete(socket);
    this.#waiting.delete(socket);
    this.#line.leave(socket);
    if (subscriber.waiting === undefined) this.#stale = true;
  }

  #change(socket: HibernatingPeer, id: number, waiting: Waiting | undefined, beyond?: Position): Subscriber {
    const before = this.#all.get(socket);
    const wasLive = before !== undefined && before.waiting === undefined;
    const subscriber = this.#put({ socket, id, waiting, beyond });
    saveSubscriber(socket, { id, waiting, beyond });
    if (waiting !== undefined && wasLive) this.#stale = true;
    if (waiting === undefined && !wasLive && !this.#stale) this.#live.push(socket);
    return subscriber;
  }

  #put(subscriber: Subscriber): Subscriber {
    const { socket, waiting } = subscriber;
    this.#all.set(socket, subscriber);
    if (waiting === undefined) {
      this.#waiting.delete(socket);
      this.#line.leave(socket);
    } else {
      this.#waiting.set(socket, { ...subscriber, waiting });
      this.#line.join(socket, waiting);
    }
    return subscriber;
  }

  #rebuild(): void {
    this.#live = [];
    for (const { socket, waiting } of this.#all.values()) if (waiting === undefined) this.#live.push(socket);
    this.#stale = false;
  }
}

/** A past of any length fits through: it is sent piece by piece, each when the one before has left. */
export function isFull(socket: HibernatingPeer, waiting: Waiting): boolean {
  return waiting.answered && socket.bufferedAmount > LIMITS.subscriberBacklogBytes;
}
