/**
 * Counts what passes: records that are read, and events that are told of. It stands around the source and the log,
 * so that neither knows of it, and costs an addition or two for each record.
 */

import type { Batch, Source } from "../source/source.ts";
import type { EventName, Log } from "./log.ts";

/** What was read of one topic. */
export interface ReadCounts {
  records: number;
  /** Of keys and values, as they were before compression. */
  bytes: number;
}

/** Reasons to try again that are told apart; it is a small set, of codes of errors. */
const MAX_REASONS = 32;

export class Meter {
  readonly read = new Map<string, ReadCounts>();
  readonly events = new Map<EventName, number>();
  /** Retries of reading, by the code of what failed. */
  readonly retries = new Map<string, number>();

  /** The same source, but counted. */
  source(source: Source): Source {
    return {
      topics: () => source.topics(),
      describe: (topic) => source.describe(topic),
      offsetAt: (when) => source.offsetAt(when),
      close: () => source.close(),
      read: (request, onBatch) => {
        const counts = this.#of(request.topic);
        return source.read(request, (batch) => {
          count(counts, batch);
          return onBatch(batch);
        });
      },
    };
  }

  /** The same log, but counted, whatever its level. */
  log(log: Log): Log {
    return (event, fields) => {
      this.events.set(event, (this.events.get(event) ?? 0) + 1);
      const code = fields?.code;
      if (fields?.retryMs !== undefined && typeof code === "string") this.#retry(code);
      log(event, fields);
    };
  }

  #of(topic: string): ReadCounts {
    const known = this.read.get(topic);
    if (known !== undefined) return known;
    const counts = { records: 0, bytes: 0 };
    this.read.set(topic, counts);
    return counts;
  }

  #retry(code: string): void {
    const known = this.retries.get(code);
    if (known !== undefined || this.retries.size < MAX_REASONS) this.retries.set(code, (known ?? 0) + 1);
  }
}

function count(counts: ReadCounts, { records }: Batch): void {
  let bytes = 0;
  for (const { key, value } of records) bytes += (key?.length ?? 0) + (value?.length ?? 0);
  counts.bytes += bytes;
  counts.records += records.length;
}
