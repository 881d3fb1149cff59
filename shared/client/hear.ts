/**
 * What a message from the edge says, frame by frame (F9–F12), as events of subscription.ts and token.ts, each with what it is
 * about: the id of what it answers, or an endpoint. A frame that can't be read is an event, too; frames of later versions are
 * skipped (V4).
 */

import { decodeDown } from "../protocol/down.ts";
import { decodeUpdate, type Frame, type Update } from "../protocol/frame.ts";
import { type Message, splitBinary, splitText } from "../protocol/message.ts";
import { isUpdate } from "../protocol/up.ts";
import type { SubscriptionEvent } from "./subscription.ts";
import type { TokenEvent } from "./token-terms.ts";

export type Heard =
  | SubscriptionEvent<Update, "verdict" | "wait" | "refused" | "update">
  | (SubscriptionEvent<Update, "reset" | "dismissed"> & { readonly endpoint: string })
  /** `endpoint`: whose update it was to be, as far as that can be read. */
  | (SubscriptionEvent<Update, "unreadable"> & { readonly endpoint: string | undefined })
  | { readonly kind: "unsubscribed"; readonly id: number }
  | { readonly kind: "occupancy"; readonly endpoint: string; readonly subscribers: number }
  | { readonly kind: "published"; readonly id: number; readonly position: string }
  | TokenEvent<"expires" | "renewed">;

/** Each frame is decoded when it is its turn. */
export function* hear(message: Message): Generator<Heard> {
  const frames = typeof message === "string" ? splitText(message) : splitBinary(message);
  if (frames === undefined) yield { kind: "unreadable", endpoint: undefined };
  for (const frame of frames ?? []) {
    const isControl = typeof frame === "string" && !isUpdate(frame);
    const heard = isControl ? hearControl(frame) : hearUpdate(frame);
    if (heard !== undefined) yield heard;
  }
}

function hearUpdate(frame: Frame): Heard {
  const update = decodeUpdate(frame);
  return update.ok
    ? { kind: "update", update: update.value }
    : { kind: "unreadable", endpoint: beginningOf(frame) };
}

/** A frame names its endpoint first (F2), and a path takes no escaping. */
function beginningOf(frame: Frame): string | undefined {
  const text = typeof frame === "string" ? frame : new TextDecoder().decode(frame.subarray(0, BEGINNING));
  return /^\{"e":"(\/[^"\\]*)"/.exec(text)?.[1];
}

/** More than a path can take. */
const BEGINNING = 4_096;

function hearControl(frame: string): Heard | undefined {
  const down = decodeDown(frame);
  if (!down.ok) return { kind: "unreadable", endpoint: undefined };
  const said = down.value;
  switch (said.kind) {
    case "error":
      return { kind: "refused", id: said.id, error: said.error };
    case "end":
      return { kind: "dismissed", endpoint: said.endpoint, error: said.error };
    case "expires":
      return { kind: "expires", inMs: said.inSeconds * 1_000 };
    case "renewed":
      return { kind: "renewed", id: said.id };
    case "pong":
    case "unknown":
      return undefined;
    default:
      return said;
  }
}
