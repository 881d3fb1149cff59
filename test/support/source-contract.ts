/**
 * What every Source promises (origin/source/source.ts), as one suite that the embedded log and Kafka both pass. Each
 * test has topics of its own, so a slow log is set up once.
 */
import { randomUUID } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  type Batch,
  isAvailable,
  type PartitionInfo,
  type RecordHeader,
  type Source,
} from "../../origin/source/source.ts";
import {
  BASE_TIME,
  type ContractRecord,
  content,
  numbered,
  range,
  recordOf,
  text,
  values,
} from "./contract-records.ts";
import { eventually } from "./deadline.ts";
import { type OnBatch, Reading } from "./reading.ts";
import { holdsHoweverInterleaved } from "./source-interleavings.ts";
import { holdsOfTimes } from "./source-times.ts";

export interface ContractLog {
  readonly source: Source;
  /** A value of this size can be produced; choose one that does not fit into one batch, if the log allows. */
  readonly largestValueBytes: number;
  createTopic(topic: string, partitions: number): Promise<void>;
  deleteTopic(topic: string): Promise<void>;
  /** Resolves once the records can be read, or are held back, to their offsets in the order given. */
  produce(topic: string, records: readonly ContractRecord[]): Promise<readonly number[]>;
  /** Left out where the log has no such thing; tests of it are skipped then. */
  trim?(topic: string, partition: number, beforeOffset: number): Promise<void>;
  /** Begins a transaction with one record in partition 0; it stays open until what it returns ends it. Left out as above. */
  hold?(topic: string): Promise<() => Promise<void>>;
  /** Closes the source, which may be closed already, and what belongs to it. */
  close(): Promise<void>;
}

const EPOCH = /^[A-Za-z0-9_-]{6}\.(0|[1-9][0-9]*)$/;
const everyByte = Uint8Array.from({ length: 256 }, (_, byte) => byte);

/** Some turns of the event loop, so that a read that has nothing to do has come to rest. */
const turns = async () => {
  for (let turn = 0; turn < 5; turn++) await setImmediate();
};

export function describeSourceContract(
  name: string,
  setup: () => Promise<ContractLog>,
  { runs = 50, timeoutMs = 30_000 }: { runs?: number; timeoutMs?: number } = {},
): void {
  describe(`${name} as a source`, { timeout: timeoutMs }, () => {
    let log: ContractLog;
    let readings: Reading[] = [];

    beforeAll(async () => {
      log = await setup();
    }, timeoutMs);
    afterEach(async () => {
      for (const reading of readings) reading.abort();
      await Promise.allSettled(readings.map(({ ended }) => ended));
      readings = [];
    });
    afterAll(() => log.close());

    async function newTopic(partitions = 1): Promise<string> {
      const topic = `contract-${randomUUID()}`;
      await log.createTopic(topic, partitions);
      return topic;
    }

    async function infosOf(topic: string): Promise<readonly PartitionInfo[]> {
      // Leaders of partitions that were just created may not know it yet.
      return eventually(async () => {
        const described = (await log.source.describe(topic)) ?? [];
        const infos = described.filter(isAvailable);
        return infos.length === described.length && infos;
      }, `all of ${topic} is there`);
    }

    async function infoOf(topic: string, partition = 0): Promise<PartitionInfo> {
      const info = (await infosOf(topic))[partition];
      if (info === undefined) throw new Error(`${topic}/${partition} is not described`);
      return info;
    }

    async function read(topic: string, partition = 0, from = 0, onBatch?: OnBatch): Promise<Reading> {
      const { epoch } = await infoOf(topic, partition);
      return readAs(topic, partition, epoch, from, onBatch);
    }

    function readAs(topic: string, partition: number, epoch: string, from: number, onBatch?: OnBatch) {
      const reading = new Reading(log.source, { topic, partition, epoch, from }, onBatch);
      readings.push(reading);
      return reading;
    }

    const needHold = (skip: (reason: string) => never): NonNullable<ContractLog["hold"]> =>
      log.hold?.bind(log) ?? skip("this log has no transactions");
    const needTrim = (skip: (reason: string) => never): NonNullable<ContractLog["trim"]> =>
      log.trim?.bind(log) ?? skip("this log can't drop records");

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

      test("a topic that was created again has other epochs", async () => {
        const topic = await newTopic();
        const { epoch } = await infoOf(topic);

        await log.deleteTopic(topic);
        expect(await log.source.describe(topic)).toBeUndefined();
        await log.createTopic(topic, 1);

        expect((await infoOf(topic)).epoch).not.toBe(epoch);
      });
    });

    holdsOfTimes({ of: () => log, newTopic, infoOf });

    describe("what is read", () => {
      test("keys, values, headers and timestamps come out byte for byte", async () => {
        const headers: RecordHeader[] = [
          ["a", text("1")],
          ["ключ", everyByte],
          ["a", null],
          ["b", new Uint8Array(0)],
          ["a", text("1")],
        ];
        const produced: ContractRecord[] = [
          recordOf(0, "plain"),
          recordOf(0, "", { key: null }),
          recordOf(0, "empty key", { key: new Uint8Array(0) }),
          recordOf(0, "", { value: null }),
          recordOf(0, "", { value: new Uint8Array(0), timestamp: BASE_TIME + 1 }),
          recordOf(0, "", { key: everyByte, value: everyByte.toReversed(), timestamp: BASE_TIME - 1 }),
          recordOf(0, "", { key: null, value: null, headers }),
          recordOf(0, "ünï\u0000\u001e\n", { headers: headers.toReversed(), timestamp: BASE_TIME + 12_345 }),
        ];
        const topic = await newTopic();
        await log.produce(topic, produced);

        const reading = await read(topic);
        await reading.reaches(produced.length);

        expect(reading.records.map(content)).toEqual(produced.map(content));
        expect(reading.offsets).toEqual(range(0, produced.length));
      });

      test("reading begins at any offset that the partition holds, its end included", async () => {
        const topic = await newTopic();
        await log.produce(topic, numbered(0, 10));

        for (const from of range(0, 11)) {
          const reading = await read(topic, 0, from);
          await reading.reaches(10);
          expect(values(reading.records)).toEqual(range(from, 10).map(String));
        }
      });

      test("thousands of records come in order and once", async () => {
        const topic = await newTopic(2);
        for (const start of range(0, 10))
          await log.produce(topic, [...numbered(0, 700, start * 700), ...numbered(1, 10)]);

        const reading = await read(topic);
        await reading.reaches(7_000);

        expect(values(reading.records)).toEqual(range(0, 7_000).map(String));
      });

      test("a record larger than a batch comes whole, and so do its neighbours", async () => {
        const topic = await newTopic();
        const large = (byte: number) =>
          recordOf(0, "", { value: new Uint8Array(log.largestValueBytes).fill(byte) });
        const produced = [recordOf(0, "before"), large(1), large(2), large(3), recordOf(0, "after")];
        for (const record of produced) await log.produce(topic, [record]);

        const reading = await read(topic);
        await reading.reaches(5);

        const digest = ({ value }: { value: Uint8Array | null }) => [
          value?.length,
          value?.[0],
          value?.at(-1),
        ];
        expect(reading.records.map(digest)).toEqual(produced.map(digest));
      });

      test("where there is nothing to read, an empty batch says promptly where the end is", async () => {
        const topic = await newTopic(2);
        await log.produce(topic, numbered(1, 4));

        for (const [partition, end] of [
          [0, 0],
          [1, 4],
        ] as const) {
          const reading = await read(topic, partition, end);
          await reading.reaches(end);
          expect(reading.batches[0]).toEqual({ records: [], nextOffset: end, endOffset: end });
        }
      });

      test("endOffset is the partition's end: exact while nothing is produced, never ahead of it", async () => {
        const topic = await newTopic();
        await log.produce(topic, numbered(0, 50));
        let produced = 50;
        const ahead: Batch[] = [];
        const reading = await read(topic, 0, 20, (batch) => {
          if (batch.endOffset > produced) ahead.push(batch);
        });
        await reading.reaches(50);
        expect(new Set(reading.batches.map(({ endOffset }) => endOffset))).toEqual(new Set([50]));

        for (const start of [50, 60, 70]) {
          produced += 10;
          await log.produce(topic, numbered(0, 10, start));
          await reading.reaches(start + 10);
        }

        expect(reading.batches.at(-1)?.endOffset).toBe(80);
        expect(ahead).toEqual([]);
      });

      test("what an open transaction holds back is told with how much that is, though no record comes, and so is its end", async ({
        skip,
      }) => {
        const hold = needHold(skip);
        const topic = await newTopic();
        await log.produce(topic, numbered(0, 2));
        const reading = await read(topic);
        await reading.reaches(2);
        const held = (count: number | undefined) =>
          reading.until(({ batches }) => batches.at(-1)?.heldBack === count, `${count} held back`);

        const release = await hold(topic);
        await held(1);
        await log.produce(topic, numbered(0, 100, 3));
        await held(101);
        const late = await read(topic, 0, 2);
        await late.until(({ batches }) => batches.length === 1, "a first batch");
        expect(late.batches).toEqual([{ records: [], nextOffset: 2, endOffset: 2, heldBack: 101 }]);
        await release();
        await reading.until(({ records }) => records.length === 103, "what was held back");

        await held(undefined);
        expect(reading.batches.filter(({ heldBack }) => heldBack === undefined).length).toBeGreaterThan(1);
      });

      test("what is produced while a read waits at the end reaches it", async () => {
        const topic = await newTopic();
        const reading = await read(topic);
        await reading.reaches(0);

        for (const i of range(0, 20)) {
          await turns();
          await log.produce(topic, [recordOf(0, String(i))]);
          await reading.reaches(i + 1);
        }

        expect(values(reading.records)).toEqual(range(0, 20).map(String));
      });

      test("what is produced while a read catches up is neither missed nor doubled", async () => {
        const topic = await newTopic();
        await log.produce(topic, numbered(0, 3_000));
        const reading = await read(topic);

        for (const start of range(0, 20)) await log.produce(topic, numbered(0, 50, 3_000 + start * 50));
        await reading.reaches(4_000);

        expect(values(reading.records)).toEqual(range(0, 4_000).map(String));
      });
    });

    describe("reads beside one another", () => {
      test("each of many partitions gives its own records, live", async () => {
        const topic = await newTopic(60);
        const all = await Promise.all(range(0, 60).map((partition) => read(topic, partition)));
        await Promise.all(all.map((reading) => reading.reaches(0)));

        for (const round of ["a", "b"])
          await log.produce(
            topic,
            range(0, 60).map((partition) => recordOf(partition, `${partition}${round}`)),
          );
        await Promise.all(all.map((reading) => reading.reaches(2)));

        expect(all.map(({ records }) => values(records))).toEqual(
          range(0, 60).map((p) => [`${p}a`, `${p}b`]),
        );
      });

      test("two reads of one partition do not disturb one another", async () => {
        const topic = await newTopic();
        await log.produce(topic, numbered(0, 10));
        const [first, second] = [await read(topic, 0, 0), await read(topic, 0, 6)];
        await first.reaches(10);
        await first.stop();
        await log.produce(topic, numbered(0, 5, 10));
        await second.reaches(15);

        expect(first.offsets).toEqual(range(0, 10));
        expect(second.offsets).toEqual(range(6, 15));
      });

      test("a partition whose onBatch takes for ever does not hold up another", async () => {
        const topic = await newTopic(2);
        await log.produce(topic, [...numbered(0, 10), ...numbered(1, 10)]);
        const { promise: release, resolve } = Promise.withResolvers<void>();
        const slow = await read(topic, 0, 0, () => release);
        await slow.until(({ batches }) => batches.length === 1, "a first batch");

        const swift = await read(topic, 1);
        for (const start of range(1, 30)) {
          await log.produce(topic, [...numbered(0, 100), ...numbered(1, 100, start)]);
          await swift.reaches(10 + start * 100);
        }

        expect(slow.batches.length).toBe(1);
        resolve();
        await slow.reaches(2_910);
        expect(slow.offsets).toEqual(range(0, 2_910));
      });

      test("what onBatch throws is passed on as it is, and other reads go on", async () => {
        const topic = await newTopic(3);
        await log.produce(topic, [...numbered(0, 1), ...numbered(1, 1), ...numbered(2, 1)]);
        const thrown = new TypeError("thrown");
        const rejected = { not: "even an error" };
        const other = await read(topic, 2);

        const throwing = await read(topic, 0, 0, () => {
          throw thrown;
        });
        const rejecting = await read(topic, 1, 0, () => Promise.reject(rejected));

        await expect(throwing.ended).rejects.toBe(thrown);
        await expect(rejecting.ended).rejects.toBe(rejected);
        await log.produce(topic, numbered(2, 5, 1));
        await other.reaches(6);
        expect(throwing.batches.length + rejecting.batches.length).toBe(2);
      });
    });

    describe("the end of a read", () => {
      test("an abort while it waits at the end ends it", async () => {
        const topic = await newTopic();
        const reading = await read(topic);
        await reading.reaches(0);
        await turns();

        await reading.stop();

        expect(reading.batches.length).toBe(1);
      });

      test("a read that was aborted before it began delivers nothing", async () => {
        const topic = await newTopic();
        await log.produce(topic, numbered(0, 3));
        const { epoch } = await infoOf(topic);
        const batches: Batch[] = [];

        await log.source.read(
          { topic, partition: 0, epoch, from: 0, signal: AbortSignal.abort() },
          (batch) => void batches.push(batch),
        );

        expect(batches).toEqual([]);
      });

      test("an abort within onBatch is the end of the batches, whatever else could be read", async () => {
        const topic = await newTopic();
        const reading: Reading = await read(topic, 0, 0, async ({ records }) => {
          if (records.length === 0) return;
          reading.abort();
          await log.produce(topic, numbered(0, 10, 1));
        });
        await reading.reaches(0);

        await log.produce(topic, numbered(0, 1));
        await reading.reaches(1);
        const other = await read(topic);
        await other.reaches(11);
        await log.produce(topic, numbered(0, 1, 11));
        await other.reaches(12);

        await reading.stop();
        expect(reading.offsets).toEqual([0]);
      });

      test("closing the source ends its reads", async () => {
        const own = await setup();
        const topic = `contract-${randomUUID()}`;
        await own.createTopic(topic, 1);
        const epoch = (await own.source.describe(topic))?.[0]?.epoch ?? "";
        const reading = new Reading(own.source, { topic, partition: 0, epoch, from: 0 });
        await reading.reaches(0);
        await turns();

        await own.source.close();

        await reading.ended;
        await own.close();
      });
    });

    describe("what can't be read", () => {
      const refusal = (code: string) => expect.objectContaining({ name: "SourceError", code });

      test("a topic that does not exist is refused with unknown_topic", async () => {
        const reading = readAs(`contract-${randomUUID()}`, 0, "AAAAAA.0", 0);

        await expect(reading.ended).rejects.toEqual(refusal("unknown_topic"));
        expect(reading.batches).toEqual([]);
      });

      test("a topic that is deleted while it is read ends with unknown_topic", async () => {
        const topic = await newTopic();
        const reading = await read(topic);
        await reading.reaches(0);
        await turns();

        await log.deleteTopic(topic);

        await expect(reading.ended).rejects.toEqual(refusal("unknown_topic"));
      });

      test("an epoch of the topic that had the name before is refused with epoch_changed", async () => {
        const topic = await newTopic();
        await log.produce(topic, numbered(0, 3));
        const { epoch } = await infoOf(topic);
        await log.deleteTopic(topic);
        await log.createTopic(topic, 1);
        await log.produce(topic, numbered(0, 5));

        for (const from of [0, 3, 5, 6]) {
          const reading = readAs(topic, 0, epoch, from);
          await expect(reading.ended).rejects.toEqual(refusal("epoch_changed"));
          expect(reading.batches).toEqual([]);
        }
      });

      test("a topic that is created again while it is read gives nothing of the new one", async () => {
        const topic = await newTopic();
        await log.produce(topic, [recordOf(0, "old"), recordOf(0, "old")]);
        const reading = await read(topic);
        await reading.reaches(2);

        await log.deleteTopic(topic);
        await log.createTopic(topic, 1);
        await log.produce(
          topic,
          range(0, 5).map(() => recordOf(0, "new")),
        );

        // Which of the two it meets depends on when it looks.
        await expect(reading.ended).rejects.toEqual(
          expect.objectContaining({ code: expect.stringMatching(/^(epoch_changed|unknown_topic)$/) }),
        );
        expect(values(reading.records)).toEqual(["old", "old"]);
      });

      test("beyond the end is refused with offset_out_of_range", async () => {
        const topic = await newTopic();
        await log.produce(topic, numbered(0, 5));

        for (const from of [6, 1_000_000]) {
          const reading = await read(topic, 0, from);
          await expect(reading.ended).rejects.toEqual(refusal("offset_out_of_range"));
          expect(reading.batches).toEqual([]);
        }
      });

      test("below the oldest record held is refused with offset_out_of_range", async ({ skip }) => {
        const trim = needTrim(skip);
        const topic = await newTopic();
        await log.produce(topic, numbered(0, 10));

        await trim(topic, 0, 4);

        expect(await infoOf(topic)).toMatchObject({ startOffset: 4, endOffset: 10 });
        for (const from of [0, 3]) {
          const reading = await read(topic, 0, from);
          await expect(reading.ended).rejects.toEqual(refusal("offset_out_of_range"));
          expect(reading.batches).toEqual([]);
        }
        const reading = await read(topic, 0, 4);
        await reading.reaches(10);
        expect(values(reading.records)).toEqual(range(4, 10).map(String));
      });

      test("a partition that was emptied goes on at its old offsets", async ({ skip }) => {
        const trim = needTrim(skip);
        const topic = await newTopic();
        await log.produce(topic, numbered(0, 10));

        await trim(topic, 0, 10);
        expect(await infoOf(topic)).toMatchObject({ startOffset: 10, endOffset: 10 });
        expect(await log.produce(topic, [recordOf(0, "10")])).toEqual([10]);

        const reading = await read(topic, 0, 10);
        await reading.reaches(11);
        expect(reading.offsets).toEqual([10]);
      });
    });

    test("however producing and reading interleave, each read is its partition from its offset on", () =>
      holdsHoweverInterleaved({ log, newTopic, read }, runs));
  });
}
