/** Replays a data set into the embedded log for ever. */
import type { FeedRecord } from "./feed-data.ts";
import type { EmbeddedLog } from "./log.ts";

/** A data set and its topic. */
export interface Replay {
  readonly topic: string;
  /** Replayed in turn and for ever. */
  readonly records: readonly FeedRecord[];
  readonly perSecond: number;
}

/** Of each partition: a day or more, so that the log does not grow without end. */
const RETAIN_RECORDS = 200_000;
/** What an empty topic begins with, so that there is something to see everywhere at once. */
const BACKLOG_SECONDS = 600;

/**
 * Appends the records of one data set one by one at about its rate, beginning where the topic stands: by how
 * many records it has had. Returns how to stop it. `failed` is called at most once, with what an append
 * throws; it has stopped then.
 */
export function replay(
  log: EmbeddedLog,
  { topic, records, perSecond }: Replay,
  failed: (error: unknown) => void,
): () => void {
  log.createTopic(topic, { retainRecords: RETAIN_RECORDS });
  const gapMs = 1_000 / perSecond;
  let next = log.topic(topic)?.partitions.reduce((sum, { endOffset }) => sum + endOffset, 0) ?? 0;
  const newRecord = (timestamp: number) => {
    const { key = "", value = "" } = records[next++ % records.length] ?? {};
    return { key: Buffer.from(key), value: Buffer.from(value), timestamp };
  };
  if (next === 0) {
    const count = BACKLOG_SECONDS * perSecond;
    const start = Date.now() - count * gapMs;
    log.append(
      topic,
      Array.from({ length: count }, (_, i) => newRecord(Math.floor(start + i * gapMs))),
    );
  }
  const appendOne = () => {
    try {
      log.append(topic, [newRecord(Date.now())]);
      timer = wait();
    } catch (error) {
      failed(error);
    }
  };
  // Uneven, as arrivals are.
  const wait = () => setTimeout(appendOne, gapMs * (0.5 + Math.random()));
  let timer = wait();
  return () => clearTimeout(timer);
}
