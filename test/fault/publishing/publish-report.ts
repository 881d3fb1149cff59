/** What a run found of publishes, as a table with a row for each kind of fault. Pure. */
import { type Injected, tookPlace } from "../injected.ts";
import type { Kind } from "../kinds/kind.ts";
import { isRefused, type PublishFindings, positionsOf } from "./publish-checker.ts";
import type { Made } from "./publishers.ts";

export interface PublishResults {
  readonly made: readonly Made[];
  readonly findings: PublishFindings;
}

export interface RunOfPublishes {
  readonly kinds: readonly Kind[];
  readonly injected: readonly Injected[];
  readonly publishes: PublishResults;
}

const HEADER = [
  "Publishes during",
  "acknowledged",
  "of these asked again",
  "told unknown",
  "lost",
  "doubled",
  "wrong",
  "out of order",
  "longest until acknowledged, s",
];

const UNKNOWN = "unknown_outcome";
/** Acknowledged; a rig in which all goes well has fifty, and one that is under faults all the time a tenth of that. */
const LEAST_PER_SECOND = 2;

export function publishTable({ kinds, injected, publishes }: RunOfPublishes): string {
  const { made, findings } = publishes;
  const rows = kinds.map(({ name }) => {
    const ofKind = injected.filter((one) => one.kind === name && tookPlace(one));
    const meanwhile = made.filter(({ id, lastId }) =>
      ofKind.some((one) => id < one.lastId && lastId > one.firstId),
    );
    return [name, ...cells(meanwhile, findings)];
  });
  const all = [HEADER, HEADER.map((_, i) => (i === 0 ? "---" : "--:")), ...rows];
  return [...all, ["**all**", ...cells(made, findings)]].map((row) => `| ${row.join(" | ")} |`).join("\n");
}

function cells(made: readonly Made[], findings: PublishFindings): string[] {
  const ids = new Set(made.map(({ id }) => id));
  const done = made.filter((one) => positionsOf(one).length > 0);
  const again = done.filter(({ answers }) => answers[0]?.kind !== "acknowledged");
  const unknown = made.filter(({ answers }) =>
    answers.some((answer) => answer.kind === "error" && answer.code === UNKNOWN),
  );
  const wrong = (["lost", "doubled", "wrong", "outOfOrder"] as const).map(
    (what) => findings[what].filter((id) => ids.has(id)).length,
  );
  const longest = done.reduce((most, { tookMs = 0 }) => Math.max(most, tookMs), 0);
  return [
    ...[done.length, again.length, unknown.length, ...wrong].map(String),
    done.length === 0 ? "–" : (longest / 1_000).toFixed(1),
  ];
}

/** Why a run failed, in lines; none if it didn't. */
export function publishFailures({ made, findings }: PublishResults, seconds: number): string[] {
  const lines = [...findings.problems];
  const open = made.filter((one) => positionsOf(one).length === 0 && !isOver(one));
  if (open.length > 0) {
    const last = open[0]?.answers.at(-1);
    lines.push(
      `${open.length} publishes were never acknowledged; the first was told ${JSON.stringify(last)} last`,
    );
  }
  if (findings.acknowledged < LEAST_PER_SECOND * seconds)
    lines.push(`vacuous: only ${findings.acknowledged} publishes were acknowledged`);
  return lines;
}

/** It was let go, or refused for good, which its findings tell. */
const isOver = (one: Made) =>
  isRefused(one) || one.answers.some((answer) => answer.kind === "error" && !answer.retry);
