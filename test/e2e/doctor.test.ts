/** `npm run doctor` against a real edge and real brokers: each thing that can be wrong is told apart, with what to do. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AclOperationTypes, type Admin } from "kafkajs";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { examineEdge } from "../../origin/doctor/edge.ts";
import type { Finding } from "../../origin/doctor/finding.ts";
import { examineKafka } from "../../origin/doctor/kafka.ts";
import { EmbeddedLog, logPath } from "../../origin/embedded/log.ts";
import type { KafkaSettings } from "../../origin/kafka/settings.ts";
import { readStreams } from "../../shared/config/streams.ts";
import { eventually } from "../support/deadline.ts";
import { Child } from "../support/deployment.ts";
import { KafkaBroker } from "../support/kafka-broker.ts";
import { allow, allowTransactions, createTopic } from "../support/kafka-topics.ts";
import { freePort } from "../support/ports.ts";
import { describeWithKafka } from "../support/with-kafka.ts";

const SECRET = "the secret of edge and origin: 32 bytes or more";
const keyOf = (kid: string, secret = SECRET, name = "doctor") => ({
  kid,
  name,
  secret: new TextEncoder().encode(secret),
});

function streamsOf(topics: Readonly<Record<string, object>>) {
  const streams = Object.fromEntries(
    Object.entries(topics).map(([topic, stream]) => [
      topic,
      { title: topic, subscribe: "public", ...stream },
    ]),
  );
  const read = readStreams({ streams });
  if (!read.ok) throw new Error(read.problems.join());
  return { file: JSON.stringify({ streams }), streams: read.streams };
}

/** One line each, as they are read: the verdict, what was looked at, what it says and what to do. */
async function lines(findings: AsyncIterable<Finding>): Promise<string[]> {
  const all: string[] = [];
  for await (const { verdict, what, says, todo } of findings)
    all.push(`${verdict} ${what}: ${says}${todo === undefined ? "" : ` → ${todo}`}`);
  return all;
}

describe("the edge:", () => {
  const { file, streams } = streamsOf({ orders: {}, quotes: {} });
  let dataDir: string;
  let edgeUrl: URL;
  let edge: Child;

  beforeAll(async () => {
    dataDir = mkdtempSync(join(tmpdir(), "distributary-doctor-"));
    writeFileSync(join(dataDir, "streams.json"), file);
    const port = await freePort();
    edgeUrl = new URL(`http://127.0.0.1:${port}`);
    edge = new Child("edge/local/serve.ts", {
      ...process.env,
      PORT: String(port),
      DATA_DIR: dataDir,
      STREAMS: join(dataDir, "streams.json"),
      UPLINK_KEYS: `k1:doctor:${SECRET}`,
    });
    await eventually(
      () => edge.output.includes("the edge listens on"),
      () => `listening\n${edge.output}`,
    );
  });
  afterAll(async () => {
    await edge?.stop();
    rmSync(dataDir, { recursive: true, force: true });
  });
  afterEach(() => vi.useRealTimers());

  const examine = (changed: Partial<Parameters<typeof examineEdge>[0]> = {}) =>
    lines(examineEdge({ edgeUrl, key: keyOf("k1"), streams, ...changed }));

  test("all is well, and no uplink was taken over to see that", async () => {
    expect(await examine()).toEqual([
      `ok edge, ${edgeUrl.origin}: can be reached`,
      `ok uplink, ${edgeUrl.origin}: the key k1 of doctor is accepted; version 1, 2 shards`,
      `ok WebSocket to the edge, ${edgeUrl.origin}: gets through`,
      `ok exposed topics, ${edgeUrl.origin}: the same 2 on both sides`,
    ]);
    expect(edge.output).not.toContain("generation");
  });

  test.each([
    ["a key that it doesn't know", keyOf("k2"), "no key with this id → add this origin's key"],
    ["another secret", keyOf("k1", SECRET.toUpperCase()), "has another secret → give both the same secret"],
    [
      "another name",
      keyOf("k1", SECRET, "other"),
      "origin of another name → give both the same entry, name and all",
    ],
  ])("[U1] %s is told", async (_, key, words) => {
    expect(await examine({ key })).toEqual([expect.any(String), expect.stringContaining(words)]);
  });

  test.each([
    [-400, "behind"],
    [400, "ahead of"],
  ])("[U1] a clock that is wrong by %d s is told, and by how much", async (seconds, words) => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + seconds * 1_000 });

    const [, uplink] = await examine();

    expect(uplink).toMatch(
      new RegExp(`^wrong uplink, .* time: this machine's clock is (399|400|401) s ${words} the edge's → set`),
    );
  });

  test("a clock that is nearly wrong is a hint", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() - 8_000 });

    expect(await examine()).toContainEqual(expect.stringMatching(/^hint clock, .* [789] s behind/));
  });

  test("topics that only one side has are told", async () => {
    const findings = await examine({ streams: streamsOf({ orders: {}, flights: {} }).streams });

    expect(findings.slice(-2)).toEqual([
      expect.stringContaining(": the edge doesn't expose flights"),
      expect.stringContaining(": the edge also exposes quotes"),
    ]);
  });

  test.each([
    [
      "nobody",
      "http://127.0.0.1:1",
      "nobody listens there (ECONNREFUSED) → start it, or correct its address",
    ],
    ["a name that there isn't", "http://edge.invalid", "this name can't be resolved here"],
  ])("%s there is told", async (_, url, words) => {
    expect(await examine({ edgeUrl: new URL(url) })).toEqual([expect.stringContaining(words)]);
  });

  test("TLS where there is none is told", async () => {
    const [reached] = await examine({ edgeUrl: new URL(edgeUrl.href.replace("http", "https")) });

    expect(reached).toMatch(/^wrong edge, .* doesn't speak TLS there .* use http:\/\//);
  });

  test("as a process it says one line for each check, no secret, and ends with 0 or 1", async () => {
    const log = new EmbeddedLog(logPath(dataDir));
    log.createTopic("orders", { partitions: 3 });
    log.append("orders", [{ key: Buffer.from("k"), value: Buffer.from("1") }]);
    log.close();
    const run = async (env: Readonly<Record<string, string>>) => {
      const child = new Child("doctor/main.ts", {
        ...process.env,
        EDGE_URL: edgeUrl.href,
        DATA_DIR: dataDir,
        STREAMS: join(dataDir, "streams.json"),
        UPLINK_KEY: `k1:doctor:${SECRET}`,
        INDEX_MAX_BYTES: String(16 * 1024 ** 2),
        ...env,
      });
      await eventually(() => child.exited, "the end");
      return { code: child.process.exitCode, lines: child.output.trim().split("\n") };
    };

    const well = await run({ STATUS_PORT: String(await freePort()) });
    const ill = await run({ STATUS_PORT: edgeUrl.port, KAFKA_BROKERS: "nowhere", INDEX_MAX_BYTES: "1e3" });

    expect(well.lines.map((line) => line.split(":", 1)[0])).toEqual([
      ...["ok     settings", "ok     STREAMS", "ok     DATA_DIR", "ok     disk", "ok     STATUS_PORT"],
      ...["ok     embedded log", "ok     topic orders", "hint   topic quotes"],
      ...["ok     edge, http", "ok     uplink, http", "ok     WebSocket to the edge, http"],
      "ok     exposed topics, http",
      // What keys become, where the root leads, and the upgrade.
      ...["ok     clients' way, http", "ok     clients' way, http", "ok     clients' way, http"],
    ]);
    expect(well.lines).toContainEqual(expect.stringContaining("3 partitions with 1 records"));
    expect(well.code).toBe(0);
    expect(ill.lines).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^wrong {2}settings: INDEX_MAX_BYTES must be .* → correct it/),
        expect.stringMatching(/^wrong {2}settings: KAFKA_BROKERS must be host:port/),
        expect.stringMatching(/^hint {3}STATUS_PORT: port \d+ of 127.0.0.1 is taken/),
        expect.stringMatching(/^hint {3}Kafka: is not examined/),
        expect.stringMatching(/^ok {5}uplink, /),
      ]),
    );
    expect(ill.code).toBe(1);
    expect([...well.lines, ...ill.lines].join()).not.toContain(SECRET);
  });
});

describeWithKafka("Kafka:", () => {
  let kafka: KafkaBroker;
  let admin: Admin;

  beforeAll(async () => {
    kafka = await KafkaBroker.start({
      secure: true,
      misadvertised: "port",
      config: {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
      },
    });
    admin = kafka.client().admin();
    await admin.connect();
    await createTopic(admin, "orders", 3);
    await createTopic(admin, "prices", 1, { "cleanup.policy": "compact" });
    await createTopic(admin, "short", 1, { "retention.ms": "60000" });
    const producer = kafka.client().producer();
    await producer.connect();
    const messages = ["a", "b", null, "c"].map((key, partition) => ({
      key,
      value: "1",
      partition: partition % 3,
    }));
    await producer.send({ topic: "orders", messages });
    // As Confluent's serializers frame it: a byte 0, the schema's id, what they encode.
    const framed = Buffer.from([0, 0, 0, 0, 7, 2, 97]);
    await producer.send({ topic: "prices", messages: [{ key: "a", value: framed }] });
    await producer.disconnect();
  });
  afterAll(async () => {
    await admin?.disconnect();
    await kafka?.stop();
  });

  const examine = (topics: Readonly<Record<string, object>>, settings: Partial<KafkaSettings> = {}) =>
    lines(
      examineKafka(
        { brokers: kafka.brokers, clientId: "doctor", ...settings },
        streamsOf(topics).streams,
        "publishers",
      ),
    );

  test("what is well is said, and what doesn't fit together", async () => {
    const topics = { orders: { compacted: true }, prices: { start: "latest" }, short: {}, gone: {} };

    const findings = await examine(topics);

    expect(findings).toEqual([
      expect.stringMatching(
        /^ok broker 127.0.0.1:\d+: answers \(no TLS, no account; Metadata 12, ListOffsets 7, Fetch 17\)/,
      ),
      expect.stringMatching(/^ok broker 1, advertised as 127.0.0.1:\d+: is one of KAFKA_BROKERS/),
      "ok topic orders: 3 partitions can be read; 4 offsets are to be read where the index holds nothing yet",
      expect.stringMatching(/^hint topic orders: 1 of the first 4 records have no key/),
      expect.stringMatching(/^hint topic orders: its stream is compacted, but it isn't/),
      "ok topic prices: 1 partition can be read; what is written from now on is read (start: latest)",
      expect.stringMatching(/^hint topic prices: 1 of the first 1 values begin .* an id: 7\): .* in binary/),
      expect.stringMatching(/^hint topic prices: it is compacted, but its stream isn't/),
      expect.stringMatching(/^ok topic short: /),
      expect.stringMatching(/^hint topic short: Kafka keeps 60 s, the window wants 3600 s/),
      "wrong topic gone: it doesn't exist → create it, or correct streams.json",
    ]);
  });

  test("an address that is advertised but leads nowhere is told, and what can't be read because of it", async () => {
    const { broker, advertised } = kafka.misadvertised ?? {};

    const findings = await examine({ orders: {} }, { brokers: [broker ?? ""] });

    expect(findings).toEqual([
      expect.stringMatching(`^ok broker ${broker}: answers`),
      expect.stringMatching(
        `^wrong broker 1, advertised as ${advertised}: nobody listens there .* correct the broker's advertised.listeners`,
      ),
      expect.stringMatching(
        /^wrong topic orders: 3 of its partitions are led by broker 1, which can't be reached/,
      ),
      expect.stringMatching(/^ok topic orders: its configuration fits/),
    ]);
  });

  test("a broker that is down is told, and the others are asked", async () => {
    const findings = await examine({ orders: {} }, { brokers: ["127.0.0.1:1", ...kafka.brokers] });

    expect(findings[0]).toMatch(/^wrong broker 127.0.0.1:1: nobody listens there/);
    expect(findings).toContainEqual(expect.stringMatching(/^ok topic orders: 3 partitions can be read/));
  });

  describe("where it asks who comes:", () => {
    const secured = (changed: Partial<KafkaSettings> = {}): Partial<KafkaSettings> => {
      const { security } = kafka;
      if (security === undefined) throw new Error("the broker is not secure");
      const { brokers, ca, username, password } = security;
      return { brokers, tls: { ca }, sasl: { mechanism: "scram-sha-512", username, password }, ...changed };
    };
    const account = () => kafka.security?.username ?? "";

    test("topics that may be read, seen, and neither are told apart", async () => {
      await allow(admin, account(), AclOperationTypes.READ, "orders");
      await allow(admin, account(), AclOperationTypes.DESCRIBE, "prices");
      const findings = await eventually(async () => {
        const found = await examine({ orders: {}, prices: {}, short: {} }, secured());
        // A permission reaches the broker a little after it was given.
        return found.some((one) => one.startsWith("ok topic orders")) && found;
      }, "the permission");

      expect(findings).toEqual([
        expect.stringMatching(/^ok broker .* \(TLS, SASL SCRAM-SHA-512; Metadata/),
        expect.stringMatching(/^ok broker 1, advertised as /),
        expect.stringMatching(/^ok topic orders: 3 partitions can be read/),
        expect.stringMatching(/^hint topic orders: 1 of the first 4 records have no key/),
        expect.stringMatching(/^hint topic orders: .* can't be seen → .* DESCRIBE_CONFIGS/),
        expect.stringMatching(/^wrong topic prices: this account may not read it → grant it READ/),
        expect.stringMatching(/^hint topic prices: .* can't be seen/),
        expect.stringMatching(/^wrong topic short: this account may not read it → grant it READ/),
      ]);
    });

    test("what publishing needs is named, and which of it is missing", async () => {
      await createTopic(admin, "posted", 1);
      const topics = { posted: { publish: "public" } };
      const findings = () => examine(topics, secured());
      const told = (what: RegExp) =>
        eventually(async () => (await findings()).find((one) => what.test(one)), `${what} is said`);
      await allow(admin, account(), AclOperationTypes.READ, "posted");

      await told(/^wrong topic posted: this account may not write it.* → grant it WRITE on the topic/);
      await told(/^wrong PUBLISH_ID: .* begin with publishers.* → grant it WRITE on transactional ids/);
      await allow(admin, account(), AclOperationTypes.WRITE, "posted");
      await told(/^hint topic posted: .*\(id_not_kept\) → grant it DESCRIBE_CONFIGS/);
      await allow(admin, account(), AclOperationTypes.DESCRIBE_CONFIGS, "posted");
      await told(/^ok topic posted: can be written/);
      await allowTransactions(admin, account(), "publishers");
      await told(/^ok PUBLISH_ID: transactional ids that begin with publishers may be used/);
    });

    test.each([
      [
        "a certificate that isn't trusted",
        () => secured({ tls: {} }),
        /authority that isn't trusted here .* → set KAFKA_TLS_CA/,
      ],
      [
        "a wrong password",
        () => secured({ sasl: { mechanism: "plain", username: "reader", password: "hunter2" } }),
        /refuses the account: .* → correct KAFKA_SASL_USERNAME, or the password/,
      ],
      [
        "no TLS",
        () => {
          const { brokers = [] } = secured();
          return { brokers };
        },
        /doesn't answer: .* → if it wants TLS, set KAFKA_TLS=on/,
      ],
      ["TLS where there is none", () => ({ brokers: kafka.brokers, tls: {} }), /doesn't speak TLS there/],
    ] as const)("%s is told, and topics are not examined", async (_, settings, words) => {
      const [broker, topic] = await examine({ orders: {} }, settings());

      expect(broker).toMatch(/^wrong broker /);
      expect(broker).toMatch(words);
      expect(broker).not.toContain("hunter2");
      expect(topic).toMatch(/^hint topic orders: it isn't examined, since no broker answers/);
    });
  });
});
