/** What becomes of links that are live: records are forwarded to them, or they are told that continuity is lost. */
import type { ResetCause } from "../../shared/protocol/codes.ts";
import type { Frame } from "../../shared/protocol/frame.ts";
import { withComponent } from "../../shared/protocol/position.ts";
import type { IndexedRecord } from "../index/record.ts";
import type { WatchCounts } from "./counts.ts";
import type { Watch } from "./interest.ts";
import { liveFrameOf, type SplitFrame } from "./record-frame.ts";
import { type SubjectPorts, standingOf } from "./subject.ts";

/** Sends a record to all who are live, or marks them as behind if their uplink is congested (U10). */
export function forward(ports: SubjectPorts, watch: Watch, record: IndexedRecord, counts: WatchCounts): void {
  const previous = watch.tails.get(record.epoch) ?? record.previous;
  let frame: Frame | SplitFrame | undefined;
  for (const interest of watch.interests.values()) {
    if (!interest.isLive || interest.forwarding.kind !== "on") continue;
    const { shard, address } = interest;
    if (shard.congested) {
      // A live link has all that came before this record.
      const from = withComponent(standingOf(ports, watch), record.epoch, previous ?? record.offset - 1);
      interest.step({ kind: "congested", from });
      shard.work.add(interest);
      continue;
    }
    frame ??= liveFrameOf(watch.endpoint.path, record, previous);
    shard.outbox.add(address, frame);
    counts.forwarded++;
  }
  watch.tails.set(record.epoch, record.offset);
}

/**
 * Live links of the endpoint are no longer forwarded to until they were told that continuity is lost: at once or, with
 * `until`, when the partition of that epoch is ready.
 */
export function lose(watch: Watch, cause: ResetCause, until?: string): void {
  for (const interest of watch.interests.values()) {
    if (!interest.isLive) continue;
    interest.step({ kind: "lost", at: new Map(watch.tails), cause, until });
    interest.shard.queue(interest);
  }
}
