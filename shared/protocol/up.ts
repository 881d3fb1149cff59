/**
 * What a subscriber says, as its client puts it: rules S2, S8, S18 and W21 of PROTOCOL.md. Apart from how servers read it
 * (subscriber.ts, publication.ts), since every page that subscribes loads this.
 */
import { encodeBytesFrame } from "./bytes-frame.ts";
import { encodeHeader, type Frame, type Header } from "./frame.ts";
import { formatPosition, type Position } from "./position.ts";

/** Answered by the runtime itself, without waking the object: these exact bytes (S8). */
export const PING = '{"ping":1}';
export const PONG = '{"pong":1}';

/** The subscribe that the URL of an endpoint stands for has this id; those of frames have larger ones. */
export const URL_SUBSCRIBE_ID = 0;

export function encodeSubscribe(
  id: number,
  endpoint: string,
  from: Position | undefined,
  occupancy?: true,
): string {
  return JSON.stringify({ id, sub: endpoint, from: from && formatPosition(from), occupancy });
}

export function encodeRenew(id: number, token: string): string {
  return JSON.stringify({ id, token });
}

export interface Publication {
  /** Of the frame, for the answer. */
  readonly id: number;
  /** Canonical path. */
  readonly endpoint: string;
  /** What its client calls it; undefined if it says nothing. */
  readonly key: string | undefined;
  /** Of the record. */
  readonly headers: readonly Header[];
  /** null is a tombstone. */
  readonly value: Uint8Array | null;
}

/** Bytes travel as they are; a tombstone has none. */
export function encodePublication({ id, endpoint, key, headers, value }: Publication): Frame {
  const h = headers.length > 0 ? headers.map(encodeHeader) : undefined;
  const fields = { id, pub: endpoint, idempotencyKey: key, h };
  return value === null ? JSON.stringify({ ...fields, d: true }) : encodeBytesFrame(fields, value);
}

/** Whether a text frame is an update: no control frame begins so. */
export function isUpdate(frame: string): boolean {
  return frame.startsWith('{"e":"');
}
