/**
 * What is compared of many records at once: per key the SHA-256 of all its records in order, and of the last one.
 * A record becomes bytes so, big-endian: i64 offset, i64 timestamp, key, value, i32 number of headers, and for
 * each its name and value; each of these is an i32 length (-1: null) and its bytes. test/kafka/Digest.java makes
 * the same of what Kafka's own consumer reads.
 */
import { createHash, type Hash } from "node:crypto";
import type { RecordHeader } from "../../origin/source/source.ts";
import { parseAddress } from "../../shared/protocol/address.ts";
import type { RawUpdate } from "./raw-subscriber.ts";

export interface DigestedRecord {
  readonly offset: number;
  readonly timestamp: number | undefined;
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
  readonly headers: readonly RecordHeader[];
}

export interface KeyDigest {
  readonly count: number;
  readonly digest: string;
  readonly lastOffset: number;
  readonly last: string;
}

interface Gathered {
  readonly all: Hash;
  count: number;
  lastOffset: number;
  last: Buffer;
}

export class RecordDigests {
  /** By key in hexadecimal digits. */
  readonly #keys = new Map<string, Gathered>();

  add(record: DigestedRecord): void {
    const key = Buffer.from(record.key).toString("hex");
    const bytes = bytesOf(record);
    const known = this.#keys.get(key);
    const gathered = known ?? { all: createHash("sha256"), count: 0, lastOffset: -1, last: bytes };
    if (known === undefined) this.#keys.set(key, gathered);
    gathered.all.update(bytes);
    Object.assign(gathered, { count: gathered.count + 1, lastOffset: record.offset, last: bytes });
  }

  /** To be called once, when all were added. */
  finish(): Map<string, KeyDigest> {
    return new Map(
      Array.from(this.#keys, ([key, { all, count, lastOffset, last }]) => [
        key,
        { count, digest: all.digest("hex"), lastOffset, last: sha256(last) },
      ]),
    );
  }
}

function recordOfUpdate({ e, offset, t, h, value }: RawUpdate): DigestedRecord {
  const address = parseAddress(e);
  if (!address.ok || !address.canonical) throw new Error(`${e} is no canonical path`);
  const headers = h.map(([name, text, encoding]): [string, Buffer | null] => [
    name ?? "",
    text == null ? null : Buffer.from(text, encoding === "base64" ? "base64" : "utf8"),
  ]);
  return { offset, timestamp: t, key: address.address.key, value, headers };
}

/** Of what a subscriber received. */
export function digestsOf(updates: Iterable<RawUpdate>) {
  const digests = new RecordDigests();
  for (const update of updates) digests.add(recordOfUpdate(update));
  return digests.finish();
}

export const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

export function bytesOf({ offset, timestamp, key, value, headers }: DigestedRecord): Buffer {
  const numbers = Buffer.alloc(16);
  numbers.writeBigInt64BE(BigInt(offset), 0);
  numbers.writeBigInt64BE(BigInt(timestamp ?? -1), 8);
  const parts: Uint8Array[] = [numbers, ...field(key), ...field(value), int32(headers.length)];
  for (const [name, bytes] of headers) parts.push(...field(Buffer.from(name)), ...field(bytes));
  return Buffer.concat(parts);
}

function field(bytes: Uint8Array | null): Uint8Array[] {
  return bytes === null ? [int32(-1)] : [int32(bytes.length), bytes];
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}
