/**
 * What a link wants and what it gets: rules L2, L4, L8 and U5 of INTERNALS.md. These frames are the same on a link and, with
 * the link's number or addressed to it, on an uplink.
 */
import * as v from "valibot";
import type { Verdict } from "./down.ts";
import { formatPosition, type Position } from "./position.ts";
import { EndpointSchema, IdSchema, PositionSchema, VerdictSchema, verdictFields } from "./schemas.ts";

export const AttachSchema = v.object({
  attach: EndpointSchema,
  id: IdSchema,
  link: v.optional(IdSchema),
  from: v.optional(PositionSchema),
  reached: v.optional(PositionSchema),
  waited: v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(0))),
});

export const CancelSchema = v.object({ cancel: EndpointSchema, id: IdSchema, link: v.optional(IdSchema) });

export const AttachedSchema = v.object({
  attached: EndpointSchema,
  id: IdSchema,
  to: PositionSchema,
  horizon: PositionSchema,
  count: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  notHome: v.optional(v.literal(true)),
  withoutHome: v.optional(v.literal(true)),
  log: v.optional(v.literal(true)),
  ...VerdictSchema.entries,
});

export const WaitingSchema = v.object({ waiting: EndpointSchema, id: IdSchema });

/** A link wants an endpoint from a position on; without one, the recent updates. Also: asks again (L4). */
/**
 * An id that no ask of an object has: that of attaches that a shard sends on its behalf, and of answers to these, or to
 * nothing, when an origin lost continuity (L7). Not to be taken for a subscriber's id.
 */
export const UNASKED = 0;

export interface Attach {
  readonly endpoint: string;
  readonly id: number;
  readonly from: Position | undefined;
  /**
   * Where the asker's endpoint state is, if it knows more than it was answered before: this is answered when the source has
   * read that far, too (R5).
   */
  readonly reached?: Position | undefined;
  /** Milliseconds for which its asker has waited, if this question was taken back before (L8). */
  readonly waited?: number | undefined;
}

/** Nobody waits any more for the answer to an attach (L8). */
export interface Cancel {
  readonly endpoint: string;
  readonly id: number;
}

/**
 * The answer to an attach; the next `count` update frames of this endpoint on this link are its body (U5).
 * They lead from `position` to `to`; if `to` is not yet `head`, the asker asks again from there.
 */
export interface Attached {
  readonly endpoint: string;
  readonly id: number;
  readonly verdict: Verdict;
  readonly to: Position;
  /**
   * For each epoch that the answer speaks of, the offset from which on the origin's index is complete. There the
   * body holds every update between the two ends; of other epochs the answer says nothing.
   */
  readonly horizon: Position;
  readonly count: number;
  /** Nothing is known here of the endpoint or of what was asked, and its home is in another slice (N4). */
  readonly notHome?: boolean | undefined;
  /** The key's home isn't one of the epochs of which it speaks: what was there may be missing in it. */
  readonly withoutHome?: boolean | undefined;
  /** Continuity was proved by reading the log again (R7), and not from the index. */
  readonly log?: boolean | undefined;
}

export function readAttach(o: v.InferOutput<typeof AttachSchema>): Attach {
  return { endpoint: o.attach, id: o.id, from: o.from, reached: o.reached, waited: o.waited };
}

export function readCancel(o: v.InferOutput<typeof CancelSchema>): Cancel {
  return { endpoint: o.cancel, id: o.id };
}

export function readAttached(o: v.InferOutput<typeof AttachedSchema>): Attached {
  return {
    endpoint: o.attached,
    id: o.id,
    to: o.to,
    horizon: o.horizon,
    count: o.count,
    notHome: o.notHome,
    withoutHome: o.withoutHome,
    log: o.log,
    verdict: { position: o.position, head: o.head, recovered: o.recovered, cause: o.cause },
  };
}

export function readWaiting(o: v.InferOutput<typeof WaitingSchema>) {
  return { kind: "waiting", endpoint: o.waiting, id: o.id } as const;
}

/** On a link the shard knows which link it is; on an uplink `link` says it. */
export function encodeAttach(attach: Attach, link?: number): string {
  return JSON.stringify({
    attach: attach.endpoint,
    id: attach.id,
    link,
    from: attach.from && formatPosition(attach.from),
    reached: attach.reached && formatPosition(attach.reached),
    waited: attach.waited,
  });
}

/** `link` as with an attach. */
export function encodeCancel({ endpoint, id }: Cancel, link?: number): string {
  return JSON.stringify({ cancel: endpoint, id, link });
}

export function encodeAttached(attached: Attached): string {
  return JSON.stringify({
    attached: attached.endpoint,
    id: attached.id,
    ...verdictFields(attached.verdict),
    to: formatPosition(attached.to),
    horizon: formatPosition(attached.horizon),
    count: attached.count,
    notHome: attached.notHome || undefined,
    withoutHome: attached.withoutHome || undefined,
    log: attached.log || undefined,
  });
}

export function encodeWaiting(endpoint: string, id: number): string {
  return JSON.stringify({ waiting: endpoint, id });
}
