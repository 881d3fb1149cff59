/**
 * What a client says on a connection of many endpoints, frame by frame: M2, M10, S7, S8 and W22 of PROTOCOL.md. Bad input ends
 * at most the connection that it came on (C5).
 */
import type { CloseName } from "../../shared/protocol/codes.ts";
import { readStatement, type Said } from "../../shared/protocol/connection-frames.ts";
import type { Frame } from "../../shared/protocol/frame.ts";
import type { Message } from "../../shared/protocol/message.ts";
import type { Publication } from "../../shared/protocol/publication.ts";
import { encodeError, encodeRateLimited, PONG } from "../../shared/protocol/subscriber.ts";
import { hearLarge, readMessage } from "../endpoint/client-messages.ts";
import type { Connection } from "./connection.ts";

type Of<K extends Said["kind"]> = Extract<Said, { readonly kind: K }>;
export type Subscribe = Of<"subscribe">;

/** Whoever speaks, as far as is looked at here. */
type Speaking = Pick<Connection, "isOpen" | "lastId">;

export interface Hearing {
  /** Of its largest message. One that is larger than what all may send can only publish. */
  readonly messageBytes: number;
  /** Milliseconds until it may say one more, or one that counts as so many; 0 if it may now. */
  waitMs(what: "messages" | "asks" | "publishes", count?: number): number;
  /** A frame was refused, or some of it. False if that was too often. */
  bears(): boolean;
  subscribe(said: Subscribe): void;
  unsubscribe(said: Of<"unsubscribe">): void;
  renew(said: Of<"renew">): void;
  publish(publication: Publication): void;
  tell(frame: string): void;
  /** `isOpen` is false from then on. */
  close(name: CloseName): void;
}

/**
 * Answers one message, until the connection is closed.
 * @returns Whether anything was said but publishes, of which nothing is kept.
 */
export function hear(speaking: Speaking, message: Message, hearing: Hearing): boolean {
  const read = readMessage(message, hearing.messageBytes);
  if (read.kind === "bad") hearing.close(read.close);
  else if (read.kind === "large") hearLargeFrame(speaking, message, read.bytes, hearing);
  else {
    let onlyPublishes = true;
    for (const frame of read.frames)
      if (speaking.isOpen) onlyPublishes = hearFrame(speaking, frame, hearing) && onlyPublishes;
    return !onlyPublishes;
  }
  return false;
}

function hearLargeFrame(speaking: Speaking, message: Message, bytes: number, hearing: Hearing): void {
  hearLarge(message, bytes, {
    takeId: (id) => takeId(speaking, id),
    waitMs: (count) => hearing.waitMs("publishes", count),
    refuse: (id, waitMs) => refuse(speaking, [encodeRateLimited(id, waitMs)], hearing),
    publish: (publication) => hearing.publish(publication),
    tell: (frame) => hearing.tell(frame),
    close: (name) => hearing.close(name),
  });
}

/** Returns whether it publishes. */
function hearFrame(speaking: Speaking, frame: Frame, hearing: Hearing): boolean {
  const statement = readStatement(frame);
  const publishes = statement?.[0]?.kind === "publish";
  const waitMs = hearing.waitMs(publishes ? "publishes" : "messages");
  if (statement === undefined) {
    hearing.close("bad_frame");
    return false;
  }
  const refused: string[] = [];
  for (const said of statement) {
    if (said.kind === "ping") {
      if (waitMs > 0) refused.push(encodeRateLimited(undefined, waitMs));
      else hearing.tell(PONG);
    } else if (!takeId(speaking, said.id)) hearing.close("bad_frame");
    else {
      const mustWaitMs = waitMs > 0 ? waitMs : costs(said) ? hearing.waitMs("asks") : 0;
      if (mustWaitMs > 0) refused.push(encodeRateLimited(said.id, mustWaitMs));
      else answer(said, hearing);
    }
    if (!speaking.isOpen) return publishes;
  }
  // A list counts once, however much of it is refused.
  if (refused.length > 0) refuse(speaking, refused, hearing);
  return publishes;
}

/** An answer to one that isn't larger than all before could be taken for that to another. */
function takeId(speaking: Speaking, id: number): boolean {
  if (id <= speaking.lastId) return false;
  speaking.lastId = id;
  return true;
}

function refuse(speaking: Speaking, refused: readonly string[], hearing: Hearing): void {
  if (!hearing.bears()) hearing.close("rate_limited");
  else for (const one of refused) if (speaking.isOpen) hearing.tell(one);
}

/** Whether others must do something for it. */
function costs({ kind }: Said): boolean {
  return kind === "subscribe" || kind === "unsubscribe" || kind === "renew";
}

function answer(said: Exclude<Said, { readonly kind: "ping" }>, hearing: Hearing): void {
  switch (said.kind) {
    case "subscribe":
      hearing.subscribe(said);
      return;
    case "unsubscribe":
      hearing.unsubscribe(said);
      return;
    case "renew":
      hearing.renew(said);
      return;
    case "publish":
      hearing.publish(said.publication);
      return;
    case "faulty":
      hearing.tell(encodeError(said.id, said.code, said.problem));
      return;
    case "other":
      hearing.tell(encodeError(said.id, "unsupported", "this version has no such frame"));
  }
}
