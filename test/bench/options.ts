/** The flags of `npm run bench`, read and checked: every problem is reported at once. Pure. */
import type { Command, Values } from "../../shared/node/settings.ts";
import { LIMITS } from "../../shared/protocol/limits.ts";
import type { BenchSettings, StageSettings } from "./bench.ts";
import { POPULARITIES } from "./load/chance.ts";
import { MIN_BYTES, MIN_JSON_BYTES } from "./load/payload.ts";
import type { ScenariosWanted } from "./log/run.ts";
import { SCENARIO_NAMES, type ScenarioName } from "./log/scenarios.ts";
import { Numbers } from "./numbers.ts";
import { number } from "./report.ts";
import { SWEEP_NAMES, type SweepName } from "./sweeps.ts";
import { readsKafkaItself, readsLog, SYSTEMS } from "./systems.ts";

export const command = {
  usage: "npm run bench -- [flags]",
  does: "Measures a Kafka, an origin and an edge of its own on this machine, from the producer to the clients.",
  settings: {
    SYSTEM: {
      means: `What is measured: ${SYSTEMS.join(", ")}; for the last, CENTRIFUGO in the environment names its program.`,
      default: "distributary",
    },
    RUNTIME: { means: "What the edge runs on: workerd, or node.", default: "workerd" },
    WORKERS: { means: "How many processes the edge is: several with --runtime node.", default: "1" },
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
    ORIGINS: {
      means: "How many origins share the partitions, each with a slice of them, on the same cores.",
      default: "1",
    },
    DURATION: { means: "Seconds that are measured; 1800 is half an hour.", default: "20" },
    WARM_UP: { means: "Seconds of the same load before.", default: "4" },
    PROCESSES: { means: "Processes that the clients run in.", default: "2" },
    LINGER: {
      means: "Milliseconds for which a publisher batches updates into one request; they count as latency.",
      default: "1",
    },
    SEED: { means: "Of chance: the same seed gives the same load.", default: "1" },
    SWEEP: { means: `Runs a series instead: ${SWEEP_NAMES.join(", ")}.` },
    SCENARIO: {
      means: `Plays scenarios on a log instead, which a producer writes and an origin's reader consumes, and prints a report of each: ${SCENARIO_NAMES.join(", ")}, or all. Commas between several.`,
    },
    KAFKA: { means: "For --scenario: another log, host:port[,host:port…], without TLS and accounts." },
    METRICS: { means: "For --scenario: where that log tells, in Prometheus's text, how its S3 is." },
    MESSAGES: { means: "For --scenario: how many messages, or fewer of large ones.", default: "20000" },
    MAX_P99: { means: "For --find-limit: milliseconds that p99 may reach.", default: "100" },
    MAX_CPU: { means: "For --find-limit: percent of a core that each part may use.", default: "75" },
  },
  switches: {
    "json-payload": "Updates are JSON and not random bytes.",
    "find-limit": "Raises the rate step by step until a bound is passed.",
    json: "Prints JSON, one line for each result.",
  },
  flagsOnly: true,
} as const satisfies Command;

export interface Wanted {
  readonly bench: BenchSettings;
  readonly stage: StageSettings;
  /** undefined: the embedded log, or a floor that needs none. */
  readonly brokers: 1 | 3 | undefined;
  readonly sweep: SweepName | undefined;
  readonly scenarios: ScenariosWanted | undefined;
  readonly limit: { readonly p99Ms: number; readonly cpuPercent: number };
}

export type Read =
  | { readonly ok: true; readonly wanted: Wanted }
  | { readonly ok: false; readonly problems: readonly string[] };

/** Past these a mistake is likelier than a wish, and would end in want of memory, or not at all. */
export const MOST = 1_000_000;
export const MAX_BYTES = 4 * 1024 * 1024;
const MAX_PARTITIONS = 1_000;
const MAX_MESSAGES = 100_000_000;
export const MAX_PROCESSES = 64;
export const MAX_SECONDS = 86_400;
export const MAX_LINGER_MS = 1_000;
const MAX_UPDATES = 200_000;
const MAX_BYTES_PER_SECOND = 1e9;

export type Switches = Readonly<Record<keyof typeof command.switches, boolean>>;

export function readBench(values: Values<typeof command>, switches: Switches): Read {
  const json = switches["json-payload"];
  const read = new Numbers<keyof Values<typeof command>>(values);
  const system = read.oneOf("SYSTEM", SYSTEMS) ?? "distributary";
  const onNode = read.oneOf("RUNTIME", ["workerd", "node"]) === "node";
  if (onNode && system !== "distributary") read.problems.push(`--runtime node: ${system} has another edge`);
  const workers = read.whole("WORKERS", 1, LIMITS.edgesAtAddress);
  if (workers > 1 && !onNode) read.problems.push("--workers: several need --runtime node");
  const source = read.oneOf("SOURCE", ["kafka", "embedded"]);
  const brokers = read.oneOf("BROKERS", ["1", "3"]) === "3" ? 3 : 1;
  if (readsKafkaItself(system) && source === "embedded")
    read.problems.push(`--source embedded: ${system} needs Kafka`);
  if (system === "centrifugo" && !json)
    read.problems.push("--system centrifugo: its JSON protocol carries JSON only: add --json-payload");
  const needsKafka = source === "kafka" && readsLog(system);
  const wanted: Wanted = {
    bench: {
      system,
      endpoints: read.whole("ENDPOINTS", 1, MOST),
      clients: read.whole("CLIENTS", 1, MOST),
      payload: read.whole("PAYLOAD", json ? MIN_JSON_BYTES : MIN_BYTES, MAX_BYTES),
      json,
      popularity: read.oneOf("POPULARITY", POPULARITIES) ?? "uniform",
      partitions: read.whole("PARTITIONS", 1, MAX_PARTITIONS),
      origins: read.whole("ORIGINS", 1, LIMITS.slices),
      processes: read.whole("PROCESSES", 1, MAX_PROCESSES),
      lingerMs: read.positive("LINGER", MAX_LINGER_MS),
      seed: read.whole("SEED", 0),
      ...(onNode && { onNode, workers }),
    },
    stage: {
      rate: read.positive("RATE"),
      warmUpSeconds: read.positive("WARM_UP", MAX_SECONDS),
      seconds: read.positive("DURATION", MAX_SECONDS),
    },
    brokers: needsKafka ? brokers : undefined,
    sweep: read.oneOf("SWEEP", SWEEP_NAMES),
    scenarios: undefined,
    limit: { p99Ms: read.positive("MAX_P99"), cpuPercent: read.positive("MAX_CPU") },
  };
  const { endpoints, payload, partitions, origins } = wanted.bench;
  const scenarios = scenariosIn(values, read, { partitions, bytes: payload });
  read.problems.push(...tooMuch(endpoints, wanted.stage.rate, payload));
  if (brokers > 1 && !needsKafka)
    read.problems.push(
      `--brokers ${brokers}: ${source === "embedded" ? "the embedded log" : system} has none`,
    );
  if ((origins > 1 || wanted.sweep === "origins") && system !== "distributary")
    read.problems.push(`--origins: ${system} has none`);
  if (origins > partitions)
    read.problems.push(
      `--origins ${origins} can't share --partitions ${partitions}: some would read nothing`,
    );
  if (scenarios !== undefined && (switches["find-limit"] || wanted.sweep !== undefined))
    read.problems.push("--scenario excludes --find-limit and --sweep");
  if (switches["find-limit"] && wanted.sweep !== undefined)
    read.problems.push("--find-limit and --sweep exclude each other");
  if (read.problems.length > 0) return { ok: false, problems: read.problems };
  return { ok: true, wanted: { ...wanted, scenarios } };
}

function scenariosIn(
  { SCENARIO, KAFKA, METRICS }: Values<typeof command>,
  read: Numbers<keyof Values<typeof command>>,
  { partitions, bytes }: { readonly partitions: number; readonly bytes: number },
): ScenariosWanted | undefined {
  const records = read.whole("MESSAGES", 1, MAX_MESSAGES);
  const brokers = KAFKA?.split(",");
  if (brokers !== undefined && !brokers.every((broker) => /^.+:\d{1,5}$/.test(broker)))
    read.problems.push("--kafka must be host:port[,host:port…]");
  if (METRICS !== undefined && !URL.canParse(METRICS)) read.problems.push("--metrics must be a URL");
  if (SCENARIO === undefined) {
    if (KAFKA !== undefined || METRICS !== undefined)
      read.problems.push("--kafka and --metrics are for --scenario");
    return undefined;
  }
  const wanted = SCENARIO === "all" ? SCENARIO_NAMES : SCENARIO.split(",");
  const isScenario = (name: string): name is ScenarioName => SCENARIO_NAMES.some((one) => one === name);
  const names = wanted.filter(isScenario);
  if (names.length < wanted.length)
    read.problems.push(`--scenario must be of ${SCENARIO_NAMES.join(", ")}, or all, not ${SCENARIO}`);
  return { names, load: { partitions, bytes, records }, brokers, metricsUrl: METRICS };
}

/** What is wrong with a load that would only ever be late; empty where it may do. */
export function tooMuch(endpoints: number, rate: number, payload: number): string[] {
  const updates = endpoints * rate;
  if (!(updates > MAX_UPDATES || updates * payload > MAX_BYTES_PER_SECOND)) return [];
  return [
    `--endpoints × --rate is ${number(updates)} updates/s of ${number(payload)} bytes: more than one publisher can write`,
  ];
}
