/** Several processes on one embedded log, and processes that die. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { EmbeddedLog } from "../../../origin/embedded/log.ts";
import { EmbeddedSource } from "../../../origin/embedded/source.ts";
import type { SourceRecord } from "../../../origin/source/source.ts";
import { Reading } from "../../support/reading.ts";

const WRITER = join(import.meta.dirname, "../../support/log-writer.ts");

let folder: string;
let path: string;
let writers: Writer[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "embedded-"));
  path = join(folder, "log.sqlite");
});
afterEach(() => {
  for (const { child } of writers) child.kill("SIGKILL");
  writers = [];
  rmSync(folder, { recursive: true });
});

/** A child process that runs test/support/log-writer.ts. */
class Writer {
  readonly child: ChildProcessByStdio<Writable, Readable, null>;
  readonly exited: Promise<unknown[]>;
  /** Offsets of the batches that it has been told are written. */
  readonly acknowledged: number[][] = [];
  readonly #lines: AsyncIterator<string>;

  constructor(name: string, batches: number, batchSize: number) {
    const args = [WRITER, path, name, String(batches), String(batchSize)];
    this.child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
    this.exited = once(this.child, "exit");
    this.#lines = createInterface(this.child.stdout)[Symbol.asyncIterator]();
    writers.push(this);
  }

  async ready(): Promise<void> {
    expect((await this.#lines.next()).value).toBe('"ready"');
  }

  begin(): void {
    this.child.stdin.write("begin\n");
  }

  /** false if there are no more. */
  async acknowledgement(): Promise<boolean> {
    const { done, value } = await this.#lines.next();
    if (done === true) return false;
    this.acknowledged.push(JSON.parse(value) as number[]);
    return true;
  }
}

const shown = ({ offset, key, value }: SourceRecord) => ({
  offset,
  writer: Buffer.from(key ?? []).toString(),
  value: Number(Buffer.from(value ?? [])),
});
const all = (log: EmbeddedLog) => log.read("t", 0, 0, 1_000_000, 1e9).map(shown);

describe("an embedded log that several processes write", { timeout: 60_000 }, () => {
  test("processes that make the file and append at once get dense offsets, each batch together", async () => {
    const names = ["a", "b", "c", "d"];
    const children = names.map((name) => new Writer(name, 60, 7));
    await Promise.all(children.map((child) => child.ready()));

    for (const child of children) child.begin();
    await Promise.all(
      children.map(async (child) => {
        while (await child.acknowledgement());
        expect(await child.exited).toEqual([0, null]);
      }),
    );

    const log = new EmbeddedLog(path);
    const records = all(log);
    log.close();
    expect(records.map(({ offset }) => offset)).toEqual(Array.from({ length: 4 * 60 * 7 }, (_, i) => i));
    for (const [i, name] of names.entries()) {
      const own = records.filter(({ writer }) => writer === name);
      expect(own.map(({ value }) => value)).toEqual(Array.from({ length: 60 * 7 }, (_, value) => value));
      expect(own.map(({ offset }) => offset)).toEqual(children[i]?.acknowledged.flat());
      for (const batch of children[i]?.acknowledged ?? [])
        expect(batch).toEqual(batch.map((_, at) => (batch[0] ?? 0) + at));
    }
  });

  test("what another process appends reaches a waiting read", async () => {
    const log = new EmbeddedLog(path);
    log.createTopic("t", { partitions: 1 });
    const source = new EmbeddedSource(log);
    const epoch = (await source.describe("t"))?.[0]?.epoch ?? "";
    const reading = new Reading(source, { topic: "t", partition: 0, epoch, from: 0 });
    await reading.reaches(0);
    const writer = new Writer("a", 20, 5);
    await writer.ready();

    writer.begin();
    await reading.reaches(100);

    expect(reading.records.map((record) => shown(record).value)).toEqual(
      Array.from({ length: 100 }, (_, i) => i),
    );
    await reading.stop();
    log.close();
  });

  test.each([1, 10, 40])(
    "kill -9 of a writer after %i batches loses nothing acknowledged, and leaves whole batches",
    async (batches) => {
      const size = 50;
      const writer = new Writer("a", 1_000_000, size);
      await writer.ready();
      writer.begin();
      for (let i = 0; i < batches; i++) await writer.acknowledgement();

      writer.child.kill("SIGKILL");
      await writer.exited;
      while (await writer.acknowledgement());

      const log = new EmbeddedLog(path);
      const end = log.topic("t")?.partitions[0]?.endOffset ?? -1;
      const records = all(log);
      expect(records).toEqual(Array.from({ length: end }, (_, i) => ({ offset: i, writer: "a", value: i })));
      expect(end % size).toBe(0);
      expect(end).toBeGreaterThanOrEqual((writer.acknowledged.at(-1)?.at(-1) ?? Number.NaN) + 1);
      expect(log.append("t", [{ key: null, value: null }])[0]?.offset).toBe(end);
      log.close();
    },
  );

  test("a writer killed in the middle of an append leaves no trace of it, and holds up nobody", async () => {
    const log = new EmbeddedLog(path);
    log.createTopic("t", { partitions: 1 });
    const dying = `
      const { EmbeddedLog } = await import(${JSON.stringify(join(import.meta.dirname, "../../../origin/embedded/log.ts"))});
      const log = new EmbeddedLog(${JSON.stringify(path)});
      const record = { key: null, value: new Uint8Array(100_000) };
      const last = { key: null, get value() { process.kill(process.pid, "SIGKILL"); } };
      log.append("t", [...Array(100).fill(record), last]);`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", dying], { stdio: "inherit" });
    expect(await once(child, "exit")).toEqual([null, "SIGKILL"]);

    expect(all(log)).toEqual([]);
    expect(log.append("t", [{ key: null, value: null }])[0]?.offset).toBe(0);
    log.close();
  });
});
