/**
 * What subscribers say, on the socket of one endpoint: S2, S7, S8, S18, S20, V4 and W21–W25 of PROTOCOL.md. Bad input ends at
 * most the socket that it came on (C5).
 */

import { splitBytesFrame } from "../../shared/protocol/bytes-frame.ts";
import type { CloseName } from "../../shared/protocol/codes.ts";
import type { Frame } from "../../shared/protocol/frame.ts";
import { LIMITS } from "../../shared/protocol/limits.ts";
import { type Message, splitBinary, splitText } from "../../shared/protocol/message.ts";
import { type Position, parsePosition } from "../../shared/protocol/position.ts";
import { decodePublication, type Publication } from "../../shared/protocol/publication.ts";
import { parseObject } from "../../shared/protocol/json-object.ts";
import { decodeUp, encodeError, PONG, readPublication, type Up } from "../../shared/protocol/subscriber.ts";

export interface Speaker {
  /** The endpoint whose socket this is. */
  readonly path: string;
  /** Of its largest message. One that is larger than what all may send can only publish. */
  readonly messageBytes: number;
  /** Of the last subscribe, or of a renewal that is under way; undefined if the socket was closed meanwhile. */
  lastId(): number | undefined;
  /** Milliseconds until it may say one more, or one that counts as so many; 0 if it may now. */
  waitMs(what: "messages" | "asks" | "publishes", count?: number): number;
  /** It may not: it is told when, or closed. */
  refuse(id: number | undefined, waitMs: number): void;
  subscribe(id: number, from: Position | undefined, occupancy?: true): void;
  renew(id: number, token: string): void;
  publish(publication: Publication): void;
  send(frame: string): void;
  close(name: CloseName): void;
}

const encoder = new TextEncoder();

/** Answers one message, frame by frame, until the socket is closed. */
export function answerFrames(message: Message, speaker: Speaker): void {
  const bytes = sizeOf(message, speaker.messageBytes);
  if (bytes > speaker.messageBytes) speaker.close("frame_too_large");
  else if (bytes > LIMITS.subscriberMessageBytes) answerLarge(message, bytes, speaker);
  else {
    const frames = typeof message === "string" ? splitText(message) : splitBinary(message);
    if (frames === undefined || frames.length === 0) speaker.close("bad_frame");
    else if (frames.length > LIMITS.subscriberMessageFrames) speaker.close("frame_too_large");
    else for (const frame of frames) answerFrame(frame, speaker);
  }
}

/** The frames of a message in which nothing is published, or why its socket must be closed. */
export function framesOf(message: Message): readonly string[] | "bad_frame" | "frame_too_large" {
  const most = LIMITS.subscriberMessageBytes;
  if (sizeOf(message, most) > most) return "frame_too_large";
  // All that is said so is JSON.
  if (typeof message !== "string") return "bad_frame";
  const frames = splitText(message);
  return frames.length > LIMITS.subscriberMessageFrames ? "frame_too_large" : frames;
}

function answerFrame(frame: Frame, speaker: Speaker): void {
  const lastId = speaker.lastId();
  if (lastId === undefined) return;
  const says = typeof frame === "string" ? decodeUp(frame) : readPublication(frame);
  const up = says.ok ? says.value : undefined;
  const waitMs = speaker.waitMs(up?.kind === "publish" ? "publishes" : "messages");
  // A ping in other bytes than those that the runtime answers by itself.
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
  else if (up.kind === "publish") speaker.publish(up.publication);
  else if (up.kind === "subscribe" && up.endpoint !== speaker.path)
    speaker.send(encodeError(up.id, "unsupported", `this socket serves ${speaker.path} only`));
  else {
    const waitMs = speaker.waitMs("asks");
    if (waitMs > 0) speaker.refuse(up.id, waitMs);
    else if (up.kind === "renew") speaker.renew(up.id, up.token);
    else speaker.subscribe(up.id, up.from, up.occupancy);
  }
}

/** One publish and nothing else (W22). It counts by its size, and isn't looked at before that is granted. */
function answerLarge(message: Message, bytes: number, speaker: Speaker): void {
  const lastId = speaker.lastId();
  if (lastId === undefined) return;
  const waitMs = speaker.waitMs("publishes", Math.ceil(bytes / LIMITS.publicationUnitBytes));
  if (waitMs > 0) {
    const id = firstId(message);
    if (id !== undefined && id <= lastId) speaker.close("bad_frame");
    else speaker.refuse(id, waitMs);
    return;
  }
  const read = decodePublication(message);
  const id = read?.ok ? read.value.id : firstId(message);
  if (read === undefined) speaker.close("frame_too_large");
  else if (id === undefined || id <= lastId) speaker.close("bad_frame");
  else if (read.ok) speaker.publish(read.value);
  else speaker.send(encodeError(id, "bad_frame", read.problem));
}

function sizeOf(message: Message, most: number): number {
  if (typeof message !== "string" || message.length > most) return message.length;
  // No character takes more than three bytes for each of its UTF-16 units.
  return message.length * 3 <= LIMITS.subscriberMessageBytes
    ? message.length * 3
    : encoder.encode(message).length;
}

/** Whom to answer about a frame that can't be read. */
function numericId(frame: Frame): number | undefined {
  const json =
    typeof frame === "string"
      ? parseObject(frame)
      : splitBytesFrame(frame, LIMITS.publicationHeadBytes)?.head;
  const id = json !== undefined && "id" in json ? json.id : undefined;
  return typeof id === "number" && Number.isSafeInteger(id) && id >= 0 ? id : undefined;
}

const decoder = new TextDecoder();
/** Of a message that begins with its id. */
const ID_CHARACTERS = 24;

/** The same of a large one, of which no more is read for that than how it begins. */
function firstId(message: Message): number | undefined {
  const start =
    typeof message === "string"
      ? message.slice(0, ID_CHARACTERS)
      : decoder.decode(message.subarray(0, ID_CHARACTERS));
  const id = Number(/^\{"id":(\d{1,16})[,}]/.exec(start)?.[1]);
  return Number.isSafeInteger(id) ? id : undefined;
}

function badPosition(frame: Frame): boolean {
  const json = typeof frame === "string" ? parseObject(frame) : undefined;
  if (json === undefined || !("from" in json)) return false;
  return typeof json.from !== "string" || parsePosition(json.from) === undefined;
}
