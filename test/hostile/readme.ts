/** Puts what a run found into docs/security.md: the runtime's table, and the line that says when it was. */
import type { RuntimeName } from "../support/runtimes.ts";

/** From the root of the project. */
export const DOCUMENT = "docs/security.md";

const NAMES: Readonly<Record<RuntimeName, string>> = { workerd: "workerd", node: "Node" };
const HEADER = "| Attack | Row |";

export interface When {
  readonly runtime: RuntimeName;
  readonly date: string;
  readonly commit: string;
  readonly seconds: number;
}

/** The document's text with the results of a run. Throws if it has no such line, followed by such a table. */
export function renewed(text: string, table: string, { runtime, date, commit, seconds }: When): string {
  const begins = `Last attacked on ${NAMES[runtime]}: `;
  const lines = text.split("\n");
  const line = lines.findIndex((one) => one.startsWith(begins));
  const from = lines.findIndex((one, i) => i > line && one.startsWith(HEADER));
  if (line < 0 || from < 0)
    throw new Error(`${DOCUMENT} has no line "${begins}…" with a table that begins with ${HEADER}`);
  const length = lines.slice(from).findIndex((one) => !one.startsWith("|"));
  const said = `${begins}${date}, commit ${commit}, ${seconds} s each.`;
  const after = lines.slice(from + length);
  return [...lines.slice(0, line), said, ...lines.slice(line + 1, from), ...table.split("\n"), ...after].join(
    "\n",
  );
}
