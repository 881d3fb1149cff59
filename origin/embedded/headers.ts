/**
 * Headers of a record as one column: for each, the length of its name, the name in UTF-8, the length of its
 * value or −1 for null, the value. Lengths are 32-bit, little-endian.
 */
import type { RecordHeader } from "../source/source.ts";

const NULL = -1;

/** null if there are no headers. */
export function packHeaders(headers: readonly RecordHeader[]): Uint8Array | null {
  if (headers.length === 0) return null;
  const parts: Uint8Array[] = [];
  for (const [name, value] of headers) {
    const text = Buffer.from(name);
    parts.push(length(text.length), text, length(value?.length ?? NULL));
    if (value !== null) parts.push(value);
  }
  return Buffer.concat(parts);
}

/** undefined if the bytes are not what packHeaders makes. */
export function unpackHeaders(packed: Uint8Array | null): readonly RecordHeader[] | undefined {
  if (packed === null) return [];
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.length);
  const headers: RecordHeader[] = [];
  let at = 0;
  const readLength = (): number | undefined => {
    if (at + 4 > bytes.length) return undefined;
    at += 4;
    return bytes.readInt32LE(at - 4);
  };
  const readBytes = (count: number): Uint8Array | undefined => {
    if (count < 0 || at + count > bytes.length) return undefined;
    at += count;
    return packed.subarray(at - count, at);
  };
  while (at < bytes.length) {
    const name = readBytes(readLength() ?? NULL);
    const valueLength = readLength();
    if (name === undefined || valueLength === undefined) return undefined;
    const value = valueLength === NULL ? null : readBytes(valueLength);
    if (value === undefined) return undefined;
    headers.push([Buffer.from(name).toString(), value]);
  }
  return headers;
}

function length(count: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeInt32LE(count);
  return bytes;
}
