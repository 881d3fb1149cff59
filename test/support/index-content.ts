/** Everything that an origin left in its index, read in the order in which it was stored. */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Batches } from "../../origin/index/batches.ts";
import { type KeyDigest, RecordDigests } from "./record-digest.ts";

export interface IndexContent {
  readonly keys: ReadonlyMap<string, KeyDigest>;
  readonly records: number;
  readonly keyless: number;
  /** Where a record's predecessor isn't the one before it on its key in its partition, or offsets don't grow. */
  readonly violations: readonly string[];
}

/** @param dataDir Of an origin that has ended. Its topic is the only one. */
export function indexContent(dataDir: string): IndexContent {
  const db = new DatabaseSync(join(dataDir, "origin/index.db"));
  const digests = new RecordDigests();
  const tails = new Map<string, number>();
  const violations: string[] = [];
  let records = 0;
  for (const { partition, blob } of new Batches(db).from(0))
    for (let i = 0; i < blob.count; i++) {
      const record = blob.record(i, String(partition));
      const name = `${partition}/${Buffer.from(record.key).toString("hex")}`;
      const before = tails.get(name);
      if (record.previous !== before || record.offset <= (before ?? -1))
        violations.push(`${name}: ${record.offset} names ${record.previous} and follows ${before}`);
      tails.set(name, record.offset);
      const { value } = record;
      if (value !== null && "omitted" in value) violations.push(`${name}: ${record.offset} has no value`);
      else digests.add({ ...record, value });
      records++;
    }
  const keyless = Number(db.prepare("SELECT sum(keyless) AS sum FROM partition").get()?.sum);
  db.close();
  return { keys: digests.finish(), records, keyless, violations };
}
