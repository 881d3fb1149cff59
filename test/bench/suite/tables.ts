/** The tables of the figures, as Markdown. Pure. */
import type { Result } from "../bench.ts";
import { number, short } from "../report.ts";

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

const LATENCIES = ["mean", "sd", "p50", "p75", "p95", "p99", "p999", "max"] as const;
const COLUMNS = [
  "",
  "clients",
  "messages/s",
  "MB/s",
  "mean",
  "sd",
  "median",
  "p75",
  "p95",
  "p99",
  "p99.9",
  "max (ms)",
];

function row(name: string, result: Result): string[] {
  const { clients, messagesPerSecond, megabytesPerSecond, latency } = result;
  const latencies = LATENCIES.map((of) => short(latency[of]));
  return [name, number(clients), number(messagesPerSecond), number(megabytesPerSecond, 1), ...latencies];
}

const COST_COLUMNS = [
  "",
  "edge",
  "origin",
  "Kafka",
  "publisher",
  "clients",
  "machine (% of a core)",
  "edge, µs/delivery",
  "origin, µs/update",
  "wire bytes/message",
  "connects/s",
  "KiB/connection",
  "lost",
  "doubled",
  "errors",
];

function costRow(name: string, result: Result): string[] {
  const { cpu, cpuPerDelivery, cpuPerUpdate, wireBytes, connectsPerSecond } = result;
  const percent = (part: string) => (cpu[part] === undefined ? "" : number(cpu[part]));
  const server = cpuPerDelivery.edge ?? cpuPerDelivery.server ?? 0;
  return [
    name,
    percent(cpu.edge === undefined ? "server" : "edge"),
    ...["origin", "kafka", "publisher", "clients", "machine"].map(percent),
    short(server),
    cpuPerUpdate.origin === undefined ? "" : short(cpuPerUpdate.origin),
    number(wireBytes),
    number(connectsPerSecond),
    number(result.bytesPerConnection / 1024),
    number(result.lost),
    number(result.duplicated),
    number(result.failed + result.violations + result.closes),
  ];
}

/** Latencies of some runs, and what they cost; what was not measured has no row. */
export function both(rows: readonly (readonly [string, Result | undefined])[]): string {
  const measured = rows.flatMap(([name, result]) => (result === undefined ? [] : [[name, result] as const]));
  return [
    table(
      COLUMNS,
      measured.map(([name, result]) => row(name, result)),
    ),
    table(
      COST_COLUMNS,
      measured.map(([name, result]) => costRow(name, result)),
    ),
  ].join("\n\n");
}
