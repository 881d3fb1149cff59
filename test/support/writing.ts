/** A producer that writes to some partitions of a topic all the time, whatever becomes of the brokers. */
import { recordOf } from "./contract-records.ts";
import type { JavaProducer } from "./kafka-producer.ts";

const ROUND = 3;

export interface Written {
  readonly value: string;
  /** Else it may have been written or not. */
  readonly acknowledged: boolean;
}

export class Writing {
  readonly #written = new Map<number, Written[]>();
  readonly #done: Promise<void>;
  #partitions: readonly number[];
  #rounds = 0;
  #stopped = false;

  constructor(producer: JavaProducer, topic: string, partitions: readonly number[]) {
    this.#partitions = partitions;
    this.#done = this.#run(producer, topic);
  }

  /** From the next round on. */
  writeTo(partitions: readonly number[]): void {
    this.#partitions = partitions;
  }

  get rounds(): number {
    return this.#rounds;
  }

  of(partition: number): readonly Written[] {
    return this.#written.get(partition) ?? [];
  }

  acknowledged(partition: number): readonly string[] {
    return this.of(partition).flatMap(({ value, acknowledged }) => (acknowledged ? [value] : []));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }

  async #run(producer: JavaProducer, topic: string): Promise<void> {
    while (!this.#stopped) {
      const round = this.#rounds;
      const records = this.#partitions.flatMap((partition) =>
        Array.from({ length: ROUND }, (_, i) => recordOf(partition, `${partition}:${round}.${i}`)),
      );
      const acknowledged = await producer.send(topic, records).then(
        () => true,
        () => false,
      );
      for (const { partition, value } of records) {
        const written = this.#written.get(partition) ?? [];
        this.#written.set(partition, written);
        written.push({ value: Buffer.from(value ?? []).toString(), acknowledged });
      }
      this.#rounds++;
    }
  }
}
