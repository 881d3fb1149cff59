/**
 * How much memory, time and disk an origin takes to read many records from a real Kafka:
 * `npx node test/kafka/soak.ts [--records N] [--keys N]`. Prints a line for each tenth, and what it comes to.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setInterval } from "node:timers/promises";
import { parseArgs } from "node:util";
import { KafkaSink } from "../../origin/kafka/sink.ts";
import { KafkaSource } from "../../origin/kafka/source.ts";
import { Origin } from "../../origin/origin.ts";
import { readConfig } from "../../origin/settings/config.ts";
import { COMMANDS } from "../../shared/node/commands.ts";
import { KafkaBroker } from "../support/kafka-broker.ts";
import { load } from "../support/kafka-load.ts";
import { createTopic } from "../support/kafka-topics.ts";

const TOPIC = "soak";
const SAMPLE_MS = 250;
const MB = 1024 * 1024;

interface Sample {
  readonly seconds: number;
  readonly records: number;
  readonly residentBytes: number;
  readonly cpuMicros: number;
  readonly diskBytes: number;
}

/** An origin as `npm run origin` makes it, which tells where it is until it has read it all. Its edge isn't there. */
async function read(records: number): Promise<void> {
  const root = join(import.meta.dirname, "../..");
  const readFile = (path: string) => readFileSync(path, "utf8");
  const result = readConfig({ env: process.env, args: [], root, readFile });
  if (result.kind !== "config" || result.config.kafka === undefined) throw new Error(JSON.stringify(result));
  const source = new KafkaSource(result.config.kafka);
  const index = join(result.config.dataDir, "origin/index.db");
  const sizeOf = (path: string) => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  const startedAt = performance.now();
  const { kafka } = result.config;
  const origin = new Origin(
    result.config,
    source,
    () => new KafkaSink(kafka, result.config),
    () => {},
  );
  void origin.failed.then((error) => {
    throw error;
  });
  for await (const _ of setInterval(SAMPLE_MS)) {
    const { user, system } = process.cpuUsage();
    const sample: Sample = {
      seconds: (performance.now() - startedAt) / 1_000,
      records: origin.status().partitions.reduce((sum, { next }) => sum + next, 0),
      residentBytes: process.memoryUsage.rss(),
      cpuMicros: user + system,
      diskBytes: ["", "-wal"].reduce((sum, suffix) => sum + sizeOf(`${index}${suffix}`), 0),
    };
    process.send?.(sample);
    if (sample.records >= records) break;
  }
  await origin.stop();
  await source.close();
  process.disconnect?.();
}

async function samplesOf(child: ChildProcess): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  child.on("message", (sample: Sample) => samples.push(sample));
  const [code] = await once(child, "exit");
  if (code !== 0) throw new Error(`the origin ended with ${code}`);
  return samples;
}

async function measure(records: number, keys: number): Promise<void> {
  const kafka = await KafkaBroker.start();
  const dataDir = mkdtempSync(join(tmpdir(), "soak-"));
  try {
    const admin = kafka.client().admin();
    await admin.connect();
    await createTopic(admin, TOPIC, 12);
    await admin.disconnect();
    const producers = ["none", "gzip", "snappy", "lz4", "zstd"];
    await load(kafka, { topic: TOPIC, seed: 1, records, keys, bytes: [100, 500], producers });
    const stream = { title: TOPIC, subscribe: "public", window: { seconds: 86_400 } };
    writeFileSync(join(dataDir, "streams.json"), JSON.stringify({ streams: { [TOPIC]: stream } }));
    const child = fork(import.meta.filename, ["--records", String(records), "--reader"], {
      execArgv: [...COMMANDS.origin.nodeFlags],
      env: {
        ...process.env,
        KAFKA_BROKERS: kafka.bootstrap,
        DATA_DIR: dataDir,
        STREAMS: join(dataDir, "streams.json"),
        EDGE_URL: "http://127.0.0.1:1",
        UPLINK_KEY: `soak:soak:${"k".repeat(32)}`,
      },
    });
    report(await samplesOf(child), records);
  } finally {
    await kafka.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

function report(samples: readonly Sample[], records: number): void {
  const rows = Array.from({ length: 10 }, (_, i) =>
    samples.find((sample) => sample.records >= ((i + 1) * records) / 10),
  ).filter((sample) => sample !== undefined);
  let before: Sample = { seconds: 0, records: 0, residentBytes: 0, cpuMicros: 0, diskBytes: 0 };
  for (const row of rows) {
    const read = row.records - before.records;
    console.log(
      [
        `${row.records} records`,
        `${row.seconds.toFixed(1)} s`,
        `${(read / (row.seconds - before.seconds)).toFixed(0)} records/s`,
        `${((row.cpuMicros - before.cpuMicros) / read).toFixed(2)} µs of CPU each`,
        `${(row.residentBytes / MB).toFixed(0)} MB resident`,
        `${(row.diskBytes / MB).toFixed(0)} MB of index`,
      ].join("  "),
    );
    before = row;
  }
  const steady = samples
    .filter((sample) => sample.records >= records / 5)
    .map(({ residentBytes }) => residentBytes / MB);
  const sorted = steady.toSorted((a, b) => a - b);
  const [least, median, most] = [sorted[0], sorted[Math.floor(sorted.length / 2)], sorted.at(-1)];
  console.log(
    `resident after the first fifth: ${[least, median, most].map((mb) => mb?.toFixed(0)).join(" / ")} MB (least, median, most)`,
  );
}

const { values } = parseArgs({
  options: {
    records: { type: "string", default: "10000000" },
    keys: { type: "string", default: "100000" },
    reader: { type: "boolean", default: false },
  },
});
if (values.reader) await read(Number(values.records));
else await measure(Number(values.records), Number(values.keys));
