/** The contract of sources as one property: produce, read and stop in any order, against a model. */
import fc from "fast-check";
import { expect } from "vitest";
import { BASE_TIME, type ContractRecord, content, range } from "./contract-records.ts";
import type { Reading } from "./reading.ts";
import type { ContractLog } from "./source-contract.ts";

const PARTITIONS = 3;

const bytes = fc.option(fc.uint8Array({ maxLength: 20 }), { nil: null });
const produced = fc.record({
  timestamp: fc.integer({ min: BASE_TIME - 1_000, max: BASE_TIME + 1_000 }),
  key: bytes,
  value: bytes,
  headers: fc.array(fc.tuple(fc.string({ unit: "grapheme", minLength: 1, maxLength: 5 }), bytes), {
    maxLength: 3,
  }),
});
const partition = fc.nat(PARTITIONS - 1);
const steps = fc.array(
  fc.oneof(
    fc.record({ produce: fc.array(fc.tuple(partition, produced), { minLength: 1, maxLength: 8 }) }),
    /** From somewhere within what the partition holds by then. */
    fc.record({ read: partition, part: fc.double({ min: 0, max: 1, noNaN: true }) }),
    /** One of the reads that still go on, if there are so many. */
    fc.record({ stop: fc.nat(5) }),
  ),
  { minLength: 3, maxLength: 25 },
);

interface Means {
  readonly log: ContractLog;
  newTopic(partitions: number): Promise<string>;
  read(topic: string, partition: number, from: number): Promise<Reading>;
}

export async function holdsHoweverInterleaved(
  { log, newTopic, read }: Means,
  numRuns: number,
): Promise<void> {
  let delivered = 0;
  const property = fc.asyncProperty(steps, async (run) => {
    const topic = await newTopic(PARTITIONS);
    const model: ContractRecord[][] = range(0, PARTITIONS).map(() => []);
    const held = (of: number) => model[of] ?? [];
    const live: { of: number; from: number; reading: Reading }[] = [];
    const expectPrefix = ({ of, from, reading }: (typeof live)[number]) => {
      const expected = held(of).slice(from, from + reading.records.length);
      expect(reading.records.map(content)).toEqual(expected.map(content));
      expect(reading.offsets).toEqual(range(from, from + reading.records.length));
      delivered += reading.records.length;
    };

    for (const step of run) {
      if ("produce" in step) {
        const records = step.produce.map(([of, record]): ContractRecord => ({ ...record, partition: of }));
        const offsets = records.map((record) => held(record.partition).push(record) - 1);
        expect(await log.produce(topic, records)).toEqual(offsets);
      } else if ("read" in step) {
        const from = Math.floor(step.part * held(step.read).length);
        live.push({ of: step.read, from, reading: await read(topic, step.read, from) });
      } else {
        const [stopped] = live.splice(step.stop, 1);
        if (stopped === undefined) continue;
        await stopped.reading.stop();
        expectPrefix(stopped);
      }
    }
    for (const one of live) {
      await one.reading.reaches(held(one.of).length);
      await one.reading.stop();
      expectPrefix(one);
    }
    await log.deleteTopic(topic);
  });
  await fc.assert(property, { numRuns });

  expect(delivered).toBeGreaterThan(numRuns);
}
