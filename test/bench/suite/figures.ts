/** The figures of README.md, made from the results: what stands between its two marks is written here and nowhere else. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Result } from "../bench.ts";
import type { Limit } from "../limit.ts";
import { number, short } from "../report.ts";
import type { SystemName } from "../systems.ts";
import { catchUpFigures, consumersFigures } from "./backlog-figures.ts";
import { SYSTEM_TITLES } from "./plots.ts";
import type { Parts, Results } from "./results.ts";
import { SERIES, type Series } from "./series.ts";
import { both, table } from "./tables.ts";

const README = join(import.meta.dirname, "../README.md");
const BEGIN = "<!-- figures: written by npm run bench:all -->";
const END = "<!-- end of figures -->";

export function writeFigures(results: Results): void {
  writeBetween(BEGIN, END, figures(results));
}

/** Into README.md, between two marks that stand there. */
export function writeBetween(begin: string, end: string, markdown: string): void {
  const readme = readFileSync(README, "utf8");
  const [from, to] = [readme.indexOf(begin), readme.indexOf(end)];
  if (from < 0 || to < from) throw new Error("README.md has lost the marks of its figures");
  const before = readme.slice(0, from + begin.length);
  writeFileSync(README, `${before}\n${markdown}\n${readme.slice(to)}`);
}

/** Markdown. Pure. */
export function figures({ date, machine, parts, taken }: Results): string {
  const { cores, cpu, memoryGb, kernel, node, workerd, kafka, commit, loadBefore } = machine;
  const intro = `Measured on ${date}, commit ${commit}: ${cores} cores (${cpu}), ${memoryGb} GB, Linux ${kernel}, Node ${node}, workerd ${workerd}, Kafka ${kafka}. Clients, publisher and Kafka ran on the same cores; ${short(loadBefore)} other processes wanted to run when it began.`;
  const sections = [
    parts.reference && referenceFigures(parts.reference),
    parts.limits && limitFigures(parts.limits),
    parts.replicated && replicatedFigures(parts.replicated),
    parts.cost && costFigures(parts.cost),
    ...SERIES.map((series) => {
      const results = parts[series.field];
      return results && seriesFigures(series, results);
    }),
    parts.consumers && consumersFigures(parts.consumers),
    parts.storm && stormFigures(parts.storm),
    parts.catchUp && catchUpFigures(parts.catchUp),
    remarks(machine.commit, taken),
  ];
  return ["", intro, ...sections.filter((section) => section !== undefined), ""].join("\n\n");
}

/** Which parts were measured otherwise than the rest; undefined if none was. */
function remarks(commit: string, taken: Results["taken"]): string | undefined {
  const lines = Object.entries(taken).flatMap(([name, part]) => [
    ...(part.commit === commit ? [] : [`\`${name}\` was measured at commit ${part.commit}.`]),
    ...(part.scale === 1 ? [] : [`\`${name}\` was a **trial**, its durations multiplied by ${part.scale}.`]),
  ]);
  return lines.length === 0 ? undefined : lines.join(" ");
}

function referenceFigures({ base, json, replicated, many }: Parts["reference"]): string {
  const operations = base?.operations;
  const billed = Object.entries(operations ?? {})
    .filter(([name, count]) => count >= 0.5 && !name.includes("_out."))
    .map(([name, count]) => `${number(count)} \`${name}\``)
    .join(", ");
  return [
    "### From producer to client",
    "`npm run bench -- --duration 20`, then the same with `--json-payload --duration 10`, with `--endpoints 10000 --clients 2000 --linger 5`, and with `--brokers 3`.",
    both([
      ["100 endpoints", base],
      ["the same, JSON", json],
      ["10,000 endpoints", many],
      ["100 endpoints, 3 brokers", replicated],
    ]),
    `A million deliveries (100 endpoints) were ${billed || "nothing"} that is billed: *estimated* from list prices, $${(base?.dollars ?? 0).toFixed(4)} without duration, CPU and storage.`,
  ].join("\n\n");
}

function limitFigures({ distributary, floor, half }: Parts["limits"]): string {
  const ends = [
    ["Distributary", distributary],
    ["floor: kafkajs → ws", floor],
  ] as const;
  return [
    "### How much it can take",
    "`npm run bench -- --find-limit --clients 9000 --rate 0.5`, and with `--system floor-kafka --rate 2`. A step is good while p99 keeps below 100 ms and each part of the system below 75% of a core.",
    ...ends.flatMap(([name, limit]) => (limit === undefined ? [] : [`${name}: ${found(limit)}`])),
    both([
      ["at the limit", distributary?.good],
      ["floor at its limit", floor?.good],
      ["half of the limit", half.distributary],
      ["floor at that load", half.floor],
    ]),
    "![Latency under rising load](results/latency.svg)",
  ].join("\n\n");
}

function found({ good, why }: Limit): string {
  if (good === undefined) return `no step kept within the bounds: ${why}.`;
  return `${number(good.messagesPerSecond)} messages/s, with ${short(systemCpu(good))} µs of CPU for each in everything but Kafka; past that, ${why}.`;
}

/** Of the edge and the origin, or of what stands for both. */
function systemCpu({ cpuPerDelivery }: Result): number {
  const { edge = 0, origin = 0, server = 0 } = cpuPerDelivery;
  return edge + origin + server;
}

function costFigures({ results, edge, origin }: Parts["cost"]): string {
  const ours = edge.distributary;
  const ratio = (of: "a" | "b", floor: "floor-uplink" | "floor-feeds") => {
    const least = edge[floor]?.[of];
    return ours === undefined || least === undefined || least <= 0 ? "" : number(ours[of] / least, 2);
  };
  const rows = Object.entries(edge).map(([system, { a, b, worst }]) => [
    SYSTEM_TITLES[system] ?? system,
    short(a),
    short(b),
    `${number(100 * worst)}%`,
  ]);
  if (origin !== undefined)
    rows.push(["Distributary's origin", short(origin.a), short(origin.b), `${number(100 * origin.worst)}%`]);
  return [
    "### What an update and a delivery cost",
    `\`npm run bench:all -- --only cost\`: a line through ${results.length} runs, CPU = a × updates + b × deliveries.`,
    table(["", "a, µs per update", "b, µs per delivery", "worst deviation"], rows),
    `Of the floor with the same hops, a is ${ratio("a", "floor-uplink")} times, and b ${ratio("b", "floor-uplink")} times; of a broadcast alone, b is ${ratio("b", "floor-feeds")} times. At single points of the grid workerd used ${spread(results, "floor-uplink")} times the CPU of the floor with the same hops, and ${spread(results, "floor-feeds")} times that of a broadcast alone.`,
    ...messages(results),
    "![CPU per delivery](results/cpu-per-delivery.svg) ![CPU per update](results/cpu-per-update.svg)",
  ].join("\n\n");
}

/** Whether the product and the floor with the same hops were given the same messages: averages over the loads. */
function messages(results: readonly Result[]): string[] {
  const of = (system: SystemName, name: string) => {
    const counted = results.flatMap(
      ({ settings, operations, messagesPerSecond, watchedUpdatesPerSecond }) => {
        const times = settings.system === system ? operations?.[name] : undefined;
        return times === undefined ? [] : [(times * messagesPerSecond) / 1e6 / watchedUpdatesPerSecond];
      },
    );
    return counted.length === 0 ? undefined : counted.reduce((sum, one) => sum + one, 0) / counted.length;
  };
  const pair = (name: string) => {
    const [ours, floor] = [of("distributary", name), of("floor-uplink", name)];
    return ours === undefined || floor === undefined ? undefined : `${short(ours)} and ${short(floor)}`;
  };
  const [up, down] = ["shard_uplink", "endpoint_link"].map((name) => pair(`websocket_message_in.${name}`));
  if (up === undefined || down === undefined) return [];
  return [
    `For an update the shards of the product and of the floor with the same hops were sent ${up} messages by the origin, and the objects ${down} by a shard, on average over the loads.`,
  ];
}

/** The least and the most that the product used of a floor's CPU under the same load. */
function spread(results: readonly Result[], floor: SystemName): string {
  const edgeOf = (system: SystemName, { settings: { endpoints, clients } }: Result) =>
    results.find(
      ({ settings: one }) => one.system === system && one.endpoints === endpoints && one.clients === clients,
    )?.cpu.edge ?? 0;
  const ratios = results
    .filter(({ settings }) => settings.system === "distributary")
    .map((result) => edgeOf("distributary", result) / edgeOf(floor, result))
    .filter((ratio) => Number.isFinite(ratio))
    .sort((a, b) => a - b);
  return `${short(ratios[0] ?? 0)} to ${short(ratios.at(-1) ?? 0)}`;
}

function replicatedFigures({ limit, half }: Parts["replicated"]): string {
  return [
    "### The same with replicas",
    "`npm run bench -- --find-limit --brokers 3 --partitions 10 --clients 9000 --rate 0.5`: three replicas of each of 10 partitions, of which two must have an update before it is acknowledged. Three brokers take CPU from everything else on this machine.",
    limit === undefined ? "It did not fit this machine." : found(limit),
    both([
      ["at the limit", limit?.good],
      ["half of the limit", half],
    ]),
  ].join("\n\n");
}

function seriesFigures({ field, title, unit, of }: Series, results: readonly Result[]): string {
  const named = (value: number) => `${number(value)} ${value === 1 ? unit.replace(/s$/, "") : unit}`;
  const rows = results.map((result) => [named(of(result)), result] as const);
  return [
    `### ${title}`,
    `\`npm run bench:all -- --only ${field}\``,
    both(rows),
    `![${title}](results/${field}.svg)`,
  ].join("\n\n");
}

function stormFigures(storm: NonNullable<Parts["storm"]>): string {
  const { clients, endpoints, p50, p99, all, recovered, asked, lost, updatesPerSecond } = storm;
  return [
    "### All clients cut at once",
    "`npm run bench:all -- --only storm`",
    `${number(clients)} clients of ${number(endpoints)} endpoints, ${number(updatesPerSecond)} updates/s meanwhile. Half were back and had caught up after ${number(p50)} ms, 99% after ${number(p99)} ms, all after ${number(all)} ms. ${number(recovered)} verdicts said that nothing was missed; at least ${number(Math.max(0, clients - asked))} were answered from a window at the edge. Lost: ${number(lost)}.`,
  ].join("\n\n");
}
