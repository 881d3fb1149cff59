/** The reading half of an origin over a real source, its index in memory: what it has read, partition by partition. */
import { Consumer } from "../../origin/reading/consumer.ts";
import type { ReadTiming } from "../../origin/reading/context.ts";
import type { Source } from "../../origin/source/source.ts";
import { Streams } from "../../shared/config/streams.ts";
import { values } from "./contract-records.ts";
import { eventually } from "./deadline.ts";
import type { RecordedLog } from "./recorded-log.ts";
import { SmallOrigin, STREAM } from "./small-origin.ts";

const TIMING = { retry: { baseMs: 100, maxMs: 1_000 }, absentMs: 200, describeMs: 500, forgetMs: 60_000 };

export class Following {
  readonly origin: SmallOrigin;
  readonly #topic: string;
  readonly #consumer: Consumer;
  /** Values in the order read, by epoch. */
  readonly #read = new Map<string, string[]>();
  readonly #fatal: unknown[] = [];

  /** @param timing Short, unless it is to be the product's own. */
  constructor(source: Source, topic: string, timing: ReadTiming | "usual" = TIMING) {
    const stream = { ...STREAM, topic };
    this.#topic = topic;
    this.origin = new SmallOrigin([stream]);
    const { forwarder, partitions, recorded } = this.origin;
    const forward = forwarder.batch.bind(forwarder);
    forwarder.batch = (name, partition, epoch, batch) => {
      forward(name, partition, epoch, batch);
      const read = this.#read.get(epoch) ?? [];
      this.#read.set(epoch, read);
      read.push(...values(batch.records).map(String));
    };
    this.#consumer = new Consumer({
      source,
      streams: new Streams([stream]),
      forwarder,
      partitions,
      log: recorded.log,
      random: () => 1,
      now: Date.now,
      fatal: (error) => this.#fatal.push(error),
      ...(timing !== "usual" && { timing }),
    });
    this.#consumer.start();
  }

  get recorded(): RecordedLog {
    return this.origin.recorded;
  }

  partition(number: number) {
    return this.origin.partitions.of(this.#topic)?.find(({ partition }) => partition === number);
  }

  /** What was read of the partition as it is now. */
  read(number: number): readonly string[] {
    return this.#read.get(this.partition(number)?.epoch ?? "") ?? [];
  }

  /** Resolves once what was read of the partition ends with this value. */
  async reaches(number: number, value: string | undefined): Promise<void> {
    await eventually(
      () => {
        if (this.#fatal.length > 0) throw this.#fatal[0];
        return value === undefined || this.read(number).includes(value);
      },
      `partition ${number} is read to ${value}`,
      60_000,
    );
  }

  async stop(): Promise<void> {
    await this.#consumer.stop();
  }
}
