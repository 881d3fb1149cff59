/** A log on object storage that has a few requests in a few versions, and neither transactions nor a search by time. */
import { createHash, type Hash, randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { producedBatch } from "../../../origin/kafka/produced-batch.ts";
import { KafkaSource } from "../../../origin/kafka/source.ts";
import type { SourceRecord } from "../../../origin/source/source.ts";
import { BASE_TIME, numbered, range, recordOf, text, values } from "../../support/contract-records.ts";
import { eventually } from "../../support/deadline.ts";
import { Kafscale } from "../../support/kafscale.ts";
import { LONG } from "../../support/long.ts";
import { partitionsOf, Reading } from "../../support/reading.ts";
import { type ContractLog, describeSourceContract } from "../../support/source-contract.ts";
import { holdsUnfenced } from "../../support/unfenced.ts";

const UNNUMBERED = { producerId: -1, producerEpoch: -1, sequence: -1 };
const RECORDS = LONG ? 1_000_000 : 100_000;
const OF_A_BATCH = 1_000;

function add(digest: Hash, { offset, timestamp, key, value, headers }: SourceRecord): void {
  digest.update(`${offset} ${timestamp} ${key?.length} ${value?.length} ${headers.length}\n`);
  for (const bytes of [key, value, headers[0]?.[1]]) digest.update(bytes ?? "");
}

describe("Kafscale's stand-in:", () => {
  let log: Kafscale;

  beforeAll(async () => {
    log = await Kafscale.start();
  });
  afterAll(() => log.stop());

  const settings = (lacks?: (what: string) => void) => ({
    brokers: [log.broker],
    clientId: "test",
    ...(lacks && { lacks }),
  });

  function produce(topic: string, records: ReturnType<typeof numbered>): number[] {
    return records.map((record) =>
      log.append(topic, record.partition, producedBatch([record], UNNUMBERED, record.timestamp)),
    );
  }

  async function setup(): Promise<ContractLog> {
    const source = new KafkaSource(settings());
    return {
      source,
      largestValueBytes: 3 * 1024 * 1024,
      tellsTopicsApart: false,
      searchesTimes: false,
      createTopic: async (topic, partitions) => log.createTopic(topic, partitions),
      deleteTopic: async (topic) => log.deleteTopic(topic),
      produce: async (topic, records) => produce(topic, [...records]),
      trim: async (topic, partition, offset) => void log.trim(topic, partition, offset),
      close: () => source.close(),
    };
  }

  describeSourceContract("Kafscale", setup, { runs: 15 });

  async function withSource<T>(act: (source: KafkaSource) => Promise<T>): Promise<T> {
    const source = new KafkaSource(settings());
    try {
      return await act(source);
    } finally {
      await source.close();
    }
  }

  function newTopic(partitions = 1): string {
    const topic = `kafscale-${randomUUID()}`;
    log.createTopic(topic, partitions);
    return topic;
  }

  test(`${RECORDS} records come byte for byte, in order and once`, async () => {
    const topic = newTopic();
    const produced = createHash("sha256");
    for (const batch of range(0, RECORDS / OF_A_BATCH)) {
      const records = range(batch * OF_A_BATCH, (batch + 1) * OF_A_BATCH).map((i) =>
        recordOf(0, `{"n":${i},"pad":"${"x".repeat(i % 97)}"}`, {
          key: text(`key ${i % 1_000}`),
          headers: [["of", text(String(batch))]],
        }),
      );
      log.append(topic, 0, producedBatch(records, UNNUMBERED, BASE_TIME + batch));
      for (const [i, record] of records.entries())
        add(produced, { ...record, offset: batch * OF_A_BATCH + i, timestamp: BASE_TIME + batch });
    }

    const read = createHash("sha256");
    await withSource(async (source) => {
      const [info] = await partitionsOf(source, topic);
      const done = new AbortController();
      const request = { topic, partition: 0, epoch: info?.epoch ?? "", from: 0, signal: done.signal };
      await source.read(request, ({ records, nextOffset }) => {
        for (const record of records) add(read, record);
        if (nextOffset === RECORDS) done.abort();
      });
    });
    expect(read.digest("hex")).toBe(produced.digest("hex"));
  });

  test("batches that it cuts, since they are larger than what is asked for, or follow others in its index, are read whole", async () => {
    const topic = newTopic();
    // The first answers are of up to 64 KiB.
    const sizes = [100, 60_000, 200_000, 1_500_000, 10, 70_000, 30_000, 30_000, 40_000, 3_000_000, 1];
    produce(
      topic,
      sizes.map((size, i) => recordOf(0, String.fromCharCode(97 + i).repeat(size))),
    );

    await withSource(async (source) => {
      for (const from of [0, 4, 8, 10]) {
        const [info] = await partitionsOf(source, topic);
        const reading = new Reading(source, { topic, partition: 0, epoch: info?.epoch ?? "", from });
        await reading.reaches(sizes.length);
        await reading.stop();
        expect(reading.offsets).toEqual(range(from, sizes.length));
        expect(reading.records.map(({ value }) => value?.length)).toEqual(sizes.slice(from));
      }
    });
  });

  test("it isn't asked for what it doesn't have; what it lacks is told", async () => {
    const told = new Set<string>();
    const source = new KafkaSource(settings((what) => told.add(what)));
    await source.describe(newTopic());
    await source.close();

    expect([...told]).toEqual([expect.stringMatching(/^no transactions: the broker has no InitProducerId/)]);
    expect(log.strangers).toEqual([]);
  });

  test("a topic that is created again, and is longer than what was read of it, is noticed if its leader's epoch is lower", async () => {
    const topic = newTopic();
    await withSource(async (source) => {
      const [info] = await partitionsOf(source, topic);
      const read = (from: number) =>
        new Reading(source, { topic, partition: 0, epoch: info?.epoch ?? "", from });
      log.leaderEpoch = 3;
      produce(topic, numbered(0, 5));
      const before = read(0);
      await before.reaches(5);
      await before.stop();

      log.leaderEpoch = 1;
      log.createTopic(topic, 1);
      produce(topic, numbered(0, 9));

      const after = read(5);
      await expect(after.ended).rejects.toMatchObject({ code: "truncated" });
      expect(after.records).toEqual([]);
      log.leaderEpoch = 0;
    });
  });

  test("topics whose ids are zeros have epochs of their names, and are read by these", async () => {
    log.hasIds = false;
    const [one, two] = [newTopic(2), newTopic(2)];
    produce(one, numbered(1, 3));
    produce(two, numbered(1, 5));

    await withSource(async (source) => {
      const infos = [...(await partitionsOf(source, one)), ...(await partitionsOf(source, two))];
      expect(new Set(infos.map(({ epoch }) => epoch)).size).toBe(4);
      for (const [topic, count, epoch = ""] of [
        [one, 3, infos[1]?.epoch],
        [two, 5, infos[3]?.epoch],
      ] as const) {
        const reading = new Reading(source, { topic, partition: 1, epoch, from: 0 });
        await reading.reaches(count);
        await reading.stop();
        expect(values(reading.records)).toEqual(range(0, count).map(String));
      }
      expect(log.strangers).toEqual([]);
    });
    log.hasIds = true;
  });

  test("[P4] once a topic's id is known, a broker that doesn't know it yet changes no epoch", async () => {
    const topic = newTopic();
    await withSource(async (source) => {
      const before = await partitionsOf(source, topic);

      log.hasIds = false;
      await expect(source.describe(topic)).rejects.toMatchObject({ code: "unavailable" });

      log.hasIds = true;
      expect(await partitionsOf(source, topic)).toEqual(before);
    });
  });

  test("since it tells its end whatever time it is asked for, all that it holds is read", async () => {
    const topic = newTopic();
    produce(topic, numbered(0, 5));
    log.trim(topic, 0, 2);

    await withSource(async (source) => {
      const [info] = await partitionsOf(source, topic);
      const at = { topic, partition: 0, epoch: info?.epoch ?? "", timestamp: BASE_TIME - 1 };
      expect(await source.offsetAt(at)).toBe(2);
    });
  });

  test("since it waits for one partition after the other, a Fetch of many isn't held for long, and each is live", async () => {
    const topic = newTopic(40);
    log.longestHeldMs = 0;

    await withSource(async (source) => {
      const infos = await partitionsOf(source, topic);
      const readings = infos.map(
        ({ partition, epoch }) => new Reading(source, { topic, partition, epoch, from: 0 }),
      );
      await Promise.all(readings.map((reading) => reading.reaches(0)));
      for (const partition of [0, 39]) {
        await eventually(() => log.longestHeldMs > 0, "a Fetch is held");
        produce(topic, [recordOf(partition, "live")]);
        await readings[partition]?.reaches(1);
        expect(values(readings[partition]?.records ?? [])).toEqual(["live"]);
      }
      await Promise.all(readings.map((reading) => reading.stop()));
    });
    expect(log.longestHeldMs).toBeLessThanOrEqual(400);
  });

  test("what is published is acknowledged where it is, a key of a client's own is refused, and what is missing is named", async () => {
    await holdsUnfenced(
      [log.broker],
      newTopic(),
      "no look at transactions: the broker has no DescribeTransactions",
    );
    expect(log.strangers).toEqual([]);
  });
});
