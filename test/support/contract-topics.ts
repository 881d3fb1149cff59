/** Topics of a log that is held to the contract of sources, and reads of them, which end with their test. */
import { randomUUID } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import type { PartitionInfo } from "../../origin/source/source.ts";
import { type OnBatch, partitionsOf, Reading } from "./reading.ts";
import type { ContractLog } from "./source-contract.ts";

/** Some turns of the event loop, so that a read that has nothing to do has come to rest. */
export const turns = async () => {
  for (let turn = 0; turn < 5; turn++) await setImmediate();
};

export class ContractTopics {
  /** Known once the tests run. */
  readonly of: () => ContractLog;
  #readings: Reading[] = [];

  constructor(of: () => ContractLog) {
    this.of = of;
  }

  readonly newTopic = async (partitions = 1): Promise<string> => {
    const topic = `contract-${randomUUID()}`;
    await this.of().createTopic(topic, partitions);
    return topic;
  };

  readonly infosOf = (topic: string): Promise<readonly PartitionInfo[]> =>
    partitionsOf(this.of().source, topic);

  readonly infoOf = async (topic: string, partition = 0): Promise<PartitionInfo> => {
    const info = (await this.infosOf(topic))[partition];
    if (info === undefined) throw new Error(`${topic}/${partition} is not described`);
    return info;
  };

  readonly read = async (topic: string, partition = 0, from = 0, onBatch?: OnBatch): Promise<Reading> => {
    const { epoch } = await this.infoOf(topic, partition);
    return this.readAs(topic, partition, epoch, from, onBatch);
  };

  readonly readAs = (
    topic: string,
    partition: number,
    epoch: string,
    from: number,
    onBatch?: OnBatch,
  ): Reading => {
    const reading = new Reading(this.of().source, { topic, partition, epoch, from }, onBatch);
    this.#readings.push(reading);
    return reading;
  };

  readonly needIds = (skip: (reason: string) => never): void => {
    if (this.of().tellsTopicsApart === false) skip("this log doesn't tell topics of one name apart");
  };

  async endReadings(): Promise<void> {
    for (const reading of this.#readings) reading.abort();
    await Promise.allSettled(this.#readings.map(({ ended }) => ended));
    this.#readings = [];
  }
}
