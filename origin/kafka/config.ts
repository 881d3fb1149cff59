/** Kafka's part of the origin's settings. Pure but for what it is given to read files with. */
import { X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import type { SASLOptions } from "kafkajs";
import type { Setting } from "../../shared/node/settings.ts";
import { type Reading, type Renewable, renewable } from "../settings/renewable.ts";
import type { CredentialParts, Identity, KafkaSettings } from "./settings.ts";

const PASSWORD_MECHANISMS = ["plain", "scram-sha-256", "scram-sha-512"] as const;
const MECHANISMS = [...PASSWORD_MECHANISMS, "oauthbearer"];

export const KAFKA_SETTINGS = {
  KAFKA_BROKERS: {
    means: "Kafka to read: host:port[,host:port…] of some brokers. Without it the embedded log is read.",
  },
  KAFKA_TLS: {
    means:
      "on or off: TLS to the brokers. Default: on where KAFKA_TLS_CA, KAFKA_TLS_NAME or KAFKA_TLS_CERT is set.",
  },
  KAFKA_TLS_CA: { means: "A PEM file of the authorities to trust, instead of the system's." },
  KAFKA_TLS_NAME: {
    means: "The name that brokers' certificates must be for, if that isn't the host that is dialled.",
  },
  KAFKA_TLS_CERT: { means: "A PEM file of the client's own certificate, where brokers ask for one." },
  KAFKA_TLS_KEY: { means: "A PEM file of that certificate's key." },
  KAFKA_SASL_MECHANISM: { means: `How to say who comes: ${MECHANISMS.join(", ")}.` },
  KAFKA_SASL_USERNAME: { means: "The account, for all of these but oauthbearer." },
  KAFKA_SASL_PASSWORD: { means: "Its password.", secret: true },
  KAFKA_SASL_PASSWORD_FILE: { means: "A file that holds the password, instead of KAFKA_SASL_PASSWORD." },
  KAFKA_OAUTH_TOKEN_FILE: { means: "A file that holds the token for oauthbearer." },
} as const satisfies Record<string, Setting>;

export type KafkaSetting = keyof typeof KAFKA_SETTINGS;

export interface KafkaSurroundings extends Reading<KafkaSetting> {
  /** Undefined if it is unset, or empty. */
  readonly raw: (name: KafkaSetting) => string | undefined;
  readonly clientId: string;
}

/** Undefined if no Kafka is configured, or if something is wrong, which `wrong` was told of. */
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
  const part = <T>(read: (surroundings: KafkaSurroundings) => T | undefined) =>
    renewable(surroundings, (reading) => read({ ...surroundings, ...reading }));
  const isSecure = readTls(surroundings);
  const ca = isSecure ? part(readAuthorities) : undefined;
  const identity = isSecure ? part(readIdentity) : undefined;
  const sasl = part(readSasl);
  const name = raw("KAFKA_TLS_NAME");
  if (name !== undefined && !HOST_NAME.test(name)) wrong("KAFKA_TLS_NAME", `is no name of a host: ${name}`);
  const tls = isSecure && { ...(ca && { ca: ca.first }), ...(name && { name }), ...identity?.first };
  const parts: CredentialParts = {
    ...(isLive(ca) && { ca }),
    ...(isLive(identity) && { identity }),
    ...(isLive(sasl) && { sasl }),
  };
  return {
    brokers,
    clientId,
    ...(tls && { tls }),
    ...(sasl && { sasl: sasl.first }),
    ...(Object.keys(parts).length > 0 && { parts }),
  };
}

const isLive = <T>(part: Renewable<T> | undefined): part is Renewable<T> =>
  part !== undefined && part.files.size > 0;

/** An IPv6 host stands in brackets. */
function isAddress(text: string): boolean {
  const match = /^(?:\[[\da-fA-F:.]+\]|[^\s:/[\]@]+):(\d{1,5})$/.exec(text);
  const port = Number(match?.[1]);
  return port >= 1 && port <= 65_535;
}

const HOST_NAME = /^(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$/;

/** Whether TLS is on. */
function readTls({ raw, wrong }: KafkaSurroundings): boolean {
  const files = TLS_SETTINGS.filter((name) => raw(name));
  const asked = raw("KAFKA_TLS") ?? (files.length > 0 ? "on" : "off");
  if (asked === "off") for (const name of files) wrong(name, "is set, but KAFKA_TLS is off");
  else if (asked !== "on") wrong("KAFKA_TLS", "must be on or off");
  return asked === "on";
}

function readAuthorities(surroundings: KafkaSurroundings): string | undefined {
  const { wrong } = surroundings;
  const ca = read(surroundings, "KAFKA_TLS_CA");
  if (ca === undefined) return undefined;
  if (!ca.includes("-----BEGIN CERTIFICATE-----"))
    return wrong("KAFKA_TLS_CA", "holds no certificate in PEM form");
  if (!isWhole(ca)) return wrong("KAFKA_TLS_CA", "ends within a certificate");
  // OpenSSL passes over what is no certificate, and all that follows it, without a word.
  const broken = (ca.match(CERTIFICATE) ?? []).findIndex((text) => !isCertificate(text));
  if (broken >= 0)
    return wrong("KAFKA_TLS_CA", `can't be used: number ${broken + 1} of its certificates is none`);
  return ca;
}

const TLS_SETTINGS = ["KAFKA_TLS_CA", "KAFKA_TLS_NAME", "KAFKA_TLS_CERT", "KAFKA_TLS_KEY"] as const;

const CERTIFICATE = /-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----/gs;
const PEM_BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----/gs;

/** Whether a PEM text ends within none of its blocks, nor in the line that begins one: else it is still being written. */
function isWhole(pem: string): boolean {
  const rest = pem.replace(PEM_BLOCK, "").trimEnd();
  return !rest.includes("-----") && !rest.endsWith("-");
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
}

function readIdentity(surroundings: KafkaSurroundings): Identity | undefined {
  const { raw, wrong } = surroundings;
  const [cert, key] = [read(surroundings, "KAFKA_TLS_CERT"), read(surroundings, "KAFKA_TLS_KEY")];
  if (raw("KAFKA_TLS_CERT") && !raw("KAFKA_TLS_KEY")) wrong("KAFKA_TLS_KEY", "is missing for KAFKA_TLS_CERT");
  if (raw("KAFKA_TLS_KEY") && !raw("KAFKA_TLS_CERT")) wrong("KAFKA_TLS_CERT", "is missing for KAFKA_TLS_KEY");
  if (cert === undefined || key === undefined) return undefined;
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    return wrong("KAFKA_TLS_CERT", `and KAFKA_TLS_KEY can't be used: ${reasonOf(error)}`);
  }
  // An empty text counts as none for OpenSSL, and of a chain that is cut it takes what is there.
  if (!/-----BEGIN [A-Z0-9 ]*CERTIFICATE-----/.test(cert))
    return wrong("KAFKA_TLS_CERT", "holds no certificate in PEM form");
  if (!isWhole(cert)) return wrong("KAFKA_TLS_CERT", "ends within a certificate");
  if (!key.includes("PRIVATE KEY-----")) return wrong("KAFKA_TLS_KEY", "holds no key in PEM form");
  return { cert, key };
}

function readSasl(surroundings: KafkaSurroundings): SASLOptions | undefined {
  const { raw, wrong } = surroundings;
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
    if (raw("KAFKA_OAUTH_TOKEN_FILE") === undefined)
      return wrong("KAFKA_OAUTH_TOKEN_FILE", "is not set, which oauthbearer needs");
    const value = read(surroundings, "KAFKA_OAUTH_TOKEN_FILE")?.trim();
    if (value === undefined) return undefined;
    if (value === "") return wrong("KAFKA_OAUTH_TOKEN_FILE", "is empty");
    return { mechanism: asked, oauthBearerProvider: async () => ({ value }) };
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
