import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { withRenewal } from "../../../origin/kafka/credentials.ts";
import type { KafkaSettings } from "../../../origin/kafka/settings.ts";
import { readConfig } from "../../../origin/settings/config.ts";
import type { Renewable } from "../../../origin/settings/renewable.ts";
import { range } from "../../support/contract-records.ts";
import { PAIRS } from "../../support/tls-pairs.ts";

const ROOT = join(import.meta.dirname, "../../..");
const ENV = { EDGE_URL: "https://edge.example", UPLINK_KEY: "k1:host-7:0123456789abcdef0123456789abcdef" };
const KAFKA = { KAFKA_BROKERS: "kafka-1:9092,[::1]:9093" };
const CA = PAIRS[0].cert;
const DAMAGED = CA.replace("\nMII", "\nNII");

function read(
  env: Readonly<Record<string, string>>,
  files: Record<string, string> = {},
  args: string[] = [],
) {
  return readConfig({
    env: { ...ENV, ...env },
    args,
    root: "/root",
    readFile: (path) => {
      const text = path === "/root/streams.json" ? '{"streams":{}}' : files[path];
      if (text === undefined) throw new Error(`no such file: ${path}`);
      return text;
    },
  });
}

function kafkaOf(...given: Parameters<typeof read>): KafkaSettings | undefined {
  const result = read(...given);
  if (result.kind !== "config") throw new Error(`not a config: ${JSON.stringify(result)}`);
  return result.config.kafka;
}

function problemsOf(...given: Parameters<typeof read>): readonly string[] {
  const result = read(...given);
  return result.kind === "problems" ? result.problems : [];
}

describe("settings of Kafka", () => {
  test("without brokers there are none: the embedded log is read", () => {
    expect(kafkaOf({})).toBeUndefined();
  });

  test("brokers alone are enough, and can come from a flag", () => {
    const expected = { brokers: ["kafka-1:9092", "[::1]:9093"], clientId: "distributary-host-7" };

    expect(kafkaOf(KAFKA)).toEqual(expected);
    expect(kafkaOf({}, {}, ["--kafka-brokers", "kafka-1:9092, [::1]:9093"])).toEqual(expected);
  });

  test("TLS is on where it is asked for, or where there is something to trust", () => {
    expect(kafkaOf({ ...KAFKA, KAFKA_TLS: "off" })?.tls).toBeUndefined();
    expect(kafkaOf({ ...KAFKA, KAFKA_TLS: "on" })?.tls).toEqual({});
    expect(kafkaOf({ ...KAFKA, KAFKA_TLS_CA: "/ca" }, { "/ca": CA })?.tls).toEqual({ ca: CA });
  });

  test("certificates may have to be for another name than the one that is dialled", () => {
    expect(kafkaOf({ ...KAFKA, KAFKA_TLS_NAME: "kafka.example" })?.tls).toEqual({ name: "kafka.example" });
    expect(problemsOf({ ...KAFKA, KAFKA_TLS_NAME: "kafka:9093" })).toEqual([
      expect.stringMatching(/^KAFKA_TLS_NAME is no name of a host/),
    ]);
    expect(problemsOf({ ...KAFKA, KAFKA_TLS: "off", KAFKA_TLS_NAME: "kafka.example" })).toEqual([
      expect.stringMatching(/^KAFKA_TLS_NAME is set, but KAFKA_TLS is off/),
    ]);
  });

  test("are those of the documents' examples of managed clouds", () => {
    const text = readFileSync(join(ROOT, "docs/streams-and-settings.md"), "utf8");
    const examples = Array.from(text.matchAll(/^```sh\n(KAFKA_BROKERS=[^`]+)^```/gm), ([, lines = ""]) =>
      Object.fromEntries(
        Array.from(lines.matchAll(/^(\w+)='?(.+?)'?$/gm), ([, name = "", value = ""]) => [name, value]),
      ),
    );
    const files = { "/run/secrets/kafka": "the password", "/run/secrets/kafka-token": "a.b.c" };

    expect(examples.map(({ KAFKA_SASL_MECHANISM }) => KAFKA_SASL_MECHANISM)).toEqual([
      "plain",
      "scram-sha-512",
      "oauthbearer",
      "plain",
      "scram-sha-256",
      "plain",
    ]);
    for (const env of examples)
      expect(kafkaOf(env, files)).toMatchObject({
        brokers: [env.KAFKA_BROKERS],
        tls: {},
        sasl: { mechanism: env.KAFKA_SASL_MECHANISM },
      });
    expect(kafkaOf(examples[3] ?? {}, files)?.sasl).toMatchObject({ username: "$ConnectionString" });
  });

  test.each(["plain", "scram-sha-256", "scram-sha-512"])("%s has an account", (mechanism) => {
    const env = { ...KAFKA, KAFKA_SASL_MECHANISM: mechanism, KAFKA_SASL_USERNAME: "reader" };

    expect(kafkaOf({ ...env, KAFKA_SASL_PASSWORD: "secret " })?.sasl).toEqual({
      mechanism,
      username: "reader",
      password: "secret ",
    });
    // An editor's last newline is no part of it, white space may be.
    expect(
      kafkaOf({ ...env, KAFKA_SASL_PASSWORD_FILE: "/password" }, { "/password": "secret \n" })?.sasl,
    ).toMatchObject({ password: "secret " });
  });

  test("oauthbearer has a token, which is what its file holds", async () => {
    const env = { ...KAFKA, KAFKA_SASL_MECHANISM: "oauthbearer", KAFKA_OAUTH_TOKEN_FILE: "/token" };
    const sasl = kafkaOf(env, { "/token": "first\n" })?.sasl;
    if (sasl?.mechanism !== "oauthbearer") throw new Error("not oauthbearer");

    expect(await sasl.oauthBearerProvider()).toEqual({ value: "first" });
  });
});

describe("what lies in files", () => {
  const renewing =
    (files: Record<string, string>) =>
    <T>(part: Renewable<T>) =>
    async () =>
      part.read((path) => {
        const text = files[path];
        if (text === undefined) throw new Error(`no such file: ${path}`);
        return text;
      });

  test.each(["plain", "scram-sha-256", "scram-sha-512"])(
    "the password for %s is, for the next connection, what its file holds then",
    async (mechanism) => {
      const files = { "/password": "first\n" };
      const account = { KAFKA_SASL_MECHANISM: mechanism, KAFKA_SASL_USERNAME: "reader" };
      const settings = kafkaOf({ ...KAFKA, ...account, KAFKA_SASL_PASSWORD_FILE: "/password" }, files);
      if (settings === undefined) throw new Error("no settings");
      const { current } = withRenewal(settings, renewing(files));

      files["/password"] = "second\n";

      expect(settings.sasl).toMatchObject({ username: "reader", password: "first" });
      expect(await current?.()).toEqual({ sasl: { mechanism, username: "reader", password: "second" } });
    },
  );

  test("so is the token", async () => {
    const files = { "/token": "first\n" };
    const env = { ...KAFKA, KAFKA_SASL_MECHANISM: "oauthbearer", KAFKA_OAUTH_TOKEN_FILE: "/token" };
    const settings = kafkaOf(env, files);
    if (settings === undefined) throw new Error("no settings");
    const { current } = withRenewal(settings, renewing(files));

    files["/token"] = "second\n";

    const sasl = (await current?.())?.sasl;
    if (sasl?.mechanism !== "oauthbearer") throw new Error("not oauthbearer");
    expect(await sasl.oauthBearerProvider()).toEqual({ value: "second" });
  });

  test("so are authorities, and certificate and key as a pair", async () => {
    const [one, other] = PAIRS;
    const files: Record<string, string> = { "/ca": one.cert, "/cert": one.cert, "/key": one.key };
    const env = { ...KAFKA, KAFKA_TLS_CA: "/ca", KAFKA_TLS_CERT: "/cert", KAFKA_TLS_KEY: "/key" };
    const settings = kafkaOf(env, files);
    if (settings === undefined) throw new Error("no settings");
    const { current } = withRenewal(settings, renewing(files));
    expect(await current?.()).toEqual({ tls: { ca: one.cert, ...one } });

    files["/cert"] = other.cert;
    await expect(current?.()).rejects.toThrow(/^KAFKA_TLS_CERT and KAFKA_TLS_KEY can't be used: /);
    Object.assign(files, { "/ca": other.cert, "/key": other.key });

    expect(await current?.()).toEqual({ tls: { ca: other.cert, ...other } });
  });

  const [{ cert, key }, { cert: next }] = PAIRS;

  test.each([
    ["authorities", { "/ca": cert }],
    ["several authorities", { "/ca": cert + next }],
    ["a certificate", { "/cert": cert }],
    ["a certificate with its chain", { "/cert": cert + next }],
    ["a key", { "/key": key }],
  ])("%s that are still being written are told from whole ones, wherever they end", (_, written) => {
    const env = { ...KAFKA, KAFKA_TLS_CA: "/ca", KAFKA_TLS_CERT: "/cert", KAFKA_TLS_KEY: "/key" };
    const [[path = "", text = ""] = []] = Object.entries(written);
    const accepted = range(0, text.length + 1).filter((end) => {
      const files = { "/ca": cert, "/cert": cert, "/key": key, [path]: text.slice(0, end) };
      return problemsOf(env, files).length === 0;
    });

    // Of two that were to be written the first alone can't be told from one that was meant to be alone.
    const whole = text.includes(next) ? [cert.length - 1, cert.length] : [];
    expect(accepted).toEqual([...whole, text.length - 1, text.length]);
  });

  test.each([
    ["nothing", "", "KAFKA_TLS_CA holds no certificate"],
    ["the beginning of a certificate", CA.slice(0, 200), "KAFKA_TLS_CA ends within a certificate"],
    ["one and the beginning of another", CA + CA.slice(0, 200), "KAFKA_TLS_CA ends within a certificate"],
    ["one and another that is damaged", `${CA}${DAMAGED}`, "KAFKA_TLS_CA can't be used: number 2"],
  ])("authorities that are half-written are told from whole ones: %s", (_, text, problem) => {
    expect(problemsOf({ ...KAFKA, KAFKA_TLS_CA: "/ca" }, { "/ca": text })).toEqual([
      expect.stringContaining(problem),
    ]);
  });
});

describe("what is wrong with them", () => {
  const wrong = { KAFKA_SASL_USERNAME: "reader", KAFKA_SASL_PASSWORD: "hush" };

  test.each([
    [{ KAFKA_BROKERS: "kafka" }, ["KAFKA_BROKERS must be host:port"]],
    [
      { KAFKA_BROKERS: "kafka:9092,,k:0,k:70000,http://k:9092" },
      Array(4).fill("KAFKA_BROKERS must be host:port"),
    ],
    [{ KAFKA_TLS: "on" }, ["KAFKA_TLS is set, but KAFKA_BROKERS is not"]],
    [{ ...KAFKA, KAFKA_TLS: "yes" }, ["KAFKA_TLS must be on or off"]],
    [{ ...KAFKA, KAFKA_TLS: "off", KAFKA_TLS_CA: "/ca" }, ["KAFKA_TLS_CA is set, but KAFKA_TLS is off"]],
    [{ ...KAFKA, KAFKA_TLS_CA: "/gone" }, ["KAFKA_TLS_CA can't be read"]],
    [{ ...KAFKA, KAFKA_TLS_CA: "/text" }, ["KAFKA_TLS_CA holds no certificate"]],
    [{ ...KAFKA, KAFKA_TLS_CERT: "/text" }, ["KAFKA_TLS_KEY is missing"]],
    [{ ...KAFKA, KAFKA_TLS_KEY: "/text" }, ["KAFKA_TLS_CERT is missing"]],
    [
      { ...KAFKA, KAFKA_TLS_CERT: "/text", KAFKA_TLS_KEY: "/text" },
      ["KAFKA_TLS_CERT and KAFKA_TLS_KEY can't be used"],
    ],
    [{ ...KAFKA, KAFKA_SASL_MECHANISM: "gssapi", ...wrong }, ["KAFKA_SASL_MECHANISM must be one of plain,"]],
    [
      { ...KAFKA, KAFKA_SASL_MECHANISM: "plain" },
      ["KAFKA_SASL_USERNAME is not set", "KAFKA_SASL_PASSWORD is not set"],
    ],
    [{ ...KAFKA, KAFKA_SASL_MECHANISM: "oauthbearer" }, ["KAFKA_OAUTH_TOKEN_FILE is not set"]],
    [
      { ...KAFKA, KAFKA_SASL_USERNAME: "reader" },
      ["KAFKA_SASL_USERNAME is set, but KAFKA_SASL_MECHANISM is not"],
    ],
    [
      { ...KAFKA, KAFKA_SASL_MECHANISM: "plain", ...wrong, KAFKA_SASL_PASSWORD_FILE: "/text" },
      ["KAFKA_SASL_PASSWORD_FILE and KAFKA_SASL_PASSWORD are both set"],
    ],
  ] as [Record<string, string>, string[]][])("of %o: %j", (env, problems) => {
    expect(problemsOf(env, { "/text": "text" })).toEqual(
      problems.map((problem) => expect.stringContaining(problem)),
    );
  });

  test("all of it is told at once, and none of it shows a password", () => {
    const problems = problemsOf({
      ...wrong,
      KAFKA_BROKERS: "kafka",
      KAFKA_TLS_CA: "/gone",
      KAFKA_SASL_MECHANISM: "x",
    });

    expect(problems.map((problem) => problem.split(" ")[0])).toEqual([
      "KAFKA_BROKERS",
      "KAFKA_TLS_CA",
      "KAFKA_SASL_MECHANISM",
    ]);
    expect(problems.join()).not.toContain("hush");
  });

  test("a password can't be given where other users of the machine see it", () => {
    expect(problemsOf(KAFKA, {}, ["--kafka-sasl-password", "hush"])).toHaveLength(1);
  });
});
