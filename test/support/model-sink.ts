/** A log whose topic gets partitions, as several origins know it that are behind by as much as the test wants. In memory. */
import {
  type BatchOutcome,
  type Claim,
  type ClaimRequest,
  type KnownPublish,
  type Sink,
  type SinkBatch,
  SinkError,
  type SinkRecord,
  type TopicCount,
} from "../../origin/publish/sink.ts";

export interface ModelPorts {
  /** How long something takes, in milliseconds. */
  readonly delay: () => number;
  /** Whether an answer is lost. */
  readonly isLost: () => boolean;
}

interface Partition {
  readonly known: KnownPublish[];
  /** Of the last claim. */
  claims: number;
}

export class ModelTopic {
  readonly partitions: Partition[] = [];
  /** That nobody leads. */
  readonly leaderless = new Set<number>();
  readonly settled = new Set<number>();

  constructor(partitions: number) {
    this.grow(partitions);
  }

  grow(more: number): void {
    for (let i = 0; i < more; i++) this.partitions.push({ known: [], claims: 0 });
  }

  get epochs(): readonly string[] {
    return this.partitions.map((_, partition) => `t.${partition}`);
  }
}

/** As one origin has it. */
export class ModelSink implements Sink {
  readonly #topic: ModelTopic;
  readonly #ports: ModelPorts;
  /** How many partitions the broker tells that is asked for the topic. */
  seen: number;

  constructor(topic: ModelTopic, ports: ModelPorts) {
    this.#topic = topic;
    this.#ports = ports;
    this.seen = topic.partitions.length;
  }

  async partitions(): Promise<readonly string[]> {
    await this.#wait();
    return this.#topic.epochs.slice(0, this.seen);
  }

  /** As Kafka's: whoever leads the partition is asked before it is fenced, and after what was published is read. */
  async claim({ partition, learn }: ClaimRequest): Promise<Claim> {
    await this.#wait();
    if (this.#topic.leaderless.has(partition))
      throw new SinkError("unavailable", `nobody leads ${partition}`);
    const before = this.#topic.partitions.length;
    await this.#wait();
    const number = ++this.#at(partition).claims;
    await this.#wait();
    for (const publish of this.#at(partition).known) learn(publish);
    const after = this.#topic.partitions.length;
    await this.#wait();
    if (before !== after) throw new SinkError("unavailable", "the topic has got partitions just now");
    if (this.#at(partition).claims !== number) throw new SinkError("fenced", "another one has claimed it");
    return {
      writer: { id: 1, epoch: number },
      partitions: after,
      guarantee: undefined,
      forgets: undefined,
      lost: new AbortController().signal,
      batch: (records, timestamp) => this.#batch(partition, number, records, timestamp),
      release: () => {},
    };
  }

  async isSettled({ epochs }: TopicCount): Promise<boolean> {
    await this.#wait();
    return this.#topic.settled.has(epochs.length);
  }

  async settle({ epochs }: TopicCount): Promise<void> {
    await this.#wait();
    this.#topic.settled.add(epochs.length);
  }

  async close(): Promise<void> {}

  #batch(partition: number, number: number, records: readonly SinkRecord[], timestamp: number): SinkBatch {
    let first: number | undefined;
    const append = (): BatchOutcome => {
      const { claims, known } = this.#at(partition);
      if (first !== undefined) return { kind: "appended", offset: first };
      if (claims !== number) return { kind: "fenced" };
      first = known.length;
      for (const { mark } of records) known.push({ ...mark, offset: known.length, timestamp });
      return { kind: "appended", offset: first };
    };
    return {
      send: async (isLate) => {
        await this.#wait();
        if (isLate())
          return first === undefined
            ? { kind: "notNow", message: "late" }
            : { kind: "unknown", message: "late" };
        const outcome = append();
        await this.#wait();
        return this.#ports.isLost() ? { kind: "unknown", message: "no answer" } : outcome;
      },
    };
  }

  #at(partition: number): Partition {
    const found = this.#topic.partitions[partition];
    if (found === undefined) throw new SinkError("changed", "there is no such partition");
    return found;
  }

  async #wait(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, this.#ports.delay()));
  }
}
