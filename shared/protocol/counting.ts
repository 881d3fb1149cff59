/**
 * Frames about how many subscribers an endpoint has: between a shard and its objects (O2 of INTERNALS.md), and between a shard
 * and an origin, for other edges (D6).
 */
import * as v from "valibot";
import { EndpointSchema } from "./schemas.ts";

/** The sum of thousands of these is still exact. */
const MAX_SUBSCRIBERS = 2 ** 40;

export const SubscribersSchema = v.pipe(
  v.number(),
  v.safeInteger(),
  v.minValue(0),
  v.maxValue(MAX_SUBSCRIBERS),
);

const NumberSchema = v.object({ endpoint: EndpointSchema, subscribers: SubscribersSchema });

export const CountSchema = v.object({ count: EndpointSchema });
export const EnoughSchema = v.object({ enough: EndpointSchema });
export const CountedSchema = v.object({ counted: NumberSchema });
export const ElsewhereSchema = v.object({ elsewhere: NumberSchema });
export const AloneSchema = v.object({ alone: v.boolean() });

/** Somebody wants to know how many there are, now and when it changes; or nobody does any more. */
export interface CountWanted {
  readonly kind: "count" | "enough";
  readonly endpoint: string;
}

/** So many there are: on a link those of one object, on an uplink those of a shard's own objects. */
export interface Counted {
  readonly kind: "counted";
  readonly endpoint: string;
  readonly subscribers: number;
}

/** So many there are at other edges, as far as an origin knows. */
export interface Elsewhere {
  readonly kind: "elsewhere";
  readonly endpoint: string;
  readonly subscribers: number;
}

export const readCount = ({ count }: v.InferOutput<typeof CountSchema>): CountWanted => ({
  kind: "count",
  endpoint: count,
});

export const readEnough = ({ enough }: v.InferOutput<typeof EnoughSchema>): CountWanted => ({
  kind: "enough",
  endpoint: enough,
});

export const readCounted = ({ counted }: v.InferOutput<typeof CountedSchema>): Counted => ({
  kind: "counted",
  ...counted,
});

export const readElsewhere = ({ elsewhere }: v.InferOutput<typeof ElsewhereSchema>): Elsewhere => ({
  kind: "elsewhere",
  ...elsewhere,
});

export function encodeCount(endpoint: string): string {
  return JSON.stringify({ count: endpoint });
}

export function encodeEnough(endpoint: string): string {
  return JSON.stringify({ enough: endpoint });
}

export function encodeCounted(endpoint: string, subscribers: number): string {
  return JSON.stringify({ counted: { endpoint, subscribers } });
}

/** Whatever edges have claimed, the sum can be read. */
export function encodeElsewhere(endpoint: string, subscribers: number): string {
  return JSON.stringify({ elsewhere: { endpoint, subscribers: Math.min(subscribers, MAX_SUBSCRIBERS) } });
}

/** Whether an origin dials no other edge than that of the shard. */
export function encodeAlone(alone: boolean): string {
  return JSON.stringify({ alone });
}
