/**
 * What the sockets of an object publish: W21–W25 of PROTOCOL.md, W26 and W27 of INTERNALS.md. Each publish is passed on to the
 * shard of its endpoint in the order in which it came, and nothing is kept of it here: the frame names the socket, and so does
 * the answer, which finds it after a hibernation, too. So if a link is lost nobody here knows what was under way on it, and the
 * sockets that have published are told that they can't know either.
 * An object of many endpoints needs links for what is published, too, whether it follows anything there or not.
 *
 * Only while there is no link are some publishes held, for a moment: then the object is awake anyway, since it seeks one.
 */
import type { ErrorCode } from "../../shared/protocol/codes.ts";
import { LIMITS } from "../../shared/protocol/limits.ts";
import { encodeLinkPublish, type LinkPublished } from "../../shared/protocol/link-publish.ts";
import { type Message, packMessages } from "../../shared/protocol/message.ts";
import {
  encodeRefused,
  encodeTaken,
  isPublishKey,
  KEY_PROBLEM,
  type Publication,
  problemOfHeaders,
} from "../../shared/protocol/publication.ts";
import { errorBody } from "../../shared/protocol/schemas.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import type { Holder } from "./holder.ts";

/** Why something can't be published. */
export interface Problem {
  readonly code: ErrorCode;
  readonly message: string;
}

export interface PublishesPorts<S> {
  now(): number;
  /** In [0, 1). */
  random(): number;
  /** A key for a publish that has none: nobody can guess it. */
  newKey(): string;
  after(ms: number, run: () => void): () => void;
  /** By whose token a socket is there; undefined for "public". */
  holderOf(socket: S): Holder | undefined;
  /** Why it may not publish there; undefined if it may. */
  whyNot(socket: S, endpoint: string): Problem | undefined;
  shardOf(endpoint: string): number;
  send(socket: S, frame: string): void;
  /** It has a tag now. */
  keep(socket: S): void;
  /** Bytes that the link to a shard hasn't taken; undefined while there is none. */
  unsent(shard: number): number | undefined;
  say(shard: number, message: Message): void;
  /** Whether a link to a shard is needed for what is published may have changed: `uses` says so. */
  usesChanged(shard: number): void;
}

/** A publish on its way up. */
interface Passed<S> {
  readonly socket: S;
  readonly id: number;
  readonly shard: number;
  readonly frame: Uint8Array<ArrayBuffer>;
}

interface Held<S> extends Passed<S> {
  readonly until: number;
}

const HELD_MS = TIME_LIMITS.publishHeldMs;
/** Tags are drawn from so many: of two sockets that publish at once none has the other's. */
const TAGS = 2 ** 52;

export class Publishes<S> {
  /** Of a value, in bytes. */
  readonly #maxBytes: number;
  readonly #ports: PublishesPorts<S>;
  readonly #tags = new Map<S, number>();
  readonly #byTag = new Map<number, S>();
  /** What this event passes on, by shard. */
  readonly #leaving = new Map<number, Uint8Array<ArrayBuffer>[]>();
  #held: readonly Held<S>[] = [];
  #endWaiting: (() => void) | undefined;
  /** By shards, to which sockets answers may be due from there. */
  readonly #mayOwe = new Map<number, Set<S>>();

  constructor(maxBytes: number, ports: PublishesPorts<S>) {
    this.#maxBytes = maxBytes;
    this.#ports = ports;
  }

  /** One that outlived the memory, as did the links to these shards: it may have published on any of them. */
  restore(socket: S, tag: number, shards: Iterable<number>): void {
    this.#tags.set(socket, tag);
    this.#byTag.set(tag, socket);
    for (const shard of shards) this.#owedBy(shard).add(socket);
  }

  /** Whether a link to a shard is needed: something waits for it, or one that is there has published on it. */
  uses(shard: number): boolean {
    return this.#mayOwe.has(shard) || this.#held.some((held) => held.shard === shard);
  }

  /** By which answers find a socket; undefined until it has published something. */
  tagOf(socket: S): number | undefined {
    return this.#tags.get(socket);
  }

  publish(socket: S, publication: Publication): void {
    const { id, endpoint, headers, value } = publication;
    const problem = this.#ports.whyNot(socket, endpoint) ?? this.#problemOf(publication);
    if (problem !== undefined) {
      this.#refuse(socket, id, problem);
      return;
    }
    const { key = this.#ports.newKey() } = publication;
    const by = publication.key === undefined ? "edge" : "client";
    const holder = this.#ports.holderOf(socket);
    const { issuer, subject } = holder ?? PUBLIC_NAMES;
    const publish = { endpoint, issuer, subject, key, by, headers, value } as const;
    const token = holder && { names: holder, until: holder.until };
    const frame = encodeLinkPublish({ socket: this.#tagged(socket), id, token, publish });
    this.#pass({ socket, id, shard: this.#ports.shardOf(endpoint), frame });
  }

  /** An event has ended: what it brought leaves, in as few messages as that allows. */
  flush(): void {
    for (const [shard, frames] of this.#leaving)
      for (const message of packMessages(frames, LIMITS.batchBytes)) this.#ports.say(shard, message);
    this.#leaving.clear();
  }

  /** A shard has answered. A socket that has gone since is told nothing. */
  answered({ socket: tag, id, result }: LinkPublished): void {
    const socket = this.#byTag.get(tag);
    if (socket === undefined) return;
    const frame =
      "position" in result
        ? encodeTaken(id, result.position, result.guarantee)
        : encodeRefused(id, result.error, result.key);
    this.#ports.send(socket, frame);
  }

  /** There is a new link to a shard. It may have taken the place of one that was lost without a word. */
  linked(shard: number): void {
    this.unlinked(shard);
    for (const held of this.#drop((held) => held.shard === shard)) this.#pass(held);
    this.flush();
  }

  /** What was under way on the link to a shard won't be answered (W27). */
  unlinked(shard: number): void {
    const owed = this.#mayOwe.get(shard) ?? [];
    this.#mayOwe.delete(shard);
    const frame = encodeRefused(undefined, errorBody("unknown_outcome", LOST));
    for (const socket of owed) this.#ports.send(socket, frame);
  }

  remove(socket: S): void {
    const tag = this.#tags.get(socket);
    if (tag === undefined) return;
    this.#tags.delete(socket);
    this.#byTag.delete(tag);
    const unused = new Set(this.#drop((held) => held.socket === socket).map(({ shard }) => shard));
    for (const [shard, owed] of this.#mayOwe) {
      if (!owed.delete(socket) || owed.size > 0) continue;
      this.#mayOwe.delete(shard);
      unused.add(shard);
    }
    for (const shard of unused) this.#ports.usesChanged(shard);
  }

  #problemOf({ key, headers, value }: Publication): Problem | undefined {
    if (value !== null && value.length > this.#maxBytes)
      return { code: "too_large", message: `a value may have ${this.#maxBytes} bytes here` };
    if (key !== undefined && !isPublishKey(key))
      return { code: "bad_request", message: `idempotencyKey ${KEY_PROBLEM}` };
    const message = problemOfHeaders(headers);
    return message === undefined ? undefined : { code: "bad_request", message };
  }

  #tagged(socket: S): number {
    const known = this.#tags.get(socket);
    if (known !== undefined) return known;
    const tag = Math.floor(this.#ports.random() * TAGS);
    this.#tags.set(socket, tag);
    this.#byTag.set(tag, socket);
    this.#ports.keep(socket);
    return tag;
  }

  #pass(passed: Passed<S>): void {
    const { socket, id, shard, frame } = passed;
    const unsent = this.#ports.unsent(shard);
    const leaving = this.#leaving.get(shard) ?? [];
    if (unsent === undefined) this.#hold(passed);
    else if (unsent + sizeOf(leaving) > LIMITS.publishBacklogBytes) this.#refuse(socket, id, TOO_MUCH);
    else {
      leaving.push(frame);
      this.#leaving.set(shard, leaving);
      this.#owedBy(shard).add(socket);
    }
  }

  #owedBy(shard: number): Set<S> {
    const owed = this.#mayOwe.get(shard) ?? new Set();
    this.#mayOwe.set(shard, owed);
    return owed;
  }

  #hold({ socket, id, shard, frame }: Passed<S>): void {
    const bytes = sizeOf(this.#held.map((held) => held.frame)) + frame.length;
    if (this.#held.length >= LIMITS.heldPublishes || bytes > LIMITS.heldPublishBytes) {
      this.#refuse(socket, id, TOO_MUCH);
      return;
    }
    this.#held = [...this.#held, { socket, id, shard, frame, until: this.#ports.now() + HELD_MS }];
    this.#endWaiting ??= this.#ports.after(HELD_MS, () => this.#giveUp());
    this.#ports.usesChanged(shard);
  }

  /** No link has come. */
  #giveUp(): void {
    const now = this.#ports.now();
    this.#endWaiting = undefined;
    for (const { socket, id, shard } of this.#drop(({ until }) => until <= now)) {
      this.#refuse(socket, id, NO_LINK);
      this.#ports.usesChanged(shard);
    }
    const [next] = this.#held;
    if (next !== undefined) this.#endWaiting = this.#ports.after(next.until - now, () => this.#giveUp());
  }

  #drop(isOver: (held: Held<S>) => boolean): readonly Held<S>[] {
    const over = this.#held.filter(isOver);
    if (over.length > 0) this.#held = this.#held.filter((held) => !isOver(held));
    if (this.#held.length === 0) {
      this.#endWaiting?.();
      this.#endWaiting = undefined;
    }
    return over;
  }

  #refuse(socket: S, id: number, { code, message }: Problem): void {
    const waits = code === "overloaded" || code === "unavailable" ? LATER : {};
    this.#ports.send(socket, encodeRefused(id, { ...errorBody(code, message), ...waits }));
  }
}

const PUBLIC_NAMES = { issuer: "", subject: "" };

const LATER = { retryAfterMs: TIME_LIMITS.publishLaterMs };

const TOO_MUCH: Problem = {
  code: "overloaded",
  message: "more is published here than is taken; try again later",
};

const NO_LINK: Problem = {
  code: "unavailable",
  message: "the source of this endpoint can't be reached; nothing was published",
};

const LOST =
  "what was published on this socket and isn't answered may have been published: the same with the same idempotencyKey finds out";

function sizeOf(frames: readonly Uint8Array[]): number {
  return frames.reduce((sum, { length }) => sum + length, 0);
}
