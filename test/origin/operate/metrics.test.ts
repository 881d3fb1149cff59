/** The metrics as Prometheus reads them, held against the table in docs/metrics-and-events.md. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { Meter } from "../../../origin/operate/meter.ts";
import { METRICS } from "../../../origin/operate/metrics.ts";
import { MetricsRegistry } from "../../../origin/operate/registry.ts";
import type { Metric } from "../../../origin/operate/samples.ts";
import type { Status } from "../../../origin/operate/status.ts";
import { madeUpStatus, NOW } from "../../support/status.ts";

const document = readFileSync(join(import.meta.dirname, "../../../docs/metrics-and-events.md"), "utf8");
/** Of prom-client, about the process. */
const DEFAULTS = /^distributary_(process|nodejs)_/;

let registry: MetricsRegistry;
let meter: Meter;

beforeEach(() => {
  registry = new MetricsRegistry();
  meter = new Meter();
});

const scrape = (status: Status | undefined) => registry.text({ status, meter, version: "1.2.3" });

/** Everything there is to see at once. */
const BUSY = () =>
  madeUpStatus({ partitions: [{ next: 1 }, {}], absent: ["u"], index: [{ oldestAt: NOW - 60_000 }] });

function busyMeter(): void {
  meter.read.set("t", { records: 3, bytes: 30 });
  meter.log(() => undefined)("partition_failed", { code: "unavailable", retryMs: 1 });
}

/** Names, types and label names of a scrape's own metrics, as far as they have series. */
function described(text: string): string[] {
  const labels = new Map<string, string>();
  for (const [, name = "", list = ""] of text.matchAll(/^([a-z_]+)(?:\{([^}]*)\})? /gm))
    labels.set(name, [...list.matchAll(/([a-z]+)="/g)].map(([, label]) => label).join(", "));
  return [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)]
    .filter(([, name = ""]) => !DEFAULTS.test(name) && labels.has(name))
    .map(([, name = "", type]) => `${name} ${type} (${labels.get(name)})`);
}

describe("the table in docs/metrics-and-events.md", () => {
  const rows = [...document.matchAll(/^\| `(distributary_\w+)` \| (\w+) \| (.*?) ?\| (.*) \|$/gm)];

  test("has every metric that is scraped, with its type and labels, and no other", async () => {
    busyMeter();
    const documented = rows.map(
      ([, name, type, labels = ""]) => `${name} ${type} (${labels.replaceAll("`", "")})`,
    );

    expect(described(await scrape(BUSY())).sort()).toEqual(documented.sort());
  });

  test("has their meanings", () => {
    const meanings = Object.fromEntries(rows.map(([, name, , , meaning]) => [name, meaning]));

    expect(meanings).toEqual(
      Object.fromEntries(Object.entries<Metric>(METRICS).map(([name, { help }]) => [name, help])),
    );
  });
});

test("names follow Prometheus: counters end in _total, nothing else does", () => {
  for (const [name, { type }] of Object.entries<Metric>(METRICS))
    expect([name, name.endsWith("_total")]).toEqual([name, type === "counter"]);
});

test("the process itself is measured, too", async () => {
  const text = await scrape(undefined);

  expect(text).toMatch(/^distributary_process_resident_memory_bytes \d+/m);
  expect(text).toMatch(/^distributary_nodejs_eventloop_lag_seconds /m);
});

test("values are those of the moment: what has gone leaves no series, and counters don't add up twice", async () => {
  busyMeter();
  await scrape(BUSY());
  const text = await scrape(
    madeUpStatus({ partitions: [{ next: 3, ready: false, error: "unavailable: x" }] }),
  );

  expect(text).toContain('distributary_partition_lag{topic="t",partition="0"} 1');
  expect(text).toContain('distributary_partition_failing{topic="t",partition="0"} 1');
  expect(text).not.toContain('partition="1"');
  expect(text).not.toContain('topic="u"');
  expect(text).toContain('distributary_read_records_total{topic="t"} 3');
  expect(text).toContain('distributary_read_retries_total{reason="unavailable"} 1');
  expect(text).toContain('distributary_build_info{version="1.2.3",protocol="1"} 1');
});

test("of thousands of partitions 1,000 have series; the rest are counted, and are in their topic's lag", async () => {
  const text = await scrape(madeUpStatus({ partitions: Array(1_500).fill({ next: 3 }) }));

  expect(text.match(/^distributary_partition_lag\{/gm)).toHaveLength(1_000);
  expect(text).toContain("distributary_unlisted_partitions 500");
  expect(text).toContain('distributary_topic_lag{topic="t"} 1500');
  expect(text).toContain('distributary_partitions{state="live"} 1500');
});
