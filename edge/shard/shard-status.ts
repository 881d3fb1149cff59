/** What a shard tells of itself: who answers for it, and how much is watched. */
import { formatSlice, WHOLE } from "../../shared/protocol/slice.ts";
import type { Links } from "./links/links.ts";
import type { SliceStatus, Slices } from "./uplinks/slices.ts";

export interface ShardStatus {
  /** Whether each slice has an origin that is connected. */
  readonly connected: boolean;
  /** Whether these have read all partitions to the end that they had at start. */
  readonly ready: boolean;
  /** The name of the active origin, if it reads all partitions. */
  readonly origin: string | null;
  /** Of the last change of leadership, or of this life of the shard. */
  readonly generation: number;
  readonly standbys: SliceStatus["standbys"];
  /** One for all partitions, or those into which origins divide them. */
  readonly slices: readonly SliceStatus[];
  /** Endpoints. */
  readonly watched: number;
  readonly links: number;
  /** Of tokens that it knows to count no more. */
  readonly revocations: number;
}

export function statusOf(slices: Slices, links: Links, revocations: number): ShardStatus {
  const all = slices.status();
  return {
    connected: all.every(({ connected }) => connected),
    ready: all.every(({ ready }) => ready),
    origin: all.find(({ slice }) => slice === formatSlice(WHOLE))?.origin ?? null,
    generation: slices.generations.current,
    standbys: slices.standbys(),
    slices: all,
    watched: links.watched(),
    links: links.size,
    revocations,
  };
}
