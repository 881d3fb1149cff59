/**
 * What a published record says of its publish, in a header of its own: the log is the table of what was done. Whoever
 * takes a partition over reads there which publishes are done, and answers one that comes again with its position.
 *
 *   version u8 = 1 · which secret, 4 bytes · id, 16 bytes · fingerprint, 16 bytes
 *
 * The id is made with a secret that all origins share (HMAC-SHA-256, cut): the record tells nobody who published it, and nobody
 * else can make up an id that is in use. The fingerprint is of the id and of what the record shows to all who read it (SHA-256,
 * cut), so it needs no secret.
 */
import { createHmac } from "node:crypto";
import type { RecordHeader } from "../source/source.ts";
import { AS_TEXT, digestOf, FieldHmac } from "./field-hmac.ts";
import { type Field, putBytesOf } from "./field-message.ts";

/** Subscribers don't see it. No name of a header that comes over HTTP begins so. */
export const MARK_HEADER = "$distributary";
/** Of a mark as a header has it. */
export const MARK_BYTES = 37;

const VERSION = 1;
const SECRET_NAME_BYTES = 4;
const HALF_BYTES = 16;
const SECRET_AT = 1;
const ID_AT = SECRET_AT + SECRET_NAME_BYTES;
const FINGERPRINT_AT = ID_AT + HALF_BYTES;

/** Who publishes, and what they call this publish: the same twice is one. */
export interface PublishId {
  readonly issuer: string;
  readonly subject: string;
  readonly key: string;
  /** Whose key it is: an edge makes one for a publish that has none, and retries that for seconds only. */
  readonly chosenBy: "client" | "edge";
}

/** What a publish is of. */
export interface PublishContent {
  readonly topic: string;
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
  readonly headers: readonly RecordHeader[];
  readonly id: PublishId;
}

export interface Mark {
  /** Each byte is a character, as in the other two. */
  readonly id: string;
  /** Of what was published: the same id with another one is a mistake. */
  readonly fingerprint: string;
  /** The name of the secret that the id was made with. */
  readonly secret: string;
}

/** A publish as each secret in use marks it, the first of them as it is written. */
export type Marks = readonly [Mark, ...Mark[]];

interface Secret {
  readonly hmac: FieldHmac;
  readonly name: string;
}

export class Marker {
  readonly #first: Secret;
  readonly #others: readonly Secret[];

  /** @param secrets The first marks what is written; others are still recognised. */
  constructor(secrets: readonly [Uint8Array, ...Uint8Array[]]) {
    const [first, ...others] = secrets;
    this.#first = secretOf(first);
    this.#others = others.map(secretOf);
  }

  marksOf(content: PublishContent): Marks {
    const mark = markOf(this.#first, content);
    if (this.#others.length === 0) return [mark];
    return [mark, ...this.#others.map((secret) => markOf(secret, content))];
  }

  /** Whether what the secret of this name marked would be recognised if it came again. */
  recognises(name: string): boolean {
    return this.#first.name === name || this.#others.some((secret) => secret.name === name);
  }
}

/** The header that a record has for its mark. */
export function markHeader(mark: Mark): RecordHeader {
  const bytes = Buffer.allocUnsafe(MARK_BYTES);
  putMark(mark, bytes, 0);
  return [MARK_HEADER, bytes];
}

/** Writes what this header holds. */
export function putMark({ id, fingerprint, secret }: Mark, to: Uint8Array, at: number): void {
  to[at] = VERSION;
  putBytesOf(secret, to, at + SECRET_AT);
  putBytesOf(id, to, at + ID_AT);
  putBytesOf(fingerprint, to, at + FINGERPRINT_AT);
}

/** What a record's headers say of its publish; undefined if it wasn't published, or by a version yet to come. */
export function readMark(headers: readonly RecordHeader[]): Mark | undefined {
  const value = headers.find(([name]) => name === MARK_HEADER)?.[1];
  if (!value || value.length !== MARK_BYTES || value[0] !== VERSION) return undefined;
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.length);
  return {
    secret: bytes.toString(AS_TEXT, SECRET_AT, ID_AT),
    id: bytes.toString(AS_TEXT, ID_AT, FINGERPRINT_AT),
    fingerprint: bytes.toString(AS_TEXT, FINGERPRINT_AT, MARK_BYTES),
  };
}

function secretOf(bytes: Uint8Array): Secret {
  const name = createHmac("sha256", bytes).update("name of this secret").digest();
  return { hmac: new FieldHmac(bytes), name: name.toString(AS_TEXT, 0, SECRET_NAME_BYTES) };
}

function markOf({ hmac, name }: Secret, { topic, key, value, headers, id: of }: PublishContent): Mark {
  const id = halfOf(hmac.digest(["id", of.issuer, of.subject, topic, key, of.key]));
  const content: Field[] = ["fingerprint", id, value];
  for (const header of headers) content.push(...header);
  return { secret: name, id, fingerprint: halfOf(digestOf(content)) };
}

/** Its first bytes. The part of a text keeps the whole in memory: no longer than the publish is under way. */
function halfOf(digest: string): string {
  return digest.slice(0, HALF_BYTES);
}
