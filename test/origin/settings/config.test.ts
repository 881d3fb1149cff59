import { describe, expect, test } from "vitest";
import { type Config, readConfig, type Surroundings, secretsOf } from "../../../origin/settings/config.ts";

const SECRET = "0123456789abcdef0123456789abcdef";
const STREAMS = '{"streams":{"quotes":{"title":"Quotes","subscribe":"public"}}}';
const ENV = { EDGE_URL: "https://edge.example", UPLINK_KEY: `k1:origin-7:${SECRET}` };

function read(env: Surroundings["env"], args: readonly string[] = [], files: Record<string, string> = {}) {
  const known: Record<string, string> = { "/root/streams.json": STREAMS, ...files };
  return readConfig({
    env,
    args,
    root: "/root",
    readFile: (path) => {
      const text = known[path];
      if (text === undefined) throw new Error(`no such file: ${path}`);
      return text;
    },
  });
}

function configOf(
  env: Surroundings["env"],
  args?: readonly string[],
  files?: Record<string, string>,
): Config {
  const result = read(env, args, files);
  if (result.kind !== "config") throw new Error(`not a config: ${JSON.stringify(result)}`);
  return result.config;
}

function problemsOf(env: Surroundings["env"], args?: readonly string[], files?: Record<string, string>) {
  const result = read(env, args, files);
  return result.kind === "problems" ? result.problems : [];
}

describe("settings", () => {
  test("of publishing: without a secret nothing is published", () => {
    const bytes = new TextEncoder().encode(SECRET);
    const other = SECRET.toUpperCase().replace("A", "B");
    const both = { ...ENV, PUBLISH_SECRET: `${SECRET},${other}`, PUBLISH_ID: "shop" };

    expect(configOf(ENV)).toMatchObject({ publishSecrets: undefined, publishId: "distributary" });
    expect(configOf({ ...ENV, PUBLISH_SECRET: SECRET }).publishSecrets).toEqual([bytes]);
    expect(configOf(both)).toMatchObject({ publishSecrets: { length: 2 }, publishId: "shop" });
    expect(secretsOf(configOf(both))).toEqual([SECRET, SECRET, other]);
    expect(problemsOf({ ...ENV, PUBLISH_SECRET: "short", PUBLISH_ID: "a b" })).toEqual([
      expect.stringMatching(/^PUBLISH_SECRET has a secret of less than 32 bytes/),
      expect.stringMatching(/^PUBLISH_ID must be/),
    ]);
  });

  test("two are needed, the others have defaults", () => {
    const config = configOf(ENV);

    expect(config).toMatchObject({
      edges: [{ url: new URL("https://edge.example"), key: { kid: "k1", name: "origin-7" } }],
      name: "origin-7",
      slice: { number: 1, count: 1 },
      dataDir: "data",
      indexMaxBytes: 4_294_967_296,
      logLevel: "info",
      status: undefined,
    });
    expect(config.streams.all).toMatchObject([{ topic: "quotes" }]);
  });

  test("a flag means the same as its variable and wins over it", () => {
    const config = configOf({ ...ENV, DATA_DIR: "a", LOG_LEVEL: "warn" }, [
      "--data-dir",
      "b",
      "--edge-url=http://127.0.0.1:8787",
    ]);

    expect(config).toMatchObject({
      dataDir: "b",
      logLevel: "warn",
      edges: [{ url: new URL("http://127.0.0.1:8787") }],
    });
  });

  test("a port for operators is opened where it is set, on this machine alone unless told", () => {
    expect(configOf({ ...ENV, STATUS_PORT: "9464" }).status).toEqual({ host: "127.0.0.1", port: 9464 });
    expect(configOf(ENV, ["--status-port", "1", "--status-host", "::"]).status).toEqual({
      host: "::",
      port: 1,
    });
  });

  test("[N1] the slice of partitions that it reads can be one of several", () => {
    expect(configOf({ ...ENV, ORIGIN_SLICE: "3/4" }).slice).toEqual({ number: 3, count: 4 });
    expect(configOf(ENV, ["--origin-slice", "64/64"]).slice).toEqual({ number: 64, count: 64 });
  });

  test.each(["0/2", "3/2", "1/65", "2", "1/2/3", "01/2", "1 / 2"])("[N1] %s is no slice", (slice) => {
    const problem = "ORIGIN_SLICE must be k/n";
    expect(problemsOf({ ...ENV, ORIGIN_SLICE: slice })).toEqual([expect.stringContaining(problem)]);
  });

  test("an empty variable is an unset one", () => {
    expect(configOf({ ...ENV, DATA_DIR: "", LOG_LEVEL: "" })).toMatchObject({
      dataDir: "data",
      logLevel: "info",
    });
  });

  test("every problem is told at once, each with the name of its setting", () => {
    const problems = problemsOf(
      {
        EDGE_URL: "ftp://edge.example",
        UPLINK_KEY: "k1:origin-7:short",
        STREAMS: "/streams",
        INDEX_MAX_BYTES: "1e3",
        LOG_LEVEL: "loud",
      },
      [],
      { "/streams": '{"streams":{"quotes":{"title":"","subscribe":"everybody"}}}' },
    );

    const names = ["EDGE_URL", "UPLINK_KEY", "STREAMS", "STREAMS", "INDEX_MAX_BYTES", "LOG_LEVEL"];
    expect(problems.map((problem) => problem.split(" ")[0])).toEqual(names);
  });

  test.each([
    [{ ...ENV, EDGE_URL: undefined }, "EDGE_URL is not set"],
    [{ ...ENV, UPLINK_KEY: undefined }, "UPLINK_KEY is not set"],
    [{ ...ENV, UPLINK_KEY: SECRET }, "UPLINK_KEY is not of the form kid:name:secret"],
    [{ ...ENV, UPLINK_KEY: `k1:${SECRET}` }, "that of k1 lacks the origin's name, as in k1:origin-1:…"],
    [{ ...ENV, UPLINK_KEY: `k1:a b:${SECRET}` }, "kid and name are letters, digits"],
    [{ ...ENV, UPLINK_KEY: `k1:${"n".repeat(65)}:${SECRET}` }, "64 of each at most"],
    [{ ...ENV, STREAMS: "/gone" }, "STREAMS can't be read"],
    [{ ...ENV, STATUS_PORT: "0" }, "STATUS_PORT must be a port"],
    [{ ...ENV, STATUS_PORT: "65536" }, "STATUS_PORT must be a port"],
    [{ ...ENV, STATUS_PORT: "9464x" }, "STATUS_PORT must be a port"],
  ])("of %o: %s", (env, problem) => {
    expect(problemsOf(env)).toEqual([expect.stringContaining(problem)]);
  });

  test("a flag that does not exist is a problem, not ignored", () => {
    expect(problemsOf(ENV, ["--edge-ulr", "x"])).toEqual([expect.stringContaining("--edge-ulr")]);
  });

  test("no problem shows a secret, and none can be given where other users of the machine see it", () => {
    expect(problemsOf({ ...ENV, UPLINK_KEY: "k1:origin-7:tooshort" }).join()).not.toContain("tooshort");
    expect(problemsOf(ENV, ["--uplink-key", `k1:origin-7:${SECRET}`])).toHaveLength(1);
  });

  test("the help names every setting, its flag and its default, whatever else is wrong", () => {
    const result = read({}, ["--help"]);

    const text = result.kind === "help" ? result.text : "";
    const names = { ...ENV, DATA_DIR: 1, STREAMS: 1, UPLINK_KEY_FILE: 1, KAFKA_BROKERS: 1 };
    for (const name of Object.keys(names)) expect(text).toContain(name);
    expect(text).toContain("--index-max-bytes");
    expect(text).toContain("Default: 4294967296");
    expect(text).not.toContain("--uplink-key,");
  });
});
