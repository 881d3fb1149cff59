/** The plots of the results, as SVG beside them. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse, View } from "vega";
import { compile, type TopLevelSpec } from "vega-lite";
import type { Result } from "../bench.ts";
import type { Results } from "./results.ts";
import { SERIES, type Series } from "./series.ts";

type Row = Readonly<Record<string, string | number>>;

const FOLDER = join(import.meta.dirname, "../results");
const SIZE = { width: 460, height: 240 };
const CONFIG = {
  legend: { labelLimit: 0, orient: "bottom", columns: 2 },
  axis: { labelLimit: 0, gridOpacity: 0.4, tickCount: 5 },
} as const;

/** Names of systems for people. */
export const SYSTEM_TITLES: Readonly<Record<string, string>> = {
  distributary: "Distributary",
  "floor-uplink": "floor: shard → link → broadcast",
  "floor-feeds": "floor: broadcast alone",
  "floor-kafka": "floor: kafkajs → ws",
  centrifugo: "Centrifugo",
};

const titleOf = ({ settings }: Result) => SYSTEM_TITLES[settings.system] ?? settings.system;

export async function writePlots(results: Results): Promise<void> {
  for (const [name, spec] of Object.entries(specs(results))) await writePlot(name, spec);
}

export async function writePlot(name: string, spec: TopLevelSpec): Promise<void> {
  const view = new View(parse(compile(spec).spec), { renderer: "none" });
  writeFileSync(join(FOLDER, `${name}.svg`), `${await view.toSVG()}\n`);
  view.finalize();
}

/** By the name of the file. A part that was not measured has no plot. */
function specs({ parts }: Results): Record<string, TopLevelSpec> {
  const plots: Record<string, TopLevelSpec> = {};
  const { cost, limits, replicated, consumers, catchUp } = parts;
  if (cost !== undefined) {
    const subscribers = cost.results.map((result) => ({
      system: titleOf(result),
      subscribers: result.settings.clients / result.settings.endpoints,
      cpu: result.cpuPerDelivery.edge ?? 0,
    }));
    plots["cpu-per-delivery"] = lines({
      title: "workerd's CPU for each delivery, updates included",
      rows: subscribers,
      x: { field: "subscribers", title: "subscribers per endpoint", log: true },
      y: { field: "cpu", title: "µs", log: true },
      color: "system",
      mark: "point",
    });
    const endpoints = cost.results
      .filter(({ settings }) => settings.clients === settings.endpoints)
      .map((result) => ({
        system: titleOf(result),
        endpoints: result.settings.endpoints,
        cpu: result.cpuPerUpdate.edge ?? 0,
      }));
    plots["cpu-per-update"] = lines({
      title: "workerd's CPU for each update, one subscriber per endpoint",
      rows: endpoints,
      x: { field: "endpoints", title: "endpoints", log: true },
      y: { field: "cpu", title: "µs" },
      color: "system",
    });
  }
  if (limits !== undefined) {
    const found = [limits.distributary, limits.floor, replicated?.limit];
    const steps = found.flatMap((limit) => lastTries(limit?.steps ?? []));
    const percentiles = steps.flatMap((result) =>
      (["p50", "p99"] as const).map((percentile) => ({
        series: `${titleOf(result)}${result.settings.brokers === 3 ? ", 3 brokers" : ""}, ${percentile}`,
        rate: result.messagesPerSecond,
        latency: result.latency[percentile],
      })),
    );
    plots.latency = lines({
      title: "Latency under rising load, 9,000 clients of 100 endpoints",
      rows: percentiles,
      x: { field: "rate", title: "messages delivered per second" },
      y: { field: "latency", title: "ms", log: true },
      color: "series",
    });
  }
  for (const series of SERIES) {
    const results = parts[series.field];
    if (results !== undefined) plots[series.field] = latencyOver(series, results);
  }
  if (consumers !== undefined) {
    plots.consumers = bars(
      "Reading a backlog of 512-byte records, all on the same cores",
      "records per second",
      consumers.starts.map(({ origins, cold }) => ({
        who: named(origins),
        value: cold.recordsPerSecond,
      })),
    );
    plots.origins = lines({
      title: "Latency under rising load, all origins on the same cores",
      rows: consumers.live.flatMap(({ origins, steps }) =>
        lastTries(steps).map(({ updatesPerSecond, latency }) => ({
          origins: named(origins),
          updatesPerSecond,
          p99: latency.p99,
        })),
      ),
      x: { field: "updatesPerSecond", title: "updates read per second" },
      y: { field: "p99", title: "p99, ms", log: true },
      color: "origins",
    });
  }
  if (catchUp !== undefined)
    plots["catch-up"] = bars("Reading a backlog of 512-byte records", "records per second", [
      { who: "Distributary's origin, indexing", value: catchUp.cold.recordsPerSecond },
      { who: "kafkajs's consumer, reading only", value: catchUp.consumer.recordsPerSecond },
    ]);
  return plots;
}

const named = (origins: number) => (origins === 1 ? "1 origin" : `${origins} origins`);

/** Of the steps that were tried twice, the second. */
function lastTries(steps: readonly Result[]): Result[] {
  return [...new Map(steps.map((result) => [result.settings.rate, result])).values()];
}

function latencyOver(
  { plot, axis, log, of }: Pick<Series, "plot" | "axis" | "log" | "of">,
  results: readonly Result[],
) {
  const rows = results.flatMap((result) =>
    (["p50", "p99"] as const).map((percentile) => ({
      percentile,
      value: of(result),
      latency: result.latency[percentile],
    })),
  );
  return lines({
    title: plot,
    rows,
    x: { field: "value", title: axis, ...(log && { log }) },
    y: { field: "latency", title: "ms", log: true },
    color: "percentile",
  });
}

interface Axis {
  readonly field: string;
  readonly title: string;
  readonly log?: true;
}

interface Lines {
  readonly title: string;
  readonly rows: readonly Row[];
  readonly x: Axis;
  readonly y: Axis;
  readonly color: string;
  readonly mark?: "point";
}

function lines({ title, rows, x, y, color, mark }: Lines): TopLevelSpec {
  const axis = ({ field, title, log }: Axis) => ({
    field,
    title,
    type: "quantitative" as const,
    scale: log ? ({ type: "log", nice: false } as const) : ({ zero: true } as const),
  });
  return {
    ...SIZE,
    title,
    background: "white",
    config: CONFIG,
    data: { values: [...rows] },
    mark: mark === "point" ? { type: "point", filled: true, size: 60 } : { type: "line", point: true },
    encoding: { x: axis(x), y: axis(y), color: { field: color, type: "nominal", title: null } },
  };
}

function bars(title: string, unit: string, rows: readonly { who: string; value: number }[]): TopLevelSpec {
  return {
    width: SIZE.width,
    title,
    background: "white",
    config: CONFIG,
    data: { values: [...rows] },
    mark: "bar",
    encoding: {
      x: { field: "value", type: "quantitative", title: unit },
      y: { field: "who", type: "nominal", title: null, sort: null },
    },
  };
}
