/** What the declarations of the package's types say, as text: which names an entry exports, and how each is declared. Pure. */

export interface Exported {
  /** By which it is imported. */
  readonly name: string;
  /** By which it is declared. */
  readonly declared: string;
  /** The file of its declaration, as it is imported; undefined if that is the entry itself. */
  readonly from: string | undefined;
}

/** In the order in which they stand there; not those of `export *`. */
export function exportsOf(text: string): readonly Exported[] {
  const own = [
    ...text.matchAll(/^export declare (?:class|function|const) (\w+)|^export (?:interface|type) (\w+)/gm),
  ];
  const others = [...text.matchAll(/^export (?:type )?\{([^}]*)\} from "([^"]+)"/gm)];
  return [
    ...others.flatMap(([, list = "", from]) =>
      list.split(",").flatMap((item) => {
        const [, declared, name = declared] = /^\s*(?:type )?(\w+)(?: as (\w+))?\s*$/.exec(item) ?? [];
        return declared === undefined || name === undefined ? [] : [{ name, declared, from }];
      }),
    ),
    ...own.map(([, value = "", type = value]) => ({ name: type, declared: type, from: undefined })),
  ];
}

export interface Declaration {
  /** Its docstring, if it has one. */
  readonly says: string | undefined;
  /** As TypeScript has it, with the docstrings of its members. */
  readonly code: string;
}

/** A function has one for each of its overloads. */
export function declarationsOf(text: string, name: string): readonly Declaration[] {
  const begins = new RegExp(
    `^(?:export )?(?:declare )?(?:abstract )?(class|interface|type|function|const) ${name}\\b`,
    "gm",
  );
  return [...text.matchAll(begins)].map((found) => {
    const [, kind] = found;
    const end = endOf(text, found.index, kind === "class" || kind === "interface");
    const code = text
      .slice(found.index, end)
      .replace(/^(?:export )?(?:declare )?/, "")
      // Nothing that a user could see, or call: ports are between the client's own parts.
      .replace(/^ +(?:#private;|private .*;|constructor\(.*\bports: .*\);)\n/gm, "");
    return { says: docstringBefore(text, found.index), code };
  });
}

/** Names of types that a declaration has in it, none twice; the language's, too. */
export function typesIn(code: string): readonly string[] {
  const bare = code.replace(/\/\*[\s\S]*?\*\/|"(?:[^"\\]|\\.)*"/g, "");
  return [...new Set(bare.match(/\b[A-Z]\w*[a-z]\w*\b/g))];
}

/** From where a file has a name: another file, as it is imported, and what it is called there. */
export function importOf(text: string, name: string): { declared: string; from: string } | undefined {
  for (const [, list = "", from = ""] of text.matchAll(/^import (?:type )?\{([^}]*)\} from "(\.[^"]+)"/gm))
    for (const item of list.split(",")) {
      const [, declared = "", own = declared] = /^\s*(?:type )?(\w+)(?: as (\w+))?\s*$/.exec(item) ?? [];
      if (own === name) return { declared, from };
    }
  return undefined;
}

/** Behind the brace that closes it, or behind its semicolon. */
function endOf(text: string, start: number, isBraced: boolean): number {
  // Braces in comments and in texts are none.
  const parts = /\/\*[\s\S]*?\*\/|\/\/.*|"(?:[^"\\]|\\.)*"|[{}()[\];]/g;
  parts.lastIndex = start;
  let depth = 0;
  for (let part = parts.exec(text); part !== null; part = parts.exec(text)) {
    const [found] = part;
    if (found === "{" || found === "(" || found === "[") depth++;
    if (found === "}" || found === ")" || found === "]") depth--;
    if (depth === 0 && (isBraced ? found === "}" : found === ";")) return parts.lastIndex;
  }
  throw new Error(`a declaration has no end: ${text.slice(start, start + 80)}`);
}

function docstringBefore(text: string, at: number): string | undefined {
  const before = text.slice(0, at);
  if (!/\*\/\s*$/.test(before)) return undefined;
  const inner = before.slice(before.lastIndexOf("/**") + 3, before.lastIndexOf("*/"));
  const lines = inner.split("\n").map((line) => line.replace(/^\s*\* ?/, "").trim());
  return lines.join("\n").trim();
}
