import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setImmediate } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { EmbeddedLog } from "../../../origin/embedded/log.ts";
import { EmbeddedSource } from "../../../origin/embedded/source.ts";
import { type OnBatch, Reading } from "../../support/reading.ts";
import { type ContractLog, describeSourceContract } from "../../support/source-contract.ts";

/** The source and its producers share one log object, or have one each as two processes do. */
function setup(writer: "same" | "other"): () => Promise<ContractLog> {
  return async () => {
    const folder = mkdtempSync(join(tmpdir(), "embedded-"));
    const path = join(folder, "log.sqlite");
    const read = new EmbeddedLog(path);
    const write = writer === "same" ? read : new EmbeddedLog(path);
    const source = new EmbeddedSource(read);
    return {
      source,
      largestValueBytes: 3 * 1024 * 1024,
      createTopic: async (topic, partitions) => void write.createTopic(topic, { partitions }),
      deleteTopic: async (topic) => void write.deleteTopic(topic),
      produce: async (topic, records) => write.append(topic, records).map(({ offset }) => offset),
      trim: async (topic, partition, beforeOffset) => write.trim(topic, partition, beforeOffset),
      close: async () => {
        await source.close();
        read.close();
        write.close();
        rmSync(folder, { recursive: true });
      },
    };
  };
}

describeSourceContract("the embedded log, written by this process,", setup("same"));
describeSourceContract("the embedded log, written by another,", setup("other"));

describe("the embedded source", () => {
  let folder: string;
  let path: string;
  let log: EmbeddedLog;
  let source: EmbeddedSource;
  let readings: Reading[] = [];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "embedded-"));
    path = join(folder, "log.sqlite");
    log = new EmbeddedLog(path);
    source = new EmbeddedSource(log);
    log.createTopic("t", { partitions: 2 });
  });
  afterEach(async () => {
    for (const reading of readings) reading.abort();
    await Promise.allSettled(readings.map(({ ended }) => ended));
    readings = [];
    await source.close();
    log.close();
    rmSync(folder, { recursive: true });
  });

  async function read(partition = 0, from = 0, onBatch?: OnBatch): Promise<Reading> {
    const epoch = (await source.describe("t"))?.[partition]?.epoch ?? "";
    const reading = new Reading(source, { topic: "t", partition, epoch, from }, onBatch);
    readings.push(reading);
    return reading;
  }

  /** So many turns of the event loop that a read that has nothing to do waits. */
  const rest = async () => {
    for (let turn = 0; turn < 5; turn++) await setImmediate();
  };
  const append = (count: number, value: Uint8Array | null = Buffer.from("v"), to = log) =>
    to.append("t", new Array(count).fill({ key: null, value, partition: 0 }));
  const refusal = (code: string, message = /./) =>
    expect.objectContaining({ name: "SourceError", code, message: expect.stringMatching(message) });

  test.each(["this process", "another"])(
    "a topic that %s replaces by one with the same offsets ends a waiting read with epoch_changed",
    async (by) => {
      append(2);
      const reading = await read();
      await reading.reaches(2);
      await rest();
      const writer = by === "another" ? new EmbeddedLog(path) : log;

      writer.deleteTopic("t");
      writer.createTopic("t", { partitions: 2 });
      append(2, null, writer);

      await expect(reading.ended).rejects.toEqual(refusal("epoch_changed", /t\/0/));
      if (writer !== log) writer.close();
    },
  );

  test("a read whose next record is dropped before it comes to it ends with offset_out_of_range", async () => {
    append(5_000);
    const reading = await read(0, 0, () => log.trim("t", 0, 4_000));

    await expect(reading.ended).rejects.toEqual(
      refusal("offset_out_of_range", /from 4000 to before 5000, not 1000/),
    );
    expect(reading.batches.length).toBe(1);
  });

  test("a partition that the topic does not have is refused with unknown_topic", async () => {
    const epoch = ((await source.describe("t"))?.[0]?.epoch ?? "").replace(".0", ".2");
    const reading = new Reading(source, { topic: "t", partition: 2, epoch, from: 0 });

    await expect(reading.ended).rejects.toEqual(refusal("unknown_topic", /partition 2/));
  });

  test("a batch has 1,000 records and 1 MiB at most, and one record at least", async () => {
    append(2_500, null);
    append(10, new Uint8Array(300_000));
    append(2, new Uint8Array(2_000_000));
    const reading = await read();

    await reading.reaches(2_512);

    expect(reading.batches.map(({ records }) => records.length)).toEqual([1_000, 1_000, 503, 3, 3, 1, 1, 1]);
  });

  test("partitions that catch up take turns, and leave turns to others", async () => {
    const half = { key: null, value: null };
    log.append("t", [
      ...new Array(20_000).fill({ ...half, partition: 0 }),
      ...new Array(20_000).fill({ ...half, partition: 1 }),
    ]);
    const order: number[] = [];
    let turns = 0;
    let counting = true;
    const count = async () => {
      for (; counting; turns++) await setImmediate();
    };
    const counted = count();

    const both = await Promise.all(
      [0, 1].map((partition) => read(partition, 0, () => void order.push(partition))),
    );
    await Promise.all(both.map((reading) => reading.reaches(20_000)));
    counting = false;
    await counted;

    expect(turns).toBeGreaterThanOrEqual(40);
    const lead = order.map((_, i) => order.slice(0, i + 1).reduce((sum, of) => sum + (of === 0 ? 1 : -1), 0));
    expect(Math.max(...lead.map(Math.abs))).toBeLessThanOrEqual(2);
  });

  test("a damaged record ends a read with corrupt, and a log that was closed with unavailable", async () => {
    append(3);
    const database = new DatabaseSync(path);
    database.exec("UPDATE record SET headers = x'01' WHERE offset = 1");
    database.close();

    const damaged = await read(0, 0);
    await expect(damaged.ended).rejects.toEqual(refusal("corrupt", /t\/0 at 1/));
    const waiting = await read(0, 3);
    await waiting.reaches(3);
    await rest();
    log.close();
    await expect(waiting.ended).rejects.toEqual(refusal("unavailable"));
    await expect(source.describe("t")).rejects.toEqual(refusal("unavailable"));
  });

  test("a read that waits does not keep its process alive", async () => {
    const module = (name: string) =>
      JSON.stringify(join(import.meta.dirname, "../../../origin/embedded", name));
    const program = `
      const { EmbeddedLog } = await import(${module("log.ts")});
      const { EmbeddedSource } = await import(${module("source.ts")});
      const source = new EmbeddedSource(new EmbeddedLog(${JSON.stringify(path)}));
      const [{ epoch }] = await source.describe("t");
      const signal = new AbortController().signal;
      source.read({ topic: "t", partition: 0, epoch, from: 0, signal }, () => console.log("first batch"));`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let said = "";
    child.stdout.on("data", (chunk) => {
      said += chunk;
    });

    expect(await once(child, "close")).toEqual([0, null]);
    expect(said).toBe("first batch\n");
  });
});
