/** Puts what a run found into docs/security.md: the table, and the line that says when it was. */
import type { HostileResults } from "./hostile-run.ts";
import { table } from "./report.ts";

/** From the root of the project. */
export const DOCUMENT = "docs/security.md";

const LINE = /^Last attacked: .*$/m;
const TABLE = "| Attack | Row |";

export interface When {
  readonly date: string;
  readonly commit: string;
  readonly seconds: number;
}

/** The document's text with the results of a run. Throws if it has no such table or line. */
export function renewed(text: string, results: HostileResults, { date, commit, seconds }: When): string {
  const line = `Last attacked: ${date}, commit ${commit}, ${seconds} s each.`;
  const lines = text.replace(LINE, line).split("\n");
  const from = lines.findIndex((one) => one.startsWith(TABLE));
  const length = lines.slice(Math.max(0, from)).findIndex((one) => !one.startsWith("|"));
  if (from < 0 || length < 0 || !LINE.test(text))
    throw new Error(`${DOCUMENT} has no line "Last attacked", or no table that begins with ${TABLE}`);
  return [...lines.slice(0, from), ...table(results).split("\n"), ...lines.slice(from + length)].join("\n");
}
