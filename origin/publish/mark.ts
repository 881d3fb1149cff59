/**
 * What a published record says of its publish, in a header of its own: the log is the table of what was done. Whoever
 * takes a partition over reads there which publishes are done, and answers one that comes again with its position.
 *
 *   version u8 = 1 · which secret, 4 bytes · id, 16 bytes · fingerprint, 16 bytes
 *
 * Both are made with a secret that all origins share (HMAC-SHA-256, cut): the record tells nobody who published it, and
 * nobody else can make up an id that is in use.
 */
import { createHmac } from "node:crypto";
import type { RecordHeader } from "../source/source.ts";

/** Subscribers don't see it. No name of a header that comes over HTTP begins so. */
export const MARK_HEADER = "$distributary";

const VERSION = 1;
const SECRET_NAME_BYTES = 4;
const HALF_BYTES = 16;
const MARK_BYTES = 1 + SECRET_NAME_BYTES + 2 * HALF_BYTES;
const NULL_LENGTH = 0xffffffff;

/** Who publishes, and what they call this publish: the same twice is one. */
export interface PublishId {
  readonly issuer: string;
  readonly subject: string;
  readonly key: string;
  /** Whose key it is: an edge makes one for a publish that has none, and retries that for seconds only. */
  readonly chosenBy: "client" | "edge";
}

/** What a publish is of. */
export interface Published {
  readonly topic: string;
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
  readonly headers: readonly RecordHeader[];
  readonly id: PublishId;
}

export interface Mark {
  /** In base64url, as is the fingerprint. */
  readonly id: string;
  /** Of what was published: the same id with another one is a mistake. */
  readonly fingerprint: string;
}

/** A publish as each secret in use marks it, the first of them as it is written. */
export type Marks = readonly [Mark, ...Mark[]];

export class Marker {
  readonly #secrets: readonly [Uint8Array, ...Uint8Array[]];
  readonly #name: Buffer;

  /** @param secrets The first marks what is written; others are still recognised. */
  constructor(secrets: readonly [Uint8Array, ...Uint8Array[]]) {
    this.#secrets = secrets;
    this.#name = nameOf(secrets[0]);
  }

  marksOf(published: Published): Marks {
    const [first, ...others] = this.#secrets;
    return [markOf(first, published), ...others.map((secret) => markOf(secret, published))];
  }

  headerOf({ id, fingerprint }: Mark): RecordHeader {
    const halves = [id, fingerprint].map((half) => Buffer.from(half, "base64url"));
    return [MARK_HEADER, Buffer.concat([Uint8Array.of(VERSION), this.#name, ...halves])];
  }
}

/** What a record's headers say of its publish; undefined if it wasn't published, or by a version yet to come. */
export function readMark(headers: readonly RecordHeader[]): Mark | undefined {
  const value = headers.find(([name]) => name === MARK_HEADER)?.[1];
  if (!value || value.length !== MARK_BYTES || value[0] !== VERSION) return undefined;
  const half = (from: number) => Buffer.from(value.subarray(from, from + HALF_BYTES)).toString("base64url");
  return { id: half(1 + SECRET_NAME_BYTES), fingerprint: half(1 + SECRET_NAME_BYTES + HALF_BYTES) };
}

const nameOf = (secret: Uint8Array) =>
  createHmac("sha256", secret).update("name of this secret").digest().subarray(0, SECRET_NAME_BYTES);

function markOf(secret: Uint8Array, { topic, key, value, headers, id }: Published): Mark {
  const name = hashOf(secret, "id", [id.issuer, id.subject, topic, key, id.key]);
  const fields = headers.flat();
  return {
    id: name.toString("base64url"),
    fingerprint: hashOf(secret, "fingerprint", [name, value, ...fields]).toString("base64url"),
  };
}

/** Of fields with their lengths: no two lists of fields are the same bytes. */
function hashOf(secret: Uint8Array, what: string, fields: readonly (string | Uint8Array | null)[]): Buffer {
  const hmac = createHmac("sha256", secret);
  for (const field of [what, ...fields]) {
    const bytes = typeof field === "string" ? Buffer.from(field) : field;
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes?.length ?? NULL_LENGTH);
    hmac.update(length);
    if (bytes) hmac.update(bytes);
  }
  return hmac.digest().subarray(0, HALF_BYTES);
}
