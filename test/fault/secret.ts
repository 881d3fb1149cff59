/** The account by which some origins come to Kafka, and its password, which is changed while they run. */
import { randomBytes } from "node:crypto";
import { renameSync, writeFileSync } from "node:fs";
import { setPassword } from "../support/kafka-accounts.ts";
import type { KafkaBroker } from "../support/kafka-broker.ts";

const ACCOUNT = "origin";

export class Secret {
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
    await setPassword(this.#kafka.brokers, ACCOUNT, password);
  }
}
