/**
 * What a GET of an endpoint answers: H1–H3 of PROTOCOL.md.
 */
import { decodeTrusted, type Value } from "../../shared/protocol/frame.ts";
import { type Component, NOTHING, offsetIn, parseLongPosition } from "../../shared/protocol/position.ts";
import type { LatestResult } from "../shard/answering/latest.ts";
import { errorResponse, internalError } from "./answers.ts";

export interface Asked {
  /** The request's header, null if it has none. */
  readonly ifNoneMatch: string | null;
  /** Of a HEAD nobody is sent the value. */
  readonly isHead: boolean;
}

/** Whether most likely no value is sent, so that a large one had better not be asked for. */
export function isBrief({ ifNoneMatch, isHead }: Asked): boolean {
  return isHead || ifNoneMatch !== null;
}

/** undefined if the value is needed all the same, and wasn't asked for. */
export function latestResponse(latest: LatestResult, asked: Asked): Response | undefined {
  if (latest.kind === "error") return errorResponse(latest.code, latest.message);
  if (latest.kind === "none") return errorResponse("unknown_key", "this key has no record");
  const decoded = decodeTrusted(latest.frame);
  if (!decoded.ok) return internalError("the latest record", decoded.problem);
  const { value, timestamp, headersOmitted } = decoded.value;
  const headers: Record<string, string> = { ETag: `"${latest.position}"`, "Cache-Control": "no-cache" };
  if (timestamp !== undefined) headers["Distributary-Timestamp"] = String(timestamp);
  if (headersOmitted !== undefined) headers["Distributary-Headers-Omitted"] = String(headersOmitted);
  if (value.kind === "tombstone") return errorResponse("deleted", "this key was deleted", headers);
  const kind = latest.value ?? value.kind;
  if (kind === "omitted") {
    const size = value.kind === "omitted" ? value.size : 0;
    const message = `the latest value has ${size} bytes, which is too large to travel`;
    return errorResponse("value_too_large", message, headers);
  }
  if (isNamed(asked.ifNoneMatch, decoded.value)) return new Response(null, { status: 304, headers });
  headers["Content-Type"] = CONTENT_TYPES[kind];
  if (asked.isHead) return new Response(null, { headers });
  if (value.kind === "omitted") return undefined;
  return new Response(value.kind === "bytes" ? value.bytes : value.text, { headers });
}

const CONTENT_TYPES = {
  json: "application/json",
  text: "text/plain; charset=utf-8",
  bytes: "application/octet-stream",
} as const satisfies Record<Exclude<Value["kind"], "tombstone" | "omitted">, string>;

/**
 * By the weak comparison that RFC 9110 asks for: a proxy may have made the tag weak. A tag stands for the record that it
 * names: other components of a position move on while the latest record stays what it is.
 */
export function isNamed(ifNoneMatch: string | null, { epoch, offset }: Component): boolean {
  if (ifNoneMatch === null) return false;
  if (ifNoneMatch.trim() === "*") return true;
  return tagsIn(ifNoneMatch).some((tag) => offsetIn(parseLongPosition(tag) ?? NOTHING, epoch) === offset);
}

/** Positions contain commas, so the tags can't be told apart by these. */
export function tagsIn(ifNoneMatch: string): string[] {
  return [...ifNoneMatch.matchAll(/"([^"]*)"/g)].map(([, tag = ""]) => tag);
}
