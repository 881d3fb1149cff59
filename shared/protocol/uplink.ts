/**
 * Control frames between an origin, an Uplink shard and the objects below it: rules U1–U15 and L1–L7 of
 * PROTOCOL.md.
 *
 * On an uplink every frame that the origin sends is addressed: an address, a tab, the frame. The shard reads
 * the address, never the value. What a shard sends up is bare control frames.
 */
import * as v from "valibot";
import type { ErrorCode } from "./codes.ts";
import { type Decoded, decodeUtf8, type Frame } from "./frame.ts";
import { formatPosition, type Position } from "./position.ts";
import { formatRange, parseRange, type Range } from "./range.ts";
import {
  describe,
  EndpointSchema,
  type ErrorBody,
  errorBody,
  IdSchema,
  PositionSchema,
  parseObject,
  type Verdict,
  VerdictSchema,
  verdictFields,
} from "./subscriber.ts";

/** Whom a frame on an uplink is for: links (L2), the asker of a question, or the shard itself. */
export type AddressedTo =
  | { readonly kind: "links"; readonly links: readonly number[] }
  | { readonly kind: "question"; readonly id: number }
  | { readonly kind: "shard" };

const TAB = "\t";
const TAB_BYTE = 0x09;
const ZERO = 0x30;
const ONE = 0x31;
const NINE = 0x39;
/** That many digits fit a number exactly. */
const EXACT_DIGITS = 15;

/** `7,9⇥frame`, `?13⇥frame` or `0⇥frame` (U3). */
export function encodeAddressed(to: AddressedTo, frame: Frame): Frame {
  const address = to.kind === "links" ? to.links.join(",") : to.kind === "question" ? `?${to.id}` : "0";
  if (typeof frame === "string") return address + TAB + frame;
  const bytes = new Uint8Array(address.length + 1 + frame.length);
  for (let at = 0; at < address.length; at++) bytes[at] = address.charCodeAt(at);
  bytes[address.length] = TAB_BYTE;
  bytes.set(frame, address.length + 1);
  return bytes;
}

export function decodeAddressed(item: Frame): { to: AddressedTo; frame: Frame } | undefined {
  if (typeof item === "string") {
    const tab = item.indexOf(TAB);
    const to = tab < 0 ? undefined : parseAddressed(item.slice(0, tab));
    return to && { to, frame: item.slice(tab + 1) };
  }
  const one = oneLink(item);
  if (one !== undefined) return one;
  const tab = item.indexOf(TAB_BYTE);
  const to = tab < 0 ? undefined : parseAddressed(decodeUtf8(item.subarray(0, tab)) ?? "");
  return to && { to, frame: item.subarray(tab + 1) };
}

/** Nearly all that travels is for one link: no address need be decoded for that. */
function oneLink(item: Uint8Array<ArrayBuffer>): ReturnType<typeof decodeAddressed> {
  let link = 0;
  for (let at = 0; at <= EXACT_DIGITS; at++) {
    const byte = item[at] ?? 0;
    if (byte === TAB_BYTE && link > 0)
      return { to: { kind: "links", links: [link] }, frame: item.subarray(at + 1) };
    if (byte < (at === 0 ? ONE : ZERO) || byte > NINE) return undefined;
    link = 10 * link + byte - ZERO;
  }
  return undefined;
}

const ONE_LINK = /^[1-9][0-9]{0,15}$/;

function parseAddressed(text: string): AddressedTo | undefined {
  if (ONE_LINK.test(text)) return { kind: "links", links: [Number(text)] };
  if (text === "0") return { kind: "shard" };
  if (/^\?[1-9][0-9]{0,15}$/.test(text)) return { kind: "question", id: Number(text.slice(1)) };
  if (!/^[1-9][0-9]{0,15}(,[1-9][0-9]{0,15})*$/.test(text)) return undefined;
  return { kind: "links", links: text.split(",").map(Number) };
}

const Version = v.pipe(v.number(), v.integer(), v.minValue(1));
const Generation = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const Role = v.picklist(["active", "standby"]);
const RangeSchema = v.pipe(
  v.string(),
  v.transform(parseRange),
  v.custom<Range>((range) => range !== undefined, "no range"),
);

const Schemas = {
  originHello: v.object({
    hello: v.object({
      version: Version,
      origin: v.pipe(v.string(), v.maxLength(64)),
      range: v.optional(RangeSchema),
    }),
  }),
  shardHello: v.object({
    hello: v.object({
      version: Version,
      shard: v.pipe(v.number(), v.integer(), v.minValue(0)),
      shards: v.pipe(v.number(), v.integer(), v.minValue(1)),
      generation: Generation,
      role: v.optional(Role),
      range: v.optional(RangeSchema),
    }),
  }),
  linkHello: v.object({
    hello: v.object({
      version: Version,
      shard: v.pipe(v.number(), v.integer(), v.minValue(0)),
      generation: Generation,
      dial: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
    }),
  }),
  ready: v.object({ ready: v.boolean() }),
  leaving: v.object({ leaving: v.literal(true) }),
  role: v.object({ role: v.literal("active"), generation: Generation }),
  attach: v.object({
    attach: EndpointSchema,
    id: IdSchema,
    link: v.optional(IdSchema),
    from: v.optional(PositionSchema),
  }),
  detach: v.object({ detach: EndpointSchema, link: IdSchema }),
  get: v.object({ get: EndpointSchema, id: IdSchema }),
  empty: v.object({ empty: EndpointSchema }),
  occupied: v.object({ occupied: EndpointSchema }),
  attached: v.object({
    attached: EndpointSchema,
    id: IdSchema,
    to: PositionSchema,
    since: PositionSchema,
    count: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
    elsewhere: v.optional(v.literal(true)),
    log: v.optional(v.literal(true)),
    ...VerdictSchema.entries,
  }),
  waiting: v.object({ waiting: EndpointSchema, id: IdSchema }),
  latest: v.object({
    latest: EndpointSchema,
    position: PositionSchema,
    count: v.picklist([0, 1]),
    elsewhere: v.optional(v.literal(true)),
  }),
  error: v.object({ error: v.object({ code: v.string(), message: v.string(), retry: v.boolean() }) }),
} as const;

/** What an uplink is for its shard (U11). */
export type Role = v.InferOutput<typeof Role>;
/** Without a range: the origin reads all partitions. */
export type OriginHello = v.InferOutput<typeof Schemas.originHello>["hello"];
/**
 * Without a role: the shard's code is older than standbys are, and every uplink that it greets is active. With the range
 * that the origin's hello named, if any: without it, the shard's code is older than ranges are.
 */
export type ShardHello = v.InferOutput<typeof Schemas.shardHello>["hello"];
export type LinkHello = v.InferOutput<typeof Schemas.linkHello>["hello"];

/** A link wants an endpoint from a position on; without one, the recent updates. Also: asks again (L4). */
export interface Attach {
  readonly endpoint: string;
  readonly id: number;
  readonly from: Position | undefined;
}

/**
 * The answer to an attach; the next `count` update frames of this endpoint on this link are its body (U5).
 * They lead from `position` to `to`; where `to` is not yet `head`, the asker asks again from there. `since`
 * says what the origin still holds: continuity can be proved from positions that reach it.
 */
export interface Attached {
  readonly endpoint: string;
  readonly id: number;
  readonly verdict: Verdict;
  readonly to: Position;
  readonly since: Position;
  readonly count: number;
  /** Nothing is known here of the endpoint or of what was asked, and its home is in another range (N4). */
  readonly elsewhere?: boolean | undefined;
  /** Continuity was proved by reading the log again (R7), and not from the index. */
  readonly log?: boolean | undefined;
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
  /** The answer to a get; one update frame follows it where `count` is 1. */
  | {
      readonly kind: "latest";
      readonly endpoint: string;
      readonly position: Position;
      readonly count: number;
      readonly elsewhere?: boolean | undefined;
    }
  | { readonly kind: "error"; readonly error: ErrorBody }
  | { readonly kind: "unknown" };

/** Shard → origin. */
export type ShardSays =
  | { readonly kind: "hello"; readonly hello: ShardHello }
  /** A standby is active from here on (U14). */
  | { readonly kind: "active"; readonly generation: number }
  | { readonly kind: "attach"; readonly link: number; readonly attach: Attach }
  | { readonly kind: "detach"; readonly link: number; readonly endpoint: string }
  | { readonly kind: "get"; readonly id: number; readonly endpoint: string }
  | { readonly kind: "pong" }
  | { readonly kind: "unknown" };

/** Shard → object, on a link; update frames apart. */
export type LinkDown =
  | { readonly kind: "hello"; readonly hello: LinkHello }
  | { readonly kind: "attached"; readonly attached: Attached }
  | { readonly kind: "waiting"; readonly endpoint: string; readonly id: number }
  | { readonly kind: "unknown" };

/** Object → shard, on a link. */
export type LinkUp =
  | { readonly kind: "attach"; readonly attach: Attach }
  | { readonly kind: "empty"; readonly endpoint: string }
  | { readonly kind: "occupied"; readonly endpoint: string }
  | { readonly kind: "unknown" };

type Output<K extends keyof typeof Schemas> = v.InferOutput<(typeof Schemas)[K]>;
type Reader<T> = (text: string) => Decoded<T>;

/** Tries the readers in turn by the field that tells a frame's kind; a frame of a later version is `unknown`. */
function reader<T>(kinds: Record<string, (json: object) => Decoded<T>>, unknown: T): Reader<T> {
  return (text) => {
    const json = parseObject(text);
    if (json === undefined) return { ok: false, problem: "a frame is one JSON object" };
    for (const [field, read] of Object.entries(kinds)) if (field in json) return read(json);
    return { ok: true, value: unknown };
  };
}

function as<K extends keyof typeof Schemas, T>(schema: K, make: (output: Output<K>) => T) {
  return (json: object): Decoded<T> => {
    const result = v.safeParse(Schemas[schema], json);
    return result.success
      ? { ok: true, value: make(result.output as Output<K>) }
      : { ok: false, problem: `${schema}: ${describe(result.issues)}` };
  };
}

const readAttached = (o: Output<"attached">): Attached => ({
  endpoint: o.attached,
  id: o.id,
  to: o.to,
  since: o.since,
  count: o.count,
  elsewhere: o.elsewhere,
  log: o.log,
  verdict: { position: o.position, head: o.head, recovered: o.recovered, cause: o.cause },
});
const readWaiting = (o: Output<"waiting">) => ({ kind: "waiting", endpoint: o.waiting, id: o.id }) as const;
const readAttach = (o: Output<"attach">): Attach => ({ endpoint: o.attach, id: o.id, from: o.from });

export const decodeOriginSays: Reader<OriginSays> = reader<OriginSays>(
  {
    hello: as("originHello", (o) => ({ kind: "hello", hello: o.hello })),
    ready: as("ready", (o) => ({ kind: "ready", ready: o.ready })),
    leaving: as("leaving", () => ({ kind: "leaving" })),
    attached: as("attached", (o) => ({ kind: "attached", attached: readAttached(o) })),
    waiting: as("waiting", readWaiting),
    latest: as("latest", (o) => ({
      kind: "latest",
      endpoint: o.latest,
      position: o.position,
      count: o.count,
      elsewhere: o.elsewhere,
    })),
    error: as("error", (o) => ({ kind: "error", error: o.error })),
  },
  { kind: "unknown" },
);

export const decodeShardSays: Reader<ShardSays> = reader<ShardSays>(
  {
    hello: as("shardHello", (o) => ({ kind: "hello", hello: o.hello })),
    role: as("role", (o) => ({ kind: "active", generation: o.generation })),
    attach: as("attach", (o) => ({ kind: "attach", link: o.link ?? 0, attach: readAttach(o) })),
    detach: as("detach", (o) => ({ kind: "detach", link: o.link, endpoint: o.detach })),
    get: as("get", (o) => ({ kind: "get", id: o.id, endpoint: o.get })),
    pong: () => ({ ok: true, value: { kind: "pong" } }),
  },
  { kind: "unknown" },
);

export const decodeLinkDown: Reader<LinkDown> = reader<LinkDown>(
  {
    hello: as("linkHello", (o) => ({ kind: "hello", hello: o.hello })),
    attached: as("attached", (o) => ({ kind: "attached", attached: readAttached(o) })),
    waiting: as("waiting", readWaiting),
  },
  { kind: "unknown" },
);

export const decodeLinkUp: Reader<LinkUp> = reader<LinkUp>(
  {
    attach: as("attach", (o) => ({ kind: "attach", attach: readAttach(o) })),
    empty: as("empty", (o) => ({ kind: "empty", endpoint: o.empty })),
    occupied: as("occupied", (o) => ({ kind: "occupied", endpoint: o.occupied })),
  },
  { kind: "unknown" },
);

export function encodeHello(hello: OriginHello | ShardHello | LinkHello): string {
  const range = "range" in hello ? hello.range : undefined;
  return JSON.stringify({ hello: { ...hello, range: range && formatRange(range) } });
}

export function encodeReady(ready: boolean): string {
  return JSON.stringify({ ready });
}

export function encodeLeaving(): string {
  return JSON.stringify({ leaving: true });
}

/** To a standby: it is active from here on. */
export function encodeActive(generation: number): string {
  return JSON.stringify({ role: "active", generation });
}

/** On a link the shard knows which link it is; on an uplink `link` says it. */
export function encodeAttach(attach: Attach, link?: number): string {
  return JSON.stringify({
    attach: attach.endpoint,
    id: attach.id,
    link,
    from: attach.from && formatPosition(attach.from),
  });
}

export function encodeDetach(endpoint: string, link: number): string {
  return JSON.stringify({ detach: endpoint, link });
}

export function encodeGet(endpoint: string, id: number): string {
  return JSON.stringify({ get: endpoint, id });
}

export function encodeEmpty(endpoint: string): string {
  return JSON.stringify({ empty: endpoint });
}

export function encodeOccupied(endpoint: string): string {
  return JSON.stringify({ occupied: endpoint });
}

export function encodeAttached(attached: Attached): string {
  return JSON.stringify({
    attached: attached.endpoint,
    id: attached.id,
    ...verdictFields(attached.verdict),
    to: formatPosition(attached.to),
    since: formatPosition(attached.since),
    count: attached.count,
    elsewhere: attached.elsewhere || undefined,
    log: attached.log || undefined,
  });
}

export function encodeWaiting(endpoint: string, id: number): string {
  return JSON.stringify({ waiting: endpoint, id });
}

export function encodeLatest(endpoint: string, position: Position, count: 0 | 1, elsewhere = false): string {
  const text = formatPosition(position);
  return JSON.stringify({ latest: endpoint, position: text, count, elsewhere: elsewhere || undefined });
}

/** The answer to a question that cannot be answered. */
export function encodeQuestionError(code: ErrorCode, message: string): string {
  return JSON.stringify({ error: errorBody(code, message) });
}
