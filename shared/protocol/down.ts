/**
 * What the edge says to a subscriber, updates apart (frame.ts): rules S3–S8, S17, S18, M5, M8, O4 and W23 of PROTOCOL.md. Read without
 * a library of schemas, since every page that subscribes loads this.
 */
import { type ErrorBody, readErrorBody } from "./error-body.ts";
import type { Decoded } from "./frame.ts";
import { parseObject } from "./json-object.ts";
import { type Position, parseLongPosition } from "./position.ts";

/**
 * The answer to a subscribe (S3). The receiver adopts `position`; every update that follows chains from it.
 * It has caught up when it reaches `head`. `recovered` is there when `from` was given: whether nothing
 * between `from` and `position` is missing; if it is false, `cause` says why.
 */
export interface Verdict {
  readonly position: Position;
  readonly head: Position;
  readonly recovered?: boolean | undefined;
  /** One that this version doesn't know is passed on as it is (V4). */
  readonly cause?: string | undefined;
}

/** `unknown` comes from a later version: ignore it (V4). */
export type Down =
  | { readonly kind: "verdict"; readonly id: number; readonly verdict: Verdict }
  | { readonly kind: "wait"; readonly id: number; readonly error: ErrorBody }
  | { readonly kind: "error"; readonly id: number | undefined; readonly error: ErrorBody }
  | { readonly kind: "reset"; readonly endpoint: string; readonly verdict: Verdict }
  /** `expires`: seconds since 1970. */
  | { readonly kind: "renewed"; readonly id: number; readonly expires: number }
  /** A publish was taken: the record's own position (W23). */
  | { readonly kind: "published"; readonly id: number; readonly position: string }
  /** The token ends `inSeconds`. */
  | { readonly kind: "expires"; readonly inSeconds: number }
  | { readonly kind: "end"; readonly endpoint: string; readonly error: ErrorBody }
  /** How many subscribers there are. */
  | { readonly kind: "occupancy"; readonly endpoint: string; readonly subscribers: number }
  /** An `unsub` was done (M5). */
  | { readonly kind: "unsubscribed"; readonly id: number }
  | { readonly kind: "pong" }
  | { readonly kind: "unknown" };

/** Of one JSON object. */
type Fields = Readonly<Record<string, unknown>>;

/** In this order, since a later version may say two things in a frame. */
const READERS: readonly [field: string, read: (json: Fields) => Down | undefined][] = [
  ["ok", readAnswer],
  ["wait", readWait],
  ["end", readEnd],
  ["expires", readExpires],
  ["error", readError],
  ["reset", readReset],
  ["occupancy", readOccupancy],
];

export function decodeDown(text: string): Decoded<Down> {
  const json = parseObject(text);
  if (json === undefined) return { ok: false, problem: "a frame is one JSON object" };
  for (const [field, read] of READERS) {
    if (!(field in json)) continue;
    const value = read(json as Fields);
    return value === undefined ? { ok: false, problem: `${field}: malformed` } : { ok: true, value };
  }
  return { ok: true, value: { kind: "pong" in json ? "pong" : "unknown" } };
}

function readAnswer({ id, ok }: Fields): Down | undefined {
  if (!isId(id) || !isObject(ok)) return undefined;
  if (isSeconds(ok.expires)) return { kind: "renewed", id, expires: ok.expires };
  if (isPath(ok.unsub)) return { kind: "unsubscribed", id };
  if (typeof ok.position === "string" && ok.head === undefined)
    return { kind: "published", id, position: ok.position };
  const verdict = verdictIn(ok);
  return verdict && { kind: "verdict", id, verdict };
}

function readWait({ id, wait }: Fields): Down | undefined {
  const error = readErrorBody(wait);
  return error && isId(id) ? { kind: "wait", id, error } : undefined;
}

function readEnd({ end, error: said }: Fields): Down | undefined {
  const error = readErrorBody(said);
  return error && isPath(end) ? { kind: "end", endpoint: end, error } : undefined;
}

function readExpires({ expires }: Fields): Down | undefined {
  if (!isObject(expires) || !isSeconds(expires.in)) return undefined;
  return { kind: "expires", inSeconds: expires.in };
}

function readError({ id, error: said }: Fields): Down | undefined {
  const error = readErrorBody(said);
  return error && (id === undefined || isId(id)) ? { kind: "error", id, error } : undefined;
}

function readReset(json: Fields): Down | undefined {
  const verdict = verdictIn(json);
  return verdict && isPath(json.reset) ? { kind: "reset", endpoint: json.reset, verdict } : undefined;
}

function readOccupancy({ occupancy, subscribers }: Fields): Down | undefined {
  if (!isPath(occupancy) || typeof subscribers !== "number") return undefined;
  return { kind: "occupancy", endpoint: occupancy, subscribers };
}

function verdictIn(json: Fields): Verdict | undefined {
  const { recovered, cause } = json;
  const [position, head] = [positionIn(json.position), positionIn(json.head)];
  if (position === undefined || head === undefined) return undefined;
  if (recovered !== undefined && typeof recovered !== "boolean") return undefined;
  if (cause !== undefined && typeof cause !== "string") return undefined;
  return {
    position,
    head,
    ...(recovered !== undefined && { recovered }),
    ...(cause !== undefined && { cause }),
  };
}

function positionIn(text: unknown): Position | undefined {
  return typeof text === "string" ? parseLongPosition(text) : undefined;
}

const isObject = (value: unknown): value is Fields => typeof value === "object" && value !== null;
const isId = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;
/** Or milliseconds: any length of time. */
const isSeconds = (value: unknown): value is number => typeof value === "number" && value >= 0;
const isPath = (value: unknown): value is string => typeof value === "string" && value.startsWith("/");
