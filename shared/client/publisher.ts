/**
 * Publishes on a connection: a shell around publishing.ts, for a connection of one endpoint or of many. It gives each publish
 * its key, keeps what is to be sent until it has its outcome, and keeps the time.
 */

import type { ErrorBody } from "../protocol/error-body.ts";
import type { Frame, Header } from "../protocol/frame.ts";
import { encodePublication, type Publication } from "../protocol/up.ts";
import { type Clock, Timer } from "./clock.ts";
import type { PublishOrder } from "./publish-queue.ts";
import {
  Publishing,
  type PublishingEffect,
  type PublishingEvent,
  type PublishingLimits,
} from "./publishing.ts";

/** Text travels as UTF-8, JSON or not; `null` is a tombstone. */
export type PublishedValue = string | Uint8Array | null;

export interface PublishOptions {
  /** Of the record, in order. */
  readonly headers?: readonly Header[];
  /** The same twice is one publish; by default one is chosen at random. */
  readonly idempotencyKey?: string;
  /**
   * `wait`, unless said otherwise: what was published to this endpoint before has its outcome when this is sent, so that records
   * are in the order of the calls. `reject`: the same, and this fails if one before it does. `none`: as fast as can be; what
   * had to be tried again comes later.
   */
  readonly order?: PublishOrder;
  /**
   * If it aborts, this isn't sent, or not again, and fails: with the signal's reason, or with `unknown_outcome` if it was sent and may
   * become a record.
   */
  readonly signal?: AbortSignal | undefined;
}

/** Why something wasn't published, or that this isn't known (`unknown_outcome`). */
export class PublishError extends Error {
  override readonly name = "PublishError";
  readonly code: string;
  /** Whether the same, with the same key, may do later. */
  readonly retry: boolean;

  constructor({ code, message, retry }: ErrorBody) {
    super(message);
    this.code = code;
    this.retry = retry;
  }
}

export interface PublisherLimits extends PublishingLimits {
  /** Of a frame: one that is larger would end the connection (W22). */
  readonly frameBytes: number;
}

export interface PublisherPorts {
  /** Of the next frame on the connection (S2). */
  nextId(): number;
  /** Sends a frame, whose id isn't the next one any more. */
  send(frame: Frame): void;
}

type Content = Omit<Publication, "id">;

interface Promised {
  readonly content: Content;
  readonly signal: AbortSignal | undefined;
  readonly abort: () => void;
  readonly resolve: (position: string) => void;
  readonly reject: (reason: unknown) => void;
}

/** Without an id it is about all that is published on the connection (W24). */
const NOBODY_KNOWS = "unknown_outcome";
const MAX_ID = Number.MAX_SAFE_INTEGER;
const encoder = new TextEncoder();

export class Publisher {
  readonly #clock: Clock;
  readonly #limits: PublisherLimits;
  readonly #ports: PublisherPorts;
  readonly #timer: Timer;
  readonly #promised = new Map<number, Promised>();
  readonly #publishing: Publishing;
  /** Of the frames that this connection has yet to answer. */
  readonly #unanswered = new Set<number>();
  #names = 0;

  constructor(clock: Clock, limits: PublisherLimits, ports: PublisherPorts) {
    this.#clock = clock;
    this.#limits = limits;
    this.#ports = ports;
    this.#timer = new Timer(clock, () => this.#step({ kind: "timer" }));
    this.#publishing = new Publishing(limits);
  }

  /** Resolves with the record's position; rejects with a PublishError. `endpoint`: a canonical path. */
  publish(endpoint: string, value: PublishedValue, options: PublishOptions = {}): Promise<string> {
    const { headers = [], idempotencyKey: key = randomKey(), order = "wait", signal } = options;
    const bytes = typeof value === "string" ? encoder.encode(value) : value;
    const content = { endpoint, key, headers, value: bytes };
    const size = encodePublication({ ...content, id: MAX_ID }).length;
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      if (size > this.#limits.frameBytes) throw new PublishError(tooLarge(this.#limits.frameBytes));
      const name = ++this.#names;
      const abort = () => this.#step({ kind: "withdraw", name });
      signal?.addEventListener("abort", abort, { once: true });
      this.#promised.set(name, { content, signal, abort, resolve, reject });
      this.#step({ kind: "publish", name, endpoint, order, bytes: size });
    });
  }

  /** A connection that has answered something: what waits is sent. */
  opened(): void {
    this.#step({ kind: "opened" });
  }

  lost(): void {
    this.#unanswered.clear();
    this.#step({ kind: "lost" });
  }

  taken(id: number, position: string): void {
    this.#unanswered.delete(id);
    this.#step({ kind: "taken", id, position });
  }

  /** Returns whether the error is about what was published here, and so is no news to anybody else. */
  refused(id: number | undefined, error: ErrorBody): boolean {
    this.#step({ kind: "refused", id, error });
    return id === undefined ? error.code === NOBODY_KNOWS : this.#unanswered.delete(id);
  }

  /** There will be no other connection. */
  end(error: ErrorBody): void {
    this.#step({ kind: "end", error });
  }

  #step(event: PublishingEvent): void {
    const context = {
      now: this.#clock.now(),
      random: this.#clock.random(),
      nextId: this.#ports.nextId(),
    };
    for (const effect of this.#publishing.step(event, context)) this.#perform(effect);
  }

  #perform(effect: PublishingEffect): void {
    switch (effect.kind) {
      case "send": {
        const content = this.#promised.get(effect.name)?.content;
        if (content !== undefined) this.#ports.send(encodePublication({ ...content, id: effect.id }));
        this.#unanswered.add(effect.id);
        break;
      }
      case "published":
        this.#take(effect.name)?.resolve(effect.position);
        break;
      case "failed":
        this.#fail(effect.name, effect.error);
        break;
      case "schedule":
        this.#timer.set(effect.afterMs);
        break;
      case "cancel":
        this.#timer.cancel();
        break;
    }
  }

  #fail(name: number, error: ErrorBody): void {
    const promised = this.#take(name);
    const isWithdrawn = promised?.signal?.aborted === true && error.code !== NOBODY_KNOWS;
    promised?.reject(isWithdrawn ? promised.signal?.reason : new PublishError(error));
  }

  #take(name: number): Promised | undefined {
    const promised = this.#promised.get(name);
    promised?.signal?.removeEventListener("abort", promised.abort);
    this.#promised.delete(name);
    return promised;
  }
}

/** `randomUUID` isn't there on a page that came over plain HTTP. */
function randomKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function tooLarge(bytes: number): ErrorBody {
  const message = `with all that belongs to it this has more than ${bytes} bytes`;
  return { code: "too_large", message, retry: false };
}
