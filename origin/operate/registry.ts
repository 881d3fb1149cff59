/** The metrics as Prometheus reads them. Loaded only if a port is opened. */
import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import { METRICS } from "./metrics.ts";
import type { Metric, Scrape } from "./samples.ts";

/** Of prom-client's own metrics of the process. */
const PREFIX = "distributary_";

export class MetricsRegistry {
  readonly contentType: string;
  readonly #registry = new Registry();
  readonly #fill: ((scrape: Scrape) => void)[] = [];

  constructor() {
    this.contentType = this.#registry.contentType;
    collectDefaultMetrics({ register: this.#registry, prefix: PREFIX });
    for (const [name, metric] of Object.entries<Metric>(METRICS)) this.#add(name, metric);
  }

  /** The text of one scrape. */
  async text(scrape: Scrape): Promise<string> {
    for (const fill of this.#fill) fill(scrape);
    return this.#registry.metrics();
  }

  #add(name: string, { type, labels, help, read }: Metric): void {
    const options = { name, help, labelNames: [...labels], registers: [this.#registry] };
    const series = type === "counter" ? new Counter(options) : new Gauge(options);
    this.#fill.push((scrape) => {
      // Partitions that have gone leave no series behind. Counters are counted elsewhere, and only shown here.
      series.reset();
      for (const [value, ...values] of read(scrape))
        series.inc(Object.fromEntries(labels.map((label, i) => [label, values[i] ?? ""])), value);
    });
  }
}
