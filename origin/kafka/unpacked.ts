/** Bounds of what is unpacked. */
import { WireError } from "./wire.ts";

/** More than any producer makes by accident: a few bytes must not become all of the memory. */
export const MAX_UNPACKED_BYTES = 256 * 1024 * 1024;
/** How much is unpacked at once where that is all of it, and about how much at a time where it isn't. */
export const WHOLE_BYTES = 512 * 1024;
export const PIECE_BYTES = 128 * 1024;

export class TooLargeError extends WireError {
  constructor(maxBytes: number) {
    const most = `${maxBytes / 1024 ** 2} MiB when it is unpacked, the most that is read`;
    super(`what is compressed has more than ${most}: have its producer make smaller batches`);
  }
}
