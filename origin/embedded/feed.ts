/**
 * The command `feed`, a process of its own that replays real data into the embedded log, so that a first look at a new
 * installation sees something live. It ends at SIGTERM and SIGINT and with the parent that it has an IPC channel to.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { typed } from "../../shared/node/commands.ts";
import { DATA_SETS, isPackage, root } from "../../shared/node/installation.ts";
import { earthquakeRecords, flightRecords } from "./feed-data.ts";
import { EmbeddedLog, LogError, logPath } from "./log.ts";
import { type Replay, replay } from "./replay.ts";

const HELP = `${typed("feed", "[options]")}

Replays flights and earthquakes into the topics of these names of the embedded log, until it is stopped.

  --data-dir DIR   folder of the log, or DATA_DIR; default: data
  --help           this text
`;

function dataSet(name: string): string {
  const file = isPackage
    ? join(root, DATA_SETS, name)
    : new URL(`../data/${name}`, import.meta.resolve("vega-datasets"));
  return readFileSync(file, "utf8");
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
    process.stderr.write(`feed: the example data can't be read: ${reason}\n`);
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

const dataDir = readDataDir();
if (dataDir !== undefined) main(dataDir);
