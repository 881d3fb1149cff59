/** The part of the contract of sources that is about what is read, by one or by several beside one another. */
import { describe, expect, test } from "vitest";
import type { Batch, RecordHeader } from "../../origin/source/source.ts";
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
import { type ContractTopics, turns } from "./contract-topics.ts";
import type { ContractLog } from "./source-contract.ts";

const everyByte = Uint8Array.from({ length: 256 }, (_, byte) => byte);

export function holdsOfReads({ of, newTopic, read }: ContractTopics): void {
  const needHold = (skip: (reason: string) => never): NonNullable<ContractLog["hold"]> =>
    of().hold?.bind(of()) ?? skip("this log has no transactions");

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
      await of().produce(topic, produced);

      const reading = await read(topic);
      await reading.reaches(produced.length);

      expect(reading.records.map(content)).toEqual(produced.map(content));
      expect(reading.offsets).toEqual(range(0, produced.length));
    });

    test("reading begins at any offset that the partition holds, its end included", async () => {
      const topic = await newTopic();
      await of().produce(topic, numbered(0, 10));

      for (const from of range(0, 11)) {
        const reading = await read(topic, 0, from);
        await reading.reaches(10);
        expect(values(reading.records)).toEqual(range(from, 10).map(String));
      }
    });

    test("thousands of records come in order and once", async () => {
      const topic = await newTopic(2);
      for (const start of range(0, 10))
        await of().produce(topic, [...numbered(0, 700, start * 700), ...numbered(1, 10)]);

      const reading = await read(topic);
      await reading.reaches(7_000);

      expect(values(reading.records)).toEqual(range(0, 7_000).map(String));
    });

    test("a record larger than a batch comes whole, and so do its neighbours", async () => {
      const topic = await newTopic();
      const large = (byte: number) =>
        recordOf(0, "", { value: new Uint8Array(of().largestValueBytes).fill(byte) });
      const produced = [recordOf(0, "before"), large(1), large(2), large(3), recordOf(0, "after")];
      for (const record of produced) await of().produce(topic, [record]);

      const reading = await read(topic);
      await reading.reaches(5);

      const digest = ({ value }: { value: Uint8Array | null }) => [value?.length, value?.[0], value?.at(-1)];
      expect(reading.records.map(digest)).toEqual(produced.map(digest));
    });

    test("where there is nothing to read, an empty batch says promptly where the end is", async () => {
      const topic = await newTopic(2);
      await of().produce(topic, numbered(1, 4));

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
      await of().produce(topic, numbered(0, 50));
      let produced = 50;
      const ahead: Batch[] = [];
      const reading = await read(topic, 0, 20, (batch) => {
        if (batch.endOffset > produced) ahead.push(batch);
      });
      await reading.reaches(50);
      expect(new Set(reading.batches.map(({ endOffset }) => endOffset))).toEqual(new Set([50]));

      for (const start of [50, 60, 70]) {
        produced += 10;
        await of().produce(topic, numbered(0, 10, start));
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
      await of().produce(topic, numbered(0, 2));
      const reading = await read(topic);
      await reading.reaches(2);
      const held = (count: number | undefined) =>
        reading.until(({ batches }) => batches.at(-1)?.heldBack === count, `${count} held back`);

      const release = await hold(topic);
      await held(1);
      await of().produce(topic, numbered(0, 100, 3));
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
        await of().produce(topic, [recordOf(0, String(i))]);
        await reading.reaches(i + 1);
      }

      expect(values(reading.records)).toEqual(range(0, 20).map(String));
    });

    test("what is produced while a read catches up is neither missed nor doubled", async () => {
      const topic = await newTopic();
      await of().produce(topic, numbered(0, 3_000));
      const reading = await read(topic);

      for (const start of range(0, 20)) await of().produce(topic, numbered(0, 50, 3_000 + start * 50));
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
        await of().produce(
          topic,
          range(0, 60).map((partition) => recordOf(partition, `${partition}${round}`)),
        );
      await Promise.all(all.map((reading) => reading.reaches(2)));

      expect(all.map(({ records }) => values(records))).toEqual(range(0, 60).map((p) => [`${p}a`, `${p}b`]));
    });

    test("two reads of one partition do not disturb one another", async () => {
      const topic = await newTopic();
      await of().produce(topic, numbered(0, 10));
      const [first, second] = [await read(topic, 0, 0), await read(topic, 0, 6)];
      await first.reaches(10);
      await first.stop();
      await of().produce(topic, numbered(0, 5, 10));
      await second.reaches(15);

      expect(first.offsets).toEqual(range(0, 10));
      expect(second.offsets).toEqual(range(6, 15));
    });

    test("a partition whose onBatch takes for ever does not hold up another", async () => {
      const topic = await newTopic(2);
      await of().produce(topic, [...numbered(0, 10), ...numbered(1, 10)]);
      const { promise: release, resolve } = Promise.withResolvers<void>();
      const slow = await read(topic, 0, 0, () => release);
      await slow.until(({ batches }) => batches.length === 1, "a first batch");

      const swift = await read(topic, 1);
      for (const start of range(1, 30)) {
        await of().produce(topic, [...numbered(0, 100), ...numbered(1, 100, start)]);
        await swift.reaches(10 + start * 100);
      }

      expect(slow.batches.length).toBe(1);
      resolve();
      await slow.reaches(2_910);
      expect(slow.offsets).toEqual(range(0, 2_910));
    });

    test("what onBatch throws is passed on as it is, and other reads go on", async () => {
      const topic = await newTopic(3);
      await of().produce(topic, [...numbered(0, 1), ...numbered(1, 1), ...numbered(2, 1)]);
      const thrown = new TypeError("thrown");
      const rejected = { not: "even an error" };
      const other = await read(topic, 2);

      const throwing = await read(topic, 0, 0, () => {
        throw thrown;
      });
      const rejecting = await read(topic, 1, 0, () => Promise.reject(rejected));

      await expect(throwing.ended).rejects.toBe(thrown);
      await expect(rejecting.ended).rejects.toBe(rejected);
      await of().produce(topic, numbered(2, 5, 1));
      await other.reaches(6);
      expect(throwing.batches.length + rejecting.batches.length).toBe(2);
    });
  });
}
