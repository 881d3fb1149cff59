/** The origin as a process of its own, against a scripted edge. */
import { type ChildProcess, execFileSync, fork } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { EmbeddedLog, logPath } from "../../origin/embedded/log.ts";
import { encodeAttach } from "../../shared/protocol/attach.ts";
import { routingOf } from "../../shared/protocol/frame.ts";
import { eventually } from "../support/deadline.ts";
import { freePort } from "../support/ports.ts";
import { KEY_TEXT, ScriptedShards } from "../support/scripted-shards.ts";
import { listening } from "../support/sockets.ts";

const MAIN = join(import.meta.dirname, "../../origin/main.ts");
const STREAMS = { streams: { t: { title: "t", subscribe: "public" } } };

let edge: ScriptedShards;
let log: EmbeddedLog;
let dataDir: string;
let children: ChildProcess[];

beforeEach(async () => {
  edge = await ScriptedShards.start();
  dataDir = mkdtempSync(join(tmpdir(), "distributary-origin-"));
  writeFileSync(join(dataDir, "streams.json"), JSON.stringify(STREAMS));
  log = new EmbeddedLog(logPath(dataDir));
  children = [];
});

afterEach(async () => {
  for (const child of children)
    if (child.exitCode === null && child.kill("SIGKILL")) await once(child, "exit");
  log.close();
  await edge.stop();
  rmSync(dataDir, { recursive: true });
});

function start(env: Record<string, string> = {}, args: string[] = []): ChildProcess {
  const child = fork(MAIN, args, {
    env: {
      EDGE_URL: edge.url.href,
      UPLINK_KEY: KEY_TEXT,
      DATA_DIR: dataDir,
      STREAMS: join(dataDir, "streams.json"),
      ...env,
    },
    execArgv: [],
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  children.push(child);
  return child;
}

const append = (key: string, value: string) =>
  log.append("t", [{ key: Buffer.from(key), value: Buffer.from(value), partition: 0 }]);

/** Damages the first page of a table. */
function overwriteTable(file: string, table: string): void {
  const db = new DatabaseSync(file);
  db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  const root = db.prepare("SELECT rootpage FROM sqlite_schema WHERE name = ?").get(table)?.rootpage;
  const size = db.prepare("PRAGMA page_size").get()?.page_size;
  db.close();
  const bytes = readFileSync(file);
  bytes.fill(0xff, (Number(root) - 1) * Number(size), Number(root) * Number(size));
  writeFileSync(file, bytes);
}

/** What a process has logged so far. */
function eventsOf(child: ChildProcess): () => Record<string, unknown>[] {
  let output = "";
  child.stderr?.on("data", (data: Buffer) => {
    output += data.toString();
  });
  return () =>
    output
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line));
}

const said = (stream: Readable | null) => (stream === null ? "" : text(stream));

test("[U9] it reads the log, is ready, and forwards what is watched", async () => {
  log.createTopic("t", { partitions: 2 });
  append("a", "1");
  start();
  const uplink = await edge.uplink(1);
  await uplink.until(({ said }) => said.includes('0 {"ready":true}'));

  uplink.say(encodeAttach({ endpoint: "/t/a", id: 1, from: undefined }, 1));
  await uplink.until(({ said }) => said.some((frame) => frame.endsWith('"v":1}')));
  append("b", "2");
  append("a", "3");

  const update = await uplink.until(({ said }) => said.find((frame) => frame.endsWith('"v":3}')));
  expect(routingOf(update.slice(2))).toMatchObject({ endpoint: "/t/a", offset: 2, previous: 0 });
  expect(uplink.said.join()).not.toContain("/t/b");
});

test.each(["SIGTERM", "SIGINT"] as const)(
  "%s ends it, and the next run goes on where it ended",
  async (signal) => {
    log.createTopic("t", { partitions: 1 });
    append("a", "1");
    const child = start();
    const first = await edge.uplink(1);
    await first.until(({ said }) => said.includes('0 {"ready":true}'));

    child.kill(signal);
    const [code] = await once(child, "exit");
    expect(code).toBe(0);
    expect(await first.until(({ closed }) => closed)).toMatchObject({ reason: "going_away" });

    append("a", "2");
    const again = start();
    const second = await edge.uplink(2);
    second.say(encodeAttach({ endpoint: "/t/a", id: 1, from: undefined }, 1));
    const answer = await second.until(({ said }) => said.find((frame) => frame.includes('"attached"')));
    expect(answer).toContain('"count":2');
    again.kill("SIGKILL");
    // The first record is not read again.
    expect(await said(again.stderr)).toMatch(/"event":"topic_found",.*"from":"index","records":1\b/);
  },
);

test("an index that turns out to be damaged is put aside and built anew, while the origin runs, and that is told", async () => {
  log.createTopic("t", { partitions: 1 });
  append("a", '"sought"');
  const child = start();
  await (await edge.uplink(1)).until(({ said }) => said.includes('0 {"ready":true}'));
  child.kill("SIGTERM");
  await once(child, "exit");
  const file = join(dataDir, "origin", "index.db");
  const bytes = readFileSync(file);
  bytes[bytes.indexOf("sought")] = 0;
  writeFileSync(file, bytes);

  const running = start();
  const events = eventsOf(running);
  const second = await edge.uplink(2);
  second.say(encodeAttach({ endpoint: "/t/a", id: 1, from: undefined }, 1));
  const third = await edge.uplink(3);
  third.say(encodeAttach({ endpoint: "/t/a", id: 1, from: undefined }, 1));

  await third.until(({ said }) => said.some((frame) => frame.endsWith('"v":"sought"}')));
  expect(existsSync(`${file}.corrupt`)).toBe(true);
  const told = { level: "warn", event: "index_rebuilt", why: expect.stringMatching(/damaged/) };
  expect(events()).toContainEqual(expect.objectContaining({ ...told, aside: `${file}.corrupt` }));
});

test("an index that turns out to be damaged when the origin ends is put aside, told of, and no failure", async () => {
  log.createTopic("t", { partitions: 1 });
  append("a", "1");
  const killed = start();
  await (await edge.uplink(1)).until(({ said }) => said.includes('0 {"ready":true}'));
  const file = join(dataDir, "origin", "index.db");
  const rows = () => {
    const db = new DatabaseSync(file, { readOnly: true });
    const { n } = db.prepare("SELECT count(*) AS n FROM batch").get() ?? {};
    db.close();
    return n;
  };
  await eventually(() => rows() === 1, "the record on the disk");
  killed.kill("SIGKILL");
  await once(killed, "exit");
  // It never wrote the key's last offset to where such are kept; the next run will, when it ends.
  overwriteTable(file, "tail");
  const child = start();
  const events = eventsOf(child);
  await (await edge.uplink(2)).until(({ said }) => said.includes('0 {"ready":true}'));

  child.kill("SIGTERM");
  const [code] = await once(child, "exit");

  expect(code).toBe(0);
  const told = { event: "index_rebuilt", aside: `${file}.corrupt` };
  expect(events()).toContainEqual(expect.objectContaining(told));
});

test("[U1] a key that takes its file's place signs the next request, and no key is written", async () => {
  log.createTopic("t", { partitions: 1 });
  const key = join(dataDir, "key");
  writeFileSync(key, `k1:here:${"old-".repeat(8)}\n`);
  const child = start({ UPLINK_KEY: "", UPLINK_KEY_FILE: key });
  let output = "";
  child.stderr?.on("data", (data: Buffer) => {
    output += data.toString();
  });
  await eventually(() => output.includes("uplink_refused"), "the edge refuses the old key");

  writeFileSync(key, `${KEY_TEXT}\n`);
  await edge.uplink(1);

  expect(output).toContain("credentials_renewed");
  expect(output).not.toMatch(/old-old|0123456789abcdef/);
});

test("it ends when what started it has gone", async () => {
  const child = start();
  await edge.uplink(1);

  child.disconnect();

  expect(await once(child, "exit")).toEqual([0, null]);
});

test("a wrong setting ends it with 1 and a line for each, and no secret in them", async () => {
  const child = start({ EDGE_URL: "edge", UPLINK_KEY: "k1:here:hunter2" });

  const [output] = await Promise.all([said(child.stderr), once(child, "exit")]);

  expect(output.trim().split("\n")).toEqual([
    expect.stringMatching(/^EDGE_URL /),
    expect.stringMatching(/^UPLINK_KEY /),
  ]);
  expect(output).not.toContain("hunter2");
  expect(child.exitCode).toBe(1);
});

test("what can't be helped ends it with 1 and one line that says why", async () => {
  writeFileSync(join(dataDir, "file"), "");
  const child = start({ DATA_DIR: join(dataDir, "file") });

  const [output] = await Promise.all([said(child.stderr), once(child, "exit")]);

  expect(output.trim().split("\n")).toHaveLength(1);
  expect(JSON.parse(output)).toMatchObject({
    level: "error",
    event: "fatal",
    why: expect.stringContaining("file"),
  });
  expect(child.exitCode).toBe(1);
});

describe("several edges", () => {
  let other: ScriptedShards;

  beforeEach(async () => {
    other = await ScriptedShards.start();
    log.createTopic("t", { partitions: 1 });
  });
  afterEach(() => other.stop());

  const isReady = ({ said }: { readonly said: readonly string[] }) => said.includes('0 {"ready":true}');

  test("each that EDGE_URL names is dialled, with its key", async () => {
    start({ EDGE_URL: `${edge.url.origin},${other.url.origin}`, UPLINK_KEY: `${KEY_TEXT},${KEY_TEXT}` });

    for (const one of [edge, other]) await (await one.uplink(1)).until(isReady);
  });

  test("those in EDGES_FILE come and go at SIGHUP, and a file that can't be used changes nothing", async () => {
    const file = join(dataDir, "edges");
    const write = (...edges: readonly ScriptedShards[]) =>
      writeFileSync(file, edges.map(({ url }) => `${url.origin} ${KEY_TEXT}\n`).join(""));
    write(edge);
    const child = start({ EDGE_URL: "", UPLINK_KEY: "", EDGES_FILE: file });
    let output = "";
    child.stderr?.on("data", (data: Buffer) => {
      output += data.toString();
    });
    const first = await edge.uplink(1);
    await first.until(isReady);

    writeFileSync(file, `${other.url.origin} k1`);
    child.kill("SIGHUP");
    await eventually(() => output.includes("credentials_unusable"), "told of the file");
    write(edge, other);
    child.kill("SIGHUP");
    const second = await other.uplink(1);
    await second.until(isReady);
    write(other);
    child.kill("SIGHUP");

    expect(await first.until(({ closed }) => closed)).toMatchObject({ reason: "going_away" });
    expect([first, second].map(({ closed }) => closed !== undefined)).toEqual([true, false]);
    expect([edge, other].map(({ uplinks }) => uplinks.length)).toEqual([1, 1]);
    const changes = output.split("\n").filter((line) => line.includes("edges_changed"));
    expect(changes.map((line) => JSON.parse(line))).toMatchObject([
      { added: [other.url.origin], removed: [] },
      { added: [], removed: [edge.url.origin] },
    ]);
    expect(output).not.toContain(KEY_TEXT);
  });
});

describe("a SIGHUP while it starts", () => {
  /** It reads the list of what is exposed from a pipe. Resolves when it waits for that, by when it has read the edges. */
  async function starting(env: Record<string, string>) {
    const pipe = join(dataDir, "streams");
    execFileSync("mkfifo", [pipe]);
    const child = start({ ...env, STREAMS: pipe });
    const output = said(child.stderr);
    return { child, output, streams: await open(pipe, "w") };
  }

  test("makes it dial the edges that EDGES_FILE has by then", async () => {
    const other = await ScriptedShards.start();
    onTestFinished(() => other.stop());
    const file = join(dataDir, "edges");
    writeFileSync(file, `${edge.url.origin} ${KEY_TEXT}`);
    const { child, output, streams } = await starting({ EDGE_URL: "", UPLINK_KEY: "", EDGES_FILE: file });

    writeFileSync(file, `${other.url.origin} ${KEY_TEXT}`);
    child.kill("SIGHUP");
    await streams.writeFile(JSON.stringify(STREAMS));
    await streams.close();

    await other.uplink(1);
    child.kill();
    expect(await output).toContain('"event":"stopping"');
  });

  test("ends it if its edges are in no file, as at any other time", async () => {
    const { child, streams } = await starting({});
    const ended = once(child, "exit");

    child.kill("SIGHUP");
    await streams.writeFile(JSON.stringify(STREAMS));
    await streams.close();

    expect(await ended).toEqual([null, "SIGHUP"]);
  });
});

describe("the port for operators", () => {
  const ask = async (port: number, path: string) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`);
    return { status: answer.status, text: await answer.text() };
  };
  const status = async (port: number, path: string) => (await ask(port, path)).status;

  test("says that it is healthy, then that it is ready, and counts", async () => {
    log.createTopic("t", { partitions: 2 });
    append("a", "1");
    log.append("t", [{ key: null, value: Buffer.from("2"), partition: 0 }]);
    edge.greets = false;
    const port = await freePort();
    start({ STATUS_PORT: String(port) });

    await eventually(async () => (await status(port, "/healthz")) === 200, "healthy");
    await edge.uplink(1);
    const early = await ask(port, "/readyz");
    expect(early.status).toBe(503);
    expect(JSON.parse(early.text)).toMatchObject({ reasons: [`there is no uplink to ${edge.url.origin}`] });
    edge.uplinks[0]?.hello(1);
    await eventually(async () => (await status(port, "/readyz")) === 200, "ready");

    const ready: unknown = JSON.parse((await ask(port, "/readyz")).text);
    expect(ready).toMatchObject({
      topics: [{ topic: "t", keyless: 1 }],
      partitions: [
        { partition: 0, offset: 2, end: 2, state: "live" },
        { partition: 1, offset: 0, end: 0, state: "live" },
      ],
    });
    const uplink = await edge.uplink(1);
    uplink.say(encodeAttach({ endpoint: "/t/a", id: 1, from: undefined }, 1));
    append("a", "3");
    await uplink.until(({ said }) => said.some((frame) => frame.endsWith('"v":3}')));
    const { text: metrics } = await ask(port, "/metrics");
    expect(metrics).toContain('distributary_read_records_total{topic="t"} 3');
    expect(metrics).toContain('distributary_attaches_total{outcome="fresh"} 1');
    expect(metrics).toContain("distributary_watched_endpoints 1");
    expect(metrics).toMatch(/^distributary_uplink_sent_bytes_total\{edge="http:[^"]+"\} [1-9]/m);
    expect(metrics).toMatch(/^distributary_index_append_seconds_total 0\.\d*[1-9]/m);
  });

  test("is not opened unless one is set", async () => {
    log.createTopic("t", { partitions: 1 });
    const child = start();
    await (await edge.uplink(1)).until(({ said }) => said.includes('0 {"ready":true}'));

    expect(listening(child.pid ?? 0)).toEqual([]);
  });

  test("that another program has ends the origin with 1 and a line that says so", async () => {
    const port = Number(edge.url.port);
    const child = start({ STATUS_PORT: String(port) });

    const [output] = await Promise.all([said(child.stderr), once(child, "exit")]);

    expect(JSON.parse(output)).toMatchObject({
      event: "fatal",
      why: `STATUS_PORT ${port} of 127.0.0.1 can't be listened on: another program listens there`,
    });
    expect(child.exitCode).toBe(1);
  });
});

test("--help tells all settings and starts nothing", async () => {
  const child = start({}, ["--help"]);

  const [output] = await Promise.all([said(child.stdout), once(child, "exit")]);

  expect(output).toContain("EDGE_URL, --edge-url");
  expect(child.exitCode).toBe(0);
  expect(edge.asked).toBe(0);
});
