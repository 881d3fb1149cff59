/** An estimate as a table for people and as JSON. Pure. */

import { ASSUMPTIONS, type Assumption, HARSHEST, KINDEST, turned } from "./estimate-assumptions.ts";
import { layoutOfPlan, type Plan, watchedOf } from "./estimate-events.ts";
import { type Limit, limitsOf } from "./estimate-limits.ts";
import { type Estimate, estimate } from "./estimate-model.ts";
import { type Bounds, monthOf, type PricedShape, passing, shapesFor } from "./estimate-shapes.ts";
import { PRICES, type Usage } from "./prices.ts";
import { SHAPES } from "./shapes/layouts.ts";

export interface Report {
  readonly plan: Plan;
  readonly prices: { readonly asOf: string; readonly plan: string };
  /** Those that hold subscribers, and shards. */
  readonly objects: number;
  readonly updatesPerSecond: number;
  readonly deliveriesPerSecond: number;
  /** A month. */
  readonly items: readonly {
    readonly what: string;
    readonly billedAs: keyof Usage;
    readonly quantity: Bounds;
    readonly units: Bounds;
    readonly dollars: Bounds;
  }[];
  /** The same by what is billed, before what the plan includes. */
  readonly usage: Readonly<Record<string, Bounds>>;
  readonly dollars: Bounds;
  /** What each assumption would add to the lower bound by itself, in dollars. */
  readonly unproven: readonly { readonly name: Assumption; readonly means: string; readonly adds: number }[];
  /** The same deployment in other shapes, the plan's own among them; the cheapest first, by the upper bound. */
  readonly shapes: readonly PricedShape[];
  readonly limits: readonly (Limit & { readonly passed: "no" | "perhaps" | "yes" })[];
  readonly leftOut: readonly string[];
}

/** Said outright, so that nobody takes an estimate for more than it is. */
const LEFT_OUT = [
  "a second origin: what it adds is a few messages a second",
  "Kafka, the origin's own machine, and the traffic that its network bills",
  "logs: wrangler.toml samples a thousandth of the requests and none of the messages",
];

export function reportOn(plan: Plan): Report {
  const layout = layoutOfPlan(plan);
  const lower = estimate(plan, KINDEST);
  const upper = estimate(plan, HARSHEST);
  return {
    plan,
    prices: { asOf: PRICES.asOf, plan: PRICES.plan },
    objects: (layout?.objects ?? 0) + (layout?.shards ?? 0),
    updatesPerSecond: watchedOf(plan) * plan.rate,
    deliveriesPerSecond: watchedOf(plan) * plan.rate * plan.subscribers,
    items: lower.items.map((item, i) => ({
      what: item.what,
      billedAs: item.billedAs,
      quantity: bounds(item.quantity, upper.items[i]?.quantity),
      units: bounds(item.units, upper.items[i]?.units),
      dollars: bounds(item.dollars, upper.items[i]?.dollars),
    })),
    usage: usageBounds(lower, upper),
    dollars: { lower: monthOf(lower), upper: monthOf(upper) },
    unproven: (Object.keys(ASSUMPTIONS) as Assumption[]).map((name) => ({
      name,
      means: ASSUMPTIONS[name].means,
      adds: estimate(plan, turned(name)).dollars - lower.dollars,
    })),
    shapes: shapesFor(plan),
    limits: limitsOf(plan).map((limit) => ({ ...limit, passed: passing(limit) })),
    leftOut: LEFT_OUT,
  };
}

/** What is kinder in one way may be more in another, so the two come in either order. */
function bounds(a: number, b: number | undefined): Bounds {
  return { lower: Math.min(a, b ?? a), upper: Math.max(a, b ?? a) };
}

function usageBounds(lower: Estimate, upper: Estimate): Record<string, Bounds> {
  const names = Object.keys(lower.usage) as (keyof Usage)[];
  return Object.fromEntries(names.map((name) => [name, bounds(lower.usage[name], upper.usage[name])]));
}

const UNITS: Record<keyof Usage, string> = {
  workerRequests: "Worker requests",
  workerCpuMs: "Worker CPU ms",
  objectRequests: "object requests",
  objectGbSeconds: "GB-s",
  rowsRead: "rows read",
  rowsWritten: "rows written",
  storageGbMonths: "GB stored",
};

export function textOf(report: Report): string {
  const { plan, dollars, items, usage } = report;
  const watched = watchedOf(plan);
  const lines = [
    `${whole(plan.endpoints)} endpoints, ${whole(watched)} of them watched, ${plan.rate} updates a second each, ${whole(plan.subscribers)} subscribers each (${plan.popularity}), ${plan.each} ${plan.each === 1 ? "endpoint" : "endpoints"} on a connection:`,
    `${whole(report.updatesPerSecond)} updates/s, ${whole(report.deliveriesPerSecond)} deliveries/s, ${whole(report.objects)} objects (${plan.shape}: ${SHAPES[plan.shape]}).`,
    "",
    `A month (30 days) at the list prices of ${report.prices.asOf}, ${report.prices.plan}: $${money(dollars.lower)} to $${money(dollars.upper)}`,
    "",
    ...table(
      ["what happens", "how often", "billed as", "dollars"],
      items.map(({ what, quantity, units, billedAs, dollars: each }) => [
        what,
        range(quantity, whole),
        `${range(units, whole)} ${UNITS[billedAs]}`,
        range(each, money),
      ]),
    ),
    "",
    ...table(
      ["billed", "a month", "included", "$ each million", "dollars"],
      (Object.keys(UNITS) as (keyof Usage)[]).map((name) => {
        const { included, perUnit } = PRICES[name];
        const amount = usage[name] ?? { lower: 0, upper: 0 };
        const cost = (units: number) => Math.max(0, units - included) * perUnit;
        return [
          UNITS[name],
          range(amount, name === "storageGbMonths" ? money : whole),
          whole(included),
          name === "storageGbMonths" ? `${perUnit} each` : String(Number((perUnit * 1e6).toPrecision(6))),
          range({ lower: cost(amount.lower), upper: cost(amount.upper) }, money),
        ];
      }),
    ),
    `The plan itself: $${money(PRICES.minimum)}. Messages to subscribers are free: ${whole(report.deliveriesPerSecond * 30 * 86_400)}.`,
    "",
    "What no bill has shown yet, and what it would add to the lower bound by itself:",
    ...report.unproven.map(({ name, means, adds }) => `  $${money(adds).padStart(9)}  ${name}: ${means}`),
    "",
    ...shapesText(report),
    "Limits of the platform:",
    ...report.limits.map(
      (limit) =>
        `  ${limit.passed === "no" ? "within " : limit.passed === "yes" ? "PASSED " : "PERHAPS"}  ${limit.what}: ${range(limit, amount)} of ${amount(limit.limit)}${limit.passed === "no" ? "" : `; ${limit.remedy}`}`,
    ),
    "",
    "Left out:",
    ...report.leftOut.map((what) => `  ${what}`),
    "",
  ];
  return lines.join("\n");
}

/** Which shape is cheapest, and what the others would cost. */
function shapesText({ plan, shapes }: Report): string[] {
  const fitting = shapes.filter(({ exists, passed }) => exists && passed.length === 0);
  const [cheapest] = fitting;
  const kindest = fitting.toSorted((a, b) => a.dollars.lower - b.dollars.lower)[0];
  const bounds =
    kindest === cheapest
      ? "by both bounds"
      : `by the upper bound; by the lower one --shape ${kindest?.shape}`;
  return [
    cheapest === undefined
      ? "No shape that exists can hold these subscribers."
      : `The cheapest shape for this: --shape ${cheapest.shape}, ${bounds}.`,
    ...table(
      ["shape", "dollars", "objects", "adds, ms", ""],
      shapes.map((one) => [
        `${one.shape === plan.shape && one.carriers === plan.carriers ? "* " : "  "}${one.shape}${one.carriers === "sessions" ? ", by sessions" : ""}`,
        range(one.dollars, money),
        whole(one.objects),
        String(one.gatherMs),
        [...(one.exists ? [] : ["does not exist yet"]), ...one.passed.map((what) => `PASSED: ${what}`)].join(
          "; ",
        ),
      ]),
    ),
    ...[...new Set(shapes.map(({ shape }) => shape))].map((shape) => `  ${shape}: ${SHAPES[shape]}`),
    "",
  ];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0)));
  return [head, ...rows].map((row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join("  "),
  );
}

function range({ lower, upper }: Bounds, show: (value: number) => string): string {
  const [a, b] = [show(Math.min(lower, upper)), show(Math.max(lower, upper))];
  return a === b ? a : `${a} – ${b}`;
}

const whole = (value: number) => Math.round(value).toLocaleString("en-US");
const money = (value: number) =>
  value.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
/** Small ones to two significant digits. */
const amount = (value: number) => (value < 100 ? String(Number(value.toPrecision(2))) : whole(value));
