/**
 * Puts what a run found into the documents: the line of totals on README.md's first screen, two rows for each kind of fault
 * in docs/guarantees.md, one of deliveries and one of publishes, and in both the command that led to them.
 */
import type { Flags } from "./flags.ts";
import { publishTable } from "./publishing/publish-report.ts";
import { type Results, summary, table } from "./report.ts";

interface Document {
  /** From the root of the project. */
  readonly path: string;
  /** How the header of its table begins. */
  readonly header: string;
  readonly table: (results: Results) => string;
}

export const DOCUMENTS: readonly Document[] = [
  { path: "README.md", header: "| faults |", table: summary },
  { path: "docs/guarantees.md", header: "| Fault |", table },
  { path: "docs/guarantees.md", header: "| Publishes during |", table: publishTable },
];

const COMMAND = /npm run test:fault -- --minutes [\d.]+ --seed \d+( --runtime [a-z,]+)?/g;

const commandOf = ({ minutes, seed, runtimes }: Pick<Flags, "minutes" | "seed" | "runtimes">) =>
  `npm run test:fault -- --minutes ${minutes} --seed ${seed} --runtime ${runtimes.join()}`;

/**
 * A document's text with the results of a run. Throws if it has no such table.
 * @param settings Of the run: how long faults came, and what the edges ran on, as its flags say.
 */
export function renewed(
  text: string,
  document: Document,
  results: Results,
  { minutes, runtimes }: Pick<Flags, "minutes" | "runtimes">,
): string {
  const command = commandOf({ minutes, runtimes, seed: results.seed });
  const lines = text.replace(COMMAND, command).split("\n");
  const from = lines.findIndex((line) => line.startsWith(document.header));
  const length = lines.slice(Math.max(0, from)).findIndex((line) => !line.startsWith("|"));
  if (from < 0 || length < 0)
    throw new Error(`${document.path} has no table that begins with ${document.header}`);
  const rows = document.table(results).split("\n");
  return [...lines.slice(0, from), ...rows, ...lines.slice(from + length)].join("\n");
}
