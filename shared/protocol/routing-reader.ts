/**
 * Reads the heads of one endpoint's frames at a hop that passes them on. Nearly every frame begins as the one before it
 * did, up to the offset, and only two numbers are new. If that is so of a binary frame, nothing is decoded and no string is
 * made. Of any other frame `routingOf` says what this says, too.
 */
import { END, NEWLINE, NINE, ZERO } from "./ascii.ts";
import { type Frame, type Routing, routingOf } from "./frame.ts";

const encoder = new TextEncoder();
const PREVIOUS = encoder.encode(',"q":');
const QUOTE = 0x22;
const COMMA = 0x2c;
/** That many digits fit a number exactly. */
const MAX_DIGITS = 15;
/** Made once: of each link there are two readers. */
const NOT_READ = encoder.encode("");

export class RoutingReader {
  #endpoint = "";
  #epoch = "";
  /** How the last frame began, up to its offset. */
  #beginning = NOT_READ;

  /** As `routingOf`. */
  read(frame: Frame): Routing | undefined {
    if (typeof frame === "string") return routingOf(frame);
    const known = this.#numbers(frame);
    if (known !== undefined) return known;
    const routing = routingOf(frame);
    if (routing !== undefined) {
      const { endpoint, epoch } = routing;
      this.#endpoint = endpoint;
      this.#epoch = epoch;
      this.#beginning = encoder.encode(`{"e":"${endpoint}","p":"${epoch}:`);
    }
    return routing;
  }

  /** undefined if the frame begins otherwise, or goes on as no frame of an origin does. */
  #numbers(frame: Uint8Array): Routing | undefined {
    const from = this.#beginning.length;
    if (from === 0 || !holdsAt(frame, 0, this.#beginning)) return undefined;
    let end = digitsEnd(frame, from);
    if (end === from || frame[end] !== QUOTE) return undefined;
    const offset = numberIn(frame, from, end);
    end++;
    let previous: number | undefined;
    if (holdsAt(frame, end, PREVIOUS)) {
      const begin = end + PREVIOUS.length;
      end = digitsEnd(frame, begin);
      if (end === begin) return undefined;
      previous = numberIn(frame, begin, end);
    }
    if (frame[end] !== COMMA && frame[end] !== END) return undefined;
    if (!frame.includes(NEWLINE, end)) return undefined;
    return { endpoint: this.#endpoint, epoch: this.#epoch, offset, previous };
  }
}

function holdsAt(frame: Uint8Array, at: number, bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) if (frame[at + i] !== bytes[i]) return false;
  return true;
}

function digitsEnd(frame: Uint8Array, from: number): number {
  let end = from;
  while (end < from + MAX_DIGITS && isDigit(frame[end] ?? 0)) end++;
  return end;
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= NINE;
}

function numberIn(frame: Uint8Array, from: number, end: number): number {
  let number = 0;
  for (let i = from; i < end; i++) number = 10 * number + (frame[i] ?? ZERO) - ZERO;
  return number;
}
