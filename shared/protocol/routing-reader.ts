/**
 * Reads the heads of one endpoint's frames at a hop that passes them on. Nearly every frame begins as the one before it
 * did, up to the offset, and only two numbers are new. If that is so nothing is decoded and no string is made. Of any other
 * frame `routingOf` says what this says, too.
 */
import { END, NEWLINE, NINE, ZERO } from "./ascii.ts";
import { type Frame, type Routing, routingOf } from "./frame.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true });
const PREVIOUS_TEXT = ',"q":';
const PREVIOUS = encoder.encode(PREVIOUS_TEXT);
const QUOTE = 0x22;
const COMMA = 0x2c;
/** That many digits fit a number exactly. */
const MAX_DIGITS = 15;
/** Made once: of each link there are two readers. */
const NOT_READ = encoder.encode("");
/** As a frame begins before its endpoint. */
const BEFORE_ENDPOINT = '{"e":"';
/** After that many frames in a row of which each began otherwise, only one of so many is learnt from. */
const MOST_IN_VAIN = 8;
const SELDOM = 64;

export class RoutingReader {
  #endpoint = "";
  #epoch = "";
  /** How a frame before this began, up to its offset. */
  #beginning = NOT_READ;
  #beginningText = "";
  /** Frames in a row that began otherwise. */
  #inVain = 0;

  /** As `routingOf`. */
  read(frame: Frame): Routing | undefined {
    const known = typeof frame === "string" ? this.#numbersInText(frame) : this.#numbers(frame);
    if (known !== undefined) {
      this.#inVain = 0;
      return known;
    }
    const routing = routingOf(frame);
    // Where frames of many endpoints come in turn there is nothing to learn.
    if (routing !== undefined && (this.#inVain++ < MOST_IN_VAIN || this.#inVain % SELDOM === 0))
      this.#learn(routing);
    return routing;
  }

  #learn({ endpoint, epoch }: Routing): void {
    this.#beginning = encoder.encode(`${BEFORE_ENDPOINT}${endpoint}","p":"${epoch}:`);
    // Strings of their own: what is cut from a message keeps all of it in memory.
    this.#beginningText = decoder.decode(this.#beginning);
    const end = BEFORE_ENDPOINT.length + endpoint.length;
    this.#endpoint = this.#beginningText.slice(BEFORE_ENDPOINT.length, end);
    this.#epoch = this.#beginningText.slice(end + '","p":"'.length, -1);
  }

  /** As `#numbers`. */
  #numbersInText(frame: string): Routing | undefined {
    const from = this.#beginningText.length;
    if (from === 0 || !frame.startsWith(this.#beginningText)) return undefined;
    let end = digitsEndInText(frame, from);
    if (end === from || frame.charCodeAt(end) !== QUOTE) return undefined;
    const offset = numberInText(frame, from, end);
    end++;
    let previous: number | undefined;
    if (frame.startsWith(PREVIOUS_TEXT, end)) {
      const begin = end + PREVIOUS_TEXT.length;
      end = digitsEndInText(frame, begin);
      if (end === begin) return undefined;
      previous = numberInText(frame, begin, end);
    }
    const next = frame.charCodeAt(end);
    if (next !== COMMA && next !== END) return undefined;
    return { endpoint: this.#endpoint, epoch: this.#epoch, offset, previous };
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

function digitsEndInText(frame: string, from: number): number {
  let end = from;
  while (end < from + MAX_DIGITS && isDigit(frame.charCodeAt(end))) end++;
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

function numberInText(frame: string, from: number, end: number): number {
  let number = 0;
  for (let i = from; i < end; i++) number = 10 * number + frame.charCodeAt(i) - ZERO;
  return number;
}
