/** What the last run had buffered of the tails, and not written back: read again from the batches when the index is opened. */
import type { DatabaseSync } from "node:sqlite";
import type { Batches } from "./batches.ts";
import type { IndexedPartitions } from "./indexed-partitions.ts";
import type { TopicRetentions } from "./retention.ts";
import { integer } from "./schema.ts";
import { tailName } from "./tail-table.ts";
import { Tails } from "./tails.ts";

/** Tails buffered in memory before they are written back: less than 2 MB, and two such are held. */
const TAILS = 32_768;

/** The tails, with what the last run did not write back. */
export function replayedTails(
  db: DatabaseSync,
  partitions: IndexedPartitions,
  batches: Batches,
  topics: TopicRetentions,
): Tails {
  const state = db.prepare("SELECT arrival, replay_from FROM state").get();
  const from = integer(state?.replay_from);
  const isWhole = from === integer(state?.arrival);
  const tails = new Tails(db, TAILS, from);
  const live = new Set<number>();
  for (const partition of partitions.live()) {
    live.add(partition.id);
    // Tails of compacted topics are written when their batches go.
    if (!isWhole && !topics.get(partition.topic)?.keepLatest) partition.exactFrom = partition.stored.horizon;
  }
  for (const { partition, blob } of batches.from(from)) {
    if (!live.has(partition)) continue;
    for (let index = 0; index < blob.count; index++)
      tails.set(partition, tailName(blob.key(index)), blob.offset(index));
  }
  return tails;
}
