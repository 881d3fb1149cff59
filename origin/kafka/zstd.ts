/** What zstd frames say of themselves before they are unpacked. */

/** Besides the window a decoder holds a block or two, and its tables. */
const TABLES = 512 * 1024;
const MAGIC = 0xfd2fb528;
/** Frames of this kind hold nothing to unpack; their magic numbers end in any four bits. */
const SKIPPABLE = 0x184d2a50;
const HEADER_AT = 4;

/** The memory that unpacking takes: that of the largest window of the frames at the start, before which nothing is known. */
export function zstdWindow(bytes: Buffer): number {
  let at = 0;
  while (at + 8 <= bytes.length && (bytes.readUInt32LE(at) & 0xfffffff0) >>> 0 === SKIPPABLE)
    at += 8 + bytes.readUInt32LE(at + HEADER_AT);
  // What isn't a frame is refused before it takes anything.
  if (at + HEADER_AT + 2 > bytes.length || bytes.readUInt32LE(at) !== MAGIC) return TABLES;
  const flags = bytes.readUInt8(at + HEADER_AT);
  const isSingle = (flags & 0x20) !== 0;
  if (!isSingle) {
    const window = bytes.readUInt8(at + HEADER_AT + 1);
    const base = 2 ** (10 + (window >>> 3));
    return TABLES + base + (base / 8) * (window & 7);
  }
  const sizeAt = at + HEADER_AT + 1 + ([0, 1, 2, 4][flags & 3] ?? 0);
  const sizeBytes = [1, 2, 4, 8][flags >>> 6] ?? 1;
  if (sizeAt + sizeBytes > bytes.length) return TABLES;
  const size = sizeBytes === 8 ? Number(bytes.readBigUInt64LE(sizeAt)) : bytes.readUIntLE(sizeAt, sizeBytes);
  return TABLES + (sizeBytes === 2 ? size + 256 : size);
}
