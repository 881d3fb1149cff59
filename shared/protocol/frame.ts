/**
 * Update frames: rules F1–F9 of PROTOCOL.md. A frame is encoded once, at the origin, and passed on byte for
 * byte at every hop. Text frames are strings, binary frames are bytes; both start with the same JSON header.
 *
 *   {"e":"/quotes/AAPL","p":"Zk3x9Q.3:1077","q":1041,"t":1763690000123,"v":{"bid":229.1}}
 *   {"e":"/frames/cam1","p":"Zk3x9Q.0:12","q":11,"t":1763690000123,"n":512}⏎ and 512 bytes
 */
import { NEWLINE } from "./ascii.ts";
import { CLIENT_LIMITS } from "./client-limits.ts";
import { parseObject } from "./json-object.ts";
import { isJsonText } from "./json-text.ts";
import type { Chained } from "./position.ts";
import { parseComponent } from "./position.ts";

/** A value as it was produced. `json` and `text` hold exactly the bytes that were produced, as UTF-8. */
export type Value =
  | { readonly kind: "json"; readonly text: string }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "tombstone" }
  /** Too large to travel (F8); `size` in bytes. */
  | { readonly kind: "omitted"; readonly size: number };

/** A record header. Kafka's values are bytes: a string if they are UTF-8, null if there is none. */
export type Header = readonly [name: string, value: string | Uint8Array | null];

export interface Update extends Chained {
  /** Canonical path. */
  readonly endpoint: string;
  /** Milliseconds since 1970; undefined if the record has none. */
  readonly timestamp: number | undefined;
  readonly headers: readonly Header[];
  /** There were headers, of so many bytes, which were too large to travel (F8). */
  readonly headersOmitted?: number;
  readonly value: Value;
}

export type Frame = string | Uint8Array<ArrayBuffer>;

/** What a frame has beside a JSON value (F2). */
interface Head {
  readonly e: string;
  readonly p: string;
  readonly q?: number;
  readonly t?: number;
  readonly h?: unknown;
  readonly x?: number;
  readonly d?: true;
  readonly o?: number;
  readonly n?: number;
  readonly s?: string;
}

const encoder = /* @__PURE__ */ new TextEncoder();
const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The string that bytes stand for in UTF-8, a byte order mark included; undefined if they are none. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return undefined;
  }
}

/** How a value travels, told from its bytes alone (F3). `isUtf8` may be a faster way to tell than is to be had everywhere. */
export function kindOf(bytes: Uint8Array | null, isUtf8: (bytes: Uint8Array) => boolean): Value["kind"] {
  if (bytes === null) return "tombstone";
  if (bytes.length > CLIENT_LIMITS.valueBytes) return "omitted";
  if (!isUtf8(bytes)) return "bytes";
  return isJsonText(bytes) ? "json" : "text";
}

/** What stands before the value in the frame of an update whose value is JSON. After the value comes JSON_END. */
export function encodeJsonHead(update: Omit<Update, "value">): string {
  return `${encodeHead(update)},"v":`;
}

export const JSON_END = "}";

/** What stands before a value of so many bytes in a binary frame. After the value comes nothing. */
export function encodeBytesHead(update: Omit<Update, "value">, length: number): string {
  return `${encodeHead(update)},"n":${length}}\n`;
}

function encodeHead(update: Omit<Update, "value">): string {
  let head = `{"e":"${update.endpoint}","p":"${update.epoch}:${update.offset}"`;
  if (update.previous !== undefined) head += `,"q":${update.previous}`;
  if (update.timestamp !== undefined) head += `,"t":${update.timestamp}`;
  if (update.headers.length > 0) head += `,"h":${JSON.stringify(update.headers.map(encodeHeader))}`;
  if (update.headersOmitted !== undefined) head += `,"x":${update.headersOmitted}`;
  return head;
}

/** Header fields come first and are never objects; the value comes last (F2), so that nobody need parse it. */
export function encodeUpdate(update: Update): Frame {
  const { value } = update;
  switch (value.kind) {
    case "json":
      return encodeJsonHead(update) + value.text + JSON_END;
    case "text":
      return `${encodeHead(update)},"s":${JSON.stringify(value.text)}}`;
    case "tombstone":
      return `${encodeHead(update)},"d":true}`;
    case "omitted":
      return `${encodeHead(update)},"o":${value.size}}`;
    case "bytes": {
      const header = encoder.encode(encodeBytesHead(update, value.bytes.length));
      const frame = new Uint8Array(header.length + value.bytes.length);
      frame.set(header);
      frame.set(value.bytes, header.length);
      return frame;
    }
  }
}

export function encodeHeader([name, value]: Header): readonly (string | null)[] {
  return value instanceof Uint8Array ? [name, toBase64(value), "base64"] : [name, value];
}

export type Decoded<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problem: string };

/** Reads one frame whole; a frame that isn't an update is a problem, not an exception. */
export function decodeUpdate(frame: Frame): Decoded<Update> {
  return decode(frame, ParsedJson.of);
}

/** For whoever has it of an origin, which has looked at the value: that is not looked at again. */
export function decodeTrusted(frame: Frame): Decoded<Update> {
  return decode(frame, (text) => ({ kind: "json", text }));
}

type JsonValue = Extract<Value, { readonly kind: "json" }>;

/** A value that was parsed to see whether it is JSON, which most receivers want parsed. */
class ParsedJson implements JsonValue {
  readonly kind = "json";
  readonly text: string;
  #parsed: { readonly value: unknown } | undefined;

  static of(this: void, text: string): ParsedJson | undefined {
    try {
      return new ParsedJson(text, JSON.parse(text));
    } catch {
      return undefined;
    }
  }

  private constructor(text: string, value: unknown) {
    this.text = text;
    this.#parsed = { value };
  }

  /** Parsed anew each time but the first, since whoever has it may change it. */
  take(): unknown {
    const { value } = this.#parsed ?? { value: JSON.parse(this.text) };
    this.#parsed = undefined;
    return value;
  }
}

/** What a value that is JSON stands for; one's own to change. */
export function parsedJson(value: JsonValue): unknown {
  return value instanceof ParsedJson ? value.take() : JSON.parse(value.text);
}

function decode(frame: Frame, readJson: (text: string) => JsonValue | undefined): Decoded<Update> {
  const parts = split(frame);
  if (parts === undefined) return { ok: false, problem: "not an update frame" };
  const header = parseHeader(parts.head);
  if (header === undefined) return { ok: false, problem: "malformed header of an update frame" };
  const value = readValue(header, parts, readJson);
  if (value === undefined) return { ok: false, problem: "an update frame needs exactly one value" };
  const component = parseComponent(header.p);
  if (component === undefined) return { ok: false, problem: "malformed position in an update frame" };
  const headers = header.h === undefined ? [] : decodeHeaders(header.h);
  if (headers === undefined) return { ok: false, problem: "malformed headers in an update frame" };
  return {
    ok: true,
    value: {
      endpoint: header.e,
      ...component,
      previous: header.q,
      timestamp: header.t,
      headers,
      ...(header.x !== undefined && { headersOmitted: header.x }),
      value,
    },
  };
}

/** Headers of a record as they travel (F6); undefined if these are none. */
export function decodeHeaders(encoded: unknown): readonly Header[] | undefined {
  if (!Array.isArray(encoded)) return undefined;
  const headers = encoded.map(decodeHeader);
  return headers.every((header) => header !== undefined) ? headers : undefined;
}

function decodeHeader(encoded: unknown): Header | undefined {
  const [name, value, form]: readonly unknown[] = Array.isArray(encoded) ? encoded : [];
  if (typeof name !== "string") return undefined;
  if (value === null) return [name, null];
  if (typeof value !== "string") return undefined;
  if (form !== "base64") return [name, value];
  const bytes = fromBase64(value);
  return bytes && [name, bytes];
}

/** The parts of a frame: its header as JSON, and its value as it travelled. */
interface Parts {
  readonly head: string;
  readonly json?: string;
  readonly bytes?: Uint8Array<ArrayBuffer>;
}

/**
 * A text frame's value begins at the first `,"v":`: in JSON a quote inside a string is escaped and no header
 * field is an object, so that sequence cannot stand anywhere before it (F2).
 */
function split(frame: Frame): Parts | undefined {
  if (typeof frame === "string") {
    const at = frame.indexOf(',"v":');
    if (at < 0) return { head: frame };
    return { head: `${frame.slice(0, at)}}`, json: frame.slice(at + 5, -1) };
  }
  const newline = frame.indexOf(NEWLINE);
  if (newline < 0) return undefined;
  const head = decodeUtf8(frame.subarray(0, newline));
  return head === undefined ? undefined : { head, bytes: frame.subarray(newline + 1) };
}

/** By hand, since every page that subscribes does this for each update, and loads it. */
function parseHeader(text: string): Head | undefined {
  const head = parseObject(text);
  return head !== undefined && isHead(head) ? head : undefined;
}

function isHead(head: object): head is Head {
  const { e, p, q, t, x, d, o, n, s } = head as Readonly<Record<string, unknown>>;
  return (
    typeof e === "string" &&
    e.startsWith("/") &&
    typeof p === "string" &&
    isCount(q) &&
    isCount(x) &&
    isCount(o) &&
    isCount(n) &&
    Number(n ?? 0) <= CLIENT_LIMITS.valueBytes &&
    (t === undefined || Number.isFinite(t)) &&
    (d === undefined || d === true) &&
    (s === undefined || typeof s === "string")
  );
}

const isCount = (value: unknown) =>
  value === undefined || (Number.isSafeInteger(value) && Number(value) >= 0);

function readValue(
  header: Head,
  parts: Parts,
  readJson: (text: string) => JsonValue | undefined,
): Value | undefined {
  const values: Value[] = [];
  if (parts.json !== undefined) {
    const json = readJson(parts.json);
    if (json === undefined) return undefined;
    values.push(json);
  }
  if (header.s !== undefined) values.push({ kind: "text", text: header.s });
  if (header.d) values.push({ kind: "tombstone" });
  if (header.o !== undefined) values.push({ kind: "omitted", size: header.o });
  if (header.n !== undefined && parts.bytes?.length === header.n)
    values.push({ kind: "bytes", bytes: parts.bytes });
  return values.length === 1 ? values[0] : undefined;
}

/** An update as one JSON object, if there is nothing but text: a binary value is the base64 in `b`, after `n` (E2). */
export function updateAsJson(frame: Frame): string {
  if (typeof frame === "string") return frame;
  const newline = frame.indexOf(NEWLINE);
  return `${lenient.decode(frame.subarray(0, newline - 1))},"b":"${toBase64(frame.subarray(newline + 1))}"}`;
}

/** The little that every hop needs, read without touching the value. */
export interface Routing extends Chained {
  readonly endpoint: string;
}

const ROUTING = /^\{"e":"(\/[^"]*)","p":"([A-Za-z0-9_.-]{1,32}):([0-9]{1,16})"(?:,"q":([0-9]{1,16}))?[,}]/;

/** For what is read of a head, which is ASCII; what may follow is for the receiver to judge. */
const lenient = /* @__PURE__ */ new TextDecoder("utf-8", { fatal: false, ignoreBOM: true });

/** For hops that pass frames on: trusts that an origin encoded it. undefined if it isn't an update. */
export function routingOf(frame: Frame): Routing | undefined {
  const match = ROUTING.exec(typeof frame === "string" ? frame : headerText(frame));
  if (match === null) return undefined;
  return {
    endpoint: match[1] ?? "",
    epoch: match[2] ?? "",
    offset: Number(match[3]),
    previous: match[4] === undefined ? undefined : Number(match[4]),
  };
}

const TIMESTAMP = /^\{"e":"[^"]*","p":"[^"]*",(?:"q":[0-9]+,)?"t":([0-9]{1,16})[,}]/;

/** When the record of an update was made, as `routingOf`; undefined if it has no such time. */
export function timestampOf(frame: Frame): number | undefined {
  const match = TIMESTAMP.exec(typeof frame === "string" ? frame : headerText(frame));
  return match === null ? undefined : Number(match[1]);
}

function headerText(frame: Uint8Array): string {
  const newline = frame.indexOf(NEWLINE);
  return newline < 0 ? "" : lenient.decode(frame.subarray(0, newline));
}

/** So many bytes at once: a string that is put together byte by byte takes many times as much while it is. */
const BINARY_BYTES = 8 * 1024;

export function toBase64(bytes: Uint8Array): string {
  let binary = "";
  for (let at = 0; at < bytes.length; at += BINARY_BYTES)
    binary += String.fromCharCode(...bytes.subarray(at, at + BINARY_BYTES));
  return btoa(binary);
}

function fromBase64(text: string): Uint8Array | undefined {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}
