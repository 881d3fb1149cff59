/**
 * JSON that means one thing to every reader. Of two members of one name `JSON.parse` takes the last and others take the
 * first (RFC 8259 §4), so that two parties could read one token differently.
 */

export type StrictJson =
  | { readonly ok: true; readonly value: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly problem: string };

const TOKENS = /"(?:[^"\\]|\\.)*"|[{}[\],:]/g;

/** An object, no deeper than `depth` (1: without objects or lists in it), without two members of one name. */
export function readObject(text: string, depth: number): StrictJson {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { ok: false, problem: "it isn't JSON" };
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return { ok: false, problem: "it isn't an object" };
  const problem = problemOf(text, depth);
  return problem === undefined
    ? { ok: true, value: value as Record<string, unknown> }
    : { ok: false, problem };
}

/** The names so far of each object that is open, and undefined for each list. */
type Open = (Set<string> | undefined)[];

/** `text` is JSON. */
function problemOf(text: string, depth: number): string | undefined {
  const open: Open = [];
  let last = "";
  for (const [token] of text.matchAll(TOKENS)) {
    if (token === "{" || token === "[") {
      if (open.push(token === "{" ? new Set() : undefined) > depth) return `it is deeper than ${depth}`;
    } else if (token === "}" || token === "]") open.pop();
    else if (token === ":") {
      // Escapes don't make two names of one.
      const name = JSON.parse(last) as string;
      const names = open.at(-1);
      if (names?.has(name)) return "two members have one name";
      names?.add(name);
    }
    last = token;
  }
  return undefined;
}
