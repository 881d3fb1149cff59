/**
 * Control frames between a subscriber and the edge: rules S1–S9 of PROTOCOL.md. Update frames (frame.ts)
 * go the same way down; they begin with `{"e":"`, no control frame does.
 */
import * as v from "valibot";
import { ERRORS, type ErrorCode, RESET_CAUSES } from "./codes.ts";
import type { Decoded } from "./frame.ts";
import { formatPosition, type Position, parsePosition } from "./position.ts";

/** Answered by the runtime itself, without waking the object: these exact bytes (S8). */
export const PING = '{"ping":1}';
export const PONG = '{"pong":1}';

/** The subscribe that the URL of an endpoint stands for has this id; those of frames have larger ones. */
export const URL_SUBSCRIBE_ID = 0;

const PositionSchema = v.pipe(
  v.string(),
  v.rawTransform<string, Position>(({ dataset, addIssue, NEVER }) => {
    const position = parsePosition(dataset.value);
    if (position !== undefined) return position;
    addIssue({ message: "not a position" });
    return NEVER;
  }),
);
const Id = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const Endpoint = v.pipe(v.string(), v.startsWith("/"));

const SubscribeSchema = v.object({ id: Id, sub: Endpoint, from: v.optional(PositionSchema) });

/** What a subscriber may say. `other` is a frame of a later version, answered with `unsupported` (V4). */
export type Up =
  | {
      readonly kind: "subscribe";
      readonly id: number;
      readonly endpoint: string;
      readonly from: Position | undefined;
    }
  | { readonly kind: "ping" }
  | { readonly kind: "other"; readonly id: number };

export function decodeUp(text: string): Decoded<Up> {
  const json = parseObject(text);
  if (json === undefined) return { ok: false, problem: "a frame is one JSON object" };
  if ("ping" in json) return { ok: true, value: { kind: "ping" } };
  if ("sub" in json) {
    const result = v.safeParse(SubscribeSchema, json);
    if (!result.success) return { ok: false, problem: describe(result.issues) };
    const { id, sub, from } = result.output;
    return { ok: true, value: { kind: "subscribe", id, endpoint: sub, from } };
  }
  const id = v.safeParse(v.object({ id: Id }), json);
  if (!id.success) return { ok: false, problem: "a frame needs a numeric id" };
  return { ok: true, value: { kind: "other", id: id.output.id } };
}

export function encodeSubscribe(id: number, endpoint: string, from: Position | undefined): string {
  return JSON.stringify({ id, sub: endpoint, from: from && formatPosition(from) });
}

const VerdictSchema = v.object({
  position: PositionSchema,
  head: PositionSchema,
  recovered: v.optional(v.boolean()),
  cause: v.optional(v.picklist(RESET_CAUSES)),
});

/**
 * The answer to a subscribe (S3). The receiver adopts `position`; every update that follows chains from it.
 * It has caught up when it reaches `head`. `recovered` is there when `from` was given: whether nothing
 * between `from` and `position` is missing; where it is false, `cause` says why.
 */
export type Verdict = v.InferOutput<typeof VerdictSchema>;

const ErrorBodySchema = v.object({ code: v.string(), message: v.string(), retry: v.boolean() });

export interface ErrorBody {
  readonly code: string;
  readonly message: string;
  readonly retry: boolean;
}

/** Update frames apart, what the edge says. `unknown` comes from a later version: ignore it (V4). */
export type Down =
  | { readonly kind: "verdict"; readonly id: number; readonly verdict: Verdict }
  | { readonly kind: "wait"; readonly id: number; readonly error: ErrorBody }
  | { readonly kind: "error"; readonly id: number | undefined; readonly error: ErrorBody }
  | { readonly kind: "reset"; readonly endpoint: string; readonly verdict: Verdict }
  | { readonly kind: "pong" }
  | { readonly kind: "unknown" };

const DownSchemas = {
  verdict: v.object({ id: Id, ok: VerdictSchema }),
  wait: v.object({ id: Id, wait: ErrorBodySchema }),
  error: v.object({ id: v.optional(Id), error: ErrorBodySchema }),
  reset: v.object({ reset: Endpoint, ...VerdictSchema.entries }),
} as const;

export function decodeDown(text: string): Decoded<Down> {
  const json = parseObject(text);
  if (json === undefined) return { ok: false, problem: "a frame is one JSON object" };
  if ("ok" in json) {
    const result = v.safeParse(DownSchemas.verdict, json);
    if (!result.success) return { ok: false, problem: describe(result.issues) };
    return { ok: true, value: { kind: "verdict", id: result.output.id, verdict: result.output.ok } };
  }
  if ("wait" in json) {
    const result = v.safeParse(DownSchemas.wait, json);
    if (!result.success) return { ok: false, problem: describe(result.issues) };
    return { ok: true, value: { kind: "wait", id: result.output.id, error: result.output.wait } };
  }
  if ("error" in json) {
    const result = v.safeParse(DownSchemas.error, json);
    if (!result.success) return { ok: false, problem: describe(result.issues) };
    return { ok: true, value: { kind: "error", id: result.output.id, error: result.output.error } };
  }
  if ("reset" in json) {
    const result = v.safeParse(DownSchemas.reset, json);
    if (!result.success) return { ok: false, problem: describe(result.issues) };
    const { reset, ...verdict } = result.output;
    return { ok: true, value: { kind: "reset", endpoint: reset, verdict } };
  }
  return { ok: true, value: { kind: "pong" in json ? "pong" : "unknown" } };
}

/** Whether a text frame is an update: no control frame begins so. */
export function isUpdate(frame: string): boolean {
  return frame.startsWith('{"e":"');
}

export function encodeVerdict(id: number, verdict: Verdict): string {
  return JSON.stringify({ id, ok: verdictFields(verdict) });
}

/** Continuity was lost where nobody asked: the receiver adopts `position` as after a verdict (S5). */
export function encodeReset(endpoint: string, verdict: Verdict): string {
  return JSON.stringify({ reset: endpoint, ...verdictFields(verdict) });
}

/** The subscribe stands; its verdict will follow (S4). */
export function encodeWait(id: number, code: ErrorCode, message: string): string {
  return JSON.stringify({ id, wait: errorBody(code, message) });
}

export function encodeError(id: number | undefined, code: ErrorCode, message: string): string {
  return JSON.stringify({ id, error: errorBody(code, message) });
}

/** The body of every error answer over HTTP, too, as `{"error": …}`. */
export function errorBody(code: ErrorCode, message: string): ErrorBody {
  return { code, message, retry: ERRORS[code].retry };
}

/** A verdict's fields as they travel; undefined ones are left out by JSON. */
export function verdictFields(verdict: Verdict): Record<string, unknown> {
  return { ...verdict, position: formatPosition(verdict.position), head: formatPosition(verdict.head) };
}

export { Endpoint as EndpointSchema, Id as IdSchema, PositionSchema, VerdictSchema };

export function parseObject(text: string): object | undefined {
  try {
    const json: unknown = JSON.parse(text);
    return typeof json === "object" && json !== null && !Array.isArray(json) ? json : undefined;
  } catch {
    return undefined;
  }
}

/** The first thing that a schema found wrong, with its path. */
export function describe(issues: readonly v.BaseIssue<unknown>[]): string {
  const [issue] = issues;
  if (issue === undefined) return "malformed";
  const path = v.getDotPath(issue);
  return path === null ? issue.message : `${path}: ${issue.message}`;
}
