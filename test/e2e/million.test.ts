/**
 * A million records of all kinds, or a quarter of them, read by the product and by Kafka's own consumer, which must agree to
 * the byte: what the index holds, and what subscribers saw, through two kills of the origin.
 */
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { endpointPath } from "../../shared/protocol/address.ts";
import { eventually } from "../support/deadline.ts";
import { Deployment } from "../support/deployment.ts";
import { indexContent } from "../support/index-content.ts";
import { KafkaBroker } from "../support/kafka-broker.ts";
import { digestOf, type Load, load } from "../support/kafka-load.ts";
import { createTopic } from "../support/kafka-topics.ts";
import { LONG } from "../support/long.ts";
import type { RawSubscriber } from "../support/raw-subscriber.ts";
import { digestsOf } from "../support/record-digest.ts";
import { describeWithKafka } from "../support/with-kafka.ts";

const TOPIC = "all";
const [RECORDS, KEYS] = LONG ? [1_000_000, 10_000] : [100_000, 1_000];
/** How far the index has grown when the origin is killed while it reads the first half of them. */
const KILL_AT_BYTES = (RECORDS / 1_000_000) * 16 * 1024 * 1024;
const PARTITIONS = 12;
const WATCHED = 300;
const LOAD: Omit<Load, "seed" | "records"> = {
  topic: TOPIC,
  keys: KEYS,
  bytes: [10, 150],
  producers: ["none", "gzip", "snappy", "lz4", "zstd", "none+tx", "gzip+tx", "zstd+tx"],
  odd: true,
};

/** No value is this. */
const DELETED = Buffer.from("deleted");

/** The keys as the producers make them; those that are watched are frequent and rare ones, text and bytes. */
function keyOf(number: number): Buffer {
  const key = Buffer.from(`key-${number}`);
  if (number % 50 === 0) key[3] = 0xff;
  return key;
}

const watched = Array.from({ length: WATCHED }, (_, i) =>
  keyOf(10 + Math.floor((i * (KEYS - 10)) / WATCHED)),
);

describeWithKafka(`${RECORDS} records of all kinds:`, () => {
  let kafka: KafkaBroker;
  let deployment: Deployment;

  beforeAll(async () => {
    kafka = await KafkaBroker.start();
    const admin = kafka.client().admin();
    await admin.connect();
    await createTopic(admin, TOPIC, PARTITIONS);
    await admin.disconnect();
    deployment = await Deployment.start({
      topics: { [TOPIC]: { stream: { window: { updates: 100, seconds: 86_400 } } } },
      originEnv: { KAFKA_BROKERS: kafka.bootstrap },
    });
  });
  afterAll(async () => {
    await deployment?.stop();
    await kafka?.stop();
  });

  const health = async () => (await fetch(`${deployment.url}/$/health`)).status;

  const indexBytes = () =>
    ["", "-wal"].reduce((sum, suffix) => {
      const file = join(deployment.dataDir, `origin/index.db${suffix}`);
      return sum + (existsSync(file) ? statSync(file).size : 0);
    }, 0);

  test("[P5] [P6] [R3] [F1] [F4] index and subscribers hold what Kafka's own consumer reads, byte for byte, through two kills of the origin", async () => {
    await deployment.origin?.stop("SIGKILL");
    const first = await load(kafka, { ...LOAD, seed: 1, records: RECORDS / 2 });
    deployment.origin = deployment.startOrigin();
    const empty = indexBytes();
    await eventually(() => indexBytes() > empty + KILL_AT_BYTES, "the origin is in the middle of reading");
    expect(await health()).toBe(503);
    await deployment.origin.stop("SIGKILL");
    deployment.origin = deployment.startOrigin();
    await deployment.ready();

    const subscribers: RawSubscriber[] = [];
    for (const key of watched) {
      const subscriber = deployment.subscribe(endpointPath(TOPIC, key), "-");
      subscribers.push(subscriber);
      const { position, head, recovered } = await subscriber.verdict();
      expect([position, recovered]).toEqual(["-", true]);
      await subscriber.until((self) => self.position === head, "the past");
    }
    const seen = () => subscribers.reduce((sum, { updates }) => sum + updates.length, 0);
    const live = load(kafka, { ...LOAD, seed: 2, records: RECORDS / 2 });
    const past = seen();
    await eventually(() => seen() > past + 500, "some were seen live");
    await deployment.origin.stop("SIGKILL");
    await eventually(async () => (await health()) === 503, "the edge knows that the origin has gone");
    const before = seen();
    const startedAt = performance.now();
    deployment.origin = deployment.startOrigin();
    await eventually(() => seen() > before, "updates after the kill");
    const backMs = Math.round(performance.now() - startedAt);
    const second = await live;
    const foreign = await digestOf(kafka, TOPIC);

    const [keyed, keyless] = [first.keyed + second.keyed, first.keyless + second.keyless];
    const aborted = first.aborted + second.aborted;
    const sum = (name: "keyed" | "keyless") => foreign.partitions.reduce((all, one) => all + one[name], 0);
    expect([keyed + keyless + aborted, sum("keyed"), sum("keyless")]).toEqual([RECORDS, keyed, keyless]);
    expect(aborted).toBeGreaterThan(RECORDS / 50);
    expect(foreign.keys.size).toBe(KEYS);

    let history = 0;
    for (const [i, subscriber] of subscribers.entries()) {
      const key = watched[i]?.toString("hex") ?? "";
      const { partition, ...expected } = foreign.keys.get(key) ?? { partition: -1 };
      const { lastOffset } = { lastOffset: -1, ...expected };
      await subscriber.until(({ updates }) => (updates.at(-1)?.offset ?? -1) >= lastOffset, `all of ${key}`);
      expect([...digestsOf(subscriber.updates)]).toEqual([[key, expected]]);
      expect(subscriber.updates.every(({ epoch }) => epoch.endsWith(`.${partition}`))).toBe(true);
      expect([subscriber.violations, subscriber.resets, subscriber.verdicts.length]).toEqual([[], [], 1]);
      const latest = await fetch(deployment.url + endpointPath(TOPIC, watched[i] ?? Buffer.alloc(0)));
      expect(latest.headers.get("etag")).toBe(`"${subscriber.position}"`);
      expect(
        Buffer.from(await latest.arrayBuffer()).equals(subscriber.updates.at(-1)?.value ?? DELETED),
      ).toBe(latest.status === 200);
      history += subscriber.updates.length;
    }
    await Promise.all(subscribers.map((subscriber) => subscriber.close()));
    await deployment.ready();
    await deployment.origin.stop();

    const index = indexContent(deployment.dataDir);
    expect(index.violations).toEqual([]);
    expect([index.records, index.keyless]).toEqual([keyed, keyless]);
    const mismatched = [...foreign.keys].filter(([key, { partition: _, ...expected }]) => {
      const held = index.keys.get(key);
      return JSON.stringify(held) !== JSON.stringify({ ...expected });
    });
    expect(mismatched.slice(0, 3)).toEqual([]);
    expect(index.keys.size).toBe(KEYS);
    console.log(
      `${keyed} records with a key and ${keyless} without, ${aborted} aborted; ${history} of ${WATCHED} keys seen; first update ${backMs} ms after the start of a killed origin`,
    );
  }, 300_000);
});
