import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { KafkaSettings } from "../../../origin/kafka/settings.ts";
import { KafkaSource } from "../../../origin/kafka/source.ts";
import { CappedProxy } from "../../support/capped-proxy.ts";
import { numbered, range, values } from "../../support/contract-records.ts";
import { eventually } from "../../support/deadline.ts";
import { EVENT_HUBS } from "../../support/kafka-alikes.ts";
import { KafkaBroker } from "../../support/kafka-broker.ts";
import { type JavaProducer, JavaProducers } from "../../support/kafka-producer.ts";
import type { Security } from "../../support/kafka-security.ts";
import { createTopic } from "../../support/kafka-topics.ts";
import { partitionsOf, Reading } from "../../support/reading.ts";
import { describeWithKafka } from "../../support/with-kafka.ts";

describeWithKafka("reading Kafka with TLS and SASL:", () => {
  let kafka: KafkaBroker;
  let proxy: CappedProxy;
  let security: Security;
  let producers: JavaProducers;
  let producer: JavaProducer;
  let topic: string;

  beforeAll(async () => {
    proxy = await CappedProxy.open();
    kafka = await KafkaBroker.start({
      secure: true,
      accountProxies: [proxy.port],
      config: { "listener.name.accounts.connections.max.reauth.ms": "2000" },
    });
    proxy.target = kafka.behindAccountProxies[0];
    proxy.overTls = true;
    if (kafka.security === undefined) throw new Error("the broker is not secure");
    security = kafka.security;
    producers = new JavaProducers(kafka);
    producer = await producers.open();
    topic = `secure-${randomUUID()}`;
    const admin = kafka.client().admin();
    await admin.connect();
    await createTopic(admin, topic, 1);
    await admin.disconnect();
    await producer.send(topic, numbered(0, 10));
  });
  afterAll(async () => {
    await producers?.stop();
    await kafka?.stop();
    await proxy?.close();
  });

  const sourceWith = (settings: Partial<KafkaSettings>) =>
    new KafkaSource({ brokers: security.brokers, clientId: "test", tls: { ca: security.ca }, ...settings });
  const account = () => ({ username: security.username, password: security.password });
  /** Of the kind that nobody signed; it names who comes, and for how long it is good. */
  const token = async (seconds = 3_600) => {
    const json = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const now = Math.floor(Date.now() / 1_000);
    return { value: `${json({ alg: "none" })}.${json({ sub: "reader", iat: now, exp: now + seconds })}.` };
  };

  async function read(source: KafkaSource): Promise<Reading> {
    const [info] = await partitionsOf(source, topic);
    return new Reading(source, { topic, partition: 0, epoch: info?.epoch ?? "", from: 0 });
  }

  describe("with the right account", { timeout: 90_000 }, () => {
    test.each([
      ["PLAIN", () => ({ mechanism: "plain", ...account() }) as const],
      ["SCRAM-SHA-256", () => ({ mechanism: "scram-sha-256", ...account() }) as const],
      ["SCRAM-SHA-512", () => ({ mechanism: "scram-sha-512", ...account() }) as const],
      ["OAUTHBEARER", () => ({ mechanism: "oauthbearer", oauthBearerProvider: () => token() }) as const],
    ])("%s lets it read", async (_, sasl) => {
      const source = sourceWith({ sasl: sasl() });

      const reading = await read(source);
      await reading.reaches(10);

      expect(values(reading.records)).toEqual(range(0, 10).map(String));
      await source.close();
    });

    test("reading goes on over the times when it must say again who it is", async () => {
      let asked = 0;
      const oauthBearerProvider = () => {
        asked++;
        return token();
      };
      const source = sourceWith({ sasl: { mechanism: "oauthbearer", oauthBearerProvider } });
      const reading = await read(source);
      await reading.reaches(10);
      const first = asked;

      let written = 10;
      await eventually(async () => {
        await producer.send(topic, numbered(0, 5, written));
        written += 5;
        return asked >= first + 3;
      }, "it said again who it is");
      await reading.reaches(written);

      expect(values(reading.records)).toEqual(range(0, written).map(String));
      await source.close();
    });

    test("reading goes on where sessions end, and the log's versions don't say when", async () => {
      const [HANDSHAKE, AUTHENTICATE] = [17, 36];
      proxy.caps = { ...EVENT_HUBS, [AUTHENTICATE]: [0, 0] };
      const source = new KafkaSource({
        brokers: [`127.0.0.1:${proxy.port}`],
        clientId: "test",
        sasl: { mechanism: "scram-sha-256", ...account() },
      });
      let written = (await partitionsOf(source, topic))[0]?.endOffset ?? 0;
      const reading = await read(source);
      await reading.reaches(written);
      const first = proxy.passed.get(HANDSHAKE) ?? 0;

      await eventually(async () => {
        await producer.send(topic, numbered(0, 5, written));
        written += 5;
        return (proxy.passed.get(HANDSHAKE) ?? 0) >= first + 3;
      }, "it said again who it is");
      await reading.reaches(written);

      expect(reading.offsets).toEqual(range(0, written));
      expect(proxy.strangers).toEqual([]);
      await source.close();
    });

    test("a token that has run out is no end: reading goes on with the next that is put in its place", async () => {
      let tokens = 0;
      const oauthBearerProvider = () => token(tokens++ > 3 && tokens < 10 ? -10 : 12);
      const source = sourceWith({ sasl: { mechanism: "oauthbearer", oauthBearerProvider } });
      const before = (await partitionsOf(source, topic))[0]?.endOffset ?? 0;
      const reading = await read(source);
      await reading.reaches(before);

      await eventually(() => tokens > 10, "the tokens were refused, then taken", 60_000);
      await producer.send(topic, numbered(0, 5, before));
      await reading.reaches(before + 5);

      expect(reading.offsets).toEqual(range(0, before + 5));
      await source.close();
    });
  });

  test("where brokers ask for a certificate, the right one lets it read, without an account", async () => {
    const { mutual, ca, client } = security;
    const source = sourceWith({ brokers: mutual, tls: { ca, ...client } });

    const end = (await partitionsOf(source, topic))[0]?.endOffset ?? 0;
    const reading = await read(source);
    await reading.reaches(end);

    expect(reading.offsets).toEqual(range(0, end));
    await source.close();
  });

  type Refused = [what: string, settings: () => Partial<KafkaSettings>, message: RegExp];
  test.concurrent.for<Refused>([
    [
      "no certificate, where brokers ask for one,",
      () => ({ brokers: security.mutual, tls: { ca: security.ca } }),
      /TLS: .*certificate/,
    ],
    [
      "a certificate that the brokers don't trust",
      () => ({ brokers: security.mutual, tls: { ca: security.ca, ...security.stranger } }),
      /certificate/i,
    ],
    [
      "the wrong password",
      () => ({ sasl: { mechanism: "plain", username: security.username, password: "wrong" } }) as const,
      /Authentication failed/i,
    ],
    ["no account", () => ({}), /./],
    ["no trust in the broker's certificate", () => ({ tls: {} }), /certificate/],
  ])("%s ends in unavailable, and says why", async ([_, settings, message], { expect }) => {
    const source = sourceWith(settings());

    await expect(source.describe(topic)).rejects.toEqual(
      expect.objectContaining({
        name: "SourceError",
        code: "unavailable",
        message: expect.stringMatching(message),
      }),
    );
    await source.close();
  });
});
