/** Kafka's part of the origin's settings. Pure but for what it is given to read files with. */
import { createSecureContext } from "node:tls";
import type { SASLOptions } from "kafkajs";
import type { Setting } from "../settings.ts";
import type { KafkaSettings, TlsSettings } from "./settings.ts";

const PASSWORD_MECHANISMS = ["plain", "scram-sha-256", "scram-sha-512"] as const;
const MECHANISMS = [...PASSWORD_MECHANISMS, "oauthbearer"];

export const KAFKA_SETTINGS = {
  KAFKA_BROKERS: {
    means: "Kafka to read: host:port[,host:port…] of some brokers. Without it the embedded log is read.",
  },
  KAFKA_TLS: {
    means: "on or off: TLS to the brokers. Default: on where KAFKA_TLS_CA or KAFKA_TLS_CERT is set.",
  },
  KAFKA_TLS_CA: { means: "A PEM file of the authorities to trust, instead of the system's." },
  KAFKA_TLS_CERT: { means: "A PEM file of the client's own certificate, where brokers ask for one." },
  KAFKA_TLS_KEY: { means: "A PEM file of that certificate's key." },
  KAFKA_SASL_MECHANISM: { means: `How to say who comes: ${MECHANISMS.join(", ")}.` },
  KAFKA_SASL_USERNAME: { means: "The account, for all of these but oauthbearer." },
  KAFKA_SASL_PASSWORD: { means: "Its password.", secret: true },
  KAFKA_SASL_PASSWORD_FILE: { means: "A file that holds the password, instead of KAFKA_SASL_PASSWORD." },
  KAFKA_OAUTH_TOKEN_FILE: {
    means: "A file that holds the token for oauthbearer; read anew whenever one is asked for.",
  },
} as const satisfies Record<string, Setting>;

export type KafkaSetting = keyof typeof KAFKA_SETTINGS;

export interface KafkaSurroundings {
  /** Undefined where it is unset, or empty. */
  readonly raw: (name: KafkaSetting) => string | undefined;
  /** Throws where the file can't be read. */
  readonly readFile: (path: string) => string;
  /** Takes what is wrong with a setting. */
  readonly wrong: (name: KafkaSetting, problem: string) => undefined;
  readonly clientId: string;
}

/** Undefined where no Kafka is configured, and where something is wrong, which `wrong` was told of. */
export function readKafka(surroundings: KafkaSurroundings): KafkaSettings | undefined {
  const { raw, wrong, clientId } = surroundings;
  const list = raw("KAFKA_BROKERS");
  if (list === undefined) {
    // Reading another log than the one that was meant would look like a success.
    for (const name of Object.keys(KAFKA_SETTINGS) as KafkaSetting[])
      if (raw(name) !== undefined) wrong(name, "is set, but KAFKA_BROKERS is not");
    return undefined;
  }
  const brokers = list.split(",").map((broker) => broker.trim());
  for (const broker of brokers)
    if (!isAddress(broker))
      wrong("KAFKA_BROKERS", `must be host:port[,host:port…]: ${JSON.stringify(broker)}`);
  const tls = readTls(surroundings);
  const sasl = readSasl(surroundings);
  return { brokers, clientId, ...(tls && { tls }), ...(sasl && { sasl }) };
}

/** An IPv6 host stands in brackets. */
function isAddress(text: string): boolean {
  const match = /^(?:\[[\da-fA-F:.]+\]|[^\s:/[\]@]+):(\d{1,5})$/.exec(text);
  const port = Number(match?.[1]);
  return port >= 1 && port <= 65_535;
}

function readTls(surroundings: KafkaSurroundings): TlsSettings | undefined {
  const { raw, wrong } = surroundings;
  const files = (["KAFKA_TLS_CA", "KAFKA_TLS_CERT", "KAFKA_TLS_KEY"] as const).filter((name) => raw(name));
  const asked = raw("KAFKA_TLS") ?? (files.length > 0 ? "on" : "off");
  if (asked !== "on" && asked !== "off") return wrong("KAFKA_TLS", "must be on or off");
  if (asked === "off") {
    for (const name of files) wrong(name, "is set, but KAFKA_TLS is off");
    return undefined;
  }
  const [ca, cert, key] = [
    read(surroundings, "KAFKA_TLS_CA"),
    read(surroundings, "KAFKA_TLS_CERT"),
    read(surroundings, "KAFKA_TLS_KEY"),
  ];
  if (raw("KAFKA_TLS_CERT") && !raw("KAFKA_TLS_KEY")) wrong("KAFKA_TLS_KEY", "is missing for KAFKA_TLS_CERT");
  if (raw("KAFKA_TLS_KEY") && !raw("KAFKA_TLS_CERT")) wrong("KAFKA_TLS_CERT", "is missing for KAFKA_TLS_KEY");
  // OpenSSL takes an authority that is none without a word.
  if (ca !== undefined && !ca.includes("-----BEGIN CERTIFICATE-----"))
    wrong("KAFKA_TLS_CA", "holds no certificate in PEM form");
  if (cert !== undefined && key !== undefined)
    try {
      createSecureContext({ cert, key });
    } catch (error) {
      wrong("KAFKA_TLS_CERT", `and KAFKA_TLS_KEY can't be used: ${reasonOf(error)}`);
    }
  return { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
}

function readSasl(surroundings: KafkaSurroundings): SASLOptions | undefined {
  const { raw, wrong, readFile } = surroundings;
  const asked = raw("KAFKA_SASL_MECHANISM");
  const superfluous = (why: string, ...names: readonly KafkaSetting[]) => {
    for (const name of names) if (raw(name) !== undefined) wrong(name, `is set, but ${why}`);
  };
  const account = ["KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD", "KAFKA_SASL_PASSWORD_FILE"] as const;
  if (asked === undefined) {
    superfluous("KAFKA_SASL_MECHANISM is not", ...account, "KAFKA_OAUTH_TOKEN_FILE");
    return undefined;
  }
  if (asked === "oauthbearer") {
    superfluous("oauthbearer has no account", ...account);
    const file = raw("KAFKA_OAUTH_TOKEN_FILE");
    if (file === undefined) return wrong("KAFKA_OAUTH_TOKEN_FILE", "is not set, which oauthbearer needs");
    read(surroundings, "KAFKA_OAUTH_TOKEN_FILE");
    return { mechanism: asked, oauthBearerProvider: async () => ({ value: readFile(file).trim() }) };
  }
  const mechanism = PASSWORD_MECHANISMS.find((candidate) => candidate === asked);
  if (mechanism === undefined)
    return wrong("KAFKA_SASL_MECHANISM", `must be one of ${MECHANISMS.join(", ")}`);
  superfluous(`the mechanism is ${mechanism}`, "KAFKA_OAUTH_TOKEN_FILE");
  const username = raw("KAFKA_SASL_USERNAME");
  if (username === undefined) wrong("KAFKA_SASL_USERNAME", `is not set, which ${mechanism} needs`);
  const password = readPassword(surroundings, mechanism);
  if (username === undefined || password === undefined) return undefined;
  return { mechanism, username, password };
}

function readPassword(surroundings: KafkaSurroundings, mechanism: string): string | undefined {
  const { raw, wrong } = surroundings;
  const direct = raw("KAFKA_SASL_PASSWORD");
  if (raw("KAFKA_SASL_PASSWORD_FILE") === undefined) {
    if (direct === undefined)
      wrong("KAFKA_SASL_PASSWORD", `is not set, nor KAFKA_SASL_PASSWORD_FILE, which ${mechanism} needs`);
    return direct;
  }
  if (direct !== undefined)
    return wrong("KAFKA_SASL_PASSWORD_FILE", "and KAFKA_SASL_PASSWORD are both set: which one is it?");
  // A password may end in white space, but hardly in what editors end a file with.
  const password = read(surroundings, "KAFKA_SASL_PASSWORD_FILE")?.replace(/\r?\n$/, "");
  return password === "" ? wrong("KAFKA_SASL_PASSWORD_FILE", "is empty") : password;
}

/** The text of the file that a setting names, if it does. */
function read({ raw, readFile, wrong }: KafkaSurroundings, name: KafkaSetting): string | undefined {
  const path = raw(name);
  if (path === undefined) return undefined;
  try {
    return readFile(path);
  } catch (error) {
    return wrong(name, `can't be read: ${reasonOf(error)}`);
  }
}

const reasonOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
