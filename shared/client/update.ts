/** Updates as they are handed to whoever subscribed. */
import { type Header, parsedJson, type Update, type Value } from "../protocol/frame.ts";
import { formatPosition, type Position } from "../protocol/position.ts";

const encoder = new TextEncoder();

/** One update of the endpoint, with its value exactly as it was produced. */
export class ReceivedUpdate {
  /** Canonical path. */
  readonly endpoint: string;
  /** The receiver's position with this update: give it to `from` to go on after this update. */
  readonly position: string;
  /** Names the offset space of `offset` and `previous`. */
  readonly epoch: string;
  /** The record's own offset, `p` in PROTOCOL.md. */
  readonly offset: number;
  /** Offset of the record before it on this endpoint in this epoch, `q`; undefined if none is known. */
  readonly previous: number | undefined;
  /** Milliseconds since 1970; undefined if the record has none. */
  readonly timestamp: number | undefined;
  /** In the order in which they were produced; names may repeat. */
  readonly headers: readonly Header[];
  /** There were headers, of so many bytes, which were too large to travel. */
  readonly headersOmitted: number | undefined;
  readonly value: Value;

  constructor(update: Update, position: Position) {
    this.endpoint = update.endpoint;
    this.position = formatPosition(position);
    this.epoch = update.epoch;
    this.offset = update.offset;
    this.previous = update.previous;
    this.timestamp = update.timestamp;
    this.headers = update.headers;
    this.headersOmitted = update.headersOmitted;
    this.value = update.value;
  }

  /** Whether the key was deleted. */
  get deleted(): boolean {
    return this.value.kind === "tombstone";
  }

  /** The text that was produced, character for character, JSON too; undefined if the value is no text. */
  text(): string | undefined {
    return this.value.kind === "json" || this.value.kind === "text" ? this.value.text : undefined;
  }

  /** The value parsed; undefined if it isn't JSON. Numbers lose what JavaScript's don't hold: see text(). */
  json(): unknown {
    return this.value.kind === "json" ? parsedJson(this.value) : undefined;
  }

  /** The bytes that were produced; undefined for a tombstone, and for a value too large to travel. */
  bytes(): Uint8Array | undefined {
    const text = this.text();
    if (text !== undefined) return encoder.encode(text);
    return this.value.kind === "bytes" ? this.value.bytes : undefined;
  }
}
