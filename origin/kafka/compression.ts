/** The four codecs that a record batch may be compressed with: unpacked at once if that is little, else in pieces. */
import { createGunzip, createZstdDecompress, gunzipSync, zstdDecompressSync } from "node:zlib";
import { decompressLz4, lz4Memory, lz4Pieces } from "./lz4.ts";
import { decompressSnappy, snappyMemory, snappyPieces } from "./snappy.ts";
import { MAX_UNPACKED_BYTES, PIECE_BYTES, TooLargeError } from "./unpacked.ts";
import { WireError } from "./wire.ts";
import { zstdLeast, zstdWindow } from "./zstd.ts";

/** Which of a batch's attributes name the codec. */
export const CODEC_MASK = 0x07;

type Pieces = AsyncIterable<Buffer> | Iterable<Buffer>;

interface Codec {
  /** Throws WireError, and TooLargeError past the bound. */
  readonly whole: (bytes: Buffer, maxBytes: number) => Buffer;
  readonly pieces: (bytes: Buffer) => Pieces;
  /** What it holds while it goes on, besides the pieces that it gives. */
  readonly memory: (bytes: Buffer) => number;
}

const GZIP_MEMORY = 64 * 1024;

const CODECS: readonly (Codec | undefined)[] = [
  undefined,
  {
    whole: (bytes, maxOutputLength) => gunzipSync(bytes, { maxOutputLength }),
    pieces: (bytes) => createGunzip({ chunkSize: PIECE_BYTES }).end(bytes),
    memory: () => GZIP_MEMORY,
  },
  { whole: decompressSnappy, pieces: snappyPieces, memory: snappyMemory },
  { whole: decompressLz4, pieces: lz4Pieces, memory: lz4Memory },
  {
    whole: (bytes, maxOutputLength) => {
      const unpacked = zstdDecompressSync(bytes, { maxOutputLength });
      holdTo(zstdLeast(bytes), unpacked.length);
      return unpacked;
    },
    pieces: zstdPieces,
    memory: zstdWindow,
  },
];

async function* zstdPieces(bytes: Buffer): AsyncGenerator<Buffer, void, void> {
  let given = 0;
  for await (const piece of createZstdDecompress({ chunkSize: PIECE_BYTES }).end(bytes)) {
    given += piece.length;
    yield piece;
  }
  holdTo(zstdLeast(bytes), given);
}

function holdTo(least: number, given: number): void {
  if (given < least) throw new WireError(`what is compressed holds ${given} bytes and says ${least}`);
}

/** @param attributes The batch's, which name the codec. Throws WireError if the bytes are not of it, TooLargeError past the bound. */
export function decompress(attributes: number, bytes: Buffer, maxBytes = MAX_UNPACKED_BYTES): Buffer {
  const codec = codecOf(attributes);
  if (codec === undefined) return bytes;
  try {
    return codec.whole(bytes, maxBytes);
  } catch (error) {
    throw wireErrorOf(error, maxBytes);
  }
}

/** Gives the same piece by piece, with what that takes of memory. What it gives is bounded all the same. */
export function unpacking(
  attributes: number,
  bytes: Buffer,
): { readonly memory: number; readonly pieces: () => AsyncGenerator<Buffer, void, void> } {
  const codec = codecOf(attributes);
  return { memory: codec?.memory(bytes) ?? 0, pieces: () => bounded(codec?.pieces(bytes) ?? [bytes]) };
}

async function* bounded(pieces: Pieces): AsyncGenerator<Buffer, void, void> {
  let left = MAX_UNPACKED_BYTES;
  try {
    for await (const piece of pieces) {
      left -= piece.length;
      if (left < 0) throw new TooLargeError(MAX_UNPACKED_BYTES);
      yield piece;
    }
  } catch (error) {
    throw wireErrorOf(error, MAX_UNPACKED_BYTES);
  }
}

/** Undefined if nothing is compressed. */
function codecOf(attributes: number): Codec | undefined {
  const number = attributes & CODEC_MASK;
  if (number >= CODECS.length) throw new WireError(`codec ${number} is unknown`);
  return CODECS[number];
}

function wireErrorOf(error: unknown, maxBytes: number): WireError {
  if (error instanceof WireError) return error;
  if (error instanceof Error && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE")
    return new TooLargeError(maxBytes);
  return new WireError(`what is compressed can't be read: ${error instanceof Error ? error.message : error}`);
}
