/**
 * The readers of readers.ts side by side, each run in a process of its own: `npx node test/kafka/compare.ts [--runs N]`.
 * Prints the table of docs/kafka.md: the median of the runs, and in brackets the least and the most.
 */
import { type ChildProcess, fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";
import { COMMANDS } from "../../shared/node/commands.ts";
import { KafkaBroker } from "../support/kafka-broker.ts";
import { load } from "../support/kafka-load.ts";
import { createTopic } from "../support/kafka-topics.ts";
import { READERS, type ReaderName, type Where } from "./readers.ts";

const PARTITIONS = 12;
const RECORDS = 2_000_000;
const LIVE = "live";
const LIVE_MS = 10_000;
const TICK_MS = 20;
const RECORDS_A_TICK = 10;
const SLOW_MS = 1_000;

/** `until` a number of records, then says how it went; else says when it has the first, and latencies on SIGTERM. */
interface Task {
  readonly reader: ReaderName;
  readonly where: Where;
  readonly until: number;
  /** One whose records take a second to handle; its latencies don't count. */
  readonly slow: number | undefined;
}

interface Result {
  readonly recordsPerSecond: number;
  readonly microsEach: number;
  /** Milliseconds. */
  readonly latencies: readonly number[];
}

const now = () => performance.timeOrigin + performance.now();
const tell = (message: Result | "first") => process.send?.(message);

async function readAs({ reader, where, until, slow }: Task): Promise<void> {
  let startedAt = 0;
  let before = process.cpuUsage();
  let first = 0;
  let records = 0;
  const latencies: number[] = [];
  process.once("SIGTERM", () => {
    tell({ recordsPerSecond: 0, microsEach: 0, latencies });
    process.disconnect?.();
    process.exit();
  });
  await READERS[reader](where, async (partition, batch) => {
    if (batch.length === 0) return;
    if (records === 0) {
      // From the first batch to the last: how long a group takes to form is another figure.
      startedAt = performance.now();
      before = process.cpuUsage();
      first = batch.length;
      tell("first");
    }
    records += batch.length;
    if (until === 0 && partition !== slow)
      for (const { value } of batch) latencies.push(now() - Number(String(value)));
    if (partition === slow) await setTimeout(SLOW_MS);
    if (records !== until) return;
    const { user, system } = process.cpuUsage(before);
    const read = records - first;
    const seconds = (performance.now() - startedAt) / 1_000;
    tell({ recordsPerSecond: read / seconds, microsEach: (user + system) / read, latencies });
    process.disconnect?.();
    process.exit();
  });
}

function start(task: Task): ChildProcess {
  return fork(import.meta.filename, ["--task", JSON.stringify(task)], {
    execArgv: [...COMMANDS.origin.nodeFlags, "--no-warnings"],
  });
}

async function resultOf(child: ChildProcess): Promise<Result> {
  for (;;) {
    const [message] = (await once(child, "message")) as [Result | "first"];
    if (message !== "first") return message;
  }
}

const whereOf = (kafka: KafkaBroker, topic: string, from: Where["from"]): Where => {
  return { broker: kafka.bootstrap, topic, partitions: PARTITIONS, from, group: randomUUID() };
};

async function catchUp(kafka: KafkaBroker, reader: ReaderName, topic: string): Promise<Result> {
  const where = whereOf(kafka, topic, "earliest");
  return resultOf(start({ reader, where, until: RECORDS, slow: undefined }));
}

async function latency(kafka: KafkaBroker, reader: ReaderName, slow: number | undefined): Promise<Result> {
  const child = start({ reader, where: whereOf(kafka, LIVE, "latest"), until: 0, slow });
  await once(child, "message");
  await setTimeout(LIVE_MS);
  const result = resultOf(child);
  child.kill("SIGTERM");
  return result;
}

/** From the start of a reader whose predecessor was killed to its first record, in seconds. */
async function comeback(kafka: KafkaBroker, reader: ReaderName): Promise<number> {
  const task = { reader, where: whereOf(kafka, LIVE, "latest"), until: 0, slow: undefined };
  const killed = start(task);
  await once(killed, "message");
  killed.kill("SIGKILL");
  await once(killed, "exit");
  const startedAt = performance.now();
  const child = start(task);
  await once(child, "message");
  const seconds = (performance.now() - startedAt) / 1_000;
  child.kill("SIGKILL");
  await once(child, "exit");
  return seconds;
}

/** Writes to all partitions in turn, each value the time at which it was sent. Returns what ends it. */
async function writeLive(kafka: KafkaBroker): Promise<() => Promise<void>> {
  const producer = kafka.client().producer();
  await producer.connect();
  const stop = new AbortController();
  const ended = (async () => {
    for (let tick = 0; !stop.signal.aborted; tick++) {
      const messages = Array.from({ length: RECORDS_A_TICK }, (_, i) => {
        const partition = (tick * RECORDS_A_TICK + i) % PARTITIONS;
        return { key: `key-${partition}`, partition, value: String(now()) };
      });
      await Promise.all([producer.send({ topic: LIVE, messages }), setTimeout(TICK_MS)]);
    }
  })();
  return async () => {
    stop.abort();
    await ended;
    await producer.disconnect();
  };
}

function middle(numbers: readonly number[], digits: number): string {
  const sorted = numbers.toSorted((a, b) => a - b);
  const show = (at: number) => (sorted[at] ?? Number.NaN).toFixed(digits);
  return `${show(Math.floor(sorted.length / 2))} [${show(0)}–${show(sorted.length - 1)}]`;
}

function quantile(latencies: readonly number[], part: number): number {
  const sorted = latencies.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? Number.NaN;
}

async function compare(runs: number): Promise<void> {
  const kafka = await KafkaBroker.start();
  const times = async <T>(one: () => Promise<T>): Promise<T[]> => {
    const results: T[] = [];
    for (let run = 0; run < runs; run++) results.push(await one());
    return results;
  };
  try {
    const admin = kafka.client().admin();
    await admin.connect();
    for (const topic of ["none", "gzip", LIVE]) await createTopic(admin, topic, PARTITIONS);
    await admin.disconnect();
    for (const topic of ["none", "gzip"]) {
      await load(kafka, {
        topic,
        seed: 1,
        records: RECORDS,
        keys: 10_000,
        bytes: [80, 120],
        producers: [topic],
      });
      for (const reader of ["origin", "fetch", "consumer"] as const) {
        const results = await times(() => catchUp(kafka, reader, topic));
        const rate = middle(
          results.map((result) => result.recordsPerSecond),
          0,
        );
        const micros = middle(
          results.map(({ microsEach }) => microsEach),
          2,
        );
        console.log(`catching up, ${topic}: ${reader}: ${rate} records/s, ${micros} µs of CPU each`);
      }
    }
    const stop = await writeLive(kafka);
    for (const slow of [undefined, 0])
      for (const reader of ["origin", "consumer"] as const) {
        const results = await times(() => latency(kafka, reader, slow));
        const [p50, p99, most] = [0.5, 0.99, 1].map((part) =>
          middle(
            results.map(({ latencies }) => quantile(latencies, part)),
            1,
          ),
        );
        const what = slow === undefined ? "live latency" : "others' latency while one is slow";
        console.log(`${what}: ${reader}: p50 ${p50}, p99 ${p99}, max ${most} ms`);
      }
    for (const reader of ["origin", "consumer"] as const) {
      const seconds = middle(await times(() => comeback(kafka, reader)), 2);
      console.log(`kill -9 to the first new record: ${reader}: ${seconds} s`);
    }
    await stop();
  } finally {
    await kafka.stop();
  }
}

const { values } = parseArgs({
  options: { runs: { type: "string", default: "3" }, task: { type: "string" } },
});
if (values.task === undefined) await compare(Number(values.runs));
else await readAs(JSON.parse(values.task));
