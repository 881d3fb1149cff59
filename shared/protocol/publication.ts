/**
 * What a client publishes on a WebSocket, and how that is answered: rules W21–W25 of PROTOCOL.md. The value's bytes are those
 * that stand in the frame, JSON too.
 *
 *   {"id":2,"pub":"/orders/42","idempotencyKey":"c0ffee","v":{"qty":1}}
 *   {"id":3,"pub":"/orders/42","d":true}
 *   {"id":4,"pub":"/frames/cam1","n":512}⏎ and 512 bytes
 *   {"id":2,"ok":{"position":"Zk3x9Q.3:1077"}}
 */
import * as v from "valibot";
import { splitBytesFrame } from "./bytes-frame.ts";
import type { ErrorBody } from "./error-body.ts";
import { type Decoded, decodeHeaders, type Frame, type Header } from "./frame.ts";
import { isJsonText } from "./json-text.ts";
import { LIMITS } from "./limits.ts";
import { membersOf } from "./members.ts";
import type { Guarantee } from "./publish.ts";
import { describe, EndpointSchema, HeadersSchema, IdSchema } from "./schemas.ts";
import type { Publication } from "./up.ts";

export { encodePublication, type Publication } from "./up.ts";

const HeadSchema = v.object({
  id: IdSchema,
  pub: EndpointSchema,
  idempotencyKey: v.optional(v.string()),
  h: v.optional(HeadersSchema),
  d: v.optional(v.literal(true)),
  s: v.optional(v.string()),
  n: v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(LIMITS.valueBytes))),
});
type Head = v.InferOutput<typeof HeadSchema>;

/** Of a text frame all but the value, which isn't parsed. */
const HEAD_FIELDS = ["id", "pub", "idempotencyKey", "h", "d", "s", "n"] as const;

const encoder = new TextEncoder();

/** undefined if it is another frame, or none. */
export function decodePublication(frame: Frame): Decoded<Publication> | undefined {
  return typeof frame === "string" ? decodeText(frame) : decodeBytes(frame);
}

function decodeText(frame: string): Decoded<Publication> | undefined {
  const members = membersOf(frame);
  if (!members?.has("pub")) return undefined;
  const head = headOf(members);
  if (head === undefined)
    return { ok: false, problem: "pub: its fields aren't JSON, or its headers are too many" };
  const read = v.safeParse(HeadSchema, head);
  if (!read.success) return { ok: false, problem: `pub: ${describe(read.issues)}` };
  const json = members.get("v");
  const values: (Uint8Array | null)[] = [];
  if (json !== undefined) {
    const bytes = encoder.encode(json);
    if (!isJsonText(bytes)) return { ok: false, problem: `pub: v isn't JSON, or nests ${DEEPER}` };
    values.push(bytes);
  }
  const { s, d, n } = read.output;
  if (s !== undefined) {
    if (!s.isWellFormed()) return { ok: false, problem: "pub: s isn't text" };
    values.push(encoder.encode(s));
  }
  if (d) values.push(null);
  const [value] = values;
  if (value === undefined || values.length > 1 || n !== undefined) return { ok: false, problem: ONE_VALUE };
  return publicationOf(read.output, value);
}

const DEEPER = `deeper than ${LIMITS.jsonDepth}: send it as s, or as bytes`;
const ONE_VALUE = "pub: it needs one of v, s and d, or as a binary frame n";

function headOf(members: ReadonlyMap<string, string>): object | undefined {
  if ((members.get("h") ?? "").length > LIMITS.publicationHeadBytes) return undefined;
  const fields = HEAD_FIELDS.flatMap((name) => {
    const text = members.get(name);
    return text === undefined ? [] : [`"${name}":${text}`];
  });
  try {
    return JSON.parse(`{${fields.join()}}`) as object;
  } catch {
    return undefined;
  }
}

function decodeBytes(frame: Uint8Array<ArrayBuffer>): Decoded<Publication> | undefined {
  const parts = splitBytesFrame(frame, LIMITS.publicationHeadBytes);
  if (parts === undefined || !("pub" in parts.head)) return undefined;
  const read = v.safeParse(HeadSchema, parts.head);
  if (!read.success) return { ok: false, problem: `pub: ${describe(read.issues)}` };
  const { n, s, d } = read.output;
  if (n !== parts.bytes.length || s !== undefined || d || "v" in parts.head)
    return { ok: false, problem: ONE_VALUE };
  return publicationOf(read.output, parts.bytes);
}

function publicationOf(
  { id, pub, idempotencyKey, h = [] }: Head,
  value: Uint8Array | null,
): Decoded<Publication> {
  const headers = decodeHeaders(h);
  return headers === undefined
    ? { ok: false, problem: "pub: a header isn't the base64 that it says" }
    : { ok: true, value: { id, endpoint: pub, key: idempotencyKey, headers, value } };
}

const VISIBLE = /^[\x20-\x7e]*$/;

/** Whether a client may call its publish so (W3). */
export function isPublishKey(key: string): boolean {
  return key.length > 0 && key.length <= LIMITS.publishKeyCharacters && VISIBLE.test(key);
}

export const KEY_PROBLEM = `must be 1 to ${LIMITS.publishKeyCharacters} characters of ASCII`;

/** Why these can't be a record's (W2). */
export function problemOfHeaders(headers: readonly Header[]): string | undefined {
  if (headers.length > LIMITS.publishHeaders) return `a record may have ${LIMITS.publishHeaders} headers`;
  let bytes = 0;
  for (const [name, value] of headers) {
    if (name === "") return "a header of the record lacks a name";
    // Of such a name are the origin's own.
    if (name.startsWith("$")) return `${name.slice(0, 50)}: no record's header may begin with $`;
    if (!name.isWellFormed() || (typeof value === "string" && !value.isWellFormed()))
      return "a header of the record isn't text: base64 takes any bytes";
    bytes += sizeOf(name) + (value === null ? 0 : sizeOf(value));
  }
  return bytes > LIMITS.publishHeaderBytes
    ? `the record's headers may have ${LIMITS.publishHeaderBytes} bytes in all`
    : undefined;
}

function sizeOf(part: string | Uint8Array): number {
  return typeof part === "string" ? encoder.encode(part).length : part.length;
}

/** @param guarantee If the record may be in the log more than once (W5). */
export function encodeTaken(id: number, position: string, guarantee?: Guarantee): string {
  return JSON.stringify({ id, ok: { position, guarantee } });
}

/** `key`: that the edge made, with which it can be sent again. Without an id: of all that isn't answered (W24). */
export function encodeRefused(id: number | undefined, error: ErrorBody, key?: string): string {
  return JSON.stringify({ id, error, idempotencyKey: key });
}
