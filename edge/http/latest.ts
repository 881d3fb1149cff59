/**
 * What a GET of an endpoint answers: H1–H3 of PROTOCOL.md.
 */
import { decodeTrusted, type Value } from "../../shared/protocol/frame.ts";
import type { LatestResult } from "../shard/answering/latest.ts";
import { errorResponse, internalError } from "./answers.ts";
import { isNamed } from "./tags.ts";
import { type Handing, LARGE_ANSWER_BYTES, unreadBody } from "./unread.ts";

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
export function latestResponse(
  latest: LatestResult,
  asked: Asked,
  handing: Handing,
): Response | "no room" | undefined {
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
  const content = value.kind === "bytes" ? value.bytes : value.text;
  if (content.length <= LARGE_ANSWER_BYTES) return new Response(content, { headers });
  const body = unreadBody(typeof content === "string" ? encoder.encode(content) : content, handing);
  if (body !== undefined) return new Response(body, { headers });
  return "no room";
}

/** To somebody whose answer is large, and who has waited. */
export function noRoom(): { readonly latest: LatestResult; readonly answer: Response } {
  const code = "overloaded";
  const message = "too many large answers aren't taken just now; try again";
  return { latest: { kind: "error", code, message }, answer: errorResponse(code, message) };
}

const encoder = new TextEncoder();

const CONTENT_TYPES = {
  json: "application/json",
  text: "text/plain; charset=utf-8",
  bytes: "application/octet-stream",
} as const satisfies Record<Exclude<Value["kind"], "tombstone" | "omitted">, string>;
