/**
 * What an origin sends, item by item: U3 of INTERNALS.md. Of an update only the header is read.
 */
import { type AddressedTo, decodeAddressed } from "../../../shared/protocol/addressed.ts";
import { type Frame, type Routing, routingOf } from "../../../shared/protocol/frame.ts";
import { parseObject } from "../../../shared/protocol/json-object.ts";
import type { RoutingReader } from "../../../shared/protocol/routing-reader.ts";
import { isUpdate } from "../../../shared/protocol/subscriber.ts";
import { decodeOriginSays, type OriginSays } from "../../../shared/protocol/uplink.ts";

/** What an origin says of how many subscribers an endpoint has. */
export type AboutCounts = Extract<OriginSays, { kind: "count" | "enough" | "elsewhere" }>;

export interface OriginItem {
  readonly to: AddressedTo;
  /** Without its address. */
  readonly frame: Frame;
  /** What it says; undefined for an update. */
  readonly says: OriginSays | undefined;
  readonly update: Routing | undefined;
  /** Why what it says to links, or to an asker, can't be read: that is between these and the origin. */
  readonly problem?: string;
}

/**
 * undefined if it can't be read.
 * @param heads What reads the heads of a link's frames; undefined if there is no such link.
 */
export function readItem(
  item: Frame,
  heads: (link: number) => RoutingReader | undefined,
): OriginItem | undefined {
  // A frame without an address, such as the hello, is for the shard.
  const bare = typeof item === "string" && item.startsWith("{");
  const addressed = bare ? { to: { kind: "shard" } as const, frame: item } : decodeAddressed(item);
  if (addressed === undefined) return undefined;
  const { to, frame } = addressed;
  if (typeof frame !== "string" || isUpdate(frame)) {
    const link = to.kind === "links" ? to.links[0] : undefined;
    const reader = link === undefined ? undefined : heads(link);
    const update = reader === undefined ? routingOf(frame) : reader.read(frame);
    return update && { to, frame, says: undefined, update };
  }
  const says = decodeOriginSays(frame);
  if (says.ok) return { to, frame, says: says.value, update: undefined };
  const isOfOthers = to.kind !== "shard" && parseObject(frame) !== undefined;
  return isOfOthers ? { to, frame, says: undefined, update: undefined, problem: says.problem } : undefined;
}

/** The endpoint that an item for links is about; undefined if it is about none. */
export function endpointOf({ says, update }: OriginItem): string | undefined {
  if (update !== undefined) return update.endpoint;
  if (says?.kind === "attached") return says.attached.endpoint;
  return says?.kind === "waiting" ? says.endpoint : undefined;
}

export function isAboutCounts(says: OriginSays | undefined): says is AboutCounts {
  return says?.kind === "count" || says?.kind === "enough" || says?.kind === "elsewhere";
}
