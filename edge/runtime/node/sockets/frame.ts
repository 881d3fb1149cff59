/** Messages as frames of RFC 6455, from a server, whole. */
export const TEXT = 0x81;
export const BINARY = 0x82;
const CLOSE = 0x88;
const PONG = 0x8a;
/** RFC 6455 §5.2. */
export const LENGTH_16 = 126;
export const LENGTH_64 = 127;

export type Outgoing = string | Uint8Array;

/** A text as it goes to the network, from which it can be had again. */
export interface Text {
  readonly frame: Buffer;
  /** Then no byte of it need be looked at to read it. */
  readonly isAscii: boolean;
}

let last: Outgoing | undefined;
let lastFrame: Buffer | undefined;

/** A message that goes to many is framed once, and all get the same bytes. */
export function framed(message: Outgoing): Buffer {
  if (message === last && lastFrame !== undefined) return lastFrame;
  const frame =
    typeof message === "string"
      ? textFrame(message).frame
      : frameOf(BINARY, message.byteLength, (to, at) => to.set(message, at));
  last = message;
  lastFrame = frame;
  return frame;
}

/** Bytes may be others the next time. */
export function forgetFramed(): void {
  last = undefined;
  lastFrame = undefined;
}

export function textFrame(text: string): Text {
  const bytes = Buffer.byteLength(text);
  const isAscii = bytes === text.length;
  const frame = beginFrame(TEXT, bytes);
  frame.write(text, headBytes(bytes), isAscii ? "latin1" : "utf8");
  return { frame, isAscii };
}

/** A string of its own. If that is what is sent next, its frame is there. */
export function textOf({ frame, isAscii }: Text): string {
  const text = frame.toString(isAscii ? "latin1" : "utf8", beginOf(frame));
  last = text;
  lastFrame = frame;
  return text;
}

/** Without its head. */
export function messageBytes({ frame }: Text): number {
  return frame.length - beginOf(frame);
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
  const frame = beginFrame(first, length);
  write(frame, headBytes(length));
  return frame;
}

function headBytes(length: number): number {
  return length < LENGTH_16 ? 2 : length <= 0xffff ? 4 : 10;
}

/** Where the message begins in a frame. */
function beginOf(frame: Buffer): number {
  const length = frame[1] ?? 0;
  return length < LENGTH_16 ? 2 : length === LENGTH_16 ? 4 : 10;
}

/** With a head, and room for the message. */
function beginFrame(first: number, length: number): Buffer {
  const head = headBytes(length);
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
  return frame;
}
