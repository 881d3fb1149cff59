/**
 * What is kept with the socket of an uplink, so that it outlives the shard's memory: whose it is, how it stands, and what an
 * active one takes along. Of one that was fenced only that is kept, and its name.
 */
import * as v from "valibot";
import { parseSlice, type Slice, WHOLE } from "../../../shared/protocol/slice.ts";
import type { HibernatingPeer } from "../../peer.ts";

/** How a socket stands. "greeting": its hello is due. "fenced": it has been closed, or another took over. */
export type Standing = "greeting" | "standby" | "active" | "fenced";

/** `generation` is 0 for one that was never active. */
const AttachmentSchema = v.object({
  kind: v.literal("uplink"),
  generation: v.number(),
  origin: v.string(),
  /** What its key may speak for, if not for all. */
  scope: v.optional(v.string()),
  ready: v.boolean(),
  nextLink: v.number(),
  /** Left out if it is the whole. */
  slice: v.optional(v.string()),
  /** Left out by versions before standbys: in these an uplink with a generation is active, another one is greeting. */
  standing: v.optional(v.picklist(["greeting", "standby", "active", "fenced"])),
});

type Written = v.InferOutput<typeof AttachmentSchema>;

export interface UplinkAttachment extends Omit<Written, "kind" | "standing"> {
  readonly standing: Standing;
}

/** Of a socket that is neither active nor standing by, only the name matters. */
const UNKNOWN = { generation: 0, origin: "", ready: false, nextLink: 0 } as const;

/** An uplink that was just accepted. `origin`: the name that its key gives it, which its hello must say. */
export function greet(socket: HibernatingPeer, origin: string, scope: string | undefined): void {
  save(socket, { ...UNKNOWN, origin, ...(scope !== undefined && { scope }), standing: "greeting" });
}

/** What its key calls the origin of an uplink; undefined if that can't be read any more. */
export function verifiedName(socket: HibernatingPeer): string | undefined {
  return load(socket)?.origin || undefined;
}

/** What its key may speak for, as text; undefined: for all. */
export function verifiedScope(socket: HibernatingPeer): string | undefined {
  return load(socket)?.scope;
}

/** Nothing that it still says counts. Its name stays known, for the log. */
export function fence(socket: HibernatingPeer): void {
  save(socket, { ...UNKNOWN, origin: verifiedName(socket) ?? UNKNOWN.origin, standing: "fenced" });
}

/** Of a socket that is no slice's active one and doesn't stand by. */
export function strangersStanding(socket: HibernatingPeer): "greeting" | "fenced" {
  return load(socket)?.standing === "greeting" ? "greeting" : "fenced";
}

/** The slice of a socket that outlived the shard's memory. */
export function survivorsSlice(socket: HibernatingPeer): Slice {
  return parseSlice(load(socket)?.slice ?? "") ?? WHOLE;
}

export function save(socket: HibernatingPeer, facts: UplinkAttachment): void {
  socket.serializeAttachment({ kind: "uplink", ...facts } satisfies Written);
}

/** undefined if it can't be read. */
export function load(socket: HibernatingPeer): UplinkAttachment | undefined {
  const result = v.safeParse(AttachmentSchema, socket.deserializeAttachment());
  if (!result.success) return undefined;
  const { generation, standing = generation === 0 ? "greeting" : "active" } = result.output;
  return { ...result.output, standing };
}
