/**
 * What code of the edge attaches to a socket: a copy, as structured clones are. Nearly always that is plain, and then it is kept as
 * JSON, which takes a tenth of the time and less memory; all else is kept as `node:v8` writes it.
 */
import { deserialize, serialize } from "node:v8";

export type Attachment = string | Buffer;

const MOST_BYTES = 16_384;
/** Of an object that is looked through: each is compared with all before it, since what is there twice isn't plain. */
const MOST_OBJECTS = 64;

/** Throws if it can't be copied, or is too large. */
export function attachmentOf(value: unknown): Attachment {
  if (mostBytes(value, []) <= MOST_BYTES) return JSON.stringify(value);
  const bytes = serialize(value);
  if (bytes.length > MOST_BYTES)
    throw new Error(
      `A WebSocket 'attachment' cannot be larger than ${MOST_BYTES} bytes.'attachment' was ${bytes.length} bytes.`,
    );
  return bytes;
}

/** Another copy. */
export function copyOf(attachment: Attachment): unknown {
  return typeof attachment === "string" ? JSON.parse(attachment) : deserialize(attachment);
}

/** What its form may add to a value: kind, length and padding. */
const FORM_BYTES = 12;

/**
 * No fewer bytes than its structured clone would take; infinite if it may be something that JSON would not bring back as it is.
 * @param seen the objects so far
 */
function mostBytes(value: unknown, seen: object[]): number {
  if (typeof value === "string") return FORM_BYTES + 2 * value.length;
  if (typeof value === "boolean" || value === null) return FORM_BYTES;
  if (typeof value === "number")
    return Number.isFinite(value) && !Object.is(value, -0) ? FORM_BYTES : Number.POSITIVE_INFINITY;
  if (typeof value !== "object" || seen.length === MOST_OBJECTS || seen.includes(value))
    return Number.POSITIVE_INFINITY;
  seen.push(value);
  return Array.isArray(value) ? mostOfArray(value, seen) : mostOfObject(value, seen);
}

function mostOfArray(array: readonly unknown[], seen: object[]): number {
  // Fields beside its members; a hole is undefined, which JSON has not.
  if (Object.keys(array).length > array.length) return Number.POSITIVE_INFINITY;
  let bytes = FORM_BYTES;
  for (const member of array) bytes += mostBytes(member, seen);
  return bytes;
}

function mostOfObject(object: object, seen: object[]): number {
  if (Object.getPrototypeOf(object) !== Object.prototype) return Number.POSITIVE_INFINITY;
  let bytes = FORM_BYTES;
  for (const name in object)
    bytes += FORM_BYTES + 2 * name.length + mostBytes(object[name as keyof typeof object], seen);
  return bytes;
}
