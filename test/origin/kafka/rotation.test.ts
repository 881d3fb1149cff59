import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type KafkaSetting, readKafka } from "../../../origin/kafka/config.ts";
import { withRenewal } from "../../../origin/kafka/credentials.ts";
import { KafkaSource } from "../../../origin/kafka/source.ts";
import { Renewal, readRenewed } from "../../../origin/settings/renewable.ts";
import { type ReadRequest, SourceError } from "../../../origin/source/source.ts";
import { numbered, range } from "../../support/contract-records.ts";
import { eventually } from "../../support/deadline.ts";
import { KafkaBroker } from "../../support/kafka-broker.ts";
import { type JavaProducer, JavaProducers } from "../../support/kafka-producer.ts";
import type { Security } from "../../support/kafka-security.ts";
import { createTopic } from "../../support/kafka-topics.ts";
import { partitionsOf, Reading } from "../../support/reading.ts";
import { describeWithKafka } from "../../support/with-kafka.ts";

const FILES = ["ca", "cert", "key", "password", "token"] as const;
type File = (typeof FILES)[number];

interface Followed {
  readonly offsets: number[];
  nextOffset: number;
}

/** Reads, and begins again where a broker was away for longer than a read waits for it, as the origin does. */
function readOn(source: KafkaSource, request: Omit<ReadRequest, "signal" | "from">): Followed {
  const followed: Followed = { offsets: [], nextOffset: 0 };
  const read = async (): Promise<void> => {
    const { nextOffset: from } = followed;
    const reading = new Reading(source, { ...request, from }, ({ records, nextOffset }) => {
      followed.offsets.push(...records.map(({ offset }) => offset));
      followed.nextOffset = nextOffset;
    });
    const end = await reading.ended.catch((error: unknown) => error);
    if (end instanceof SourceError && end.code === "unavailable") await read();
  };
  void read();
  return followed;
}

describeWithKafka("credentials that are replaced while Kafka is read:", () => {
  let folder: string;
  let kafka: KafkaBroker;
  let producers: JavaProducers;
  let producer: JavaProducer;
  let topic: string;
  const unusable: string[] = [];
  const renewed: string[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "distributary-rotation-"));
    kafka = await KafkaBroker.start({ secure: true });
    producers = new JavaProducers(kafka);
    producer = await producers.open();
    topic = `rotated-${randomUUID()}`;
    const admin = kafka.client().admin();
    await admin.connect();
    await createTopic(admin, topic, 1);
    await admin.disconnect();
  });
  afterAll(async () => {
    await producers?.stop();
    await kafka?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const pathOf = (file: File) => join(folder, file);
  /** As those who rotate secrets should: whole. */
  function put(file: File, text: string): void {
    writeFileSync(`${pathOf(file)}.new`, text);
    renameSync(`${pathOf(file)}.new`, pathOf(file));
  }
  function putAll({ ca, client, password }: Security): void {
    const json = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const now = Math.floor(Date.now() / 1_000);
    const token = `${json({ alg: "none" })}.${json({ sub: "reader", iat: now, exp: now + 3_600 })}.`;
    const texts = { ca, ...client, password: `${password}\n`, token };
    for (const file of FILES) put(file, texts[file]);
  }

  function sourceWith(more: Partial<Record<KafkaSetting, string>>): KafkaSource {
    const env: Partial<Record<KafkaSetting, string>> = { KAFKA_TLS_CA: pathOf("ca"), ...more };
    const settings = readKafka({
      raw: (name) => env[name],
      readFile: (path) => readFileSync(path, "utf8"),
      wrong: (name, problem) => {
        throw new Error(`${name} ${problem}`);
      },
      clientId: "test",
    });
    if (settings === undefined) throw new Error("no settings");
    const live = withRenewal(settings, (part) => {
      const renewal = new Renewal(part, {
        readFile: readRenewed,
        renewed: (_, changed) => renewed.push(...changed),
        unusable: (why) => unusable.push(why),
      });
      return () => renewal.current();
    });
    return new KafkaSource(live);
  }

  test("passwords, tokens, certificates, keys and authorities are taken up without a record lost; what can't be used is passed over and told of once", async () => {
    const { security } = kafka;
    if (security === undefined) throw new Error("the broker is not secure");
    putAll(security);
    const account = (mechanism: string) => ({
      KAFKA_BROKERS: security.brokers.join(","),
      KAFKA_SASL_MECHANISM: mechanism,
      KAFKA_SASL_USERNAME: security.username,
      KAFKA_SASL_PASSWORD_FILE: pathOf("password"),
    });
    const sources = [
      ...["plain", "scram-sha-256", "scram-sha-512"].map((mechanism) => sourceWith(account(mechanism))),
      sourceWith({
        KAFKA_BROKERS: security.brokers.join(","),
        KAFKA_SASL_MECHANISM: "oauthbearer",
        KAFKA_OAUTH_TOKEN_FILE: pathOf("token"),
      }),
      sourceWith({
        KAFKA_BROKERS: security.mutual.join(","),
        KAFKA_TLS_CERT: pathOf("cert"),
        KAFKA_TLS_KEY: pathOf("key"),
      }),
    ];
    const readings = await Promise.all(
      sources.map(async (source) => {
        const epoch = (await partitionsOf(source, topic))[0]?.epoch ?? "";
        return readOn(source, { topic, partition: 0, epoch });
      }),
    );
    let written = 0;
    let over = false;
    const write = async () => {
      while (!over) {
        await producer.send(topic, numbered(0, 5, written));
        written += 5;
      }
    };
    const writing = write();
    const allReach = (offset: number) =>
      eventually(
        () => readings.every(({ nextOffset }) => nextOffset >= offset),
        `all have read to ${offset}`,
        60_000,
      );
    await allReach(100);

    // Half of each: what was there before has to do, since the broker has no other yet.
    put("ca", security.ca.slice(0, -40));
    put("cert", security.stranger.cert);
    put("password", "");
    rmSync(pathOf("token"));
    await kafka.restart();
    await allReach(written + 1);

    expect(renewed).toEqual([]);
    expect(unusable.map((why) => why.replace(/: .*/, "")).sort()).toEqual(
      [
        "KAFKA_OAUTH_TOKEN_FILE can't be read",
        ...Array(3).fill("KAFKA_SASL_PASSWORD_FILE is empty"),
        "KAFKA_TLS_CERT and KAFKA_TLS_KEY can't be used",
        ...Array(5).fill("KAFKA_TLS_CA ends within a certificate"),
      ].sort(),
    );

    const next = await kafka.rotate();
    putAll(next);
    await allReach(written + 1);
    over = true;
    await writing;
    await allReach(written);

    for (const { offsets } of readings) expect(offsets).toEqual(range(0, written));
    expect(new Set(renewed)).toEqual(new Set(FILES.map(pathOf)));
    const old = new KafkaSource({
      brokers: next.brokers,
      clientId: "old",
      tls: { ca: next.ca },
      sasl: { mechanism: "plain", username: security.username, password: security.password },
    });
    await expect(old.describe(topic)).rejects.toThrow(/Authentication failed/i);
    await Promise.all([old, ...sources].map((source) => source.close()));
  }, 240_000);
});
