/**
 * A connection that follows many endpoints, as the states of those see it: one more peer. What they send in one event is kept
 * until it ends, and leaves in as few messages as that allows.
 */
import type { CloseName } from "../../shared/protocol/codes.ts";
import { LIMITS } from "../../shared/protocol/limits.ts";
import { type Message, packMessages } from "../../shared/protocol/message.ts";
import type { OLDEST } from "../../shared/protocol/position.ts";
import type { Pace } from "../endpoint/pace.ts";
import type { SubscriptionFacts } from "../endpoint/subscription-states.ts";
import { closeQuietly, type HibernatingPeer, type Peer, sendQuietly } from "../peer.ts";
import type { Right } from "./right.ts";

/** A subscription of a connection. */
export interface Followed extends SubscriptionFacts {
  /** Where it begins must be asked for first (S16): its endpoint knows nothing of it yet. */
  readonly seeks?: typeof OLDEST;
}

/** In which row more of it is kept than its attachment holds. */
export interface Row {
  readonly id: string;
  /** Grows with each change; a row of an earlier one is of no use. */
  readonly version: number;
}

/** Hears that a message left; `before`: what was unsent before that. */
export type Left = (connection: Connection, message: Message, before: number) => void;

export class Connection implements Peer {
  readonly socket: HibernatingPeer;
  /** The one path that it may follow, if its socket is one of a single endpoint (one-endpoint.ts). */
  readonly only: string | undefined;
  /** From whom it came, as the Worker tells those apart that have quotas; undefined if that is nobody, or isn't known. */
  readonly sender: string | undefined;
  /** By path. */
  readonly follows: Map<string, Followed>;
  right: Right;
  /** Of what it said last. */
  lastId: number;
  row: Row | undefined;
  isOpen = true;
  /** It is new, has said nothing by itself, and nothing was sent to it yet. */
  isUntried: boolean;
  /** What is kept to be sent. Nearly always there is no more than the first. */
  #first: Message | undefined;
  #more: Message[] | undefined;
  #queued = 0;
  /** So much of what is unsent was sent of a past. */
  #past = 0;
  /** Hears that there is something to be sent. */
  readonly #waits: (connection: Connection) => void;

  constructor(
    socket: HibernatingPeer,
    right: Right,
    waits: (connection: Connection) => void,
    kept: Partial<Pick<Connection, "only" | "sender" | "lastId" | "follows" | "row">> = {},
  ) {
    this.socket = socket;
    this.right = right;
    this.#waits = waits;
    this.only = kept.only;
    this.sender = kept.sender;
    this.lastId = kept.lastId ?? 0;
    this.follows = kept.follows ?? new Map();
    this.isUntried = kept.only !== undefined && kept.follows === undefined;
    this.row = kept.row;
  }

  get bufferedAmount(): number {
    return this.socket.bufferedAmount + this.#queued;
  }

  send(message: Message): void {
    if (this.#first === undefined) {
      this.#first = message;
      this.#waits(this);
    } else if (this.#more === undefined) this.#more = [message];
    else this.#more.push(message);
    this.#queued += message.length;
  }

  /** Sends what is kept. `left` hears of each message. Returns how many these are. */
  flush(left: Left): number {
    const first = this.#first;
    if (first === undefined) return 0;
    const more = this.#more;
    this.#first = this.#more = undefined;
    this.#queued = 0;
    if (more === undefined) return this.#send(first, left);
    let sent = 0;
    for (const message of packMessages([first, ...more], LIMITS.batchBytes))
      sent += this.#send(message, left);
    return sent;
  }

  #send(message: Message, left: Left): number {
    const before = this.socket.bufferedAmount;
    if (!sendQuietly(this.socket, message)) return 0;
    left(this, message, before);
    return 1;
  }

  close(code: number, reason: string): void {
    this.socket.close(code, reason);
  }

  end(name: CloseName): void {
    this.isOpen = false;
    endSocket(this.socket, name);
  }

  /** A past that was begun isn't held against whoever takes it. */
  isBehind(unsent: number): boolean {
    if (unsent < this.#past) this.#past = unsent;
    return unsent - this.#past > LIMITS.subscriberBacklogBytes;
  }

  sentPast(): void {
    this.#past = this.bufferedAmount;
  }
}

/** Closes a socket. Nobody takes it for a connection again, should it outlive the memory. */
export function endSocket(socket: HibernatingPeer, name: CloseName): void {
  socket.serializeAttachment(null);
  closeQuietly(socket, name);
}

/** M7: verdicts of many subscriptions wait for one another, so that none of them closes the connection. */
export const OF_A_CONNECTION: Pace<Connection> = {
  isBehind: (connection, unsent) => connection.isBehind(unsent),
  isFull: (connection) => connection.bufferedAmount > LIMITS.subscriberBacklogBytes,
  sentPast: (connection) => connection.sentPast(),
};
