/**
 * What a client says on a connection of many endpoints, frame by frame: M2, M10, S7 and S8 of PROTOCOL.md. Bad input ends at
 * most the connection that it came on (C5).
 */
import type { CloseName } from "../../shared/protocol/codes.ts";
import { readStatement, type Said } from "../../shared/protocol/connection-frames.ts";
import type { Message } from "../../shared/protocol/message.ts";
import { encodeError, encodeRateLimited, PONG } from "../../shared/protocol/subscriber.ts";
import { framesOf } from "../endpoint/subscriber-frames.ts";

type Of<K extends Said["kind"]> = Extract<Said, { readonly kind: K }>;
export type Subscribe = Of<"subscribe">;

export interface Speaker {
  isOpen: boolean;
  /** Of what it said last. */
  lastId: number;
}

export interface Hearing {
  /** Milliseconds until it may say one more; 0 if it may now. */
  waitMs(what: "messages" | "asks"): number;
  /** A frame was refused, or some of it. False if that was too often. */
  bears(): boolean;
  subscribe(said: Subscribe): void;
  unsubscribe(said: Of<"unsubscribe">): void;
  renew(said: Of<"renew">): void;
  tell(frame: string): void;
  /** `isOpen` is false from then on. */
  close(name: CloseName): void;
}

/** Answers one message, until the connection is closed. */
export function hear(speaker: Speaker, message: Message, hearing: Hearing): void {
  const frames = framesOf(message);
  if (typeof frames === "string") hearing.close(frames);
  else for (const frame of frames) if (speaker.isOpen) hearFrame(speaker, frame, hearing);
}

function hearFrame(speaker: Speaker, frame: string, hearing: Hearing): void {
  const waitMs = hearing.waitMs("messages");
  const statement = readStatement(frame);
  if (statement === undefined) {
    hearing.close("bad_frame");
    return;
  }
  const refused: string[] = [];
  for (const said of statement) {
    if (said.kind === "ping") {
      if (waitMs > 0) refused.push(encodeRateLimited(undefined, waitMs));
      else hearing.tell(PONG);
    } else if (said.id <= speaker.lastId) {
      // Its answer could be taken for that to another.
      hearing.close("bad_frame");
    } else {
      speaker.lastId = said.id;
      const mustWaitMs = waitMs > 0 ? waitMs : costs(said) ? hearing.waitMs("asks") : 0;
      if (mustWaitMs > 0) refused.push(encodeRateLimited(said.id, mustWaitMs));
      else answer(said, hearing);
    }
    if (!speaker.isOpen) return;
  }
  // A list counts once, however much of it is refused.
  if (refused.length > 0 && !hearing.bears()) hearing.close("rate_limited");
  else for (const one of refused) if (speaker.isOpen) hearing.tell(one);
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
    case "faulty":
      hearing.tell(encodeError(said.id, said.code, said.problem));
      return;
    case "other":
      hearing.tell(encodeError(said.id, "unsupported", "this version has no such frame"));
  }
}
