/** Results in words, for people. Pure. */
import type { Result } from "./bench.ts";
import type { Latency } from "./histogram.ts";

export const number = (value: number, digits = 0) =>
  value.toLocaleString("en-US", { maximumFractionDigits: digits, minimumFractionDigits: digits });

/** Three digits that count. */
export const short = (value: number) =>
  number(value, value === 0 ? 0 : Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value)))));

export const ms = (value: number) => `${short(value)} ms`;

export const latencies = ({ mean, sd, p50, p75, p95, p99, p999, max }: Latency) =>
  `mean ${ms(mean)}, sd ${ms(sd)}, median ${ms(p50)}, p75 ${ms(p75)}, p95 ${ms(p95)}, p99 ${ms(p99)}, p99.9 ${ms(p999)}, max ${ms(max)}`;

export function report(result: Result): string {
  const { settings, latency, cpu, operations, dollars } = result;
  const { system, endpoints, rate, payload, json, brokers, partitions, origins } = settings;
  const each = (values: Readonly<Record<string, number>>, unit: string) =>
    Object.entries(values)
      .map(([part, value]) => `${part} ${short(value)}${unit}`)
      .join(", ");
  const rows: [string, string][] = [
    [
      "system",
      `${system}${settings.onNode ? " on Node" : ""}${(settings.workers ?? 1) > 1 ? `, ${settings.workers} workers` : ""}, ${brokers > 0 ? `Kafka of ${brokers}` : "no Kafka"}, ${partitions} partitions${origins > 1 ? ` shared by ${origins} origins` : ""}`,
    ],
    [
      "load",
      `${number(endpoints)} endpoints × ${short(rate)}/s of ${number(payload)} ${json ? "bytes of JSON" : "random bytes"}, ${number(result.watched)} of them watched`,
    ],
    ["clients", number(result.clients)],
    [
      "delivered",
      `${number(result.messagesPerSecond)} messages/s, ${number(result.megabytesPerSecond, 2)} MB/s, ${number(result.wireBytes, 1)} bytes on the wire for each`,
    ],
    ["latency", latencies(latency)],
    ["lost", `${number(result.lost)}, duplicated ${number(result.duplicated)}`],
    ["errors", errors(result)],
    ["CPU", `of one core: ${each(cpu, "%")}`],
    ["per delivery", each(result.cpuPerDelivery, " µs of CPU")],
    ["per update", each(result.cpuPerUpdate, " µs of CPU")],
    [
      "connections",
      `${number(result.connectsPerSecond)} made per second, ${number(result.bytesPerConnection / 1024, 1)} KiB of the server for each`,
    ],
  ];
  if (operations !== undefined) {
    const counted = Object.entries(operations).filter(([, count]) => count >= 0.5);
    rows.push(
      ["billable", "operations for a million deliveries:"],
      ...counted.map(([name, count]): [string, string] => ["", `${number(count)} ${name}`]),
      ["", `at list prices $${(dollars ?? 0).toFixed(4)}, without duration, CPU and storage`],
    );
  }
  return rows.map(([name, text]) => `${name.padEnd(13)}${text}\n`).join("");
}

function errors(result: Result): string {
  const { failed, violations, violation, closes, close, behindMs } = result;
  const because = (why: string | undefined) => (why === undefined ? "" : ` (${why})`);
  return [
    `${number(failed)} not published`,
    `${number(violations)} out of order${because(violation)}`,
    `${number(closes)} connections broken${because(close)}`,
    `publisher late by ${ms(behindMs)} at most`,
  ].join(", ");
}
