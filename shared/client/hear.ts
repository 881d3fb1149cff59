/**
 * What a message from the edge says to a receiver of one endpoint, frame by frame (F9–F12), as events of
 * subscription.ts and token.ts. A frame that can't be read is an event, too; frames of other endpoints and later versions are
 * skipped (V4).
 */
import { decodeUpdate, type Frame, type Update } from "../protocol/frame.ts";
import { type Message, splitBinary, splitText } from "../protocol/message.ts";
import { decodeDown, isUpdate } from "../protocol/subscriber.ts";
import type { SubscriptionEvent } from "./subscription.ts";
import type { TokenEvent } from "./token-terms.ts";

export type Heard =
  | SubscriptionEvent<Update, "verdict" | "wait" | "refused" | "reset" | "update" | "unreadable">
  | TokenEvent<"expires" | "renewed">
  | { readonly kind: "published"; readonly id: number; readonly position: string };

const UNREADABLE = { kind: "unreadable" } as const;

/** Each frame is decoded when it is its turn. */
export function* hear(message: Message, endpoint: string): Generator<Heard> {
  const frames = typeof message === "string" ? splitText(message) : splitBinary(message);
  if (frames === undefined) yield UNREADABLE;
  for (const frame of frames ?? []) {
    const isControl = typeof frame === "string" && !isUpdate(frame);
    const heard = isControl ? hearControl(frame, endpoint) : hearUpdate(frame, endpoint);
    if (heard !== undefined) yield heard;
  }
}

function hearUpdate(frame: Frame, endpoint: string): Heard | undefined {
  const update = decodeUpdate(frame);
  if (!update.ok) return UNREADABLE;
  return update.value.endpoint === endpoint ? { kind: "update", update: update.value } : undefined;
}

function hearControl(frame: string, endpoint: string): Heard | undefined {
  const down = decodeDown(frame);
  if (!down.ok) return UNREADABLE;
  const said = down.value;
  switch (said.kind) {
    case "error":
      return { kind: "refused", id: said.id, error: said.error };
    case "reset":
      return said.endpoint === endpoint ? said : undefined;
    case "expires":
      return { kind: "expires", inMs: said.inSeconds * 1_000 };
    case "renewed":
      return { kind: "renewed", id: said.id };
    // The close that follows says the same.
    case "end":
    case "occupancy":
    case "pong":
    case "unknown":
      return undefined;
    default:
      return said;
  }
}
