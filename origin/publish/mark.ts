/**
 * What a published record says of its publish, in a header of its own: the log is the table of what was done. Whoever
 * takes a partition over reads there which publishes are done, and answers one that comes again with its position.
 *
 *   version u8 = 1 · which secret, 4 bytes · id, 16 bytes · fingerprint, 16 bytes
 *
 * Both are made with a secret that all origins share (HMAC-SHA-256, cut): the record tells nobody who published it, and
 * nobody else can make up an id that is in use.
 */
import { createHmac, createSecretKey, type KeyObject } from "node:crypto";
import type { RecordHeader } from "../source/source.ts";

/** Subscribers don't see it. No name of a header that comes over HTTP begins so. */
export const MARK_HEADER = "$distributary";

const VERSION = 1;
const SECRET_NAME_BYTES = 4;
const HALF_BYTES = 16;
const MARK_BYTES = 1 + SECRET_NAME_BYTES + 2 * HALF_BYTES;
const LENGTH_BYTES = 4;
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
  /** The name of the secret that both were made with. */
  readonly secret: string;
}

/** A publish as each secret in use marks it, the first of them as it is written. */
export type Marks = readonly [Mark, ...Mark[]];

interface Secret {
  readonly key: KeyObject;
  readonly name: string;
}

export class Marker {
  readonly #secrets: readonly [Secret, ...Secret[]];

  /** @param secrets The first marks what is written; others are still recognised. */
  constructor(secrets: readonly [Uint8Array, ...Uint8Array[]]) {
    const [first, ...others] = secrets;
    // Keys that are made once: to make one for each hash would take five times as long as the hash.
    this.#secrets = [secretOf(first), ...others.map(secretOf)];
  }

  marksOf(published: Published): Marks {
    const [first, ...others] = this.#secrets;
    return [markOf(first, published), ...others.map((secret) => markOf(secret, published))];
  }

  headerOf({ id, fingerprint, secret }: Mark): RecordHeader {
    const parts = [secret, id, fingerprint].map((part) => Buffer.from(part, "base64url"));
    return [MARK_HEADER, Buffer.concat([Uint8Array.of(VERSION), ...parts])];
  }

  /** Whether what the secret of this name marked would be recognised if it came again. */
  recognises(name: string): boolean {
    return this.#secrets.some((secret) => secret.name === name);
  }
}

/** What a record's headers say of its publish; undefined if it wasn't published, or by a version yet to come. */
export function readMark(headers: readonly RecordHeader[]): Mark | undefined {
  const value = headers.find(([name]) => name === MARK_HEADER)?.[1];
  if (!value || value.length !== MARK_BYTES || value[0] !== VERSION) return undefined;
  const part = (from: number, bytes: number) =>
    Buffer.from(value.subarray(from, from + bytes)).toString("base64url");
  const at = 1 + SECRET_NAME_BYTES;
  return {
    secret: part(1, SECRET_NAME_BYTES),
    id: part(at, HALF_BYTES),
    fingerprint: part(at + HALF_BYTES, HALF_BYTES),
  };
}

function secretOf(bytes: Uint8Array): Secret {
  const key = createSecretKey(bytes);
  const name = createHmac("sha256", key)
    .update("name of this secret")
    .digest()
    .subarray(0, SECRET_NAME_BYTES);
  return { key, name: name.toString("base64url") };
}

function markOf(secret: Secret, { topic, key, value, headers, id }: Published): Mark {
  const name = hashOf(secret.key, "id", [id.issuer, id.subject, topic, key, id.key]);
  const fields = headers.flat();
  return {
    secret: secret.name,
    id: name.toString("base64url"),
    fingerprint: hashOf(secret.key, "fingerprint", [name, value, ...fields]).toString("base64url"),
  };
}

/** Of fields with their lengths: no two lists of fields are the same bytes. In one piece, which is what takes least time. */
function hashOf(secret: KeyObject, what: string, fields: readonly (string | Uint8Array | null)[]): Buffer {
  const parts = [what, ...fields].map((field) => (typeof field === "string" ? Buffer.from(field) : field));
  const size = parts.reduce((sum, part) => sum + LENGTH_BYTES + (part?.length ?? 0), 0);
  const message = Buffer.allocUnsafe(size);
  let at = 0;
  for (const part of parts) {
    at = message.writeUInt32BE(part?.length ?? NULL_LENGTH, at);
    if (part === null) continue;
    message.set(part, at);
    at += part.length;
  }
  return createHmac("sha256", secret).update(message).digest().subarray(0, HALF_BYTES);
}
