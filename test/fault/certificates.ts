/**
 * The certificates of the listener where origins with an account come in: the brokers' and the origins', which trust one
 * another alone. They are renewed while both run: what was good before is so no longer.
 */
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "node:tls";
import kafkajs, { type Admin } from "kafkajs";
import { eventually } from "../support/deadline.ts";
import { BROKER_PAIRS, PAIRS } from "../support/tls-pairs.ts";

const LISTENER = "listener.name.accounts.ssl";
const SETS = BROKER_PAIRS.length;
const SHOWN_MS = 5_000;

export class Certificates {
  readonly #folder: string;
  #set = 0;

  /** @param folder Is there. */
  constructor(folder: string) {
    this.#folder = folder;
    for (const [i, { cert, key }] of BROKER_PAIRS.entries()) {
      writeFileSync(this.#file(`broker-${i}`), `${key}${cert}`);
      writeFileSync(this.#file(`clients-${i}`), PAIRS[i]?.cert ?? "");
    }
    this.#hand();
  }

  /** Lines of server.properties. */
  get config(): Readonly<Record<string, string>> {
    return {
      [`${LISTENER}.client.auth`]: "required",
      [`${LISTENER}.keystore.type`]: "PEM",
      [`${LISTENER}.truststore.type`]: "PEM",
      ...this.#stores,
    };
  }

  /** The settings of an origin. */
  get env(): Readonly<Record<string, string>> {
    return {
      KAFKA_TLS_CA: this.#file("ca"),
      KAFKA_TLS_CERT: this.#file("cert"),
      KAFKA_TLS_KEY: this.#file("key"),
    };
  }

  /**
   * The origins' files first, and then each broker, of which all must be there. Resolves when all show theirs.
   * @param ports Where each of them listens for origins.
   */
  async renew(admin: Admin, ports: readonly number[]): Promise<void> {
    this.#set = (this.#set + 1) % SETS;
    this.#hand();
    const configEntries = Object.entries(this.#stores).map(([name, value]) => ({ name, value }));
    await admin.alterConfigs({
      validateOnly: false,
      resources: ports.map((_, i) => ({
        type: kafkajs.ConfigResourceTypes.BROKER,
        name: String(i + 1),
        configEntries,
      })),
    });
    const { broker } = this.#pairs;
    for (const port of ports)
      await eventually(
        async () => (await shownAt(port)) === fingerprintOf(broker.cert),
        `${port} is renewed`,
      );
  }

  get #pairs() {
    const [broker, client] = [BROKER_PAIRS[this.#set], PAIRS[this.#set]];
    if (broker === undefined || client === undefined) throw new Error("there is no such set");
    return { broker, client };
  }

  get #stores(): Readonly<Record<string, string>> {
    return {
      [`${LISTENER}.keystore.location`]: this.#file(`broker-${this.#set}`),
      [`${LISTENER}.truststore.location`]: this.#file(`clients-${this.#set}`),
    };
  }

  #hand(): void {
    const { broker, client } = this.#pairs;
    this.#put("ca", broker.cert);
    this.#put("cert", client.cert);
    this.#put("key", client.key);
  }

  /** Each as a whole. */
  #put(name: string, text: string): void {
    writeFileSync(`${this.#file(name)}.new`, text);
    renameSync(`${this.#file(name)}.new`, this.#file(name));
  }

  #file(name: string): string {
    return join(this.#folder, `${name}.pem`);
  }
}

const fingerprintOf = (cert: string) => new X509Certificate(cert).fingerprint256;

/** The fingerprint of the certificate that a listener shows just now. */
async function shownAt(port: number): Promise<string | undefined> {
  const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false });
  // Without a certificate of our own we aren't let in, but are shown that of the broker.
  socket.on("error", () => {});
  try {
    await once(socket, "secureConnect", { signal: AbortSignal.timeout(SHOWN_MS) });
    return socket.getPeerX509Certificate()?.fingerprint256;
  } finally {
    socket.destroy();
  }
}
