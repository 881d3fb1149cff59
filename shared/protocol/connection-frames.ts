/**
/**
 * What a client says on a connection of many endpoints: M2, S16 and W22 of PROTOCOL.md. What it is told is that of an endpoint's own
 * socket (subscriber.ts), and the answer to `unsub` besides.
 */
import * as v from "valibot";
import { splitBytesFrame } from "./bytes-frame.ts";
import type { Frame } from "./frame.ts";
import { parseObject } from "./json-object.ts";
import { LIMITS } from "./limits.ts";
import { OLDEST, parsePosition, type Start } from "./position.ts";
import { EndpointSchema, IdSchema } from "./schemas.ts";
import { readPublication, readUp, type Up } from "./subscriber.ts";

type UpSubscribe = Extract<Up, { readonly kind: "subscribe" }>;

/** One thing that is said, and answered by itself. */
export type Said =
  | Exclude<Up, UpSubscribe>
  | (Omit<UpSubscribe, "from"> & { readonly from: Start })
  | { readonly kind: "unsubscribe"; readonly id: number; readonly endpoint: string }
  /** It can't be served as it stands. */
  | {
      readonly kind: "faulty";
      readonly id: number;
      readonly code: "bad_frame" | "bad_position";
      readonly problem: string;
    };

const UnsubscribeSchema = v.object({ id: IdSchema, unsub: EndpointSchema });

/** What a frame says: one thing, or a list. undefined if it is none, or something in it has no id to be answered by. */
export function readStatement(frame: Frame): readonly Said[] | undefined {
  if (typeof frame !== "string") return readBytes(frame);
  const json = parseObject(frame);
  if (json === undefined) return undefined;
  const isList = "subs" in json;
  const entries: unknown = isList ? json.subs : [json];
  if (!Array.isArray(entries)) return undefined;
  const all: Said[] = [];
  for (const entry of entries) {
    const said = typeof entry === "object" && entry !== null ? readSaid(entry, isList) : undefined;
    if (said === undefined) return undefined;
    all.push(said);
  }
  const [only] = all;
  return only?.kind === "other" && !isList && "pub" in json ? [readPublish(frame, only.id)] : all;
}

/** All that is said in binary. */
function readBytes(frame: Uint8Array<ArrayBuffer>): readonly Said[] | undefined {
  const head = splitBytesFrame(frame, LIMITS.publicationHeadBytes)?.head;
  const id = head !== undefined && "id" in head ? head.id : undefined;
  return v.is(IdSchema, id) ? [readPublish(frame, id)] : undefined;
}

/** The bytes of its value are those that stand in the frame. */
function readPublish(frame: Frame, id: number): Said {
  const read = readPublication(frame);
  return read.ok ? read.value : { kind: "faulty", id, code: "bad_frame", problem: read.problem };
}

function readSaid(json: object, inList: boolean): Said | undefined {
  if ("ping" in json && !inList) return { kind: "ping" };
  const id = "id" in json ? json.id : undefined;
  if (!v.is(IdSchema, id)) return undefined;
  const isStatement = "sub" in json || "unsub" in json;
  // No list in a list, and no token.
  if (inList && !isStatement) return { kind: "other", id };
  if ("unsub" in json) {
    const read = v.safeParse(UnsubscribeSchema, json);
    return read.success
      ? { kind: "unsubscribe", id, endpoint: read.output.unsub }
      : { kind: "faulty", id, code: "bad_frame", problem: "unsub is a path" };
  }
  const isFromOldest = "sub" in json && "from" in json && json.from === OLDEST;
  const read = readUp(isFromOldest ? { ...json, from: undefined } : json);
  if (read.ok && read.value.kind === "subscribe" && isFromOldest) return { ...read.value, from: OLDEST };
  if (read.ok) return read.value;
  const isPosition = !("from" in json) || (typeof json.from === "string" && parsePosition(json.from));
  return { kind: "faulty", id, code: isPosition ? "bad_frame" : "bad_position", problem: read.problem };
}

/** An `unsub` was done (M5). */
export function encodeUnsubscribed(id: number, endpoint: string): string {
  return JSON.stringify({ id, ok: { unsub: endpoint } });
}
