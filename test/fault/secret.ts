/** The account by which origins come to Kafka, and its password, which is changed while they run. */
import { randomBytes } from "node:crypto";
import { renameSync, writeFileSync } from "node:fs";
import { setPassword, setQuotas } from "../support/kafka-accounts.ts";
import type { KafkaBroker } from "../support/kafka-broker.ts";

const ACCOUNT = "origin";
const LISTENER = "listener.name.proxied";

export class Secret {
  /** Lines of server.properties: whoever comes through a proxy must say who it is. */
  static readonly listener: Readonly<Record<string, string>> = {
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:SASL_PLAINTEXT",
    [`${LISTENER}.sasl.enabled.mechanisms`]: "SCRAM-SHA-256",
    [`${LISTENER}.scram-sha-256.sasl.jaas.config`]:
      "org.apache.kafka.common.security.scram.ScramLoginModule required;",
  };

  readonly #kafka: KafkaBroker;
  readonly #file: string;

  /** @param file Where origins find it. */
  static async set(kafka: KafkaBroker, file: string): Promise<Secret> {
    const secret = new Secret(kafka, file);
    await secret.change();
    return secret;
  }

  private constructor(kafka: KafkaBroker, file: string) {
    this.#kafka = kafka;
    this.#file = file;
  }

  /** The settings of an origin. */
  get env(): Readonly<Record<string, string>> {
    return {
      KAFKA_SASL_MECHANISM: "scram-sha-256",
      KAFKA_SASL_USERNAME: ACCOUNT,
      KAFKA_SASL_PASSWORD_FILE: this.#file,
    };
  }

  /** The file first, as a whole, and then the account. */
  async change(): Promise<void> {
    const password = randomBytes(12).toString("hex");
    writeFileSync(`${this.#file}.new`, password);
    renameSync(`${this.#file}.new`, this.#file);
    await setPassword(this.#broker, ACCOUNT, password);
  }

  /** What the account may take from each broker, by Kafka's names; undefined for as much as it likes. */
  async limit(quotas: Readonly<Record<string, number | undefined>>): Promise<void> {
    await setQuotas(this.#broker, ACCOUNT, quotas);
  }

  get #broker(): string {
    const [first] = this.#kafka.brokers;
    if (first === undefined) throw new Error("there is no broker");
    return first;
  }
}
