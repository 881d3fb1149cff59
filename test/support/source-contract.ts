/**
 * What every Source promises (origin/source/source.ts), as one suite that the embedded log and Kafka both pass. Each
 * test has topics of its own, so a slow log is set up once.
 */
import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Source } from "../../origin/source/source.ts";
import { type ContractRecord, numbered, range, recordOf } from "./contract-records.ts";
import { ContractTopics } from "./contract-topics.ts";
import { holdsOfEnds } from "./source-ends.ts";
import { holdsHoweverInterleaved } from "./source-interleavings.ts";
import { holdsOfReads } from "./source-reads.ts";
import { holdsOfTimes } from "./source-times.ts";

export interface ContractLog {
  readonly source: Source;
  /** A value of this size can be produced; choose one that does not fit into one batch, if the log allows. */
  readonly largestValueBytes: number;
  createTopic(topic: string, partitions: number): Promise<void>;
  deleteTopic(topic: string): Promise<void>;
  /** Resolves once the records can be read, or are held back, to their offsets in the order given. */
  produce(topic: string, records: readonly ContractRecord[]): Promise<readonly number[]>;
  /** Whether a topic that is created again is another one for sure; tests of that are skipped if not. */
  readonly tellsTopicsApart?: false;
  /** Whether it finds the first offset of a time; tests of that are skipped if not. */
  readonly searchesTimes?: false;
  /** Left out where the log has no such thing; tests of it are skipped then. */
  trim?(topic: string, partition: number, beforeOffset: number): Promise<void>;
  /** Begins a transaction with one record in partition 0; it stays open until what it returns ends it. Left out as above. */
  hold?(topic: string): Promise<() => Promise<void>>;
  /** Closes the source, which may be closed already, and what belongs to it. */
  close(): Promise<void>;
}

const EPOCH = /^(?:[A-Za-z0-9_-]{6}|[A-Za-z0-9_-]{16})\.(0|[1-9][0-9]*)$/;

export function describeSourceContract(
  name: string,
  setup: () => Promise<ContractLog>,
  { runs = 50, timeoutMs = 60_000 }: { runs?: number; timeoutMs?: number } = {},
): void {
  describe(`${name} as a source`, { timeout: timeoutMs }, () => {
    let log: ContractLog;
    beforeAll(async () => {
      log = await setup();
    }, timeoutMs);
    afterEach(() => topics.endReadings());
    afterAll(() => log.close());

    const topics = new ContractTopics(() => log);
    const { newTopic, infosOf, infoOf, read, needIds } = topics;

    describe("describing a topic", () => {
      test("a topic that does not exist is undefined", async () => {
        expect(await log.source.describe(`contract-${randomUUID()}`)).toBeUndefined();
      });

      test("[P4] partitions come in order, each with an epoch of its own that stays", async () => {
        const topic = await newTopic(12);

        const before = await infosOf(topic);
        await log.produce(topic, [recordOf(3, "a")]);
        const after = await infosOf(topic);

        expect(before.map(({ partition }) => partition)).toEqual(range(0, 12));
        expect(before.every(({ startOffset, endOffset }) => startOffset === 0 && endOffset === 0)).toBe(true);
        expect(new Set(before.map(({ epoch }) => epoch)).size).toBe(12);
        for (const { epoch, partition } of before) expect(EPOCH.exec(epoch)?.[1]).toBe(String(partition));
        expect(after.map(({ epoch }) => epoch)).toEqual(before.map(({ epoch }) => epoch));
      });

      test("a partition's ends are those of its records, and of no other partition's", async () => {
        const topic = await newTopic(3);

        expect(await log.produce(topic, [...numbered(1, 3), recordOf(2, "x"), recordOf(1, "3")])).toEqual([
          0, 1, 2, 0, 3,
        ]);

        const described = await infosOf(topic);
        expect(described.map(({ startOffset, endOffset }) => [startOffset, endOffset])).toEqual([
          [0, 0],
          [0, 4],
          [0, 1],
        ]);
      });

      test("all topics are listed, from when they are created until they are deleted", async () => {
        const [kept, deleted] = [await newTopic(3), await newTopic()];
        expect(await log.source.topics()).toEqual(expect.arrayContaining([kept, deleted]));

        await log.deleteTopic(deleted);

        const topics = await log.source.topics();
        expect(topics).toContain(kept);
        expect(topics).not.toContain(deleted);
        expect(new Set(topics).size).toBe(topics.length);
      });

      test("a topic that was created again has other epochs", async ({ skip }) => {
        needIds(skip);
        const topic = await newTopic();
        const { epoch } = await infoOf(topic);

        await log.deleteTopic(topic);
        expect(await log.source.describe(topic)).toBeUndefined();
        await log.createTopic(topic, 1);

        expect((await infoOf(topic)).epoch).not.toBe(epoch);
      });
    });

    holdsOfTimes(topics);
    holdsOfReads(topics);
    holdsOfEnds(topics, setup);

    test("however producing and reading interleave, each read is its partition from its offset on", () =>
      holdsHoweverInterleaved({ log, newTopic, read }, runs));
  });
}
