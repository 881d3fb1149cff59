/**
 * What subscribers say, on the socket of one endpoint: S2, S7, S8, S18, S20 and V4 of PROTOCOL.md. Bad input ends at
 * most the socket that it came on (C5).
 */
import type { CloseName } from "../../shared/protocol/codes.ts";
import { LIMITS } from "../../shared/protocol/limits.ts";
import { type Message, splitText } from "../../shared/protocol/message.ts";
import { type Position, parsePosition } from "../../shared/protocol/position.ts";
import { parseObject } from "../../shared/protocol/schemas.ts";
import { decodeUp, encodeError, PONG, type Up } from "../../shared/protocol/subscriber.ts";

export interface Speaker {
  /** The endpoint whose socket this is. */
  readonly path: string;
  /** Of the last subscribe, or of a renewal that is under way; undefined if the socket was closed meanwhile. */
  lastId(): number | undefined;
  /** Milliseconds until it may say one more; 0 if it may now. */
  waitMs(what: "messages" | "asks"): number;
  /** It may not: it is told when, or closed. */
  refuse(id: number | undefined, waitMs: number): void;
  subscribe(id: number, from: Position | undefined, occupancy?: true): void;
  renew(id: number, token: string): void;
  send(frame: string): void;
  close(name: CloseName): void;
}

const encoder = new TextEncoder();

/** Answers one message, frame by frame, until the socket is closed. */
export function answerFrames(message: Message, speaker: Speaker): void {
  if (sizeOf(message) > LIMITS.subscriberMessageBytes) speaker.close("frame_too_large");
  // All that subscribers say is JSON.
  else if (typeof message !== "string") speaker.close("bad_frame");
  else {
    const frames = splitText(message);
    if (frames.length > LIMITS.subscriberMessageFrames) speaker.close("frame_too_large");
    else for (const frame of frames) answerFrame(frame, speaker);
  }
}

function answerFrame(frame: string, speaker: Speaker): void {
  const lastId = speaker.lastId();
  if (lastId === undefined) return;
  const says = decodeUp(frame);
  // A ping in other bytes than those that the runtime answers by itself.
  const up = says.ok ? says.value : undefined;
  const waitMs = speaker.waitMs("messages");
  if (up?.kind === "ping") {
    if (waitMs > 0) speaker.refuse(undefined, waitMs);
    else speaker.send(PONG);
    return;
  }
  const id = up === undefined ? numericId(frame) : up.id;
  // An answer with the id of the last subscribe would be taken for the answer to that, which may still be due.
  if (id === undefined || id <= lastId) speaker.close("bad_frame");
  else if (waitMs > 0) speaker.refuse(id, waitMs);
  else if (!says.ok)
    speaker.send(encodeError(id, badPosition(frame) ? "bad_position" : "bad_frame", says.problem));
  else if (up !== undefined) answerRequest(up, speaker);
}

function answerRequest(up: Exclude<Up, { kind: "ping" }>, speaker: Speaker): void {
  if (up.kind === "other") speaker.send(encodeError(up.id, "unsupported", "this version has no such frame"));
  else if (up.kind === "subscribe" && up.endpoint !== speaker.path)
    speaker.send(encodeError(up.id, "unsupported", `this socket serves ${speaker.path} only`));
  else {
    const waitMs = speaker.waitMs("asks");
    if (waitMs > 0) speaker.refuse(up.id, waitMs);
    else if (up.kind === "renew") speaker.renew(up.id, up.token);
    else speaker.subscribe(up.id, up.from, up.occupancy);
  }
}

function sizeOf(message: Message): number {
  if (typeof message !== "string" || message.length > LIMITS.subscriberMessageBytes) return message.length;
  // No character takes more than three bytes for each of its UTF-16 units.
  const most = message.length * 3;
  return most <= LIMITS.subscriberMessageBytes ? most : encoder.encode(message).length;
}

/** Whom to answer about a frame that can't be read. */
function numericId(frame: string): number | undefined {
  const json = parseObject(frame);
  const id = json !== undefined && "id" in json ? json.id : undefined;
  return typeof id === "number" && Number.isSafeInteger(id) && id >= 0 ? id : undefined;
}

function badPosition(frame: string): boolean {
  const json = parseObject(frame);
  if (json === undefined || !("from" in json)) return false;
  return typeof json.from !== "string" || parsePosition(json.from) === undefined;
}
