/** How many records and batches partitions' logs have, read from the broker's own segments. Pure. */

/** Of a batch: its first offset, how long the rest is, and where in it the count of its records stands. */
const OFFSET_BYTES = 8;
const HEAD_BYTES = 12;
const ATTRIBUTES_AT = 21;
const COUNT_AT = 57;
const HEADER_BYTES = 61;
const IS_CONTROL = 0x20;

export interface Contents {
  readonly records: number;
  readonly batches: number;
}

/** Of several logs' bytes, each of which begins with a batch; marks of transactions don't count. */
export function contentsOf(logs: readonly Buffer[]): Contents {
  let batches = 0;
  let records = 0;
  for (const log of logs)
    for (let at = 0; at + HEADER_BYTES <= log.length; at += HEAD_BYTES + log.readInt32BE(at + OFFSET_BYTES)) {
      // What Kafka makes room for in advance is empty.
      if (log.readInt32BE(at + OFFSET_BYTES) <= 0) break;
      if ((log.readInt16BE(at + ATTRIBUTES_AT) & IS_CONTROL) !== 0) continue;
      batches++;
      records += log.readInt32BE(at + COUNT_AT);
    }
  return { records, batches };
}
