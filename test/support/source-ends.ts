/** The part of the contract of sources that is about how reads end, and what is refused. */
import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { Batch } from "../../origin/source/source.ts";
import { numbered, range, recordOf, values } from "./contract-records.ts";
import { type ContractTopics, turns } from "./contract-topics.ts";
import { partitionsOf, Reading } from "./reading.ts";
import type { ContractLog } from "./source-contract.ts";

export function holdsOfEnds(
  { of, newTopic, infoOf, read, readAs, needIds }: ContractTopics,
  setup: () => Promise<ContractLog>,
): void {
  const needTrim = (skip: (reason: string) => never): NonNullable<ContractLog["trim"]> =>
    of().trim?.bind(of()) ?? skip("this log can't drop records");

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
      await of().produce(topic, numbered(0, 3));
      const { epoch } = await infoOf(topic);
      const batches: Batch[] = [];

      await of().source.read(
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
        await of().produce(topic, numbered(0, 10, 1));
      });
      await reading.reaches(0);

      await of().produce(topic, numbered(0, 1));
      await reading.reaches(1);
      const other = await read(topic);
      await other.reaches(11);
      await of().produce(topic, numbered(0, 1, 11));
      await other.reaches(12);

      await reading.stop();
      expect(reading.offsets).toEqual([0]);
    });

    test("closing the source ends its reads", async () => {
      const own = await setup();
      const topic = `contract-${randomUUID()}`;
      await own.createTopic(topic, 1);
      const epoch = (await partitionsOf(own.source, topic))[0]?.epoch ?? "";
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

      await of().deleteTopic(topic);

      await expect(reading.ended).rejects.toEqual(refusal("unknown_topic"));
    });

    test("an epoch of the topic that had the name before is refused with epoch_changed", async ({ skip }) => {
      needIds(skip);
      const topic = await newTopic();
      await of().produce(topic, numbered(0, 3));
      const { epoch } = await infoOf(topic);
      await of().deleteTopic(topic);
      await of().createTopic(topic, 1);
      await of().produce(topic, numbered(0, 5));

      for (const from of [0, 3, 5, 6]) {
        const reading = readAs(topic, 0, epoch, from);
        await expect(reading.ended).rejects.toEqual(refusal("epoch_changed"));
        expect(reading.batches).toEqual([]);
      }
    });

    test("a topic that is created again while it is read gives nothing of the new one", async ({ skip }) => {
      needIds(skip);
      const topic = await newTopic();
      await of().produce(topic, [recordOf(0, "old"), recordOf(0, "old")]);
      const reading = await read(topic);
      await reading.reaches(2);

      await of().deleteTopic(topic);
      await of().createTopic(topic, 1);
      await of().produce(
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
      await of().produce(topic, numbered(0, 5));

      for (const from of [6, 1_000_000]) {
        const reading = await read(topic, 0, from);
        await expect(reading.ended).rejects.toEqual(refusal("offset_out_of_range"));
        expect(reading.batches).toEqual([]);
      }
    });

    test("below the oldest record held is refused with offset_out_of_range", async ({ skip }) => {
      const trim = needTrim(skip);
      const topic = await newTopic();
      await of().produce(topic, numbered(0, 10));

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
      await of().produce(topic, numbered(0, 10));

      await trim(topic, 0, 10);
      expect(await infoOf(topic)).toMatchObject({ startOffset: 10, endOffset: 10 });
      expect(await of().produce(topic, [recordOf(0, "10")])).toEqual([10]);

      const reading = await read(topic, 0, 10);
      await reading.reaches(11);
      expect(reading.offsets).toEqual([10]);
    });
  });
}
