/** What a run found, as a table. */
import { type Findings, isClean, type Justification } from "./checker.ts";
import { type Injected, tookPlace } from "./injected.ts";
import type { Kind } from "./kinds/kind.ts";
import { type PublishResults, publishFailures } from "./publishing/publish-report.ts";
import type { Recovery } from "./recoveries.ts";

export interface Results {
  readonly seed: number;
  readonly seconds: number;
  readonly kinds: readonly Kind[];
  /** Kinds that could not be had, and why. */
  readonly missing: readonly (readonly [name: string, why: string])[];
  /** How often each kind was to come. */
  readonly planned: ReadonlyMap<string, number>;
  readonly injected: readonly Injected[];
  readonly findings: readonly Findings[];
  readonly publishes: PublishResults;
  readonly produced: number;
  readonly failed: number;
  /** How many subscribers the endpoint of each record has, by its id. */
  readonly dueOf: readonly number[];
  /** Events of the origins' logs, and how often. */
  readonly events: ReadonlyMap<string, number>;
  /** From where subscribers were told that they had recovered, as the edge counts it. */
  readonly recovered: ReadonlyMap<Recovery, number>;
  /** Lines about what was left behind, and what of it is wrong. */
  readonly leftovers: readonly string[];
  readonly wrong: readonly string[];
}

const HEADER = [
  "Fault",
  "times (alone)",
  "deliveries due",
  "lost",
  "doubled",
  "out of order",
  "gaps unannounced",
  "gaps announced",
  "longest stall alone, s",
  "with its fault, s",
  "among others, s",
  "undisturbed, s",
  "resumed from a window",
  "from an index",
  "from Kafka",
];

const seconds = (ms: number) => (ms / 1_000).toFixed(1);
const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0);
const most = (numbers: readonly number[]) => (numbers.length === 0 ? "–" : seconds(Math.max(...numbers)));

export function table(results: Results): string {
  const rows = [
    HEADER,
    HEADER.map((_, i) => (i === 0 ? "---" : "--:")),
    ...results.kinds.map((kind) => row(results, kind.name)),
    totals(results),
  ];
  return rows.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

const stallOf = ({ stallMs, settledAt }: Injected) =>
  settledAt === undefined ? Number.POSITIVE_INFINITY : stallMs;

/** Alone, with its fault, among others, and how much of that was undisturbed. */
function stalls(all: readonly Injected[]): string[] {
  const alone = all.filter(({ combined }) => !combined);
  const others = all.filter(({ combined }) => combined);
  return [
    most(alone.map(stallOf)),
    most(alone.map(({ waitMs }) => waitMs)),
    most(others.map(stallOf)),
    most(others.map(({ calmMs }) => calmMs)),
  ];
}

function recoveries(of: ReadonlyMap<Recovery, number>[]): string[] {
  return (["window", "index", "log"] as const).map((recovery) =>
    String(sum(of.map((counts) => counts.get(recovery) ?? 0))),
  );
}

function row(results: Results, name: string): string[] {
  const why = results.missing.find(([missing]) => missing === name)?.[1];
  if (why !== undefined) return [name, `not run: ${why}`, ...HEADER.slice(2).map(() => "")];
  const ofKind = results.injected.filter(({ kind }) => kind === name);
  const all = ofKind.filter(tookPlace);
  const alone = all.filter(({ combined }) => !combined);
  const due = sum(all.map(({ firstId, lastId }) => sum(results.dueOf.slice(firstId, lastId))));
  const wasOpen = (id: number) => all.some(({ firstId, lastId }) => id >= firstId && id < lastId);
  const wrong = (what: keyof Findings["records"]) =>
    results.findings.flatMap(({ records }) => records[what]).filter(wasOpen).length;
  return [
    name,
    `${all.length} (${alone.length})${withoutThose(ofKind)}`,
    String(due),
    String(wrong("lost")),
    String(wrong("duplicated")),
    String(wrong("outOfOrder")),
    String(wrong("unannouncedGaps")),
    String(sum(all.map(({ announced }) => announced))),
    ...stalls(all),
    ...recoveries(all.map(({ recovered }) => recovered)),
  ];
}

/** How many could not be injected, and why the first of them could not. */
function withoutThose(injected: readonly Injected[]): string {
  const [first, ...others] = injected.flatMap(({ notInjected }) => notInjected ?? []);
  if (first === undefined) return "";
  return `; ${1 + others.length} not injected, because ${first.replaceAll(/\s*[|\n]\s*/g, " ")}`;
}

/** All rows in one line, for those who read no further. */
export function summary(results: Results): string {
  const header = [...HEADER.slice(2, 8)];
  const [times = "", ...cells] = totals(results).slice(1, 8);
  const kinds = results.kinds.length - results.missing.length;
  const rows = [
    ["faults", ...header],
    ["--:", ...header.map(() => "--:")],
    [`${times.replace(/ .*/, "")} of ${kinds} kinds`, ...cells],
  ];
  return rows.map((row) => `| ${row.join(" | ")} |`).join("\n");
}

function totals({ injected, findings, recovered }: Results): string[] {
  const all = injected.filter(tookPlace);
  const alone = all.filter(({ combined }) => !combined);
  const total = (of: (findings: Findings) => number) => String(sum(findings.map(of)));
  return [
    "**all**",
    `${all.length} (${alone.length})`,
    total(({ due }) => due),
    total(({ lost }) => lost),
    total(({ duplicated }) => duplicated),
    total(({ outOfOrder }) => outOfOrder),
    total(({ unannouncedGaps }) => unannouncedGaps),
    causes(findings),
    ...stalls(all),
    ...recoveries([recovered]),
  ];
}

const JUSTIFICATIONS: Readonly<Record<Justification, string>> = {
  deleted: "of topics that were deleted",
  vanished: "of records that vanished from Kafka",
  aged: "of records that aged out of the index",
};

function causes(findings: readonly Findings[]): string {
  const announced = findings.flatMap((one) => one.announced);
  const byCause = Map.groupBy(announced, ({ cause, justification }) =>
    justification === undefined ? `wrongly, ${cause}` : JUSTIFICATIONS[justification],
  );
  return Array.from(byCause, ([cause, gaps]) => `${gaps.length} ${cause}`).join(", ") || "0";
}

/** Why a run failed, in lines; none if it didn't. */
export function failures(results: Results): string[] {
  const { findings, planned, injected, wrong, missing } = results;
  const lines = [...wrong, ...findings.filter((one) => !isClean(one)).flatMap(({ problems }) => problems)];
  let never = 0;
  for (const [name, times] of planned) {
    if (missing.some(([one]) => one === name)) continue;
    const ofKind = injected.filter(({ kind }) => kind === name);
    const took = ofKind.filter(tookPlace);
    if (took.length === 0) never++;
    const possible = times - ofKind.filter(({ notInjected }) => notInjected !== undefined).length;
    const why = ofKind.find(({ failure }) => failure !== undefined)?.failure;
    if (took.length < possible * 0.9)
      lines.push(`vacuous: ${name} took place ${took.length} times of ${possible}: ${why}`);
    const unsettled = took.filter(({ settledAt }) => settledAt === undefined).length;
    if (unsettled > 0) lines.push(`${name}: ${unsettled} times subscribers never had all`);
  }
  const notInjected = injected.filter((one) => one.notInjected !== undefined).length;
  if (notInjected > injected.length * MOST_NOT_INJECTED || never > planned.size * MOST_NEVER)
    lines.push(
      `vacuous: ${notInjected} of ${injected.length} faults could not be injected, ${never} of ${planned.size} kinds never took place`,
    );
  lines.push(...publishFailures(results.publishes, results.seconds));
  const due = sum(findings.map((one) => one.due));
  if (due < LEAST_PER_SECOND * results.seconds) lines.push(`vacuous: only ${due} deliveries were due`);
  return lines;
}

/** Of all faults, those that could not be had on a busy machine, and of all kinds, those of which none could. */
const MOST_NOT_INJECTED = 0.25;
const MOST_NEVER = 0.1;
/** Deliveries; a rig that writes as it should has four times as many. */
const LEAST_PER_SECOND = 100;
