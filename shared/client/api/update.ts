/** An update as an application gets it: decoded when it is looked at, with all that was produced at hand. */
import type { Header } from "../../protocol/frame.ts";
import type { SubscriptionEvents } from "../events.ts";
import type { ReceivedUpdate } from "../update.ts";
import type { RawValue } from "./codec.ts";
import { ClientError } from "./error.ts";

export type Gap = SubscriptionEvents["gap"];

interface Fields {
  /** Canonical path. */
  readonly endpoint: string;
  /** Give it to `from` to go on after this update. */
  readonly position: string;
  /** Names the offset space of `offset`. */
  readonly epoch: string;
  readonly offset: number;
  /** Milliseconds since 1970; undefined if the record has none. */
  readonly timestamp: number | undefined;
  /** In the order in which they were produced; names may repeat. */
  readonly headers: readonly Header[];
  /** Continuity was lost before this update: something between `from` and `position` may be missing. */
  readonly gap: Gap | undefined;
  /** So many updates before this one were left out, since nobody read them (`whenFull: "conflate"`). */
  readonly skipped: number;
  /** As it was produced; undefined if it is no text. */
  text(): string | undefined;
  /** As they were produced; undefined for a tombstone, and for a value too large to travel. */
  bytes(): Uint8Array | undefined;
}

/**
 * `value` is decoded when it is first read. What the codec or the schema throws is thrown there, each time, and so is a
 * ClientError `value_too_large` if the value was too large to travel.
 */
export type DecodedUpdate<T = unknown> = Fields &
  (
    | { readonly deleted: false; readonly value: T }
    /** The key was deleted. */
    | { readonly deleted: true; readonly value: undefined }
  );

export function updateOf<T>(
  received: ReceivedUpdate,
  decode: (raw: RawValue) => T,
  gap: Gap | undefined,
): DecodedUpdate<T> {
  return new LazyUpdate(received, decode, gap, 0) as DecodedUpdate<T>;
}

/** The same as `next`, with what is to be known of one before it that was left out. */
export function inPlaceOf<T>(left: DecodedUpdate<T>, next: DecodedUpdate<T>): DecodedUpdate<T> {
  return next instanceof LazyUpdate ? (next.after(left.skipped + 1, left.gap) as DecodedUpdate<T>) : next;
}

class LazyUpdate<T> {
  readonly endpoint: string;
  readonly position: string;
  readonly epoch: string;
  readonly offset: number;
  readonly timestamp: number | undefined;
  readonly headers: readonly Header[];
  readonly gap: Gap | undefined;
  readonly skipped: number;
  readonly deleted: boolean;
  readonly #received: ReceivedUpdate;
  readonly #decode: (raw: RawValue) => T;
  #decoded: { readonly value: T } | undefined;

  constructor(received: ReceivedUpdate, decode: (raw: RawValue) => T, gap: Gap | undefined, skipped: number) {
    this.endpoint = received.endpoint;
    this.position = received.position;
    this.epoch = received.epoch;
    this.offset = received.offset;
    this.timestamp = received.timestamp;
    this.headers = received.headers;
    this.gap = gap;
    this.skipped = skipped;
    this.deleted = received.deleted;
    this.#received = received;
    this.#decode = decode;
  }

  after(skipped: number, gap: Gap | undefined): LazyUpdate<T> {
    return new LazyUpdate(this.#received, this.#decode, gap ?? this.gap, this.skipped + skipped);
  }

  get value(): T | undefined {
    if (this.deleted) return undefined;
    this.#decoded ??= { value: this.#decode(this.#raw()) };
    return this.#decoded.value;
  }

  text(): string | undefined {
    return this.#received.text();
  }

  bytes(): Uint8Array | undefined {
    return this.#received.bytes();
  }

  #raw(): RawValue {
    const received = this.#received;
    const { value } = received;
    if (value.kind === "omitted" || value.kind === "tombstone")
      throw new ClientError(
        { code: "value_too_large", message: "the value is too large to travel", retry: false },
        this.endpoint,
      );
    return {
      kind: value.kind,
      text: () => received.text(),
      json: () => received.json(),
      bytes: () => received.bytes() ?? new Uint8Array(),
    };
  }
}
