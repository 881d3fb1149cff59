import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { EmbeddedLog, logPath } from "../../../origin/embedded/log.ts";
import { readCommand } from "../../../origin/embedded/production.ts";

const SCRIPT = join(import.meta.dirname, "../../../origin/embedded/produce.ts");
const bytes = (value: string, encoding: BufferEncoding = "utf8") => Buffer.from(value, encoding);

describe("the arguments of produce", () => {
  const read = (...args: string[]) => readCommand(args, {});

  test("a topic, a key and a value are a record, by default in the folder data", () => {
    expect(read("flights", "JFK", "ünï")).toEqual({
      kind: "produce",
      topic: "flights",
      key: bytes("JFK"),
      value: bytes("ünï"),
      headers: [],
      partition: undefined,
      dataDir: "data",
      streamsFile: join(import.meta.dirname, "../../../streams.json"),
    });
  });

  test("every option is read, and wins over the environment", () => {
    const options = ["--header", "a=1", "--header", "a=x=y", "--header", "b=", "--partition", "3"];
    const env = { DATA_DIR: "/env", STREAMS: "/env.json" };

    expect(readCommand(["t", "k", "v"], env)).toMatchObject({ dataDir: "/env", streamsFile: "/env.json" });
    expect(
      readCommand([...options, "--data-dir", "/d", "--streams", "/s.json", "t", "", "-"], env),
    ).toMatchObject({
      key: bytes(""),
      value: "stdin",
      headers: [
        ["a", bytes("1")],
        ["a", bytes("x=y")],
        ["b", bytes("")],
      ],
      partition: 3,
      dataDir: "/d",
      streamsFile: "/s.json",
    });
  });

  test("a tombstone, an empty value, and a value like an option are told apart", () => {
    expect(read("t", "k", "--tombstone")).toMatchObject({ value: null });
    expect(read("t", "k", "")).toMatchObject({ value: bytes("") });
    expect(read("--", "t", "-k", "--tombstone")).toMatchObject({
      key: bytes("-k"),
      value: bytes("--tombstone"),
    });
  });

  test.each([
    ["AP+/", "00ff bf"],
    ["AP-_", "00ff bf"],
    ["/w==", "ff"],
    ["_w", "ff"],
    ["", ""],
  ])("a key %j in base64 is the bytes %s", (text, hex) => {
    expect(read("t", text, "v", "--key-base64")).toMatchObject({ key: bytes(hex.replace(" ", ""), "hex") });
  });

  test.each([
    [[], /TOPIC and KEY/],
    [["t"], /TOPIC and KEY/],
    [["t", "k"], /VALUE is needed, or --tombstone/],
    [["t", "k", "v", "--tombstone"], /no VALUE/],
    [["t", "k", "v", "w"], /"w" is one argument too many/],
    [["t", "k", "-5"], /-5/],
    [["t", "k", "v", "--colour"], /--colour/],
    [["t", "k", "v", "--header", "a"], /"a" is not of the form name=value/],
    [["t", "k", "v", "--header", "=a"], /name=value/],
    [["t", "k", "v", "--partition", "-1"], /--partition/],
    [["t", "k", "v", "--partition=1.5"], /"1.5" is not the number of a partition/],
    [["t", "k*", "v", "--key-base64"], /KEY is not base64/],
  ])("%j is a mistake that is named", (args, problem) => {
    expect(readCommand(args, {})).toEqual({ kind: "usage", problem: expect.stringMatching(problem) });
  });
});

describe("npm run produce", { timeout: 30_000 }, () => {
  let dataDir: string;
  let streams: string;

  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), "produce-"));
    streams = join(dataDir, "streams.json");
    writeFileSync(streams, JSON.stringify({ streams: { t: { title: "T", subscribe: "public" } } }));
  });
  afterEach(() => rmSync(dataDir, { recursive: true }));

  async function run(args: readonly string[], stdin: Uint8Array = new Uint8Array()) {
    const env = { ...process.env, DATA_DIR: dataDir, STREAMS: streams };
    const child = spawn(process.execPath, [SCRIPT, ...args], { env, stdio: "pipe" });
    child.stdin.end(stdin);
    const [out, err, [code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, "close"),
    ]);
    return { out, err, code };
  }

  test("writes a record, whose topic it creates where streams.json lists it, and prints where it is", async () => {
    const value = Uint8Array.from({ length: 256 }, (_, byte) => byte);

    const first = await run(["t", "a b", "hello", "--header", "n=v"]);
    const second = await run(["t", "a b", "-"], value);
    const third = await run(["t", "a b", "--tombstone"]);

    const log = new EmbeddedLog(logPath(dataDir));
    const partition = Number(/\.(\d+):/.exec(first.out)?.[1]);
    const epoch = `${Buffer.from(log.topic("t")?.id ?? [])
      .toString("base64url")
      .slice(0, 6)}.${partition}`;
    expect([first, second, third]).toEqual(
      [0, 1, 2].map((offset) => ({ out: `${epoch}:${offset} /t/a%20b\n`, err: "", code: 0 })),
    );
    const key = new Uint8Array(bytes("a b"));
    const timestamp = expect.any(Number);
    expect(log.read("t", partition, 0, 10, 1e6)).toEqual([
      {
        offset: 0,
        timestamp,
        key,
        value: new Uint8Array(bytes("hello")),
        headers: [["n", new Uint8Array(bytes("v"))]],
      },
      { offset: 1, timestamp, key, value, headers: [] },
      { offset: 2, timestamp, key, value: null, headers: [] },
    ]);
    log.close();
  });

  test("a topic that neither exists nor is listed is one line on stderr and exit code 1", async () => {
    const { out, err, code } = await run(["u", "k", "v"]);

    expect({ out, code }).toEqual({ out: "", code: 1 });
    expect(err).toBe(`produce: there is no topic "u", and ${streams} lists only t\n`);
  });

  test.each([
    ["{}", /^produce: .*streams\.json: streams: .*\n$/],
    ["not JSON", /^produce: .*streams\.json: .*JSON.*\n$/],
  ])("a list of streams that reads %j is one line on stderr and exit code 1", async (content, problem) => {
    writeFileSync(streams, content);

    const { err, code } = await run(["t", "k", "v"]);

    expect(code).toBe(1);
    expect(err).toMatch(problem);
  });

  test("what the log refuses is one line on stderr and exit code 1", async () => {
    const { err, code } = await run(["t", "k", "v", "--partition", "6"]);

    expect(code).toBe(1);
    expect(err).toBe('produce: topic "t" has no partition 6\n');
  });

  test("a mistake in the arguments is exit code 2, and --help names every option", async () => {
    const mistake = await run(["t"]);
    const help = await run(["--help"]);

    expect(mistake).toEqual({
      out: "",
      err: "produce: TOPIC and KEY are needed. --help says more.\n",
      code: 2,
    });
    expect(help.code).toBe(0);
    for (const option of [
      "--tombstone",
      "--key-base64",
      "--header",
      "--partition",
      "--data-dir",
      "--streams",
      "--help",
    ])
      expect(help.out).toContain(`  ${option} `);
  });
});
