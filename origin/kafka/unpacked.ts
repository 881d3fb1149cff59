/** Bounds of what is unpacked. */
import { WireError } from "./wire.ts";

/** More than any producer makes by accident: a few bytes must not become all of the memory. */
export const MAX_UNPACKED_BYTES = 256 * 1024 * 1024;
/** How much is unpacked at once where that is all of it, and about how much at a time where it isn't. */
export const WHOLE_BYTES = 512 * 1024;
export const PIECE_BYTES = 128 * 1024;

export class TooLargeError extends WireError {
  constructor(maxBytes: number) {
    super(
      `a batch unpacks to more than ${maxBytes / 1024 ** 2} MiB, the most that is read: have the log drop it ` +
        "(kafka-delete-records, up to the offset after it) and restart the origin; have its producer make smaller batches",
    );
  }
}
