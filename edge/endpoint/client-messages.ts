/**
 * Messages of clients, before their frames are looked at: S7 and W22 of PROTOCOL.md. One that is larger than what all may send is
 * a publish and nothing else. Bad input ends at most the socket that it came on (C5).
 */
import { splitBytesFrame } from "../../shared/protocol/bytes-frame.ts";
import type { CloseName } from "../../shared/protocol/codes.ts";
import type { Frame } from "../../shared/protocol/frame.ts";
import { parseObject } from "../../shared/protocol/json-object.ts";
import { LIMITS } from "../../shared/protocol/limits.ts";
import { type Message, splitBinary, splitText } from "../../shared/protocol/message.ts";
import { decodePublication, type Publication } from "../../shared/protocol/publication.ts";
import { encodeError } from "../../shared/protocol/subscriber.ts";

export type ClientMessage =
  | { readonly kind: "frames"; readonly frames: readonly Frame[] }
  | { readonly kind: "large"; readonly bytes: number }
  /** Why its socket must be closed. */
  | { readonly kind: "bad"; readonly close: Extract<CloseName, "bad_frame" | "frame_too_large"> };

const encoder = new TextEncoder();
const TOO_LARGE: ClientMessage = { kind: "bad", close: "frame_too_large" };

/** @param most Of bytes: what a message of this client may have. */
export function readMessage(message: Message, most: number): ClientMessage {
  const bytes = sizeOf(message, most);
  if (bytes > most) return TOO_LARGE;
  if (bytes > LIMITS.subscriberMessageBytes) return { kind: "large", bytes };
  const frames = typeof message === "string" ? splitText(message) : splitBinary(message);
  if (frames === undefined || frames.length === 0) return { kind: "bad", close: "bad_frame" };
  return frames.length > LIMITS.subscriberMessageFrames ? TOO_LARGE : { kind: "frames", frames };
}

export interface LargeHearing {
  /** Whether a frame may have this id; from then on none that isn't larger. */
  takeId(id: number): boolean;
  /** Milliseconds until what counts as so many publishes may be sent; 0 if it may now. */
  waitMs(count: number): number;
  /** It may not: its client is told when, or its socket closed. */
  refuse(id: number | undefined, waitMs: number): void;
  publish(publication: Publication): void;
  tell(frame: string): void;
  close(name: CloseName): void;
}

/** One publish, and nothing else. It counts by its size, and isn't looked at before that is granted. */
export function hearLarge(message: Message, bytes: number, hearing: LargeHearing): void {
  const waitMs = hearing.waitMs(Math.ceil(bytes / LIMITS.publicationUnitBytes));
  if (waitMs > 0) {
    const id = firstId(message);
    if (id !== undefined && !hearing.takeId(id)) hearing.close("bad_frame");
    else hearing.refuse(id, waitMs);
    return;
  }
  const read = decodePublication(message);
  const id = read?.ok ? read.value.id : firstId(message);
  if (read === undefined) hearing.close("frame_too_large");
  else if (id === undefined || !hearing.takeId(id)) hearing.close("bad_frame");
  else if (read.ok) hearing.publish(read.value);
  else hearing.tell(encodeError(id, "bad_frame", read.problem));
}

/** Whom to answer about a frame that can't be read. */
export function numericId(frame: Frame): number | undefined {
  const json =
    typeof frame === "string"
      ? parseObject(frame)
      : splitBytesFrame(frame, LIMITS.publicationHeadBytes)?.head;
  const id = json !== undefined && "id" in json ? json.id : undefined;
  return typeof id === "number" && Number.isSafeInteger(id) && id >= 0 ? id : undefined;
}

function sizeOf(message: Message, most: number): number {
  if (typeof message !== "string" || message.length > most) return message.length;
  // No character takes more than three bytes for each of its UTF-16 units.
  return message.length * 3 <= LIMITS.subscriberMessageBytes
    ? message.length * 3
    : encoder.encode(message).length;
}

const decoder = new TextDecoder();
/** Of a message that begins with its id. */
const ID_CHARACTERS = 24;

/** The id of a large one, of which no more is read for that than how it begins. */
function firstId(message: Message): number | undefined {
  const start =
    typeof message === "string"
      ? message.slice(0, ID_CHARACTERS)
      : decoder.decode(message.subarray(0, ID_CHARACTERS));
  const id = Number(/^\{"id":(\d{1,16})[,}]/.exec(start)?.[1]);
  return Number.isSafeInteger(id) ? id : undefined;
}
