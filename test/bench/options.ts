/** The flags of `npm run bench`, read and checked: every problem is reported at once. Pure. */
import type { Command, Values } from "../../origin/settings.ts";
import type { BenchSettings, StageSettings } from "./bench.ts";
import { POPULARITIES } from "./load/chance.ts";
import { MIN_BYTES, MIN_JSON_BYTES } from "./load/payload.ts";
import { Numbers } from "./numbers.ts";
import { SWEEP_NAMES, type SweepName } from "./sweeps.ts";
import { readsLog, SYSTEMS } from "./systems.ts";

export const command = {
  usage: "npm run bench -- [flags]",
  does: "Measures a Kafka, an origin and an edge of its own on this machine, from the producer to the clients.",
  settings: {
    SYSTEM: { means: `What is measured: ${SYSTEMS.join(", ")}.`, default: "distributary" },
    SOURCE: { means: "The log: kafka, or embedded.", default: "kafka" },
    BROKERS: {
      means: "How many brokers Kafka has: 1, or 3 with 3 replicas of which 2 must have it.",
      default: "1",
    },
    ENDPOINTS: { means: "How many endpoints there are.", default: "100" },
    CLIENTS: { means: "How many clients subscribe, each to one endpoint.", default: "1000" },
    RATE: { means: "Updates of each endpoint per second.", default: "1" },
    PAYLOAD: { means: "Bytes of an update.", default: "512" },
    POPULARITY: { means: `Which endpoint a client takes: ${POPULARITIES.join(", ")}.`, default: "uniform" },
    PARTITIONS: { means: "Partitions of the topic.", default: "6" },
    DURATION: { means: "Seconds that are measured.", default: "20" },
    WARM_UP: { means: "Seconds of the same load before.", default: "4" },
    PROCESSES: { means: "Processes that the clients run in.", default: "2" },
    LINGER: {
      means: "Milliseconds for which a publisher gathers updates into one request; they count as latency.",
      default: "1",
    },
    SEED: { means: "Of chance: the same seed gives the same load.", default: "1" },
    SWEEP: { means: `Runs a series instead: ${SWEEP_NAMES.join(", ")}.` },
    MAX_P99: { means: "For --find-limit: milliseconds that p99 may reach.", default: "100" },
    MAX_CPU: { means: "For --find-limit: percent of a core that each part may use.", default: "75" },
  },
  switches: {
    "json-payload": "Updates are JSON and not random bytes.",
    "find-limit": "Raises the rate step by step until a bound is passed.",
    json: "Prints JSON, one line for each result.",
  },
} as const satisfies Command;

export interface Wanted {
  readonly bench: BenchSettings;
  readonly stage: StageSettings;
  /** undefined: the embedded log, or a floor that needs none. */
  readonly brokers: 1 | 3 | undefined;
  readonly sweep: SweepName | undefined;
  readonly limit: { readonly p99Ms: number; readonly cpuPercent: number };
}

export type Read =
  | { readonly ok: true; readonly wanted: Wanted }
  | { readonly ok: false; readonly problems: readonly string[] };

export function readBench(values: Values<typeof command>, json: boolean): Read {
  const read = new Numbers<keyof Values<typeof command>>(values);
  const system = read.oneOf("SYSTEM", SYSTEMS) ?? "distributary";
  const source = read.oneOf("SOURCE", ["kafka", "embedded"]);
  const brokers = read.oneOf("BROKERS", ["1", "3"]) === "3" ? 3 : 1;
  if (system === "floor-kafka" && source === "embedded")
    read.problems.push("SOURCE: floor-kafka needs Kafka");
  const needsKafka = source === "kafka" && readsLog(system);
  const wanted: Wanted = {
    bench: {
      system,
      endpoints: read.whole("ENDPOINTS", 1),
      clients: read.whole("CLIENTS", 1),
      payload: read.whole("PAYLOAD", json ? MIN_JSON_BYTES : MIN_BYTES),
      json,
      popularity: read.oneOf("POPULARITY", POPULARITIES) ?? "uniform",
      partitions: read.whole("PARTITIONS", 1),
      processes: read.whole("PROCESSES", 1),
      lingerMs: read.positive("LINGER"),
      seed: read.whole("SEED", 0),
    },
    stage: {
      rate: read.positive("RATE"),
      warmUpSeconds: read.positive("WARM_UP"),
      seconds: read.positive("DURATION"),
    },
    brokers: needsKafka ? brokers : undefined,
    sweep: read.oneOf("SWEEP", SWEEP_NAMES),
    limit: { p99Ms: read.positive("MAX_P99"), cpuPercent: read.positive("MAX_CPU") },
  };
  return read.problems.length > 0 ? { ok: false, problems: read.problems } : { ok: true, wanted };
}
