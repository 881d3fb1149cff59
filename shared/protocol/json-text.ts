/**
 * Whether bytes are a JSON text by RFC 8259 that nests no deeper than CLIENT_LIMITS.jsonDepth (F3). Reads each byte once and makes
 * nothing of it: whoever writes a record chooses how much a parser would build from it.
 */
import { CLIENT_LIMITS } from "./client-limits.ts";

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const BRACE = 0x7b;
/** What closes an array or object comes two after what opens it. */
const CLOSES = 2;

/** What is open, outermost first: BRACKET or BRACE. */
const open = /* @__PURE__ */ new Uint8Array(CLIENT_LIMITS.jsonDepth);
const NO_JSON = -1;

/** `bytes` must be UTF-8. */
export function isJsonText(bytes: Uint8Array): boolean {
  let depth = 0;
  let at = afterSpace(bytes, 0);
  for (;;) {
    // Here a value begins.
    const first = bytes[at];
    if (first === BRACKET || first === BRACE) {
      at = afterSpace(bytes, at + 1);
      if (bytes[at] !== first + CLOSES) {
        if (depth === open.length) return false;
        open[depth++] = first;
        if (first === BRACE) at = afterName(bytes, at);
        if (at === NO_JSON) return false;
        continue;
      }
      if (depth === open.length) return false;
      at++;
    } else at = afterScalar(bytes, at, first);
    if (at === NO_JSON) return false;
    // And here it has ended, and with it perhaps what it was in.
    for (;;) {
      at = afterSpace(bytes, at);
      if (depth === 0) return at === bytes.length;
      const within = open[depth - 1] ?? 0;
      const next = bytes[at];
      if (next === COMMA) {
        at = afterSpace(bytes, at + 1);
        if (within === BRACE) at = afterName(bytes, at);
        if (at === NO_JSON) return false;
        break;
      }
      if (next !== within + CLOSES) return false;
      depth--;
      at++;
    }
  }
}

function afterSpace(bytes: Uint8Array, from: number): number {
  let at = from;
  for (;;) {
    const byte = bytes[at];
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return at;
    at++;
  }
}

/** After a member's name, its colon and the space that follows. */
function afterName(bytes: Uint8Array, from: number): number {
  if (bytes[from] !== QUOTE) return NO_JSON;
  const end = afterString(bytes, from + 1);
  if (end === NO_JSON) return NO_JSON;
  const at = afterSpace(bytes, end);
  return bytes[at] === COLON ? afterSpace(bytes, at + 1) : NO_JSON;
}

const WORDS = ["true", "false", "null"].map((word) => new TextEncoder().encode(word));

function afterScalar(bytes: Uint8Array, from: number, first: number | undefined): number {
  if (first === QUOTE) return afterString(bytes, from + 1);
  if (first === MINUS || isDigit(first)) return afterNumber(bytes, from);
  for (const word of WORDS)
    if (first === word[0])
      return word.every((byte, i) => bytes[from + i] === byte) ? from + word.length : NO_JSON;
  return NO_JSON;
}

/** @param from after its first quote. */
function afterString(bytes: Uint8Array, from: number): number {
  let at = from;
  for (;;) {
    const byte = bytes[at];
    if (byte === QUOTE) return at + 1;
    // A control character must be escaped.
    if (byte === undefined || byte < 0x20) return NO_JSON;
    if (byte !== BACKSLASH) at++;
    else {
      at = afterEscape(bytes, at + 1);
      if (at === NO_JSON) return NO_JSON;
    }
  }
}

const ESCAPES = new Set(new TextEncoder().encode('"\\/bfnrt'));
const U = 0x75;

function afterEscape(bytes: Uint8Array, from: number): number {
  const byte = bytes[from];
  if (byte !== U) return byte !== undefined && ESCAPES.has(byte) ? from + 1 : NO_JSON;
  for (let at = from + 1; at <= from + 4; at++) if (!isHexDigit(bytes[at])) return NO_JSON;
  return from + 5;
}

function afterNumber(bytes: Uint8Array, from: number): number {
  const start = bytes[from] === MINUS ? from + 1 : from;
  let at = bytes[start] === ZERO ? start + 1 : afterDigits(bytes, start);
  if (at !== NO_JSON && bytes[at] === POINT) at = afterDigits(bytes, at + 1);
  // e or E.
  if (at !== NO_JSON && ((bytes[at] ?? 0) | 0x20) === 0x65) {
    const sign = bytes[at + 1];
    at = afterDigits(bytes, sign === MINUS || sign === 0x2b ? at + 2 : at + 1);
  }
  return at;
}

/** At least one. */
function afterDigits(bytes: Uint8Array, from: number): number {
  let at = from;
  while (isDigit(bytes[at])) at++;
  return at > from ? at : NO_JSON;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= NINE;
}

function isHexDigit(byte: number | undefined): boolean {
  if (byte === undefined) return false;
  const lower = byte | 0x20;
  return isDigit(byte) || (lower >= 0x61 && lower <= 0x66);
}
