/**
 * A process that fills an index until it is killed: `index-writer.ts FOLDER`. Each record is a function of
 * its offset, so that whoever looks afterwards knows what must be there. Says on stdout after every few
 * thousand records that it is still at it.
 */
import { openIndex } from "../../origin/index/index.ts";
import type { Batch, SourceRecord } from "../../origin/source/source.ts";

export const WRITER_KEYS = Array.from({ length: 50 }, (_, n) => `key ${n}`);

export const WRITER_PARTITIONS = [
  { topic: "t", partition: 0, epoch: "t.0" },
  { topic: "t", partition: 1, epoch: "t.1" },
  { topic: "c", partition: 0, epoch: "c.0" },
] as const;

export function nthRecord(offset: number): SourceRecord {
  // Scatters neighbours; every eleventh has no key.
  const mixed = Math.imul(offset + 1, 0x9e3779b1) >>> 0;
  const key = mixed % 11 === 0 ? null : Buffer.from(WRITER_KEYS[mixed % WRITER_KEYS.length] ?? "");
  const value = mixed % 13 === 0 ? null : Buffer.from(`value of ${offset}`);
  return { offset, timestamp: 1_000 + offset, key, value, headers: [] };
}

export function nthBatch(from: number, count: number): Batch {
  const records = Array.from({ length: count }, (_, at) => nthRecord(from + at));
  return { records, nextOffset: from + count, endOffset: from + count };
}

if (import.meta.main) {
  const { index } = openIndex({
    directory: process.argv[2] ?? "",
    topics: new Map([
      ["t", { maxAgeMs: undefined, keepLatest: false }],
      ["c", { maxAgeMs: undefined, keepLatest: true }],
    ]),
    bounds: { maxRecords: 1e9, maxBytes: 1e12 },
    now: Date.now,
  });
  const next = WRITER_PARTITIONS.map(
    ({ topic, partition, epoch }) =>
      index.begin(topic, { partition, epoch, startOffset: 0, endOffset: 1e9 }, 0).from,
  );
  for (let round = 0; round < 2_000; round++) {
    for (const [at, { topic, partition, epoch }] of WRITER_PARTITIONS.entries()) {
      const batch = nthBatch(next[at] ?? 0, (round * 7 + at) % 90);
      index.append(topic, partition, epoch, batch);
      next[at] = batch.nextOffset;
    }
    if (round % 10 === 9) process.stdout.write("on\n");
  }
}
