/** What zstd frames say of themselves before they are unpacked. */

/** Besides the window a decoder holds a block or two, and its tables. */
const TABLES = 512 * 1024;
const MAGIC = 0xfd2fb528;
/** Frames of this kind hold nothing to unpack; their magic numbers end in any four bits. */
const SKIPPABLE = 0x184d2a50;
const HEADER_AT = 4;

/** The first frame that holds anything. */
interface Header {
  readonly windowBytes: number;
  /** undefined if it doesn't say how much it holds. */
  readonly contentBytes: number | undefined;
}

/** The memory that unpacking takes: that of the largest window of the frames at the start, before which nothing is known. */
export function zstdWindow(bytes: Buffer): number {
  // What isn't a frame is refused before it takes anything.
  return TABLES + (headerOf(bytes)?.windowBytes ?? 0);
}

/**
 * How much there is at least once all is unpacked. The library doesn't hold a frame to what it says if that ends with an
 * empty block and is more than fits its output at once.
 */
export function zstdLeast(bytes: Buffer): number {
  return headerOf(bytes)?.contentBytes ?? 0;
}

function headerOf(bytes: Buffer): Header | undefined {
  let at = 0;
  while (at + 8 <= bytes.length && (bytes.readUInt32LE(at) & 0xfffffff0) >>> 0 === SKIPPABLE)
    at += 8 + bytes.readUInt32LE(at + HEADER_AT);
  if (at + HEADER_AT + 2 > bytes.length || bytes.readUInt32LE(at) !== MAGIC) return undefined;
  const flags = bytes.readUInt8(at + HEADER_AT);
  const isSingle = (flags & 0x20) !== 0;
  const sizeAt = at + HEADER_AT + (isSingle ? 1 : 2) + ([0, 1, 2, 4][flags & 3] ?? 0);
  const contentBytes = contentAt(bytes, sizeAt, [isSingle ? 1 : 0, 2, 4, 8][flags >>> 6] ?? 0);
  if (isSingle) return { windowBytes: contentBytes ?? 0, contentBytes };
  const window = bytes.readUInt8(at + HEADER_AT + 1);
  const base = 2 ** (10 + (window >>> 3));
  return { windowBytes: base + (base / 8) * (window & 7), contentBytes };
}

function contentAt(bytes: Buffer, at: number, length: number): number | undefined {
  if (length === 0 || at + length > bytes.length) return undefined;
  const size = length === 8 ? Number(bytes.readBigUInt64LE(at)) : bytes.readUIntLE(at, length);
  return length === 2 ? size + 256 : size;
}
