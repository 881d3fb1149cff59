/**
 * The embedded log as a Sink. A writer's number stands in the file beside the records, and is looked at within the
 * transaction that appends: nobody appends who has been relieved.
 */
import { markHeader, readMark } from "../publish/mark.ts";
import {
  type BatchOutcome,
  type Claim,
  type ClaimRequest,
  type Sink,
  SinkError,
  type SinkRecord,
} from "../publish/sink.ts";
import { turns } from "../reading/turns.ts";
import { epochOf } from "../source/epoch.ts";
import { type EmbeddedLog, LogError, type PartitionHolder } from "./log.ts";

/** Of what was published, read at once. */
const READ_RECORDS = 1_000;
const READ_BYTES = 1024 * 1024;
/** Kafka's own default, so that what is tried here holds there. */
const MAX_BATCH_BYTES = 1024 * 1024 + 16 * 1024;

export class EmbeddedSink implements Sink {
  readonly #log: EmbeddedLog;

  /** The log stays its owner's to close, after the sink. */
  constructor(log: EmbeddedLog) {
    this.#log = log;
  }

  async partitions(topic: string): Promise<readonly string[] | undefined> {
    return asking(() => {
      const found = this.#log.topic(topic);
      return found?.partitions.map((_, partition) => epochOf(found.id, partition));
    });
  }

  async claim(request: ClaimRequest): Promise<Claim> {
    const { topic, partition, epoch } = request;
    const number = asking(() => this.#log.takeOver(topic, partition, epoch));
    const partitions = asking(() => this.#log.topic(topic)?.partitions.length ?? 0);
    await this.#learn(request);
    return new EmbeddedClaim(this.#log, topic, { partition, epoch, number }, partitions);
  }

  /** Its topics get no more partitions. */
  async isSettled(): Promise<boolean> {
    return true;
  }

  async settle(): Promise<void> {}

  async close(): Promise<void> {}

  /** Clocks may differ, and records be a little out of order: as with Kafka, twice as much is read as is promised. */
  async #learn({ topic, partition, windowMs, learn, signal }: ClaimRequest): Promise<void> {
    let from = asking(() => this.#log.offsetAt(topic, partition, Date.now() - 2 * windowMs));
    while (from !== undefined && !signal.aborted) {
      const at = from;
      const records = asking(() => this.#log.read(topic, partition, at, READ_RECORDS, READ_BYTES));
      for (const { offset, timestamp = 0, headers } of records) {
        const mark = readMark(headers);
        if (mark !== undefined) learn({ ...mark, offset, timestamp });
      }
      const last = records.at(-1);
      from = last && last.offset + 1;
      if (turns.isSpent()) await turns.later();
    }
  }
}

class EmbeddedClaim implements Claim {
  readonly writer: Claim["writer"];
  readonly partitions: number;
  readonly guarantee = undefined;
  readonly forgets = undefined;
  readonly #log: EmbeddedLog;
  readonly #topic: string;
  readonly #holder: PartitionHolder;
  readonly #lost = new AbortController();

  constructor(log: EmbeddedLog, topic: string, holder: PartitionHolder, partitions: number) {
    this.writer = { id: 0, epoch: holder.number };
    this.partitions = partitions;
    this.#log = log;
    this.#topic = topic;
    this.#holder = holder;
  }

  /** Another that takes the partition over says nothing: it is found out by appending. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  batch(records: readonly SinkRecord[], timestamp: number) {
    let isDoubtful = false;
    const send = async (isLate: () => boolean): Promise<BatchOutcome> => {
      // A commit that failed may be in the file all the same: the next claim reads what is there.
      if (isDoubtful) return { kind: "stale", message: "the file could not be written" };
      if (isLate()) return { kind: "notNow", message: "its time was over before it was written" };
      const outcome = this.#append(records, timestamp);
      isDoubtful = outcome.kind === "unknown";
      return outcome;
    };
    return { send };
  }

  release(): void {}

  #append(records: readonly SinkRecord[], timestamp: number): BatchOutcome {
    const size = records.reduce((sum, { key, value }) => sum + key.length + (value?.length ?? 0), 0);
    if (size > MAX_BATCH_BYTES)
      return { kind: "refused", why: "tooLarge", message: `the log takes up to ${MAX_BATCH_BYTES} bytes` };
    const { partition } = this.#holder;
    try {
      const rows = records.map(({ key, value, headers, mark }) => ({
        ...{ key, value, headers: [...headers, markHeader(mark)] },
        ...{ timestamp, partition },
      }));
      const [first] = this.#log.append(this.#topic, rows, this.#holder);
      return { kind: "appended", offset: first?.offset ?? 0 };
    } catch (error) {
      if (!(error instanceof LogError)) throw error;
      const { code, message } = error;
      if (code === "fenced") return { kind: "fenced" };
      if (code === "unavailable") return { kind: "unknown", message };
      if (code === "invalid_record") return { kind: "refused", why: "invalid", message };
      return { kind: "stale", message };
    }
  }
}

function asking<T>(body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (!(error instanceof LogError)) throw error;
    const isOther = error.code === "unknown_topic" || error.code === "unknown_partition";
    throw new SinkError(isOther ? "changed" : "unavailable", error.message, { cause: error });
  }
}
