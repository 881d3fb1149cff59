/**
 * Control frames between a shard and the objects below it: rules L1–L11 of INTERNALS.md. Update frames go the
 * same way down.
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
import { as, GenerationSchema, type Reader, reader, ShardSchema, VersionSchema } from "./control-frame.ts";
import {
  type Counted,
  CountedSchema,
  CountSchema,
  type CountWanted,
  EnoughSchema,
  readCount,
  readCounted,
  readEnough,
} from "./counting.ts";
import { type LinkPublished, LinkPublishedSchema, readLinkPublished } from "./link-publish.ts";
import { type Meant, MeantSchema, type TokenNames, TokenNamesSchema, writeNames } from "./revocation.ts";
import { EndpointSchema, IdSchema } from "./schemas.ts";

const AmountSchema = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const MsSchema = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

const Schemas = {
  hello: v.object({
    hello: v.object({
      version: VersionSchema,
      shard: ShardSchema,
      generation: GenerationSchema,
      dial: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
      /** How many the shard has; left out if it has none. */
      revocations: v.optional(AmountSchema),
    }),
  }),
  empty: v.object({
    empty: EndpointSchema,
    /** The key has no record. */
    nothing: v.optional(v.literal(true)),
  }),
  occupied: v.object({ occupied: EndpointSchema }),
  later: v.object({ later: EndpointSchema }),
  curious: v.object({ curious: v.object({ endpoint: EndpointSchema, wants: v.boolean() }) }),
  occupancy: v.object({ occupancy: v.object({ endpoint: EndpointSchema, subscribers: AmountSchema }) }),
  detached: v.object({ detached: EndpointSchema }),
  idle: v.object({ idle: v.literal(true) }),
  wakeAt: v.object({ wake: v.object({ at: MsSchema }) }),
  wake: v.object({ wake: v.literal(true) }),
  check: v.object({ check: v.object({ id: IdSchema, tokens: v.array(TokenNamesSchema) }) }),
  checked: v.object({
    checked: v.object({
      id: IdSchema,
      /** Places in the list that was asked about, each with the milliseconds that its socket has left. */
      revoked: v.array(v.tuple([IdSchema, MsSchema])),
      revocations: AmountSchema,
    }),
  }),
  revoke: v.object({ revoke: v.object({ meant: MeantSchema, graceMs: MsSchema }) }),
  revocations: v.object({ revocations: AmountSchema }),
} as const;

export type LinkHello = v.InferOutput<typeof Schemas.hello>["hello"];
export type Checked = v.InferOutput<typeof Schemas.checked>["checked"];

/** Shard → object, on a link; update frames apart. */
export type LinkDown =
  | { readonly kind: "hello"; readonly hello: LinkHello }
  | { readonly kind: "attached"; readonly attached: Attached }
  | { readonly kind: "waiting"; readonly endpoint: string; readonly id: number }
  /** The shard has forgotten an endpoint; others are watched on the link. */
  | { readonly kind: "detached"; readonly endpoint: string }
  | { readonly kind: "wake" }
  | { readonly kind: "checked"; readonly checked: Checked }
  | { readonly kind: "revoke"; readonly meant: Meant; readonly graceMs: number }
  /** How many subscribers there are is wanted, now and when it changes; and then no more (O2). */
  | CountWanted
  /** So many there are, of all objects; for subscribers that want to know it. */
  | { readonly kind: "occupancy"; readonly endpoint: string; readonly subscribers: number }
  /** So many are left, after one was lifted. */
  | { readonly kind: "revocations"; readonly count: number }
  | { readonly kind: "published"; readonly published: LinkPublished }
  | { readonly kind: "unknown" };

/** Object → shard, on a link; publishes apart, which are binary (link-publish.ts). */
export type LinkUp =
  | { readonly kind: "attach"; readonly attach: Attach }
  | { readonly kind: "cancel"; readonly cancel: Cancel }
  | { readonly kind: "empty"; readonly endpoint: string; readonly nothing?: true | undefined }
  | { readonly kind: "occupied"; readonly endpoint: string }
  /** So many are there; or there are others, which it is too soon to tell (O2). */
  | Counted
  | { readonly kind: "later"; readonly endpoint: string }
  /** Whether some of its subscribers want to know how many there are of all objects (O2). */
  | { readonly kind: "curious"; readonly endpoint: string; readonly wants: boolean }
  /** The object has nothing that the shard carries. */
  | { readonly kind: "idle" }
  /** `at`: milliseconds since 1970. */
  | { readonly kind: "wakeAt"; readonly at: number }
  | { readonly kind: "check"; readonly id: number; readonly tokens: readonly TokenNames[] }
  | { readonly kind: "unknown" };

export const decodeLinkDown: Reader<LinkDown> = reader<LinkDown>(
  {
    hello: as("linkHello", Schemas.hello, (o) => ({ kind: "hello", hello: o.hello })),
    attached: as("attached", AttachedSchema, (o) => ({ kind: "attached", attached: readAttached(o) })),
    waiting: as("waiting", WaitingSchema, readWaiting),
    count: as("count", CountSchema, readCount),
    enough: as("enough", EnoughSchema, readEnough),
    occupancy: as("occupancy", Schemas.occupancy, ({ occupancy }) => ({ kind: "occupancy", ...occupancy })),
    detached: as("detached", Schemas.detached, (o) => ({ kind: "detached", endpoint: o.detached })),
    wake: as("wake", Schemas.wake, () => ({ kind: "wake" })),
    checked: as("checked", Schemas.checked, ({ checked }) => ({ kind: "checked", checked })),
    revoke: as("revoke", Schemas.revoke, ({ revoke }) => ({ kind: "revoke", ...revoke })),
    revocations: as("revocations", Schemas.revocations, (o) => ({
      kind: "revocations",
      count: o.revocations,
    })),
    published: as("published", LinkPublishedSchema, (o) => ({
      kind: "published",
      published: readLinkPublished(o),
    })),
  },
  { kind: "unknown" },
);

export const decodeLinkUp: Reader<LinkUp> = reader<LinkUp>(
  {
    attach: as("attach", AttachSchema, (o) => ({ kind: "attach", attach: readAttach(o) })),
    cancel: as("cancel", CancelSchema, (o) => ({ kind: "cancel", cancel: readCancel(o) })),
    empty: as("empty", Schemas.empty, ({ empty, nothing }) => ({
      kind: "empty",
      endpoint: empty,
      nothing,
    })),
    occupied: as("occupied", Schemas.occupied, (o) => ({ kind: "occupied", endpoint: o.occupied })),
    counted: as("counted", CountedSchema, readCounted),
    later: as("later", Schemas.later, (o) => ({ kind: "later", endpoint: o.later })),
    curious: as("curious", Schemas.curious, ({ curious }) => ({ kind: "curious", ...curious })),
    idle: as("idle", Schemas.idle, () => ({ kind: "idle" })),
    wake: as("wake", Schemas.wakeAt, ({ wake }) => ({ kind: "wakeAt", ...wake })),
    check: as("check", Schemas.check, ({ check }) => ({ kind: "check", ...check })),
  },
  { kind: "unknown" },
);

export function encodeLinkHello(hello: LinkHello): string {
  return JSON.stringify({ hello });
}

export function encodeEmpty(endpoint: string, nothing = false): string {
  return JSON.stringify(nothing ? { empty: endpoint, nothing } : { empty: endpoint });
}

export function encodeOccupied(endpoint: string): string {
  return JSON.stringify({ occupied: endpoint });
}

/** There are more or fewer than was just said: the shard is to ask again. */
export function encodeLater(endpoint: string): string {
  return JSON.stringify({ later: endpoint });
}

/** Whether subscribers of an object want to be told how many there are altogether, now and when it changes. */
export function encodeCurious(endpoint: string, wants: boolean): string {
  return JSON.stringify({ curious: { endpoint, wants } });
}

export function encodeLinkOccupancy(endpoint: string, subscribers: number): string {
  return JSON.stringify({ occupancy: { endpoint, subscribers } });
}

/** Nobody came back to an endpoint, whose link has others (L13). */
export function encodeDetached(endpoint: string): string {
  return JSON.stringify({ detached: endpoint });
}

/** An object has nothing that the shard of its link carries (L13). */
export function encodeIdle(): string {
  return JSON.stringify({ idle: true });
}

/** An object asks to be woken at a time (L9). */
export function encodeWakeAt(at: number): string {
  return JSON.stringify({ wake: { at } });
}

export function encodeWake(): string {
  return JSON.stringify({ wake: true });
}

/** An object asks whether tokens count still (L10). */
export function encodeCheck(id: number, tokens: readonly TokenNames[]): string {
  return JSON.stringify({ check: { id, tokens: tokens.map(writeNames) } });
}

export function encodeChecked(checked: Checked): string {
  return JSON.stringify({ checked });
}

/** From now on these tokens count no more (L11). */
export function encodeRevoke(meant: Meant, graceMs: number): string {
  return JSON.stringify({ revoke: { meant, graceMs } });
}

export function encodeRevocations(count: number): string {
  return JSON.stringify({ revocations: count });
}
