/** `npm start` where it can't start: one message on stderr, nothing on stdout, no process, no stack trace. */
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest";
import { freePort } from "../support/ports.ts";
import { Product } from "../support/product.ts";

let folder: string;
let port: number;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "distributary-refused-"));
  port = await freePort();
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Its exit code and what it wrote to stderr. */
async function refused(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const product = new Product(["--port", String(port), "--data-dir", join(folder, "data"), ...args], env);
  const code = await product.exit();
  expect(product.stdout).toBe("");
  return [code, product.stderr];
}

test("a port that is taken: which, and how to choose another", async () => {
  const server = createServer().listen(port, "127.0.0.1");
  await once(server, "listening");

  expect(await refused([])).toEqual([
    1,
    `PORT: port ${port} of 127.0.0.1 is taken by another program; choose another with --port ${port + 1} or PORT=${port + 1}\n`,
  ]);
  server.close();
});

test("a data folder that can't be made or written: which, and why", async () => {
  const file = join(folder, "file");
  writeFileSync(file, "");

  const [code, message] = await refused(["--data-dir", join(file, "data")]);

  expect(code).toBe(1);
  expect(message).toMatch(new RegExp(`^DATA_DIR: ${file}/data can't be written: ENOTDIR.*\n$`));
});

test("a data folder in which a file can't be made: which, and why", async () => {
  mkdirSync(join(folder, "data/lock"), { recursive: true });

  const [code, message] = await refused([]);

  expect(code).toBe(1);
  expect(message).toMatch(new RegExp(`^DATA_DIR: ${folder}/data can't be written: .+\n$`));
});

test("two starts on one data folder: the second says so, and the first goes on", async () => {
  const first = new Product(["--port", String(port), "--data-dir", join(folder, "data"), "--no-feed"]);
  onTestFinished(() => void first.process.kill("SIGKILL"));
  await first.ready();

  expect(await refused(["--port", String(await freePort())])).toEqual([
    1,
    `DATA_DIR: ${folder}/data is in use by another run; give this one a folder of its own\n`,
  ]);

  expect((await fetch(`http://127.0.0.1:${port}/$/health`)).status).toBe(200);
  await first.stop();
}, 60_000);

test("a streams.json that is no JSON, or isn't there", async () => {
  const file = join(folder, "streams.json");
  writeFileSync(file, '{"streams": {');

  const [code, message] = await refused(["--streams", file]);
  const missing = await refused(["--streams", join(folder, "none.json")]);

  expect(code).toBe(1);
  expect(message).toMatch(
    new RegExp(`^STREAMS: ${file} can't be used as it is:\n {2}\\(the file\\): .+JSON.+\n$`),
  );
  expect(missing).toEqual([
    1,
    `STREAMS: ${folder}/none.json can't be read: ENOENT: no such file or directory, open '${folder}/none.json'\n`,
  ]);
});

test("a streams.json with several faults: each of them, with its path in the file", async () => {
  const file = join(folder, "streams.json");
  const streams = {
    "a b": { title: "A", subscribe: "public" },
    c: { title: "", subscribe: "all", windows: 1 },
  };
  writeFileSync(file, JSON.stringify({ streams }));

  const [code, message] = await refused(["--streams", file]);

  expect(code).toBe(1);
  const paths = String(message)
    .split("\n")
    .slice(1, -1)
    .map((line) => /^ {2}(.+?): ./.exec(line)?.[1]);
  expect(paths.sort()).toEqual([
    "streams.a b",
    "streams.c.subscribe",
    "streams.c.title",
    "streams.c.windows",
  ]);
});

test("a setting that is out of range, whether from the environment or a flag", async () => {
  const port = "PORT must be a whole number from 1 to 65535, not 0\n";

  expect(await refused(["--port", "0"])).toEqual([1, port]);
  expect(await refused(["--workers", "2"])).toEqual([
    1,
    "WORKERS: on workerd an edge is one process; several need `--runtime node`\n",
  ]);
  expect(await refused(["--log-level", "loud"])).toEqual([
    1,
    "LOG_LEVEL must be one of error, warn, info, debug\n",
  ]);
  expect(await refused([], { INDEX_MAX_BYTES: "few" })).toEqual([
    1,
    expect.stringMatching(/^INDEX_MAX_BYTES must be .+\n$/),
  ]);
});

test("topics without a Kafka, a name that is none, and what is wrong with Kafka's settings", async () => {
  expect(await refused(["--topic", "orders"])).toEqual([
    1,
    "KAFKA_TOPICS: --topic needs a Kafka to read: --kafka HOST:PORT\n",
  ]);
  expect(await refused(["--kafka", "127.0.0.1:9092", "--topic", "a", "--topic", "b c"])).toEqual([
    1,
    `KAFKA_TOPICS: neither a topic's name nor a pattern of names: "b c"\n`,
  ]);
  expect(await refused(["--kafka", "kafka"], { KAFKA_TLS: "maybe" })).toEqual([
    1,
    'KAFKA_BROKERS must be host:port[,host:port…]: "kafka"\nKAFKA_TLS must be on or off\n',
  ]);
});

test("several things at once are all said at once", async () => {
  const [code, message] = await refused(["--port", "0", "--streams", join(folder, "none.json")]);

  expect(code).toBe(1);
  expect(
    String(message)
      .match(/^(PORT|STREAMS)\b/gm)
      ?.sort(),
  ).toEqual(["PORT", "STREAMS"]);
});

test("a flag that doesn't exist, a flag without its value, and an argument that is no flag have exit code 2", async () => {
  expect(await refused(["--prot", "1"])).toEqual([2, "Unknown option '--prot' (--help lists all flags)\n"]);
  expect(await refused(["--streams"])).toEqual([2, expect.stringMatching(/^Option '--streams.+\n$/)]);
  expect(await refused(["8788"])).toEqual([2, expect.stringMatching(/^Unexpected argument '8788'.+\n$/)]);
});
