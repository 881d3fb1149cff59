/**
 * A process of its own that replays real data into the embedded log for ever, so that a first look at a new
 * installation sees something live. `node origin/embedded/feed.ts --data-dir DIR`; ends at SIGTERM and SIGINT and with
 * the parent that it has an IPC channel to.
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { earthquakeRecords, type FeedRecord, flightRecords } from "./feed-data.ts";
import { EmbeddedLog, LogError, logPath } from "./log.ts";

const HELP = `node origin/embedded/feed.ts [options]

Replays flights and earthquakes into the topics of these names of the embedded log, until it is stopped.

  --data-dir DIR   folder of the log, or DATA_DIR; default: data
  --help           this text
`;

/** A data set and its topic. */
export interface Replay {
  readonly topic: string;
  /** Replayed in turn and for ever. */
  readonly records: readonly FeedRecord[];
  readonly perSecond: number;
}

/** Of each partition: a day or more, so that the log does not grow without end. */
const RETAIN_RECORDS = 200_000;
/** What an empty topic begins with, so that there is something to see everywhere at once. */
const BACKLOG_SECONDS = 600;

/**
 * Appends the records of one data set one by one at about its rate, beginning where the topic stands: by how
 * many records it has had. Returns how to stop it. `failed` is called at most once, with what an append
 * throws; it has stopped then.
 */
export function replay(
  log: EmbeddedLog,
  { topic, records, perSecond }: Replay,
  failed: (error: unknown) => void,
): () => void {
  log.createTopic(topic, { retainRecords: RETAIN_RECORDS });
  const gapMs = 1_000 / perSecond;
  let next = log.topic(topic)?.partitions.reduce((sum, { endOffset }) => sum + endOffset, 0) ?? 0;
  const newRecord = (timestamp: number) => {
    const { key = "", value = "" } = records[next++ % records.length] ?? {};
    return { key: Buffer.from(key), value: Buffer.from(value), timestamp };
  };
  if (next === 0) {
    const count = BACKLOG_SECONDS * perSecond;
    const start = Date.now() - count * gapMs;
    log.append(
      topic,
      Array.from({ length: count }, (_, i) => newRecord(Math.floor(start + i * gapMs))),
    );
  }
  const appendOne = () => {
    try {
      log.append(topic, [newRecord(Date.now())]);
      timer = wait();
    } catch (error) {
      failed(error);
    }
  };
  // Uneven, as arrivals are.
  const wait = () => setTimeout(appendOne, gapMs * (0.5 + Math.random()));
  let timer = wait();
  return () => clearTimeout(timer);
}

function dataSet(name: string): string {
  const packageEntry = import.meta.resolve("vega-datasets");
  return readFileSync(new URL(`../data/${name}`, packageEntry), "utf8");
}

function readDataSets(): readonly Replay[] {
  return [
    { topic: "flights", records: flightRecords(dataSet("flights-20k.json")), perSecond: 8 },
    { topic: "earthquakes", records: earthquakeRecords(dataSet("earthquakes.json")), perSecond: 1 },
  ];
}

function main(dataDir: string): void {
  const stops: (() => void)[] = [];
  let log: EmbeddedLog | undefined;
  const stop: (exitCode: number) => never = (exitCode) => {
    for (const stopOne of stops) stopOne();
    log?.close();
    process.exit(exitCode);
  };
  const failed: (error: unknown) => never = (error) => {
    // Anything else is a fault of the program, and is shown as one.
    if (!(error instanceof LogError)) throw error;
    process.stderr.write(`feed: ${error.message}\n`);
    return stop(1);
  };
  for (const event of ["SIGTERM", "SIGINT", "disconnect"]) process.once(event, () => stop(0));

  let replays: readonly Replay[];
  try {
    replays = readDataSets();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    process.stderr.write(`feed: the data sets of the package vega-datasets can't be read: ${reason}\n`);
    stop(1);
  }
  try {
    log = new EmbeddedLog(logPath(dataDir));
    for (const one of replays) stops.push(replay(log, one, failed));
  } catch (error) {
    failed(error);
  }
  const rates = replays.map(({ topic, perSecond }) => `${topic} (${perSecond} a second)`).join(" and ");
  process.stdout.write(`feeding ${rates} into ${logPath(dataDir)}\n`);
}

function readDataDir(): string | undefined {
  const options = { "data-dir": { type: "string" }, help: { type: "boolean" } } as const;
  try {
    const { values } = parseArgs({ options });
    if (values.help) process.stdout.write(HELP);
    else return values["data-dir"] || process.env.DATA_DIR || "data";
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    process.stderr.write(`feed: ${reason}. --help says more.\n`);
    process.exitCode = 2;
  }
  return undefined;
}

if (import.meta.main) {
  const dataDir = readDataDir();
  if (dataDir !== undefined) main(dataDir);
}
