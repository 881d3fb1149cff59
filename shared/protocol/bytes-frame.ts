/** Binary frames that hold a value's bytes (F5): a header that is one JSON object, a newline, and so many bytes as `n` says. */
import { NEWLINE } from "./ascii.ts";
import { decodeUtf8 } from "./frame.ts";
import { parseObject } from "./json-object.ts";

const encoder = new TextEncoder();

/** `n` is the header's last field, from which a message of several is taken apart (F11). */
export function encodeBytesFrame(fields: object, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const head = encoder.encode(`${JSON.stringify({ ...fields, n: bytes.length })}\n`);
  const frame = new Uint8Array(head.length + bytes.length);
  frame.set(head);
  frame.set(bytes, head.length);
  return frame;
}

export interface BytesFrame {
  readonly head: object;
  /** A view on the frame; whether there are so many as `n` says is for the reader of the header to look at. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** undefined if its header isn't one JSON object, or has more than `maxHeadBytes`. */
export function splitBytesFrame(
  frame: Uint8Array<ArrayBuffer>,
  maxHeadBytes = Number.POSITIVE_INFINITY,
): BytesFrame | undefined {
  const newline = frame.indexOf(NEWLINE);
  if (newline < 0 || newline > maxHeadBytes) return undefined;
  const text = decodeUtf8(frame.subarray(0, newline));
  const head = text === undefined ? undefined : parseObject(text);
  return head && { head, bytes: frame.subarray(newline + 1) };
}
