/** The four codecs that a record batch may be compressed with. */
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { decompressLz4 } from "./lz4.ts";
import { decompressSnappy } from "./snappy.ts";
import { WireError } from "./wire.ts";

/** Which of a batch's attributes name the codec. */
export const CODEC_MASK = 0x07;
/** More than any producer makes by accident: a few bytes must not become all of the memory. */
const MAX_BYTES = 256 * 1024 * 1024;

const CODECS: readonly ((bytes: Buffer, maxBytes: number) => Buffer)[] = [
  (bytes) => bytes,
  (bytes, maxOutputLength) => gunzipSync(bytes, { maxOutputLength }),
  decompressSnappy,
  decompressLz4,
  (bytes, maxOutputLength) => zstdDecompressSync(bytes, { maxOutputLength }),
];

/** @param attributes The batch's, which name the codec. Throws WireError where the bytes are not of it. */
export function decompress(attributes: number, bytes: Buffer): Buffer {
  const codec = CODECS[attributes & CODEC_MASK];
  if (codec === undefined) throw new WireError(`codec ${attributes & CODEC_MASK} is unknown`);
  try {
    return codec(bytes, MAX_BYTES);
  } catch (error) {
    if (error instanceof WireError) throw error;
    if (error instanceof RangeError && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE")
      throw new WireError(
        `what is compressed has more than ${MAX_BYTES / 1024 / 1024} MiB when it is unpacked`,
      );
    throw new WireError(
      `what is compressed can't be read: ${error instanceof Error ? error.message : error}`,
    );
  }
}
