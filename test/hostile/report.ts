/** What a run of attacks is said to have shown: a table, and which aims were missed. Pure. */
import type { Latency } from "../bench/histogram.ts";
import type { Attacked, HostileResults } from "./hostile-run.ts";

/** Of one request of a stranger. */
const MOST_CPU_MS = 5;
/** For longer than it takes to give up what nobody takes. */
const MOST_MEGABYTES = 1;
/** How many times as long as in quiet the slowest hundredth of honest clients may wait. */
const MOST_TIMES = 3;
/** What is less than this is no attack's: two stretches of quiet differ by as much. */
const NOISE = { cpuShare: 0.05, megabytes: 32 } as const;

const WAITS = [
  ["updates", "updates"],
  ["gets", "GETs"],
  ["resumes", "resumes"],
] as const;

export interface Judged {
  /** CPU of origin and edge for one request, beyond what they need in quiet; 0 if it is less than `noiseMs`. */
  readonly cpuMs: { readonly origin: number; readonly edge: number };
  readonly noiseMs: number;
  /** Of each connection that was open in the end; undefined if none was. */
  readonly megabytesHeld: number | undefined;
  readonly missed: readonly string[];
}

export function judge({ by, tally, cost, waited, quiet }: Attacked): Judged {
  const requests = Math.max(1, tally.requests);
  const noiseMs = (NOISE.cpuShare * cost.seconds * 1_000) / requests;
  const each = (ms: number, quietMs: number) => {
    const more = (ms - (quietMs / quiet.cost.seconds) * cost.seconds) / requests;
    return more < noiseMs ? 0 : more;
  };
  const cpuMs = {
    origin: each(cost.originMs, quiet.cost.originMs),
    edge: each(cost.edgeMs, quiet.cost.edgeMs),
  };
  const more = cost.megabytes < NOISE.megabytes ? 0 : cost.megabytes;
  const megabytesHeld = tally.held === 0 ? undefined : more / tally.held;
  const missed: string[] = [];
  if (by === "a stranger" && cpuMs.origin + cpuMs.edge > MOST_CPU_MS) missed.push("CPU");
  if (by === "a stranger" && (megabytesHeld ?? 0) > MOST_MEGABYTES) missed.push("memory");
  for (const [what, name] of WAITS)
    if (waited[what].p99 > MOST_TIMES * quiet.waited[what].p99) missed.push(name);
  return { cpuMs, noiseMs, megabytesHeld, missed };
}

const HEADER = [
  "| Attack | Row | Requests | Refused | CPU each, ms: origin + edge | Resident, MB (each that is held) | Open files | Updates, ms: quiet → attacked | GETs | Resumes | Not served | Aims missed |",
  "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|",
];

/** @param before What the same attacks did to an earlier product: a row of its own below each. */
export function table({ attacked }: HostileResults, before?: HostileResults): string {
  const rows = attacked.flatMap((one) => {
    const earlier = before?.attacked.find(({ name }) => name === one.name);
    // Of some there was nobody who could try: earlier products had one key for all origins.
    if (earlier === undefined || earlier.tally.requests === 0) return [row(one)];
    return [row(one), row({ ...earlier, name: "*before*", row: undefined })];
  });
  return [...HEADER, ...rows].join("\n");
}

function row(one: Attacked): string {
  const { cpuMs, noiseMs, megabytesHeld, missed } = judge(one);
  const { tally, cost, waited, quiet } = one;
  const held = megabytesHeld === undefined ? "" : ` (${figure(megabytesHeld)} of ${whole(tally.held)})`;
  const waits = WAITS.map(([what]) => `${wait(quiet.waited[what])} → ${wait(waited[what])}`);
  const cpu = (ms: number) => (ms === 0 ? `<${figure(noiseMs)}` : figure(ms));
  const harm = tally.harm.length === 0 ? [] : ["harm"];
  const cells = [
    one.name,
    one.row ?? "",
    whole(tally.requests),
    whole(tally.refused),
    `${cpu(cpuMs.origin)} + ${cpu(cpuMs.edge)}`,
    `${signed(cost.megabytes)}${held}`,
    signed(cost.descriptors),
    ...waits,
    whole(waited.failed.length),
    [...harm, ...missed].join(", ") || "none",
  ];
  return `| ${cells.join(" | ")} |`;
}

/** The middle one, and the slowest hundredth. */
const wait = ({ count, p50, p99 }: Latency) => (count === 0 ? "none" : `${figure(p50)} / ${figure(p99)}`);

const signed = (number: number) => `${number < 0 ? "−" : "+"}${whole(Math.abs(number))}`;

const whole = (number: number) => Math.round(number).toLocaleString("en");

/** To two digits, or, if there are more of them, to whole ones. */
const figure = (number: number) => (number === 0 || number >= 10 ? whole(number) : number.toPrecision(2));

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
