/** A real Kafka, from Java's producers to subscribers that share no code with the product. */
import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AclOperationTypes, type Admin } from "kafkajs";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { partitionOf } from "../../shared/core/partitioner.ts";
import { range, recordOf, text } from "../support/contract-records.ts";
import { eventually } from "../support/deadline.ts";
import { Deployment } from "../support/deployment.ts";
import { KafkaBroker } from "../support/kafka-broker.ts";
import { digestOf } from "../support/kafka-load.ts";
import { type JavaProducer, JavaProducers } from "../support/kafka-producer.ts";
import { allow, allowTransactions, createTopic, forbid } from "../support/kafka-topics.ts";
import { freePort } from "../support/ports.ts";
import { Product } from "../support/product.ts";
import { RawSubscriber } from "../support/raw-subscriber.ts";
import { digestsOf } from "../support/record-digest.ts";
import { describeWithKafka } from "../support/with-kafka.ts";

const PARTITIONS = 4;
const KEYS = range(0, 12).map((i) => `order-${i}`);
const CODECS = ["none", "gzip", "snappy", "lz4", "zstd"];

describeWithKafka("reading Kafka:", () => {
  let dataDir: string;
  let port: number;

  beforeEach(async () => {
    dataDir = mkdtempSync(join(tmpdir(), "distributary-kafka-"));
    port = await freePort();
  });
  afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

  /** `npm start`, not necessarily ready. */
  function start(
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
    place = { port, dataDir },
  ): Product {
    const where = ["--port", String(place.port), "--data-dir", place.dataDir];
    const product = new Product([...where, ...args], env);
    onTestFinished(async () => {
      product.process.kill("SIGKILL");
      await product.exit();
    });
    return product;
  }

  const health = async (of = port) => (await fetch(`http://127.0.0.1:${of}/$/health`)).status;

  /** What the origin said, event by event. */
  const told = (product: Product) =>
    product.stderr
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line): Record<string, unknown> => JSON.parse(line));
  const reasons = (product: Product) => told(product).map(({ topic, message }) => `${topic}: ${message}`);

  describe("of one broker", () => {
    let kafka: KafkaBroker;
    let producers: JavaProducers;
    let admin: Admin;

    beforeAll(async () => {
      kafka = await KafkaBroker.start();
      producers = new JavaProducers(kafka);
      admin = kafka.client().admin();
      await admin.connect();
    });
    afterAll(async () => {
      await admin?.disconnect();
      await producers?.stop();
      await kafka?.stop();
    });

    test("[P5] subscribers see each key's committed records once and in order, through a kill of the origin and a restart of the broker", async () => {
      await createTopic(admin, "orders", PARTITIONS);
      const plain = await Promise.all(
        CODECS.map((codec) => producers.open({ "compression.type": codec, "linger.ms": 20 })),
      );
      const transactional = await producers.open({ "transactional.id": "orders", "linger.ms": 20 });
      const deployment = await Deployment.start({
        topics: { orders: {} },
        originEnv: { KAFKA_BROKERS: kafka.bootstrap },
      });
      onTestFinished(() => deployment.stop());
      const subscribers = KEYS.map((key) => deployment.subscribe(`/orders/${key}`));
      await Promise.all(subscribers.map((subscriber) => subscriber.verdict()));

      const committed = new Map(KEYS.map((key) => [key, [] as { offset: number; value: string }[]]));
      let written = 0;
      const send = async (producer: JavaProducer) => {
        const records = range(0, 60).map(() => {
          const key = KEYS[written % KEYS.length] ?? "";
          const value = `{"n":${written++},"pad":"${"x".repeat(written % 200)}"}`;
          return { key, value };
        });
        const offsets = await producer.send(
          "orders",
          records.map(({ key, value }) =>
            recordOf(partitionOf(text(key), PARTITIONS), value, { key: text(key) }),
          ),
        );
        return records.map((record, i) => ({ ...record, offset: offsets[i] ?? -1 }));
      };
      const commit = (records: Awaited<ReturnType<typeof send>>) => {
        for (const { key, offset, value } of records) committed.get(key)?.push({ offset, value });
      };
      const round = async () => {
        for (const producer of plain) commit(await send(producer));
        await transactional.begin();
        await send(transactional);
        await transactional.abort();
        await transactional.begin();
        const sent = await send(transactional);
        await transactional.commit();
        commit(sent);
      };
      const rounds = async (count: number) => {
        for (const _ of range(0, count)) await round();
      };
      const seen = () => subscribers.reduce((sum, { updates }) => sum + updates.length, 0);

      await rounds(2);
      const meanwhile = rounds(4);
      await eventually(() => seen() > 500, "some were seen");
      await deployment.origin?.stop("SIGKILL");
      await meanwhile;
      deployment.origin = deployment.startOrigin();
      await rounds(2);
      const through = rounds(2);
      await kafka.restart();
      await through;
      await rounds(2);

      expect(written).toBe(12 * 7 * 60);
      // Of what a broker was to abort just when it went down only a reader can tell what became of it.
      const foreign = await digestOf(kafka, "orders");
      for (const [i, subscriber] of subscribers.entries()) {
        const name = KEYS[i] ?? "";
        const key = Buffer.from(name).toString("hex");
        const { partition: _, ...expected } = foreign.keys.get(key) ?? { partition: -1, count: 0 };
        await subscriber.until(({ updates }) => updates.length >= expected.count, `all of ${name}`);
        expect([...digestsOf(subscriber.updates)]).toEqual([[key, expected]]);
        const received = subscriber.updates.map(({ offset, value }) => `${offset} ${value}`);
        const missing = committed
          .get(name)
          ?.filter((one) => !received.includes(`${one.offset} ${one.value}`));
        expect(missing).toEqual([]);
        expect([subscriber.violations, subscriber.resets, subscriber.verdicts.length]).toEqual([[], [], 1]);
        await subscriber.close();
      }
      const latest = await fetch(`${deployment.url}/orders/${KEYS[0]}`);
      expect(await latest.text()).toBe(String(subscribers[0]?.updates.at(-1)?.value));
    }, 180_000);

    test("a broker that is down at start, and a topic that doesn't exist yet, are told of once, and read once they are there", async () => {
      await createTopic(admin, "here", 2);
      const producer = await producers.open();
      await producer.send("here", [recordOf(0, '"before"'), recordOf(1, '"other"', { key: text("other") })]);
      await kafka.shutDown();

      const product = start(["--kafka", kafka.bootstrap, "--topic", "here", "--topic", "later"]);
      await eventually(() => product.stderr.includes("no broker answers: "), "the reason");
      expect(await health()).toBe(503);
      await kafka.restart();
      await product.ready();

      expect(await health()).toBe(200);
      expect(product.line("keys")).toBe(`http://127.0.0.1:${port}/here/{key}`);
      expect(product.stdout).not.toContain("produce");
      expect(product.stderr).toContain("here: up to 2 records to read in 2 partitions, from the oldest on\n");
      expect(product.stderr).toMatch(/^here: caught up with, 2 records in /m);
      expect(await (await fetch(`http://127.0.0.1:${port}/here/k`)).json()).toBe("before");
      expect((await fetch(`http://127.0.0.1:${port}/flights/ATL`)).status).toBe(404);
      expect(told(product)).toContainEqual(
        expect.objectContaining({ event: "topic_absent", topic: "later" }),
      );
      expect(reasons(product)).toEqual([...new Set(reasons(product))]);

      const subscriber = new RawSubscriber(`ws://127.0.0.1:${port}/later/k`);
      await subscriber.verdict();
      await createTopic(admin, "later", 3);
      await producer.send(
        "later",
        range(0, 10).map((i) => recordOf(2, String(i))),
      );
      await subscriber.until(({ updates }) => updates.length >= 10, "what was written to the new topic");

      expect(subscriber.updates.map(({ value }) => String(value))).toEqual(range(0, 10).map(String));
      await subscriber.close();
      await product.stop();
    }, 180_000);
  });

  describe("what is odd about records,", () => {
    const MIB = 1024 * 1024;
    let kafka: KafkaBroker;
    let producers: JavaProducers;

    beforeAll(async () => {
      kafka = await KafkaBroker.start({ config: { "message.max.bytes": 24 * MIB } });
      producers = new JavaProducers(kafka);
    });
    afterAll(async () => {
      await producers?.stop();
      await kafka?.stop();
    });

    test("[F2] [F8] [H1] times that fit no number, and headers that fit no frame, reach GET and subscribers as what they are", async () => {
      const admin = kafka.client().admin();
      await admin.connect();
      onTestFinished(() => admin.disconnect());
      await createTopic(admin, "odd", 1);
      const producer = await producers.open({ "linger.ms": 50, "max.request.size": 24 * MIB });
      const time = 1_700_000_000_123;
      const keyed = (key: string) => recordOf(0, `"${key}"`, { key: text(key), timestamp: time });
      const heavy = range(0, 2).map(() => ["trace", Buffer.alloc(9 * MIB, "x")] as const);
      const omitted = 2 * (9 * MIB + "trace".length);
      await producer.send("odd", [{ ...keyed("forever"), timestamp: 2n ** 63n - 1n }, keyed("after")]);
      await producer.send("odd", [{ ...keyed("heavy"), headers: heavy }]);

      const product = start(["--topic", "odd"], { KAFKA_BROKERS: kafka.bootstrap });
      await product.ready();
      const found = await Promise.all(
        ["forever", "after", "heavy"].map(async (key) => {
          const answer = await fetch(`http://127.0.0.1:${port}/odd/${key}`);
          const of = (name: string) => answer.headers.get(`Distributary-${name}`);
          return [answer.status, await answer.json(), of("Timestamp"), of("Headers-Omitted")];
        }),
      );
      const frames = await Promise.all(
        ["forever", "heavy"].map(async (key) => {
          const socket = new WebSocket(`ws://127.0.0.1:${port}/odd/${key}`);
          const frame = Promise.withResolvers<string>();
          socket.addEventListener("message", ({ data }) => {
            for (const one of String(data).split("\u001e")) if (one.startsWith('{"e"')) frame.resolve(one);
          });
          const read = await frame.promise;
          socket.close();
          return read.replace(/"p":"[^"]+"/, '"p":"…"');
        }),
      );

      expect(found).toEqual([
        [200, "forever", null, null],
        [200, "after", String(time), null],
        [200, "heavy", String(time), String(omitted)],
      ]);
      expect(frames).toEqual([
        '{"e":"/odd/forever","p":"…","v":"forever"}',
        `{"e":"/odd/heavy","p":"…","t":${time},"x":${omitted},"v":"heavy"}`,
      ]);
      await product.stop();
    }, 180_000);
  });

  describe("of one that asks who comes", () => {
    let kafka: KafkaBroker;
    let env: Readonly<Record<string, string>>;

    beforeAll(async () => {
      kafka = await KafkaBroker.start({
        secure: true,
        config: {
          "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
          // Who comes by the listener without TLS; who says their name by the other needs a permission.
          "super.users": "User:ANONYMOUS",
        },
      });
    });
    afterAll(() => kafka?.stop());
    beforeEach(() => {
      const { security } = kafka;
      if (security === undefined) throw new Error("the broker is not secure");
      writeFileSync(join(dataDir, "ca.pem"), security.ca);
      writeFileSync(join(dataDir, "password"), `${security.password}\n`);
      env = {
        KAFKA_BROKERS: security.brokers.join(","),
        KAFKA_TLS_CA: join(dataDir, "ca.pem"),
        KAFKA_SASL_MECHANISM: "scram-sha-512",
        KAFKA_SASL_USERNAME: security.username,
        KAFKA_SASL_PASSWORD_FILE: join(dataDir, "password"),
      };
    });

    const letRead = (admin: Admin, topic: string) =>
      allow(admin, env.KAFKA_SASL_USERNAME ?? "", AclOperationTypes.READ, topic);

    test("a topic that may not be read is told of once and read once it may; the others are read meanwhile", async () => {
      const admin = kafka.client().admin();
      await admin.connect();
      onTestFinished(() => admin.disconnect());
      const producer = kafka.client().producer();
      await producer.connect();
      onTestFinished(() => producer.disconnect());
      for (const topic of ["open", "closed"]) {
        await createTopic(admin, topic, 1);
        await producer.send({ topic, messages: [{ key: "k", value: '"1"' }] });
      }
      await letRead(admin, "open");

      const product = start(["--topic", "open", "--topic", "closed"], env);
      await eventually(() => product.stderr.includes("closed must not be read"), "the reason");
      const subscriber = new RawSubscriber(`ws://127.0.0.1:${port}/open/k`);
      await subscriber.verdict();
      await producer.send({ topic: "open", messages: [{ key: "k", value: '"2"' }] });
      await subscriber.until(({ updates }) => String(updates.at(-1)?.value) === '"2"', "what was written");
      expect(await health()).toBe(503);

      await letRead(admin, "closed");
      await product.ready();

      expect(reasons(product)).toEqual([expect.stringMatching(/^closed: closed must not be read/)]);
      expect(await (await fetch(`http://127.0.0.1:${port}/closed/k`)).json()).toBe("1");
      await subscriber.close();
      await product.stop();
    }, 180_000);

    test("[W5] [W23] a topic that may no longer be written is not_writable, on sockets too, and nobody else's publish is worse for it; with the right again it is published to", async () => {
      const admin = kafka.client().admin();
      await admin.connect();
      onTestFinished(() => admin.disconnect());
      const account = env.KAFKA_SASL_USERNAME ?? "";
      const { WRITE, DESCRIBE_CONFIGS } = AclOperationTypes;
      const topics = ["lost", "kept"];
      for (const topic of topics) {
        await createTopic(admin, topic, 1);
        await letRead(admin, topic);
        for (const right of [WRITE, DESCRIBE_CONFIGS]) await allow(admin, account, right, topic);
      }
      await allowTransactions(admin, account, "publishers");
      const streams = topics.map((title) => [title, { title, subscribe: "public", publish: "public" }]);
      const STREAMS = join(dataDir, "streams.json");
      writeFileSync(STREAMS, JSON.stringify({ streams: Object.fromEntries(streams) }));
      const product = start([], { ...env, STREAMS, PUBLISH_ID: "publishers" });
      await product.ready();

      let made = 0;
      const acknowledged = new Map<string, string>();
      async function post(topic: string, key = randomUUID(), body = `${made++}`) {
        const answer = await fetch(`http://127.0.0.1:${port}/${topic}/k`, {
          method: "POST",
          body,
          headers: { "Idempotency-Key": key },
        });
        const said = (await answer.json()) as { position?: string; error?: { code: string } };
        if (said.position !== undefined && topic === "lost") acknowledged.set(said.position, body);
        return said.error?.code ?? answer.status;
      }
      const becomes = (what: string | number) =>
        eventually(async () => (await post("lost")) === what, `it is ${what}`, 60_000);
      await becomes(201);
      expect(await post("kept")).toBe(201);
      const client = new RawSubscriber(`ws://127.0.0.1:${port}/lost/k`);
      await client.verdict();
      async function send(id: number) {
        client.send({ id, pub: "/lost/k", v: made++ });
        await client.until(({ others }) => others.some((frame) => frame.id === id), `an answer to ${id}`);
        return client.others.find((frame) => frame.id === id);
      }

      await forbid(admin, account, WRITE, "lost");
      await becomes("not_writable");
      const refused = [randomUUID(), "refused"] as const;
      const codes = range(0, 10).map((i) => (i % 2 === 0 ? post("lost") : post("kept")));
      expect(await Promise.all(codes)).toEqual(range(0, 10).map((i) => (i % 2 === 0 ? "not_writable" : 201)));
      expect(await post("lost", ...refused)).toBe("not_writable");
      expect(await send(1)).toMatchObject({ error: { code: "not_writable", retry: true } });

      await allow(admin, account, WRITE, "lost");
      await becomes(201);
      expect(await post("lost", ...refused)).toBe(201);
      const { ok } = (await send(2)) as { ok?: { position: string } };
      acknowledged.set(ok?.position ?? "", `${made - 1}`);
      await client.until(({ position }) => position === ok?.position, "all that was published");

      const followed = client.updates.map(
        ({ epoch, offset, value }) => [`${epoch}:${offset}`, String(value)] as const,
      );
      const before = acknowledged.size - followed.length;
      expect(followed).toEqual([...acknowledged].slice(before));
      expect(told(product)).toContainEqual(
        expect.objectContaining({ event: "publish_failing", topic: "lost", code: "forbidden" }),
      );
      await client.close();
      await product.stop();
    }, 180_000);

    test("certificate and password are replaced while it runs, and reading goes on with the new files", async () => {
      const admin = kafka.client().admin();
      await admin.connect();
      onTestFinished(() => admin.disconnect());
      await createTopic(admin, "rotated", 1);
      const producer = kafka.client().producer();
      await producer.connect();
      onTestFinished(() => producer.disconnect());
      await producer.send({ topic: "rotated", messages: [{ key: "k", value: '"1"' }] });
      await letRead(admin, "rotated");
      const product = start(["--topic", "rotated", "--log-level", "debug"], env);
      await product.ready();
      const subscriber = new RawSubscriber(`ws://127.0.0.1:${port}/rotated/k`);
      await subscriber.verdict();

      const { ca, password } = await kafka.rotate();
      writeFileSync(join(dataDir, "ca.pem"), ca);
      writeFileSync(join(dataDir, "password"), `${password}\n`);
      await producer.send({ topic: "rotated", messages: [{ key: "k", value: '"2"' }] });

      await subscriber.until(({ updates }) => String(updates.at(-1)?.value) === '"2"', "what was written");
      expect(
        new Set(told(product).flatMap(({ event, files: of }) => (event === "credentials_renewed" ? of : []))),
      ).toEqual(new Set([join(dataDir, "ca.pem"), join(dataDir, "password")]));
      expect(product.stderr).not.toContain(password);
      await subscriber.close();
      await product.stop();
    }, 180_000);

    type Refused = [what: string, changed: Readonly<Record<string, string>>, words: RegExp];
    const REFUSED: readonly Refused[] = [
      [
        "a wrong password",
        { KAFKA_SASL_PASSWORD_FILE: "", KAFKA_SASL_PASSWORD: "wrong-one" },
        /Authentication failed/i,
      ],
      ["a certificate that isn't trusted", { KAFKA_TLS_CA: "", KAFKA_TLS: "on" }, /certificate/],
      ["no TLS where there must be", { KAFKA_TLS_CA: "" }, /no broker answers/],
    ];
    // At once: each waits for what is tried again ever more slowly.
    test(`${REFUSED.map(([what]) => what).join(", and ")}: each is said in words, once, and no secret with it`, async () => {
      const args = ["--topic", "open", "--topic", "closed", "--log-level", "debug"];
      const products = await Promise.all(
        REFUSED.map(async ([what, changed, words]) => {
          const place = { port: await freePort(), dataDir: join(dataDir, what) };
          return { what, words, place, product: start(args, { ...env, ...changed }, place) };
        }),
      );

      for (const { what, words, place, product } of products) {
        await eventually(
          () => told(product).filter(({ event }) => event === "still_failing").length >= 3,
          `retries after ${what}`,
        );

        const errors = told(product).filter(({ level }) => level === "error");
        expect(errors).toMatchObject([{ event: "topic_unreadable", message: expect.stringMatching(words) }]);
        expect(product.stderr).not.toContain("wrong-one");
        expect(product.stderr).not.toContain(readFileSync(join(dataDir, "password"), "utf8").trim());
        expect(await health(place.port)).toBe(503);
        await product.stop();
      }
    });
  });
});
