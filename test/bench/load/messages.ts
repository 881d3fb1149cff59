/**
 * Reads the messages that a subscriber gets: PROTOCOL.md's frames, with JSON.parse and nothing of the product's own
 * decoder. Pure.
 */
import { readStamp, type Stamp, stampOf } from "./payload.ts";

export interface ReadUpdate {
  readonly epoch: string;
  readonly offset: number;
  /** undefined if the update names none. */
  readonly previous: number | undefined;
  readonly stamp: Stamp;
}

export interface Verdict {
  readonly position: string;
  readonly head: string;
  /** undefined if no position was asked for. */
  readonly recovered: boolean | undefined;
}

export interface Receiver {
  update(update: ReadUpdate): void;
  verdict(verdict: Verdict): void;
  /** Continuity was lost higher up, and the subscriber goes on from elsewhere. */
  reset(verdict: Verdict): void;
}

const NEWLINE = 0x0a;
const SEPARATOR = "\u001e";

interface Header {
  readonly e?: unknown;
  readonly p: string;
  readonly q?: number;
  readonly n: number;
  readonly v?: unknown;
  readonly ok?: Verdict;
  readonly reset?: string;
}

/** Throws where the message is none of the protocol's, or carries none of the bench's payloads. */
export function readMessage(message: Buffer, isText: boolean, receiver: Receiver): void {
  if (!isText) {
    for (let at = 0; at < message.length; ) {
      const newline = message.indexOf(NEWLINE, at);
      if (newline < 0) throw new Error("a binary frame without a newline");
      const header: Header = JSON.parse(message.toString("latin1", at, newline));
      receiver.update(updateOf(header, readStamp(message, newline + 1)));
      at = newline + 1 + header.n;
    }
    return;
  }
  for (const text of message.toString("utf8").split(SEPARATOR)) {
    const frame: Header & Verdict = JSON.parse(text);
    if (typeof frame.e === "string") {
      const stamp = stampOf(frame.v);
      if (stamp === undefined) throw new Error("an update that no publisher of this bench has sent");
      receiver.update(updateOf(frame, stamp));
    } else if (frame.ok !== undefined) receiver.verdict(frame.ok);
    else if (frame.reset !== undefined) receiver.reset(frame);
  }
}

function updateOf({ p, q }: Header, stamp: Stamp): ReadUpdate {
  const colon = p.lastIndexOf(":");
  return { epoch: p.slice(0, colon), offset: Number(p.slice(colon + 1)), previous: q, stamp };
}
