/** What an uplink is dialled with, and how it ends. */
import type { Slice } from "../../shared/protocol/slice.ts";
import type { ShardHello } from "../../shared/protocol/uplink.ts";
import type { OccupancyExchange } from "../occupancy/exchange.ts";
import type { Log } from "../operate/log.ts";
import type { PublishDoor } from "../publish/door.ts";
import type { RevocationSpreading } from "../revocations/spreading.ts";
import type { WatchList } from "../watch/watch-list.ts";
import type { Silence } from "./silence.ts";

export interface ConnectionOptions {
  readonly url: URL;
  readonly shard: number;
  /** Value of the Authorization header. */
  readonly authorization: string;
  readonly origin: string;
  readonly slice: Slice;
  readonly watchList: WatchList;
  readonly publishes: PublishDoor | undefined;
  /** Undefined if nothing is known, and nothing kept, of revocations. */
  readonly revocations: Pick<RevocationSpreading, "known" | "spread"> | undefined;
  /** The shard's edge, as this origin names it. */
  readonly edge: string;
  /** Undefined if numbers of subscribers aren't told to other edges. */
  readonly occupancy: OccupancyExchange | undefined;
  readonly log: Log;
  readonly timing: ConnectionTiming;
  /** Of all uplinks to the shard, one after the other. */
  readonly silence: Silence;
  /** Unsent bytes at which forwarding pauses. */
  readonly backlogBytes: number;
  /** The shard's hello has come. */
  readonly greeted: (hello: ShardHello) => void;
  /** Whether all partitions have been read to the end that they had at start. */
  readonly isReady: () => boolean;
  /** The watch list threw. */
  readonly failed: (error: unknown) => void;
}

/** Milliseconds. */
export interface ConnectionTiming {
  readonly pingMs: number;
  /** A dial that takes longer has failed, and so has an uplink on which nothing is heard for this long, or as `Silence` has it. */
  readonly deadMs: number;
  /** For each message of what has been read, on average: see pace.ts. */
  readonly batchMs: number;
}

/**
 * How a connection ended. `replaced`: another origin took over, or one of the same name (U12, U14). `refused`: the
 * same would happen again if it were dialled at once.
 */
export interface Ended {
  readonly how: "closed" | "replaced" | "refused";
  readonly greeted: boolean;
  readonly reason: string;
  /** It is refused for a clock that is wrong, which may be set right at any moment. */
  readonly mayPass?: boolean;
}
