/** However much is wanted of a broker that fails, and however it fails: it is dialled for all of it together. */
import { test } from "vitest";
import type { KafkaSettings } from "../../../origin/kafka/settings.ts";
import { KafkaSource } from "../../../origin/kafka/source.ts";
import { SourceError } from "../../../origin/source/source.ts";
import { range } from "../../support/contract-records.ts";
import { eventually } from "../../support/deadline.ts";
import { Dials } from "../../support/dials.ts";
import { ScriptedBroker } from "../../support/scripted-broker.ts";

const SASL = { sasl: { mechanism: "plain", username: "u", password: "wrong" } } as const;
/** Kafka's error when it doesn't take an account. */
const SASL_FAILED = 58;

const FAILURES: readonly [
  string,
  Partial<KafkaSettings>,
  (broker: ScriptedBroker) => void | Promise<void>,
][] = [
  ["doesn't listen", {}, (broker) => broker.refuse()],
  [
    "resets each connection",
    {},
    (broker) => {
      broker.accept = (socket) => socket.resetAndDestroy();
    },
  ],
  [
    "ends each connection",
    {},
    (broker) => {
      broker.accept = (socket) => socket.end();
    },
  ],
  [
    "ends each connection once it has said what it knows",
    {},
    (broker) => {
      broker.answers.metadata = (socket) => void socket.destroy();
    },
  ],
  [
    "refuses the account",
    SASL,
    (broker) => {
      broker.answers.saslAuthenticate = () => {
        const body = Buffer.alloc(16);
        body.writeInt16BE(SASL_FAILED, 0);
        body.writeInt16BE(-1, 2);
        return body;
      };
    },
  ],
  [
    "speaks no TLS",
    { tls: {} },
    (broker) => {
      broker.accept = (socket) => socket.write("HTTP/1.1 400 Bad Request\r\n\r\n");
    },
  ],
  [
    "answers with garbage",
    {},
    (broker) => {
      broker.answers.metadata = () => Buffer.from("garbage");
    },
  ],
];

test.concurrent.for(FAILURES)(
  "a broker that %s is dialled twice a second at most, for 100 topics",
  async ([_, settings, fail], { onTestFinished, expect }) => {
    const broker = await ScriptedBroker.start();
    onTestFinished(() => broker.stop());
    await fail(broker);
    const brokers = [`127.0.0.1:${broker.port}`];
    const source = new KafkaSource({ brokers, clientId: "test", ...settings });
    const dials = new Dials(broker.port);
    let over = false;
    const failures = new Set<unknown>();
    const describing = range(0, 100).map(async (i) => {
      while (!over) await source.describe(`t${i}`).catch((error: unknown) => failures.add(error));
    });

    await eventually(() => dials.at.length >= 8, "some dials");
    over = true;
    await Promise.all(describing);
    dials.stop();
    await source.close();

    expect(dials.perSecond).toBeLessThanOrEqual(2);
    for (const error of failures) expect(error).toBeInstanceOf(SourceError);
  },
);
