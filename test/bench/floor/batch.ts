/**
 * What an origin sends, taken apart in the cheapest way that can be thought of: nothing is checked, nothing but
 * numbers is read, and each frame is for one link (U3, F11).
 */
import { SEPARATOR } from "../../../shared/protocol/message.ts";

const TAB = 0x09;
const NEWLINE = 0x0a;
const ZERO = 0x30;
const NINE = 0x39;

/** Of a binary message: each header ends with the number of bytes that follow it, `…,"n":512}` and a newline. */
export function forEachBinaryFrame(
  message: Uint8Array,
  take: (link: number, frame: Uint8Array) => void,
): void {
  for (let at = 0; at < message.length; ) {
    let link = 0;
    for (; message[at] !== TAB; at++) link = 10 * link + (message[at] ?? 0) - ZERO;
    const newline = message.indexOf(NEWLINE, ++at);
    let length = 0;
    for (let digit = newline - 2, unit = 1; ; digit--, unit *= 10) {
      const byte = message[digit] ?? 0;
      if (byte < ZERO || byte > NINE) break;
      length += (byte - ZERO) * unit;
    }
    const end = newline + 1 + length;
    take(link, message.subarray(at, end));
    at = end;
  }
}

/** Of a text message. What is for the shard has the number 0. */
export function forEachTextFrame(message: string, take: (link: number, frame: string) => void): void {
  for (const item of message.split(SEPARATOR)) {
    const tab = item.indexOf("\t");
    take(Number(item.slice(0, tab)), item.slice(tab + 1));
  }
}
