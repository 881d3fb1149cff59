/** What a run of attacks is said to have shown: a table, and which aims were missed. Pure. */
import type { Latency } from "../bench/histogram.ts";
import type { Attacked, HostileResults } from "./hostile-run.ts";

/** Of one request of a stranger. */
const MOST_CPU_MS = 5;
/** For longer than it takes to give up what nobody takes. */
const MOST_MEGABYTES = 1;
/** How many times as long as in quiet the slowest hundredth of honest clients may wait. */
const MOST_TIMES = 3;

const WAITS = [
  ["updates", "updates"],
  ["gets", "GETs"],
  ["resumes", "resumes"],
] as const;

export interface Judged {
  /** CPU of origin and edge for one request, beyond what they need in quiet. */
  readonly cpuMs: { readonly origin: number; readonly edge: number };
  /** Of each connection that was open in the end; undefined if none was. */
  readonly megabytesHeld: number | undefined;
  readonly missed: readonly string[];
}

export function judge(one: Attacked, { quiet }: HostileResults): Judged {
  const { tally, cost, waited } = one;
  const each = (ms: number, quietMs: number) =>
    Math.max(0, ms - (quietMs / quiet.cost.seconds) * cost.seconds) / Math.max(1, tally.requests);
  const cpuMs = {
    origin: each(cost.originMs, quiet.cost.originMs),
    edge: each(cost.edgeMs, quiet.cost.edgeMs),
  };
  const megabytesHeld = tally.held === 0 ? undefined : Math.max(0, cost.megabytes) / tally.held;
  const missed: string[] = [];
  const isStranger = one.by === "a stranger";
  if (isStranger && cpuMs.origin + cpuMs.edge > MOST_CPU_MS) missed.push("CPU");
  if (isStranger && (megabytesHeld ?? 0) > MOST_MEGABYTES) missed.push("memory");
  for (const [what, name] of WAITS)
    if (waited[what].p99 > MOST_TIMES * quiet.waited[what].p99) missed.push(name);
  if (waited.failed.length > 0) missed.push("not served");
  return { cpuMs, megabytesHeld, missed };
}

const HEADER = [
  "| Attack | Row | Requests | Refused | CPU each, ms (origin + edge) | More resident, MB (held each) | More open files | Updates, ms | GETs, ms | Resumes, ms | Missed aims |",
  "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|",
];

export function table(results: HostileResults): string {
  const { quiet, after, attacked } = results;
  const still = (name: string, { updates, gets, resumes }: typeof after) =>
    `| *${name}* | | | | | | | ${wait(updates)} | ${wait(gets)} | ${wait(resumes)} | |`;
  return [
    ...HEADER,
    still("quiet, before", quiet.waited),
    ...attacked.map((one) => row(one, results)),
    still("quiet, after", after),
  ].join("\n");
}

function row(one: Attacked, results: HostileResults): string {
  const { cpuMs, megabytesHeld, missed } = judge(one, results);
  const { tally, cost, waited } = one;
  const held = megabytesHeld === undefined ? "" : ` (${figure(megabytesHeld)} of ${tally.held})`;
  const cells = [
    one.name,
    one.row ?? "",
    tally.requests.toLocaleString("en"),
    tally.refused.toLocaleString("en"),
    `${figure(cpuMs.origin)} + ${figure(cpuMs.edge)}`,
    `${Math.round(cost.megabytes)}${held}`,
    cost.descriptors,
    wait(waited.updates),
    wait(waited.gets),
    wait(waited.resumes),
    missed.join(", ") || "none",
  ];
  return `| ${cells.join(" | ")} |`;
}

const wait = ({ count, p50, p99 }: Latency) => (count === 0 ? "none" : `${figure(p50)} / ${figure(p99)}`);

const figure = (number: number) =>
  number >= 100 ? Math.round(number).toLocaleString("en") : number.toPrecision(2).replace(/\.0$/, "");

/** What must be in no run: whatever honest clients lost, whoever ended, and what nobody may do. */
export function failures({ wrong, attacked }: HostileResults): readonly string[] {
  return [...wrong, ...attacked.flatMap(({ name, tally }) => tally.harm.map((what) => `${name}: ${what}`))];
}

/** Of requests that weren't served, how many of which kind, by attack. */
export function unserved({ attacked }: HostileResults): readonly string[] {
  return attacked.flatMap(({ name, waited: { failed } }) => {
    const kinds = [...new Set(failed)].map(
      (kind) => `${failed.filter((one) => one === kind).length} × ${kind}`,
    );
    return kinds.length === 0 ? [] : [`${name}: ${kinds.join(", ")}`];
  });
}
