import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { EmbeddedLog, logPath } from "../../../origin/embedded/log.ts";
import { replay } from "../../../origin/embedded/replay.ts";
import { eventually } from "../../support/deadline.ts";

const SCRIPT = join(import.meta.dirname, "../../../origin/embedded/feed.ts");

let dataDir: string;
let log: EmbeddedLog;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "feed-"));
  log = new EmbeddedLog(logPath(dataDir));
});
afterEach(() => {
  log.close();
  rmSync(dataDir, { recursive: true });
});

describe("replaying", () => {
  // One key, so that one partition has them all in order.
  const set = ["a", "b", "c", "d", "e", "f", "g"];
  const replayed = {
    topic: "t",
    records: set.map((value) => ({ key: "k", value })),
    perSecond: 30,
  };
  const fail = (error: unknown) => {
    throw error;
  };
  const ends = () => log.topic("t")?.partitions.map(({ endOffset }) => endOffset) ?? [];
  const total = () => ends().reduce((sum, end) => sum + end, 0);
  const all = () => {
    const partition = ends().findIndex((end) => end > 0);
    return log.read("t", partition, 0, 1e6, 1e9);
  };
  const values = () => all().map(({ value }) => Buffer.from(value ?? []).toString());
  const reaches = (count: number) =>
    new Promise<void>((resolve) => {
      const stop = log.onChange(() => {
        if (total() < count) return;
        stop();
        resolve();
      });
    });

  test("an empty topic begins with ten minutes of records, whose times lead up to now", () => {
    const before = Date.now();
    const stop = replay(log, replayed, fail);
    stop();

    const times = all().map(({ timestamp }) => timestamp ?? Number.NaN);
    expect(times.length).toBe(18_000);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(times[0]).toBeGreaterThanOrEqual(before - 600_000);
    expect(times.at(-1)).toBeLessThanOrEqual(Date.now());
  });

  test("the records come in turn and for ever, and go on after a restart where they stopped", async () => {
    let stop = replay(log, replayed, fail);
    await reaches(18_005);
    stop();
    const stopped = total();
    log.close();
    log = new EmbeddedLog(logPath(dataDir));

    stop = replay(log, replayed, fail);
    expect(total()).toBe(stopped);
    await reaches(stopped + 5);
    stop();

    expect(values()).toEqual(Array.from({ length: total() }, (_, i) => set[i % set.length]));
  });

  test("it ends with what an append throws", async () => {
    const { promise: failure, resolve } = Promise.withResolvers<unknown>();
    replay(log, replayed, resolve);

    log.deleteTopic("t");

    expect(await failure).toMatchObject({ code: "unknown_topic" });
  });
});

describe("the feed's process", { timeout: 30_000 }, () => {
  let child: ChildProcess | undefined;

  afterEach(() => child?.kill("SIGKILL"));

  function start(...args: string[]): ChildProcess {
    child = spawn(process.execPath, [SCRIPT, ...args], { stdio: ["ignore", "pipe", "pipe", "ipc"] });
    return child;
  }

  const outputOf = (stream: Readable | null) => (stream === null ? "" : text(stream));

  test.each([
    ["SIGTERM", (running: ChildProcess) => running.kill("SIGTERM")],
    ["SIGINT", (running: ChildProcess) => running.kill("SIGINT")],
    ["the end of its parent's channel", (running: ChildProcess) => running.disconnect()],
  ])("feeds flights and earthquakes, and ends well at %s", async (_, end) => {
    const running = start("--data-dir", dataDir);
    const held = (topic: string) =>
      log.topic(topic)?.partitions.reduce((sum, { endOffset }) => sum + endOffset, 0) ?? 0;
    await eventually(() => held("flights") > 4_800 && held("earthquakes") >= 600, "more than the backlog");

    end(running);

    expect(await once(running, "exit")).toEqual([0, null]);
  });

  test("a log that can't be opened is one line on stderr and exit code 1", async () => {
    const other = join(dataDir, "other");
    new EmbeddedLog(logPath(other)).close();
    writeFileSync(logPath(other), "not a database at all, but long enough to be taken for one ".repeat(20));

    const running = start("--data-dir", other);
    const [said, [code]] = await Promise.all([outputOf(running.stderr), once(running, "exit")]);

    expect(said).toBe(`feed: ${logPath(other)} is not a database\n`);
    expect(code).toBe(1);
  });

  test("an unknown option is exit code 2, and --help names every option", async () => {
    const mistake = start("--fast");
    expect(await once(mistake, "exit")).toEqual([2, null]);

    const help = start("--help");
    const [said, exit] = await Promise.all([outputOf(help.stdout), once(help, "exit")]);
    expect(exit).toEqual([0, null]);
    expect(said).toContain("--data-dir DIR");
  });
});
