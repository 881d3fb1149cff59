/** The part of the contract of sources that is about the first offset of a time. */
import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { BASE_TIME, range, recordOf } from "./contract-records.ts";
import type { ContractTopics } from "./contract-topics.ts";

export function holdsOfTimes({ of, newTopic, infoOf, needIds }: ContractTopics): void {
  const at = (seconds: number) => BASE_TIME + seconds * 1_000;

  /** A topic whose only partition has records of these times, in seconds after some time. */
  async function topicOf(times: readonly number[]): Promise<string> {
    const topic = await newTopic();
    const records = times.map((seconds) => recordOf(0, String(seconds), { timestamp: at(seconds) }));
    if (times.length > 0) await of().produce(topic, records);
    return topic;
  }

  async function offsetAt(topic: string, seconds: number, partition = 0): Promise<number | undefined> {
    const { epoch } = await infoOf(topic, partition);
    return of().source.offsetAt({ topic, partition, epoch, timestamp: at(seconds) });
  }

  describe("the first offset of a time", () => {
    beforeEach(({ skip }) => {
      if (of().searchesTimes === false) skip("this log doesn't search by time");
    });

    test("is the first record of that time or later, wherever that lies between others", async () => {
      const topic = await topicOf([0, 10, 10, 20, 30]);

      expect(await Promise.all([-5, 0, 5, 10, 11, 20, 30].map((time) => offsetAt(topic, time)))).toEqual([
        0, 0, 1, 1, 3, 3, 4,
      ]);
    });

    test("is there where all records are younger, and not where all are older, or there are none", async () => {
      const topic = await topicOf([0, 10]);

      expect(await offsetAt(topic, -1_000_000)).toBe(0);
      expect(await offsetAt(topic, 11)).toBeUndefined();
      expect(await offsetAt(await topicOf([]), 0)).toBeUndefined();
    });

    test("is of its own partition", async () => {
      const topic = await newTopic(3);
      await of().produce(topic, [
        recordOf(0, "a", { timestamp: at(0) }),
        recordOf(0, "b", { timestamp: at(20) }),
        recordOf(2, "c", { timestamp: at(10) }),
      ]);

      expect(await Promise.all(range(0, 3).map((partition) => offsetAt(topic, 5, partition)))).toEqual([
        1,
        undefined,
        0,
      ]);
    });

    test("where times are out of order, everything before it is older, whatever follows", async () => {
      const times = fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 12 });
      await fc.assert(
        fc.asyncProperty(times, async (written) => {
          const topic = await topicOf(written);
          for (const time of range(0, 11)) {
            const first = written.findIndex((one) => one >= time);
            expect(await offsetAt(topic, time)).toBe(first < 0 ? undefined : first);
          }
        }),
        { numRuns: 8 },
      );
    });

    test("is none that the log has dropped", async ({ skip }) => {
      const log = of();
      const trim = log.trim?.bind(log) ?? skip("this log can't drop records");
      const topic = await topicOf([0, 10, 20]);

      await trim(topic, 0, 1);

      expect(await offsetAt(topic, 0)).toBe(1);
      await trim(topic, 0, 3);
      expect(await offsetAt(topic, 0)).toBeUndefined();
    });

    test("of what isn't there, or is another topic, is refused", async ({ skip }) => {
      needIds(skip);
      const topic = await topicOf([0]);
      const { epoch } = await infoOf(topic);
      const { source } = of();
      const ask = (name: string, partition: number) =>
        source.offsetAt({ topic: name, partition, epoch, timestamp: at(0) });

      await expect(ask(`contract-${randomUUID()}`, 0)).rejects.toMatchObject({ code: "unknown_topic" });
      await of().deleteTopic(topic);
      await of().createTopic(topic, 1);
      await expect(ask(topic, 0)).rejects.toMatchObject({ code: "epoch_changed" });
    });
  });
}
