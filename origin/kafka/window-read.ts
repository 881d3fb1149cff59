/**
 * Reads back what was published to a partition, up to the mark of one's own fence: nothing that a predecessor had under
 * way can be appended behind that. Transactions that are open don't hold this up, and what belongs to one is never ours.
 */

import { readMark } from "../publish/mark.ts";
import type { KnownPublish } from "../publish/sink.ts";
import { turns } from "../reading/turns.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import { type BatchHeader, batches, isIdempotent, isMark, readTo } from "./batch-headers.ts";
import { type FetchFrom, fetchRequest } from "./fetch-request.ts";
import { kafkaError } from "./patience.ts";
import type { ProducerIdentity } from "./produce-requests.ts";
import { recordsOf } from "./record-batches.ts";
import type { Request } from "./request.ts";
import { KAFKA_ERROR } from "./requests.ts";
import { TooLargeError } from "./unpacked.ts";
import type { Long } from "./wire.ts";

const FETCH_BYTES = 4 * 1024 * 1024;
/** No batch that was published is as large. */
const MAX_BATCH_BYTES = 32 * 1024 * 1024;

export interface PublishWindow {
  /** Where one's own mark is, and when the broker wrote it, in milliseconds since 1970. */
  readonly markOffset: number;
  readonly markedAt: number;
  /**
   * When this producer id is first met, by its mark, if another id had published before that. Whoever had it may have died
   * before marking: it need not be of epoch 0.
   */
  readonly newIdAt: number | undefined;
}

/** Rejects when the partition can't be read, or is no longer led by whom it is asked of. */
export async function readWindow(
  send: <T>(request: Request<T>) => Promise<T>,
  from: FetchFrom,
  { producerId, producerEpoch }: ProducerIdentity,
  learn: (publish: KnownPublish) => void,
  signal: AbortSignal,
): Promise<PublishWindow> {
  let hasOthers = false;
  const marked = new Set<Long>();
  // Of whoever wrote to this topic, and not to one of its name before it, the log then has a mark.
  const isOther = (id: Long) => id !== producerId && (from.offset > 0 || marked.has(id));
  let newIdAt: number | undefined;
  let isMet = false;
  let at = { offset: from.offset, leaderEpoch: -1 };
  let heardAt = performance.now();
  for (;;) {
    signal.throwIfAborted();
    const request = fetchRequest([{ ...from, offset: at.offset }], {
      waitMs: TIME_LIMITS.fetchHeldMs,
      maxBytes: FETCH_BYTES,
      partitionMaxBytes: FETCH_BYTES,
      uncommitted: true,
    });
    const [fetched] = await send(request);
    if (fetched === undefined) throw new Error("the broker's answer leaves out the partition");
    if (fetched.error !== KAFKA_ERROR.none) throw kafkaError("what was published", fetched.error);
    for (const batch of batches(fetched.records)) {
      if (batch.lastOffset < at.offset) continue;
      const time = Number(batch.maxTimestamp);
      if (isMark(batch)) marked.add(batch.producerId);
      if (isMark(batch) && batch.producerId === producerId) {
        if (!isMet && hasOthers) newIdAt = time;
        if (batch.producerEpoch === producerEpoch)
          return { markOffset: batch.lastOffset, markedAt: time, newIdAt };
      }
      isMet ||= batch.producerId === producerId;
      if (isIdempotent(batch)) {
        const published = publishedIn(batch, fetched.records);
        hasOthers ||= published.length > 0 && isOther(batch.producerId);
        for (const publish of published) learn(publish);
      }
      if (turns.isSpent()) await turns.later();
    }
    if (fetched.records.length > 0) {
      at = readTo(fetched.records, at);
      heardAt = performance.now();
    } else if (performance.now() - heardAt > TIME_LIMITS.publishClaimMs)
      throw new Error("the mark of a committed transaction does not come");
  }
}

function publishedIn(batch: BatchHeader, answer: Buffer): KnownPublish[] {
  const known: KnownPublish[] = [];
  try {
    for (const { offset, timestamp = 0, headers } of recordsOf(batch, answer, MAX_BATCH_BYTES)) {
      const mark = readMark(headers);
      if (mark !== undefined) known.push({ ...mark, offset, timestamp });
    }
  } catch (error) {
    if (!(error instanceof TooLargeError)) throw error;
  }
  return known;
}
