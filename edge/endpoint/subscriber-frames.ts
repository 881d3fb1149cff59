/**
 * What subscribers say, on the socket of one endpoint: S2, S7, S8, S18, S20, V4 and W21–W25 of PROTOCOL.md. Bad input ends at
 * most the socket that it came on (C5).
 */

import type { CloseName } from "../../shared/protocol/codes.ts";
import type { Frame } from "../../shared/protocol/frame.ts";
import { parseObject } from "../../shared/protocol/json-object.ts";
import type { Message } from "../../shared/protocol/message.ts";
import { type Position, parsePosition } from "../../shared/protocol/position.ts";
import type { Publication } from "../../shared/protocol/publication.ts";
import { decodeUp, encodeError, PONG, readPublication, type Up } from "../../shared/protocol/subscriber.ts";
import { hearLarge, numericId, readMessage } from "./client-messages.ts";

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

/** Answers one message, frame by frame, until the socket is closed. */
export function answerFrames(message: Message, speaker: Speaker): void {
  const read = readMessage(message, speaker.messageBytes);
  if (read.kind === "bad") speaker.close(read.close);
  else if (read.kind === "large") answerLarge(message, read.bytes, speaker);
  else for (const frame of read.frames) answerFrame(frame, speaker);
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

function answerLarge(message: Message, bytes: number, speaker: Speaker): void {
  const lastId = speaker.lastId();
  if (lastId === undefined) return;
  hearLarge(message, bytes, {
    takeId: (id) => id > lastId,
    waitMs: (count) => speaker.waitMs("publishes", count),
    refuse: (id, waitMs) => speaker.refuse(id, waitMs),
    publish: (publication) => speaker.publish(publication),
    tell: (frame) => speaker.send(frame),
    close: (name) => speaker.close(name),
  });
}

function badPosition(frame: Frame): boolean {
  const json = typeof frame === "string" ? parseObject(frame) : undefined;
  if (json === undefined || !("from" in json)) return false;
  return typeof json.from !== "string" || parsePosition(json.from) === undefined;
}
