/**
 * Several frames in one WebSocket message: rules F10–F12 of PROTOCOL.md. Text frames are joined by U+001E,
 * which a JSON text cannot contain; binary frames follow one another, since each says how long it is.
 */
import { END, NEWLINE, NINE, ZERO } from "./ascii.ts";
import type { Frame } from "./frame.ts";

export const SEPARATOR = "\u001e";

/** One WebSocket message: text or binary. */
export type Message = string | Uint8Array<ArrayBuffer>;

export function splitText(message: string): string[] {
  return message.includes(SEPARATOR) ? message.split(SEPARATOR) : [message];
}

const LENGTH = new TextEncoder().encode(',"n":');

/** undefined if the bytes aren't whole binary frames. The frames are views on the message. */
export function splitBinary(message: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>[] | undefined {
  const frames: Uint8Array<ArrayBuffer>[] = [];
  let start = 0;
  while (start < message.length) {
    const newline = message.indexOf(NEWLINE, start);
    if (newline < 0) return undefined;
    const length = lengthBefore(message, start, newline);
    if (length === undefined) return undefined;
    const end = newline + 1 + length;
    if (end > message.length) return undefined;
    frames.push(end - start === message.length ? message : message.subarray(start, end));
    start = end;
  }
  return frames;
}

/** What a header ends with, `,"n":512}`, read from its end, so that nobody need decode it for that. */
function lengthBefore(message: Uint8Array, start: number, newline: number): number | undefined {
  if (message[newline - 1] !== END) return undefined;
  let length = 0;
  let at = newline - 2;
  for (let unit = 1; unit < Number.MAX_SAFE_INTEGER; unit *= 10, at--) {
    const digit = message[at] ?? 0;
    if (digit < ZERO || digit > NINE) break;
    length += (digit - ZERO) * unit;
  }
  const name = at + 1 - LENGTH.length;
  if (at === newline - 2 || name < start) return undefined;
  for (let i = 0; i < LENGTH.length; i++) if (message[name + i] !== LENGTH[i]) return undefined;
  return length;
}

/**
 * Packs frames into as few messages as their order, their kinds and `maxBytes` allow; a larger frame goes
 * alone. Sizes of text are counted in UTF-16 units: a bound to batch by, not an exact size.
 */
export function packMessages(frames: readonly Frame[], maxBytes: number): readonly Message[] {
  if (frames.length === 1) return frames;
  const messages: Message[] = [];
  let run: Frame[] = [];
  let size = 0;
  const close = () => {
    if (run.length > 0) messages.push(join(run));
    run = [];
    size = 0;
  };
  for (const frame of frames) {
    const kindChanges = run.length > 0 && typeof run[0] !== typeof frame;
    if (kindChanges || size + frame.length > maxBytes) close();
    run.push(frame);
    size += frame.length + 1;
  }
  close();
  return messages;
}

function join(run: readonly Frame[]): Message {
  if (run.length === 1 && run[0] !== undefined) return run[0];
  if (typeof run[0] === "string") return run.join(SEPARATOR);
  const parts = run.filter((frame) => typeof frame !== "string");
  const message = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let at = 0;
  for (const part of parts) {
    message.set(part, at);
    at += part.length;
  }
  return message;
}
