/**
 * Whose the bytes are that somebody keeps. Frames and records are read as views of the message or batch that they came
 * in, and a view keeps all of that in memory. What is passed on at once stays a view; what is kept is owned.
 * What the Kafka reader keeps are Buffers of Node, and are to stay such: it copies them itself, with `Buffer.from`.
 */
import type { Frame } from "../protocol/frame.ts";

/** The same bytes with nothing behind them: a copy, unless they are all of their buffer. */
export function ownedBytes<Behind extends ArrayBufferLike>(
  bytes: Uint8Array<Behind>,
): Uint8Array<Behind | ArrayBuffer> {
  // Not `slice`: that of a Buffer is a view, too.
  return bytes.length === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes);
}

export function ownedFrame(frame: Frame): Frame {
  return typeof frame === "string" ? frame : ownedBytes(frame);
}
