/**
 * What the sockets of an object publish: W21–W25 of PROTOCOL.md, W26 and W27 of INTERNALS.md. Each publish is passed on to the
 * shard in the order in which it came, and nothing is kept of it here: the frame names the socket, and so does the answer,
 * which finds it after a hibernation, too. So if a link is lost nobody here knows what was under way on it, and the sockets
 * that have published are told that they can't know either.
 *
 * Only while there is no link are some publishes held, for a moment: then the object is awake anyway, since it seeks one.
 */
import type { Audience } from "../../shared/config/streams.ts";
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

/** Whose name a socket publishes in. */
export interface PublisherNames {
  readonly issuer: string;
  readonly subject: string;
}

/** What must outlive the memory of a socket that may publish, or has. */
export interface PublisherFacts {
  /** By which answers find it; undefined until it has published something. */
  readonly tag: number | undefined;
  /** What its token lets it do; undefined if it has none, or that doesn't. `by`: as the stream said when that was decided. */
  readonly names: (PublisherNames & { readonly by: Audience }) | undefined;
}

export interface PublishingConfig {
  /** Canonical. */
  readonly path: string;
  /** Who may publish there. */
  readonly by: Audience;
  /** Of a value. */
  readonly maxBytes: number;
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
  send(socket: S, frame: string): void;
  /** Its facts have changed. */
  keep(socket: S): void;
  /** Bytes that the link to the shard hasn't taken; undefined while there is no link. */
  unsent(): number | undefined;
  say(message: Message): void;
}

interface Held<S> {
  readonly socket: S;
  readonly id: number;
  readonly frame: Uint8Array<ArrayBuffer>;
  readonly until: number;
}

const HELD_MS = TIME_LIMITS.publishHeldMs;
/** Tags are drawn from so many: of two sockets that publish at once none has the other's. */
const TAGS = 2 ** 52;

const NOTHING: PublisherFacts = { tag: undefined, names: undefined };
const PUBLIC_NAMES: PublisherNames = { issuer: "", subject: "" };

export class Publishes<S> {
  readonly #config: PublishingConfig;
  readonly #ports: PublishesPorts<S>;
  readonly #facts = new Map<S, PublisherFacts>();
  readonly #byTag = new Map<number, S>();
  /** What this event passes on. */
  #leaving: Uint8Array<ArrayBuffer>[] = [];
  #leavingBytes = 0;
  readonly #held: Held<S>[] = [];
  #heldBytes = 0;
  #endWaiting: (() => void) | undefined;
  /** Whether answers may be due from the link. */
  #mayOwe = false;

  constructor(config: PublishingConfig, ports: PublishesPorts<S>) {
    this.#config = config;
    this.#ports = ports;
  }

  /** One that outlived the memory. What its token let it do then counts only if the stream says the same still. */
  restore(socket: S, { tag, names }: PublisherFacts): void {
    this.#facts.set(socket, { tag, names: names?.by === this.#config.by ? names : undefined });
    if (tag === undefined) return;
    this.#byTag.set(tag, socket);
    this.#mayOwe = true;
  }

  /** What a socket's token, which has just come, lets it do. */
  grant(socket: S, names: PublisherNames | undefined): void {
    const { tag } = this.#facts.get(socket) ?? NOTHING;
    if (tag === undefined && names === undefined) this.#facts.delete(socket);
    else this.#facts.set(socket, { tag, names: names && this.#signed(names) });
  }

  #signed({ issuer, subject }: PublisherNames): NonNullable<PublisherFacts["names"]> {
    return { issuer, subject, by: this.#config.by };
  }

  /** undefined if there is nothing to keep. */
  of(socket: S): PublisherFacts | undefined {
    return this.#facts.get(socket);
  }

  mayPublish(socket: S): boolean {
    return this.#namesOf(socket) !== undefined;
  }

  /** Of the largest message that it may send (W22). */
  messageBytes(socket: S): number {
    if (!this.mayPublish(socket)) return LIMITS.subscriberMessageBytes;
    return this.#config.maxBytes + LIMITS.publicationRoomBytes;
  }

  publish(socket: S, publication: Publication): void {
    const { id, headers, value } = publication;
    const names = this.#namesOf(socket);
    if (names === undefined) {
      this.#refuse(socket, id, this.#whyNot(socket));
      return;
    }
    const problem = this.#problemOf(publication);
    if (problem !== undefined) {
      this.#refuse(socket, id, problem);
      return;
    }
    const { key = this.#ports.newKey() } = publication;
    const by = publication.key === undefined ? "edge" : "client";
    const { issuer, subject } = names;
    const publish = { endpoint: this.#config.path, issuer, subject, key, by, headers, value } as const;
    const holder = this.#ports.holderOf(socket);
    const token = holder && { names: holder, until: holder.until };
    this.#pass(socket, id, encodeLinkPublish({ socket: this.#tagOf(socket), id, token, publish }));
  }

  /** An event has ended: what it brought leaves, in as few messages as that allows. */
  flush(): void {
    if (this.#leaving.length === 0) return;
    for (const message of packMessages(this.#leaving, LIMITS.batchBytes)) this.#ports.say(message);
    this.#leaving = [];
    this.#leavingBytes = 0;
  }

  /** The shard has answered. A socket that has gone since is told nothing. */
  answered({ socket: tag, id, result }: LinkPublished): void {
    const socket = this.#byTag.get(tag);
    if (socket === undefined) return;
    const frame =
      "position" in result ? encodeTaken(id, result.position) : encodeRefused(id, result.error, result.key);
    this.#ports.send(socket, frame);
  }

  /** There is a new link. It may have taken the place of one that was lost without a word. */
  linked(): void {
    this.unlinked();
    for (const { socket, id, frame } of this.#drop(() => true)) this.#pass(socket, id, frame);
    this.flush();
  }

  /** What was under way on the link won't be answered (W27). */
  unlinked(): void {
    if (!this.#mayOwe) return;
    this.#mayOwe = false;
    const frame = encodeRefused(undefined, errorBody(...LOST));
    for (const socket of [...this.#byTag.values()]) this.#ports.send(socket, frame);
  }

  remove(socket: S): void {
    const tag = this.#facts.get(socket)?.tag;
    this.#facts.delete(socket);
    if (tag !== undefined) this.#byTag.delete(tag);
    this.#drop((held) => held.socket === socket);
  }

  /** Everybody's rights need not be kept. */
  #namesOf(socket: S): PublisherNames | undefined {
    const { names } = this.#facts.get(socket) ?? NOTHING;
    if (names !== undefined) return names;
    const isPublic = this.#config.by === "public" && this.#ports.holderOf(socket) === undefined;
    return isPublic ? PUBLIC_NAMES : undefined;
  }

  #whyNot(socket: S): Problem {
    const { by } = this.#config;
    if (by === "nobody") return ["forbidden", "nobody may publish to this topic"];
    if (this.#ports.holderOf(socket) === undefined)
      return ["no_token", "without a token nothing can be published here"];
    return ["forbidden", "the token doesn't allow to publish this"];
  }

  #problemOf({ endpoint, key, headers, value }: Publication): Problem | undefined {
    const { path, maxBytes } = this.#config;
    if (endpoint !== path) return ["unsupported", `this socket serves ${path} only`];
    if (value !== null && value.length > maxBytes)
      return ["too_large", `a value may have ${maxBytes} bytes here`];
    if (key !== undefined && !isPublishKey(key)) return ["bad_request", `idempotencyKey ${KEY_PROBLEM}`];
    const problem = problemOfHeaders(headers);
    return problem === undefined ? undefined : ["bad_request", problem];
  }

  #tagOf(socket: S): number {
    const { tag: known, names } = this.#facts.get(socket) ?? NOTHING;
    if (known !== undefined) return known;
    const tag = Math.floor(this.#ports.random() * TAGS);
    this.#facts.set(socket, { tag, names });
    this.#byTag.set(tag, socket);
    this.#ports.keep(socket);
    return tag;
  }

  #pass(socket: S, id: number, frame: Uint8Array<ArrayBuffer>): void {
    const unsent = this.#ports.unsent();
    if (unsent === undefined) this.#hold(socket, id, frame);
    else if (unsent + this.#leavingBytes > LIMITS.publishBacklogBytes) this.#refuse(socket, id, TOO_MUCH);
    else {
      this.#leaving.push(frame);
      this.#leavingBytes += frame.length;
      this.#mayOwe = true;
    }
  }

  #hold(socket: S, id: number, frame: Uint8Array<ArrayBuffer>): void {
    const hasRoom =
      this.#held.length < LIMITS.heldPublishes && this.#heldBytes + frame.length <= LIMITS.heldPublishBytes;
    if (!hasRoom) {
      this.#refuse(socket, id, TOO_MUCH);
      return;
    }
    this.#held.push({ socket, id, frame, until: this.#ports.now() + HELD_MS });
    this.#heldBytes += frame.length;
    this.#endWaiting ??= this.#ports.after(HELD_MS, () => this.#giveUp());
  }

  /** No link has come. */
  #giveUp(): void {
    const now = this.#ports.now();
    this.#endWaiting = undefined;
    for (const { socket, id } of this.#drop(({ until }) => until <= now)) this.#refuse(socket, id, NO_LINK);
    const [next] = this.#held;
    if (next !== undefined) this.#endWaiting = this.#ports.after(next.until - now, () => this.#giveUp());
  }

  #drop(isOver: (held: Held<S>) => boolean): readonly Held<S>[] {
    const over = this.#held.filter(isOver);
    if (over.length === 0) return over;
    const kept = this.#held.filter((held) => !isOver(held));
    this.#held.splice(0, this.#held.length, ...kept);
    this.#heldBytes = kept.reduce((sum, { frame }) => sum + frame.length, 0);
    if (kept.length === 0) {
      this.#endWaiting?.();
      this.#endWaiting = undefined;
    }
    return over;
  }

  #refuse(socket: S, id: number, [code, message]: Problem): void {
    const waits = code === "overloaded" || code === "unavailable" ? LATER : {};
    this.#ports.send(socket, encodeRefused(id, { ...errorBody(code, message), ...waits }));
  }
}

const LATER = { retryAfterMs: TIME_LIMITS.publishLaterMs };

type Problem = readonly [code: ErrorCode, message: string];

const TOO_MUCH: Problem = ["overloaded", "more is published here than is taken; try again later"];
const NO_LINK: Problem = ["unavailable", "the source of this endpoint can't be reached; nothing was published"];
const LOST: Problem = [
  "unknown_outcome",
  "what was published on this socket and isn't answered may have been published: the same with the same idempotencyKey finds out",
];

