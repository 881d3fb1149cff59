/** Messages as frames of RFC 6455, from a server, whole. */
const TEXT = 0x81;
const BINARY = 0x82;
const CLOSE = 0x88;
const PONG = 0x8a;
/** RFC 6455 §5.2. */
const LENGTH_16 = 126;
const LENGTH_64 = 127;

export type Outgoing = string | Uint8Array;

let last: Outgoing | undefined;
let lastFrame: Buffer | undefined;

/** A message that goes to many is framed once, and all get the same bytes. */
export function framed(message: Outgoing): Buffer {
  if (message === last && lastFrame !== undefined) return lastFrame;
  const frame =
    typeof message === "string"
      ? textFrame(message)
      : frameOf(BINARY, message.byteLength, (to, at) => to.set(message, at));
  last = message;
  lastFrame = frame;
  return frame;
}

/** Text that is there as bytes. */
export function textFramed(utf8: Uint8Array): Buffer {
  return frameOf(TEXT, utf8.byteLength, (to, at) => to.set(utf8, at));
}

/** Bytes may be others the next time. */
export function forgetFramed(): void {
  last = undefined;
  lastFrame = undefined;
}

function textFrame(text: string): Buffer {
  return frameOf(TEXT, Buffer.byteLength(text), (to, at) => to.write(text, at));
}

/** Without a code, if there is none. */
export function closeFrame(code: number | undefined, reason: string): Buffer {
  if (code === undefined) return frameOf(CLOSE, 0, () => {});
  return frameOf(CLOSE, 2 + Buffer.byteLength(reason), (to, at) => {
    to.writeUInt16BE(code, at);
    to.write(reason, at + 2);
  });
}

export function pongFrame(data: Buffer): Buffer {
  return frameOf(PONG, data.length, (to, at) => to.set(data, at));
}

function frameOf(first: number, length: number, write: (to: Buffer, at: number) => void): Buffer {
  const head = length < LENGTH_16 ? 2 : length <= 0xffff ? 4 : 10;
  const frame = Buffer.allocUnsafe(head + length);
  frame[0] = first;
  if (head === 2) frame[1] = length;
  else if (head === 4) {
    frame[1] = LENGTH_16;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = LENGTH_64;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
  write(frame, head);
  return frame;
}
