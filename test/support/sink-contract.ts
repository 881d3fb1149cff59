/**
 * What every Sink promises (origin/publish/sink.ts), and publishing over it, as one suite that the embedded log and Kafka both
 * pass. Each test has topics of its own, so a slow log is set up once.
 */
import { randomBytes, randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { MARK_HEADER, Marker } from "../../origin/publish/mark.ts";
import { Publisher, type TopicPublish } from "../../origin/publish/publisher.ts";
import type { PublishResult } from "../../origin/publish/result.ts";
import type { Sink } from "../../origin/publish/sink.ts";
import type { WriterNews } from "../../origin/publish/topic-writers.ts";
import type { Source, SourceRecord } from "../../origin/source/source.ts";
import { partitionOf } from "../../shared/core/partitioner.ts";
import { range } from "./contract-records.ts";
import { eventually } from "./deadline.ts";

export interface ContractSink {
  /** As another origin has it. */
  open(): Sink;
  readonly source: Source;
  /** A value of this size is too large for the log. */
  readonly tooLargeBytes: number;
  createTopic(topic: string, partitions: number): Promise<void>;
  deleteTopic(topic: string): Promise<void>;
  close(): Promise<void>;
}

const ANSWERED_MS = 30_000;
const WINDOW_MS = 600_000;

/** What a publish says unless a test says otherwise: each is another one. */
export function publishOf(topic: string, changes: Partial<TopicPublish> = {}): TopicPublish {
  return {
    topic,
    key: Buffer.from("key"),
    value: Buffer.from("value"),
    headers: [],
    id: { issuer: "issuer", subject: "subject", key: randomUUID(), chosenBy: "client" },
    deadline: performance.now() + ANSWERED_MS,
    until: Number.POSITIVE_INFINITY,
    ...changes,
  };
}

/** All records of a partition. */
export async function recordsIn(source: Source, topic: string, partition = 0): Promise<SourceRecord[]> {
  const described = await source.describe(topic);
  const info = described?.[partition];
  if (info === undefined || !("endOffset" in info)) throw new Error(`${topic}/${partition} is not there`);
  const records: SourceRecord[] = [];
  const done = new AbortController();
  const { epoch, startOffset } = info;
  await source.read(
    { topic, partition, epoch, from: startOffset, signal: done.signal },
    ({ records: more, nextOffset, endOffset }) => {
      records.push(...more);
      if (nextOffset >= Math.max(endOffset, info.endOffset)) done.abort();
    },
  );
  return records;
}

export const valuesOf = (records: readonly SourceRecord[]) =>
  records.map(({ value }) => (value === null ? null : Buffer.from(value).toString()));

export const codeOf = (result: PublishResult) => ("error" in result ? result.error.code : "published");

export function describeSinkContract(name: string, setup: () => Promise<ContractSink>): void {
  describe(`${name} as a sink`, { timeout: 60_000 }, () => {
    let log: ContractSink;
    let publishers: Publisher[] = [];
    const secret = randomBytes(32);

    beforeAll(async () => {
      log = await setup();
    });
    afterEach(async () => {
      await Promise.all(publishers.map((publisher) => publisher.close()));
      publishers = [];
    });
    afterAll(() => log?.close());

    function open(
      secrets: readonly [Uint8Array, ...Uint8Array[]] = [secret],
      announce: (news: WriterNews) => void = () => {},
    ): Publisher {
      const publisher = new Publisher({ sink: log.open(), marker: new Marker(secrets), announce });
      publishers.push(publisher);
      return publisher;
    }

    async function newTopic(partitions = 1): Promise<string> {
      const topic = `sink-${randomUUID()}`;
      await log.createTopic(topic, partitions);
      return topic;
    }

    const read = (topic: string, partition = 0) => recordsIn(log.source, topic, partition);
    const visible = ({ headers }: SourceRecord) => headers.filter(([header]) => header !== MARK_HEADER);

    test("an acknowledged position holds the record, byte for byte", async () => {
      const topic = await newTopic(3);
      const publisher = open();
      const sent = range(0, 30).map((i) =>
        publishOf(topic, {
          key: Buffer.from(`key ${i}`),
          value: i % 7 === 0 ? null : randomBytes(1 + 100 * i),
          headers: [
            ["n", Buffer.from(String(i))],
            ["empty", null],
            ["n", Buffer.alloc(i)],
          ],
        }),
      );

      const answers = await Promise.all(sent.map((request) => publisher.publish(request)));

      const described = (await log.source.describe(topic)) ?? [];
      const held = await Promise.all(described.map(({ partition }) => read(topic, partition)));
      expect(held.flat()).toHaveLength(sent.length);
      for (const [i, answer] of answers.entries()) {
        const [epoch, offset] = "position" in answer ? answer.position.split(":") : [];
        const partition = described.findIndex((info) => info.epoch === epoch);
        const record = held[partition]?.find((one) => String(one.offset) === offset);
        const { key = null, value = null, headers = [] } = sent[i] ?? {};
        expect(partition).toBe(partitionOf(key ?? Buffer.alloc(0), 3));
        expect(record && { key: record.key, value: record.value, headers: visible(record) }).toEqual({
          key: key && expect.objectContaining(Uint8Array.from(key)),
          value: value && expect.objectContaining(Uint8Array.from(value)),
          headers: headers.map(([header, bytes]) => [header, bytes && expect.anything()]),
        });
        expect(Buffer.compare(record?.key ?? Buffer.alloc(0), key ?? Buffer.alloc(0))).toBe(0);
      }
    });

    test("what is published to a key comes in its order, however much is under way", async () => {
      const topic = await newTopic();
      const publisher = open();

      const answers = await Promise.all(
        range(0, 2_000).map((i) => publisher.publish(publishOf(topic, { value: Buffer.from(String(i)) }))),
      );

      expect(new Set(answers.map(codeOf))).toEqual(new Set(["published"]));
      expect(valuesOf(await read(topic))).toEqual(range(0, 2_000).map(String));
    });

    test("the same publish again is answered with the same position, and is one record", async () => {
      const topic = await newTopic();
      const publisher = open();
      const request = publishOf(topic);
      const first = await publisher.publish(request);
      await publisher.publish(publishOf(topic));

      expect(await publisher.publish(request)).toEqual(first);
      expect(await read(topic)).toHaveLength(2);
    });

    test.each([
      ["value", { value: Buffer.from("other") }],
      ["no value", { value: null }],
      ["headers", { headers: [["other", null]] as const }],
    ])("the same id with another %s is refused, and writes nothing", async (_, changes) => {
      const topic = await newTopic();
      const publisher = open();
      const request = publishOf(topic);
      await publisher.publish(request);

      expect(codeOf(await publisher.publish({ ...request, ...changes }))).toBe("id_reused");
      expect(await read(topic)).toHaveLength(1);
    });

    test("one client's id is not another's, nor that of another key or issuer", async () => {
      const topic = await newTopic();
      const publisher = open();
      const request = publishOf(topic);
      const others = [
        request,
        { ...request, id: { ...request.id, subject: "other" } },
        { ...request, id: { ...request.id, issuer: "other" } },
        { ...request, key: Buffer.from("other") },
      ];

      const answers = await Promise.all(others.map((other) => publisher.publish(other)));

      expect(answers.map(codeOf)).toEqual(others.map(() => "published"));
      expect(await read(topic)).toHaveLength(others.length);
    });

    test("while a publish is under way the same is told so, and another with its id is refused", async () => {
      const topic = await newTopic();
      const publisher = open();
      const request = publishOf(topic);

      const answers = await Promise.all([
        publisher.publish(request),
        publisher.publish(request),
        publisher.publish({ ...request, value: Buffer.from("other") }),
      ]);

      expect(answers.map(codeOf)).toEqual(["published", "in_flight", "id_reused"]);
      expect(await read(topic)).toHaveLength(1);
    });

    test("a record that is too large is refused by itself, whatever goes with it", async () => {
      const topic = await newTopic();
      const publisher = open();
      const values = ["a", "b", "c", "d"].map((text) => Buffer.from(text));
      const [a, b, c, d] = values.map((value) => publishOf(topic, { value }));
      const large = publishOf(topic, { value: randomBytes(log.tooLargeBytes) });
      await publisher.publish(a ?? large);

      const answers = await Promise.all(
        [b, large, c, d].map((request) => publisher.publish(request ?? large)),
      );

      expect(answers.map(codeOf)).toEqual(["published", "too_large", "published", "published"]);
      expect(valuesOf(await read(topic))).toEqual(["a", "b", "c", "d"]);
    });

    test("a record that no log takes, or that claims to be marked, is refused at once", async () => {
      const topic = await newTopic();
      const publisher = open();

      const answers = await Promise.all([
        publisher.publish(publishOf(topic, { value: Buffer.alloc(17 * 1024 * 1024) })),
        publisher.publish(publishOf(topic, { headers: [[MARK_HEADER, Buffer.alloc(37, 1)]] })),
        publisher.publish(publishOf(topic)),
      ]);

      expect(answers.map(codeOf)).toEqual(["too_large", "invalid", "published"]);
      expect(await read(topic)).toHaveLength(1);
    });

    test("a topic that isn't there is told of, and found once it is made", async () => {
      const topic = `sink-${randomUUID()}`;
      const publisher = open();

      expect(codeOf(await publisher.publish(publishOf(topic)))).toBe("unknown_topic");
      await log.createTopic(topic, 1);

      await eventually(
        async () => codeOf(await publisher.publish(publishOf(topic))) === "published",
        "the topic is found",
      );
    });

    test("a topic that was created again is written as the one that it is now", async () => {
      const topic = await newTopic();
      const publisher = open();
      await publisher.publish(publishOf(topic));
      await log.deleteTopic(topic);
      await log.createTopic(topic, 1);
      const epoch = (await log.source.describe(topic))?.[0]?.epoch;

      const answer = await eventually(async () => {
        const found = await publisher.publish(publishOf(topic, { deadline: performance.now() + 1_000 }));
        return "position" in found && found.position.startsWith(`${epoch}:`) && found;
      }, "it is published to the new topic");

      const offset = Number("position" in answer && answer.position.split(":")[1]);
      expect((await read(topic)).map((record) => record.offset)).toContain(offset);
    });

    describe("two writers of one partition:", () => {
      test("one that was relieved writes nothing more, and says so until it takes over again", async () => {
        const topic = await newTopic();
        const [first, second] = [open(), open()];
        const key = Buffer.from("key");
        await first.publish(publishOf(topic, { value: Buffer.from("1") }));
        await second.publish(publishOf(topic, { value: Buffer.from("2") }));

        const late = range(0, 20).map(() => first.publish(publishOf(topic, { value: Buffer.from("late") })));
        expect(new Set((await Promise.all(late)).map(codeOf))).toEqual(new Set(["not_writer"]));
        await second.publish(publishOf(topic, { value: Buffer.from("3") }));
        first.takeOver(topic, key);
        await eventually(
          async () =>
            codeOf(await first.publish(publishOf(topic, { value: Buffer.from("4") }))) === "published",
          "the first has taken over",
        );

        expect(codeOf(await second.publish(publishOf(topic)))).toBe("not_writer");
        expect(valuesOf(await read(topic))).toEqual(["1", "2", "3", "4"]);
      });

      test("whoever takes over knows what was published, and answers it with the same positions", async () => {
        const topic = await newTopic();
        const requests = range(0, 300).map((i) => publishOf(topic, { value: Buffer.from(String(i)) }));
        const before = open();
        const answers = await Promise.all(requests.map((request) => before.publish(request)));
        const after = open();

        const again = await Promise.all(requests.map((request) => after.publish(request)));
        const [request] = requests;

        expect(again).toEqual(answers);
        expect(
          codeOf(await after.publish({ ...publishOf(topic), id: request?.id ?? publishOf(topic).id })),
        ).toBe("id_reused");
        expect(await read(topic)).toHaveLength(requests.length);
      });

      test("with another secret beside it, what was marked with the old one is still known", async () => {
        const topic = await newTopic();
        const request = publishOf(topic);
        const [old, fresh] = [randomBytes(32), randomBytes(32)];
        const first = await open([old]).publish(request);

        expect(await open([fresh, old]).publish(request)).toEqual(first);
        const later = publishOf(topic);
        const marked = await open([fresh, old]).publish(later);
        expect(await open([fresh]).publish(later)).toEqual(marked);
        expect(await read(topic)).toHaveLength(2);
      });

      test("the later has the higher number, and each is told of once", async () => {
        const topic = await newTopic();
        const news: (readonly [string, WriterNews])[] = [];
        const [first, second] = ["first", "second"].map((who) =>
          open([secret], (one) => news.push([who, one])),
        );
        await first?.publish(publishOf(topic));
        await second?.publish(publishOf(topic));
        await first?.publish(publishOf(topic));

        const told = news.flatMap(([who, { writer }]) => (writer === "taking" ? [] : [{ who, writer }]));
        const numbers = told.map(({ writer }) => writer);
        expect(told.map(({ who, writer }) => [who, writer !== undefined])).toEqual([
          ["first", true],
          ["second", true],
          ["first", false],
        ]);
        const [one, two] = numbers;
        expect(one?.id).toBe(two?.id);
        expect(two?.epoch).toBeGreaterThan(one?.epoch ?? Number.NaN);
      });

      test("what an earlier claim still sends is fenced, and never appended, nor is what is late", async () => {
        const topic = await newTopic();
        const sink = log.open();
        const [epoch = ""] = (await sink.partitions(topic)) ?? [];
        const request = {
          topic,
          partition: 0,
          epoch,
          windowMs: WINDOW_MS,
          learn: () => {},
          signal: new AbortController().signal,
        };
        const [mark] = new Marker([Buffer.alloc(32)]).marksOf(publishOf(topic));
        const records = [{ key: Buffer.from("key"), value: Buffer.from("late"), headers: [], mark }];
        const before = await sink.claim(request);
        const batches = [before.batch(records, Date.now())];
        const after = await log.open().claim(request);

        for (const batch of batches)
          for (let tries = 0; tries < 3; tries++)
            expect(await batch.send(() => false)).toEqual({ kind: "fenced" });
        const own = after.batch(records, Date.now());
        expect((await own.send(() => false)).kind).toBe("appended");
        expect(await read(topic)).toHaveLength(1);
        const late = after.batch(records, Date.now());
        expect((await late.send(() => true)).kind).toBe("notNow");
        expect(await read(topic)).toHaveLength(1);
        after.release();
        before.release();
        await sink.close();
      });
    });
  });
}
