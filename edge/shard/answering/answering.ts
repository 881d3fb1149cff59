/**
 * How questions come to the origins of a shard, and their answers to whoever asked. There are two ways: one origin reads
 * all partitions, and what it says is passed on as it is (direct.ts); or several share them, each question goes to
 * each of them, and their answers are put together (scatter-gather.ts, scattered-gets.ts). `ways.ts` chooses.
 *
 * Which way it is changes when another number of slices is served (N9). The next one takes over what is open: it puts it
 * to the origins as they become active, one after another.
 */
import type { Attach } from "../../../shared/protocol/attach.ts";
import type { Downlink } from "../links/downlink.ts";
import type { LingerPorts } from "../links/linger.ts";
import type { Watch } from "../links/links.ts";
import type { OriginItem } from "../uplinks/origin-items.ts";
import type { Get } from "./latest.ts";

export interface AnsweringPorts extends LingerPorts {
  readonly down: Pick<Downlink, "add" | "addAll">;
  /** All that is watched, on each link. */
  watches(): Iterable<Watch>;
  /** Numbers of the slices that have an active origin. */
  present(): readonly number[];
  /** To the active origin of a slice. */
  send(frames: readonly string[], slice: number): void;
}

/** What objects ask, and what comes down for them: L4–L8, U4–U7. */
export interface Attaches {
  /** An object asks. */
  ask(watch: Watch, attach: Attach): void;
  /** Nobody waits for the answer any more. */
  cancel(watch: Watch, id: number): void;
  /** Nobody watches it any more. */
  forget(watch: Watch): void;
  /** What an origin that has just become active for a slice is to be asked. What one before it said doesn't count. */
  repeat(slice: number): string[];
  /** A slice has no active origin any more. */
  lost(slice: number): void;
  /** What the origin of a slice says to the link of a watch. */
  take(watch: Watch, slice: number, item: OriginItem): void;
  /** Another number of slices is served: what was asked won't be answered here. */
  end(): void;
}

/** What GETs ask: U8. */
export interface Gets {
  put(get: Get): void;
  /** Nobody waits for its answer any more. */
  drop(id: number): void;
  /** Puts all that is open to an origin that has just become active for a slice. */
  repeat(slice: number): void;
  /** A slice has no active origin any more. */
  lost(slice: number): void;
  /** What the origin of a slice says to the asker of a question. Answers that come too late are dropped. */
  take(id: number, slice: number, item: OriginItem): void;
  /** Another number of slices is served: what was asked won't be answered here. */
  end(): void;
}

export interface Answering {
  readonly attaches: Attaches;
  readonly gets: Gets;
}
