/**
 * Control frames between a shard and the objects below it: rules L1–L9 of INTERNALS.md. Update frames go the
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
import { EndpointSchema } from "./schemas.ts";

const Schemas = {
  hello: v.object({
    hello: v.object({
      version: VersionSchema,
      shard: ShardSchema,
      generation: GenerationSchema,
      dial: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
    }),
  }),
  empty: v.object({ empty: EndpointSchema }),
  occupied: v.object({ occupied: EndpointSchema }),
  wakeAt: v.object({
    wake: v.object({ endpoint: EndpointSchema, at: v.pipe(v.number(), v.safeInteger(), v.minValue(0)) }),
  }),
  wake: v.object({ wake: EndpointSchema }),
} as const;

export type LinkHello = v.InferOutput<typeof Schemas.hello>["hello"];

/** Shard → object, on a link; update frames apart. */
export type LinkDown =
  | { readonly kind: "hello"; readonly hello: LinkHello }
  | { readonly kind: "attached"; readonly attached: Attached }
  | { readonly kind: "waiting"; readonly endpoint: string; readonly id: number }
  | { readonly kind: "wake"; readonly endpoint: string }
  | { readonly kind: "unknown" };

/** Object → shard, on a link. */
export type LinkUp =
  | { readonly kind: "attach"; readonly attach: Attach }
  | { readonly kind: "cancel"; readonly cancel: Cancel }
  | { readonly kind: "empty"; readonly endpoint: string }
  | { readonly kind: "occupied"; readonly endpoint: string }
  /** `at`: milliseconds since 1970. */
  | { readonly kind: "wakeAt"; readonly endpoint: string; readonly at: number }
  | { readonly kind: "unknown" };

export const decodeLinkDown: Reader<LinkDown> = reader<LinkDown>(
  {
    hello: as("linkHello", Schemas.hello, (o) => ({ kind: "hello", hello: o.hello })),
    attached: as("attached", AttachedSchema, (o) => ({ kind: "attached", attached: readAttached(o) })),
    waiting: as("waiting", WaitingSchema, readWaiting),
    wake: as("wake", Schemas.wake, (o) => ({ kind: "wake", endpoint: o.wake })),
  },
  { kind: "unknown" },
);

export const decodeLinkUp: Reader<LinkUp> = reader<LinkUp>(
  {
    attach: as("attach", AttachSchema, (o) => ({ kind: "attach", attach: readAttach(o) })),
    cancel: as("cancel", CancelSchema, (o) => ({ kind: "cancel", cancel: readCancel(o) })),
    empty: as("empty", Schemas.empty, (o) => ({ kind: "empty", endpoint: o.empty })),
    occupied: as("occupied", Schemas.occupied, (o) => ({ kind: "occupied", endpoint: o.occupied })),
    wake: as("wake", Schemas.wakeAt, ({ wake }) => ({ kind: "wakeAt", ...wake })),
  },
  { kind: "unknown" },
);

export function encodeLinkHello(hello: LinkHello): string {
  return JSON.stringify({ hello });
}

export function encodeEmpty(endpoint: string): string {
  return JSON.stringify({ empty: endpoint });
}

export function encodeOccupied(endpoint: string): string {
  return JSON.stringify({ occupied: endpoint });
}

/** An object asks to be woken at a time (L9). */
export function encodeWakeAt(endpoint: string, at: number): string {
  return JSON.stringify({ wake: { endpoint, at } });
}

export function encodeWake(endpoint: string): string {
  return JSON.stringify({ wake: endpoint });
}
