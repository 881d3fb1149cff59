/**
 * Control frames between an origin and a shard: rules U1–U15 of INTERNALS.md; what they pass on between the
 * origin and a link is in attach.ts, and what they say of subscribers of other edges in counting.ts.
 *
 * Every frame that the origin sends is addressed (addressed.ts). What a shard sends up is bare control frames.
 */
import * as v from "valibot";
import {
  type Attach,
  type Attached,
  AttachedSchema,
  AttachSchema,
  type Cancel,
  CancelSchema,
  readAttach,
  readAttached,
  readCancel,
  readWaiting,
  WaitingSchema,
} from "./attach.ts";
import type { ErrorCode } from "./codes.ts";
import { as, GenerationSchema, type Reader, reader, ShardSchema, VersionSchema } from "./control-frame.ts";
import {
  AloneSchema,
  type Counted,
  CountedSchema,
  CountSchema,
  type CountWanted,
  type Elsewhere,
  ElsewhereSchema,
  EnoughSchema,
  readCount,
  readCounted,
  readElsewhere,
  readEnough,
} from "./counting.ts";
import type { ErrorBody } from "./error-body.ts";
import { formatPosition, type Position } from "./position.ts";
import { type Published, PublishedSchema, readWriting, type Writing, WritingSchema } from "./publish.ts";
import { type Revocation, RevocationSchema } from "./revocation.ts";
import { EndpointSchema, errorBody, IdSchema, PositionSchema } from "./schemas.ts";
import { formatSlice, parseSlice, type Slice } from "./slice.ts";

const Role = v.picklist(["active", "standby"]);
const LatestValue = v.picklist(["json", "text", "bytes"]);
const SliceSchema = v.pipe(
  v.string(),
  v.transform(parseSlice),
  v.custom<Slice>((slice) => slice !== undefined, "no slice"),
);

/** An edge as origins name it. */
const EdgeSchema = v.pipe(v.string(), v.maxLength(300));

const Schemas = {
  originHello: v.object({
    hello: v.object({
      version: VersionSchema,
      origin: v.pipe(v.string(), v.maxLength(64)),
      slice: v.optional(SliceSchema),
      /** It dials no other edge (D6). */
      alone: v.optional(v.literal(true)),
    }),
  }),
  shardHello: v.object({
    hello: v.object({
      version: VersionSchema,
      shard: ShardSchema,
      shards: v.pipe(v.number(), v.integer(), v.minValue(1)),
      generation: GenerationSchema,
      role: v.optional(Role),
      slice: v.optional(SliceSchema),
    }),
  }),
  ready: v.object({ ready: v.boolean() }),
  leaving: v.object({ leaving: v.literal(true) }),
  role: v.object({ role: v.literal("active"), generation: GenerationSchema }),
  detach: v.object({ detach: EndpointSchema, link: IdSchema }),
  get: v.object({ get: EndpointSchema, id: IdSchema, brief: v.optional(v.literal(true)) }),
  latest: v.object({
    latest: EndpointSchema,
    position: PositionSchema,
    count: v.picklist([0, 1]),
    oldest: v.optional(PositionSchema),
    notHome: v.optional(v.literal(true)),
    value: v.optional(LatestValue),
  }),
  revocations: v.object({ revocations: v.array(RevocationSchema), id: IdSchema }),
  spread: v.object({ spread: RevocationSchema, id: IdSchema }),
  spreadOut: v.object({
    spread: v.picklist(["stored", "failed"]),
    id: IdSchema,
    stored: v.array(EdgeSchema),
    missing: v.array(EdgeSchema),
  }),
  learnt: v.object({ learnt: IdSchema }),
  error: v.object({ error: v.object({ code: v.string(), message: v.string(), retry: v.boolean() }) }),
} as const;

/**
 * What a large value of a question's answer is. The frame holds it as bytes, whatever it is, or, if the question was brief,
 * only says how many there are (U8).
 */
export type LatestValue = v.InferOutput<typeof LatestValue>;
/** What an uplink is for its shard (U11). */
export type Role = v.InferOutput<typeof Role>;
/** Without a slice: the origin reads all partitions. */
export type OriginHello = v.InferOutput<typeof Schemas.originHello>["hello"];
/**
 * Without a role: the shard's code is older than standbys are, and every uplink that it greets is active. With the slice
 * that the origin's hello named, if any: without it, the shard's code is older than slices are.
 */
export type ShardHello = v.InferOutput<typeof Schemas.shardHello>["hello"];

/** To which edges an origin has brought a revocation, and to which not; and whether it keeps it itself. */
export interface SpreadOut {
  readonly isKept: boolean;
  readonly stored: readonly string[];
  readonly missing: readonly string[];
}

/** Origin → shard, inside an addressed frame; update frames apart. */
export type OriginSays =
  | { readonly kind: "hello"; readonly hello: OriginHello }
  /** Whether every partition has been read to the end that it had at start. */
  | { readonly kind: "ready"; readonly ready: boolean }
  /** The origin is about to stop; another may take over now (U15). */
  | { readonly kind: "leaving" }
  | { readonly kind: "attached"; readonly attached: Attached }
  /** The attach stands; its answer comes when the endpoint's partition is ready. */
  | { readonly kind: "waiting"; readonly endpoint: string; readonly id: number }
  /** The answer to a get; one update frame follows it if `count` is 1. */
  | {
      readonly kind: "latest";
      readonly endpoint: string;
      readonly position: Position;
      readonly count: number;
      /** From where on the source can prove what came; undefined if it is too old to say. */
      readonly oldest?: Position | undefined;
      readonly notHome?: boolean | undefined;
      /** undefined if the frame itself says what its value is. */
      readonly value?: LatestValue | undefined;
    }
  | { readonly kind: "error"; readonly error: ErrorBody }
  /** What was revoked or lifted at other edges (D4). */
  | { readonly kind: "revocations"; readonly id: number; readonly revocations: readonly Revocation[] }
  /** What became of a revocation that the shard has spread. */
  | { readonly kind: "spread"; readonly id: number; readonly out: SpreadOut }
  /** How many subscribers the shard has is wanted for other edges; or no more (D6). */
  | CountWanted
  | Elsewhere
  /** Whether it dials no other edge: then there is nobody elsewhere. */
  | { readonly kind: "alone"; readonly alone: boolean }
  /** It writes a partition from here on, or no longer (W8). */
  | { readonly kind: "writes"; readonly writing: Writing }
  /** The answer to a publish (W6). */
  | { readonly kind: "published"; readonly id: number; readonly result: Published }
  | { readonly kind: "unknown" };

/** Shard → origin. */
export type ShardSays =
  | { readonly kind: "hello"; readonly hello: ShardHello }
  /** A standby is active from here on (U14). */
  | { readonly kind: "active"; readonly generation: number }
  | { readonly kind: "attach"; readonly link: number; readonly attach: Attach }
  | { readonly kind: "cancel"; readonly link: number; readonly cancel: Cancel }
  | { readonly kind: "detach"; readonly link: number; readonly endpoint: string }
  | {
      readonly kind: "get";
      readonly id: number;
      readonly endpoint: string;
      readonly brief?: true | undefined;
    }
  /** What was revoked or lifted here, to be told to all edges (D4). */
  | { readonly kind: "spread"; readonly id: number; readonly revocation: Revocation }
  /** How many subscribers other edges have is wanted, or no more; and how many it has itself (D6). */
  | CountWanted
  | Counted
  /** It has stored what an origin told it of revocations. */
  | { readonly kind: "learnt"; readonly id: number }
  | { readonly kind: "pong" }
  | { readonly kind: "unknown" };

export const decodeOriginSays: Reader<OriginSays> = reader<OriginSays>(
  {
    hello: as("originHello", Schemas.originHello, (o) => ({ kind: "hello", hello: o.hello })),
    ready: as("ready", Schemas.ready, (o) => ({ kind: "ready", ready: o.ready })),
    leaving: as("leaving", Schemas.leaving, () => ({ kind: "leaving" })),
    attached: as("attached", AttachedSchema, (o) => ({ kind: "attached", attached: readAttached(o) })),
    waiting: as("waiting", WaitingSchema, readWaiting),
    latest: as("latest", Schemas.latest, (o) => ({
      kind: "latest",
      endpoint: o.latest,
      position: o.position,
      count: o.count,
      oldest: o.oldest,
      notHome: o.notHome,
      value: o.value,
    })),
    count: as("count", CountSchema, readCount),
    enough: as("enough", EnoughSchema, readEnough),
    elsewhere: as("elsewhere", ElsewhereSchema, readElsewhere),
    alone: as("alone", AloneSchema, ({ alone }) => ({ kind: "alone", alone })),
    writes: as("writes", WritingSchema, (o) => ({ kind: "writes", writing: readWriting(o) })),
    revocations: as("revocations", Schemas.revocations, ({ id, revocations }) => ({
      kind: "revocations",
      id,
      revocations,
    })),
    spread: as("spread", Schemas.spreadOut, ({ spread, id, stored, missing }) => ({
      kind: "spread",
      id,
      out: { isKept: spread === "stored", stored, missing },
    })),
    // Before `error`, which it may have.
    published: as("published", PublishedSchema, ({ published: id, ...result }) => ({
      kind: "published",
      id,
      result,
    })),
    error: as("error", Schemas.error, (o) => ({ kind: "error", error: o.error })),
  },
  { kind: "unknown" },
);

export const decodeShardSays: Reader<ShardSays> = reader<ShardSays>(
  {
    hello: as("shardHello", Schemas.shardHello, (o) => ({ kind: "hello", hello: o.hello })),
    role: as("role", Schemas.role, (o) => ({ kind: "active", generation: o.generation })),
    attach: as("attach", AttachSchema, (o) => ({
      kind: "attach",
      link: o.link ?? 0,
      attach: readAttach(o),
    })),
    cancel: as("cancel", CancelSchema, (o) => ({
      kind: "cancel",
      link: o.link ?? 0,
      cancel: readCancel(o),
    })),
    detach: as("detach", Schemas.detach, (o) => ({ kind: "detach", link: o.link, endpoint: o.detach })),
    get: as("get", Schemas.get, (o) => ({
      kind: "get",
      id: o.id,
      endpoint: o.get,
      brief: o.brief,
    })),
    count: as("count", CountSchema, readCount),
    enough: as("enough", EnoughSchema, readEnough),
    counted: as("counted", CountedSchema, readCounted),
    spread: as("spread", Schemas.spread, ({ spread, id }) => ({ kind: "spread", id, revocation: spread })),
    learnt: as("learnt", Schemas.learnt, ({ learnt }) => ({ kind: "learnt", id: learnt })),
    pong: () => ({ ok: true, value: { kind: "pong" } }),
  },
  { kind: "unknown" },
);

export function encodeHello(hello: OriginHello | ShardHello): string {
  return JSON.stringify({ hello: { ...hello, slice: hello.slice && formatSlice(hello.slice) } });
}

export function encodeReady(ready: boolean): string {
  return JSON.stringify({ ready });
}

export function encodeLeaving(): string {
  return JSON.stringify({ leaving: true });
}

/** To a shard: it answers with `learnt` when these are stored. */
export function encodeRevocations(id: number, revocations: readonly Revocation[]): string {
  return JSON.stringify({ revocations, id });
}

export function encodeSpread(id: number, revocation: Revocation): string {
  return JSON.stringify({ spread: revocation, id });
}

export function encodeSpreadOut(id: number, { isKept, stored, missing }: SpreadOut): string {
  return JSON.stringify({ spread: isKept ? "stored" : "failed", id, stored, missing });
}

export function encodeLearnt(id: number): string {
  return JSON.stringify({ learnt: id });
}

/** To a standby: it is active from here on. */
export function encodeActive(generation: number): string {
  return JSON.stringify({ role: "active", generation });
}

export function encodeDetach(endpoint: string, link: number): string {
  return JSON.stringify({ detach: endpoint, link });
}

/** @param brief The value isn't asked for, if it is large. */
export function encodeGet(endpoint: string, id: number, brief = false): string {
  return JSON.stringify({ get: endpoint, id, brief: brief || undefined });
}

export function encodeLatest(
  endpoint: string,
  position: Position,
  count: 0 | 1,
  {
    oldest,
    notHome,
    value,
  }: {
    readonly oldest?: Position;
    readonly notHome?: boolean;
    readonly value?: LatestValue | undefined;
  } = {},
): string {
  return JSON.stringify({
    latest: endpoint,
    position: formatPosition(position),
    count,
    oldest: oldest && formatPosition(oldest),
    notHome: notHome || undefined,
    value,
  });
}

/** The answer to a question that cannot be answered. */
export function encodeQuestionError(code: ErrorCode, message: string): string {
  return JSON.stringify({ error: errorBody(code, message) });
}
