/** Puts what a run found into README.md: its table, the line of totals on the first screen, and the command of both. */
import { type Results, summary, table } from "./report.ts";

const COMMAND = /npm run test:fault -- --minutes [\d.]+ --seed \d+/g;

/** Throws where README.md has no such tables. */
export function renewed(readme: string, results: Results, minutes: string): string {
  const commanded = readme.replace(
    COMMAND,
    `npm run test:fault -- --minutes ${minutes} --seed ${results.seed}`,
  );
  return withTable(withTable(commanded, "| faults |", summary(results)), "| Fault |", table(results));
}

/** With another table in place of the one whose header begins so. */
function withTable(text: string, header: string, replacement: string): string {
  const lines = text.split("\n");
  const from = lines.findIndex((line) => line.startsWith(header));
  const length = lines.slice(Math.max(0, from)).findIndex((line) => !line.startsWith("|"));
  if (from < 0 || length < 0) throw new Error(`README.md has no table that begins with ${header}`);
  return [...lines.slice(0, from), ...replacement.split("\n"), ...lines.slice(from + length)].join("\n");
}
