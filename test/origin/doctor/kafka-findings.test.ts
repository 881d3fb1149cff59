import { describe, expect, test } from "vitest";
import {
  brokerFinding,
  configFindings,
  metadataFindings,
  sessionWords,
  topicFindings,
} from "../../../origin/doctor/kafka-findings.ts";
import { Sample } from "../../../origin/doctor/sample.ts";
import { STREAM } from "../../support/small-origin.ts";

const PLAIN = { tls: false, mechanism: undefined };
const SECURE = { tls: true, mechanism: "SCRAM-SHA-256" };
const TOPIC = { error: 0, name: "t", id: Buffer.alloc(16, 1), hasOwnId: true };
const led = (partition: number, leader: number) => ({ partition, error: 0, leader, leaderEpoch: 0 });

test("what a broker lacks without which it can't be read is named, with the versions that there are", () => {
  const has = (fetch: [number, number]) => ({
    1: { minVersion: fetch[0], maxVersion: fetch[1] },
    2: { minVersion: 0, maxVersion: 4 },
    3: { minVersion: 0, maxVersion: 20 },
  });

  expect(brokerFinding("broker b", has([0, 3]), PLAIN)).toMatchObject({
    verdict: "wrong",
    says: "no reading: the broker has Fetch in versions 0–3, this client 4–17",
  });
  expect(brokerFinding("broker b", has([0, 11]), SECURE)).toMatchObject({
    verdict: "ok",
    says: "answers (TLS, SASL SCRAM-SHA-256; Metadata 12, ListOffsets 4, Fetch 11)",
  });
});

test("of a topic without an id it is told what isn't noticed", () => {
  expect(metadataFindings("t", { ...TOPIC, hasOwnId: false, partitions: [led(0, 1)] })).toMatchObject([
    { verdict: "hint", says: expect.stringContaining("deleted and created again") },
  ]);
});

test.each([
  ["SASL SCRAM-SHA-256 mechanism is not supported by the server", SECURE, /KAFKA_SASL_MECHANISM to one/],
  ["SASL PLAIN authentication failed: no", SECURE, /USERNAME, or the password/],
  ["Authentication failed", { tls: true, mechanism: "OAUTHBEARER" }, /KAFKA_OAUTH_TOKEN_FILE/],
  ["tlsv13 alert certificate required", SECURE, /KAFKA_TLS_CERT and KAFKA_TLS_KEY/],
  ["the connection was closed", PLAIN, /KAFKA_TLS=on; .*KAFKA_SASL_MECHANISM; see its log/],
  ["the connection was closed", SECURE, /^see its log/],
])("%s: what to do", (message, ways, todo) => {
  expect(sessionWords(message, ways).todo).toMatch(todo);
});

describe("a topic", () => {
  test.each([
    [3, /doesn't exist/],
    [29, /may not read it/],
    [5, /can't be described: .*Kafka's error 5/],
  ])("with Kafka's error %i", (error, says) => {
    expect(metadataFindings("t", { ...TOPIC, error, partitions: [] })).toMatchObject([
      { verdict: "wrong", says: expect.stringMatching(says) },
    ]);
  });

  test("with partitions that nobody leads", () => {
    expect(
      metadataFindings("t", { ...TOPIC, partitions: [led(0, 1), led(1, -1), led(2, -1)] }),
    ).toMatchObject([{ verdict: "wrong", says: "2 of 3 partitions have no leader (1, 2)" }]);
    expect(metadataFindings("t", { ...TOPIC, partitions: [led(0, 1)] })).toEqual([]);
  });

  test("that can be read, and what its first records are like", () => {
    const verdicts = (...keys: readonly (Uint8Array | null)[]) => {
      const sample = new Sample();
      for (const key of keys) sample.add(key, null);
      return topicFindings(STREAM, 2, 9, sample).map(({ verdict }) => verdict);
    };
    const key = Buffer.from("k");

    expect([verdicts(key, key), verdicts(key, null)]).toEqual([["ok"], ["ok", "hint"]]);
  });

  test.each([
    ["compact", {}, true, "ok"],
    ["delete", {}, false, "ok"],
    ["compact", {}, false, "hint"],
    ["delete", {}, true, "hint"],
    ["compact,delete", { "retention.ms": "1" }, true, "hint"],
    ["compact", { "retention.ms": "1" }, true, "ok"],
    ["delete", { "retention.ms": "-1" }, false, "ok"],
    ["delete", { "retention.ms": "3599999" }, false, "hint"],
    ["delete", { "retention.ms": "3600000" }, false, "ok"],
  ])("of policy %s with %o, exposed as compacted: %s is %s", (policy, values, compacted, verdict) => {
    const config = { error: 0, values: new Map(Object.entries({ "cleanup.policy": policy, ...values })) };

    expect(configFindings({ ...STREAM, compacted }, config)).toMatchObject([{ verdict }]);
  });

  test.each([
    ["delete", { "retention.ms": "1199999" }, "retention.ms"],
    ["compact", { "min.compaction.lag.ms": "0" }, "min.compaction.lag.ms"],
  ])(
    "of policy %s with %o can't promise that a publish is done once, and the hint says what to set",
    (policy, values, name) => {
      const config = { error: 0, values: new Map(Object.entries({ "cleanup.policy": policy, ...values })) };
      const stream = { ...STREAM, compacted: policy === "compact", windowMs: 1_000 };
      const of = (publish: "token" | "nobody") => configFindings({ ...stream, publish }, config);

      expect(of("token")).toMatchObject([
        { verdict: "hint", todo: expect.stringContaining(`set ${name} to 1200000`) },
      ]);
      expect(of("nobody")).toMatchObject([{ verdict: "ok" }]);
    },
  );

  test("whose configuration can't be seen is a hint", () => {
    for (const config of [undefined, { error: 29, values: new Map<string, string>() }])
      expect(configFindings(STREAM, config)).toMatchObject([{ verdict: "hint" }]);
  });
});
