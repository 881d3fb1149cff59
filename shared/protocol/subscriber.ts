/**
 * Control frames between a subscriber and the edge: rules S1–S9 and S17–S20 of PROTOCOL.md. Update frames (frame.ts)
 * go the same way down; they begin with `{"e":"`, no control frame does.
 */
import * as v from "valibot";
import type { ErrorCode } from "./codes.ts";
import type { Verdict } from "./down.ts";
import type { Decoded, Frame } from "./frame.ts";
import { parseObject } from "./json-object.ts";
import type { Position } from "./position.ts";
import { decodePublication, type Publication } from "./publication.ts";
import {
  ClientPositionSchema,
  describe,
  EndpointSchema,
  errorBody,
  IdSchema,
  verdictFields,
} from "./schemas.ts";

export { encodeRenew, encodeSubscribe, isUpdate, PING, PONG, URL_SUBSCRIBE_ID } from "./up.ts";

const RenewSchema = v.object({ id: IdSchema, token: v.string() });
const SubscribeSchema = v.object({
  id: IdSchema,
  sub: EndpointSchema,
  from: v.optional(ClientPositionSchema),
  occupancy: v.optional(v.boolean()),
});

/** What a subscriber may say. `other` is a frame of a later version, answered with `unsupported` (V4). */
export type Up =
  | {
      readonly kind: "subscribe";
      readonly id: number;
      readonly endpoint: string;
      readonly from: Position | undefined;
      /** It wants to be told how many subscribers there are (O4). */
      readonly occupancy: true | undefined;
    }
  | { readonly kind: "renew"; readonly id: number; readonly token: string }
  | { readonly kind: "publish"; readonly id: number; readonly publication: Publication }
  | { readonly kind: "ping" }
  | { readonly kind: "other"; readonly id: number };

export function decodeUp(text: string): Decoded<Up> {
  const json = parseObject(text);
  if (json === undefined) return { ok: false, problem: "a frame is one JSON object" };
  const up = readUp(json);
  // The bytes of its value are those that stand in the frame.
  return up.ok && up.value.kind === "other" && "pub" in json ? readPublication(text) : up;
}

/** The same of a frame that was parsed, but for one that publishes, which is `other` here. */
export function readUp(json: object): Decoded<Exclude<Up, { kind: "publish" }>> {
  if ("ping" in json) return { ok: true, value: { kind: "ping" } };
  if ("sub" in json) {
    const result = v.safeParse(SubscribeSchema, json);
    if (!result.success) return { ok: false, problem: describe(result.issues) };
    const { id, sub, from, occupancy } = result.output;
    return {
      ok: true,
      value: { kind: "subscribe", id, endpoint: sub, from, occupancy: occupancy || undefined },
    };
  }
  if ("token" in json) {
    const result = v.safeParse(RenewSchema, json);
    // What is wrong with it isn't said in words that could repeat it.
    if (!result.success) return { ok: false, problem: "a token is a string, and its frame has a numeric id" };
    return { ok: true, value: { kind: "renew", ...result.output } };
  }
  const id = v.safeParse(v.object({ id: IdSchema }), json);
  if (!id.success) return { ok: false, problem: "a frame needs a numeric id" };
  return { ok: true, value: { kind: "other", id: id.output.id } };
}

/** A frame that publishes, a binary one too (W21). */
export function readPublication(frame: Frame): Decoded<Extract<Up, { kind: "publish" }>> {
  const read = decodePublication(frame);
  if (!read?.ok)
    return { ok: false, problem: read?.problem ?? "a binary frame publishes something, or is none" };
  return { ok: true, value: { kind: "publish", id: read.value.id, publication: read.value } };
}

export function encodeVerdict(id: number, verdict: Verdict): string {
  return JSON.stringify({ id, ok: verdictFields(verdict) });
}

/** Continuity was lost where nobody asked: the receiver adopts `position` as after a verdict (S5). */
export function encodeReset(endpoint: string, verdict: Verdict): string {
  return JSON.stringify({ reset: endpoint, ...verdictFields(verdict) });
}

/** How many subscribers there are, to one that wants to know it (O4). */
export function encodeOccupancy(endpoint: string, subscribers: number): string {
  return JSON.stringify({ occupancy: endpoint, subscribers });
}

/** The subscribe stands; its verdict will follow (S4). */
export function encodeWait(id: number, code: ErrorCode, message: string): string {
  return JSON.stringify({ id, wait: errorBody(code, message) });
}

export function encodeError(
  id: number | undefined,
  code: ErrorCode,
  message: string,
  retryAfterMs?: number,
): string {
  return JSON.stringify({ id, error: { ...errorBody(code, message), retryAfterMs } });
}

/** More was asked on this connection than it may (S20). */
export function encodeRateLimited(id: number | undefined, retryAfterMs: number): string {
  const message = "this connection asks for too much";
  return encodeError(id, "rate_limited", message, retryAfterMs);
}

/** The token was taken; `until`, in milliseconds since 1970, is when it ends (S18). */
export function encodeRenewed(id: number, until: number): string {
  return JSON.stringify({ id, ok: { expires: Math.floor(until / 1_000) } });
}

/** The token ends in so many milliseconds (S17). */
export function encodeExpires(ms: number): string {
  return JSON.stringify({ expires: { in: Math.floor(ms / 1_000) } });
}

/** A subscription ends, though its socket may live on (S18). */
export function encodeEnd(endpoint: string, code: ErrorCode, message: string): string {
  return JSON.stringify({ end: endpoint, error: errorBody(code, message) });
}
