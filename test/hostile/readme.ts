/** Puts what a run found into docs/security.md: the table, and the line that says when it was. */
/** From the root of the project. */
export const DOCUMENT = "docs/security.md";

const LINE = /^Last attacked: .*$/m;
const HEADER = "| Attack | Row |";

export interface When {
  readonly date: string;
  readonly commit: string;
  readonly seconds: number;
}

/** The document's text with the results of a run. Throws if it has no such table or line. */
export function renewed(text: string, table: string, { date, commit, seconds }: When): string {
  const line = `Last attacked: ${date}, commit ${commit}, ${seconds} s each.`;
  const lines = text.replace(LINE, line).split("\n");
  const from = lines.findIndex((one) => one.startsWith(HEADER));
  const length = lines.slice(Math.max(0, from)).findIndex((one) => !one.startsWith("|"));
  if (from < 0 || length < 0 || !LINE.test(text))
    throw new Error(`${DOCUMENT} has no line "Last attacked", or no table that begins with ${HEADER}`);
  return [...lines.slice(0, from), ...table.split("\n"), ...lines.slice(from + length)].join("\n");
}
