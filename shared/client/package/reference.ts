/** `npm run reference`: docs/client-api.md, from the types and the docstrings that the package has. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { readSettings } from "../../node/settings.ts";
import { emitTypes } from "./bundles.ts";
import { type Declaration, declarationsOf, exportsOf, importOf, typesIn } from "./declarations.ts";

export const REFERENCE = join(import.meta.dirname, "../../../docs/client-api.md");

const HEAD = `# The client's API

This is for you if you use [the client](client.md) and want to know exactly what it takes and gives. It is made from the sources by
\`npm run reference\`: each name that can be imported, as TypeScript has it.
`;

const NAMED_ONLY = `## Types that these name

None of them can be imported: they are what the above takes and gives.
`;

/** The entries, their files, and what is said of all that is in them. */
const ENTRIES = [
  ["@distributary/client", "client/index.d.ts", ""],
  [
    "@distributary/client/node",
    "client/node/index.d.ts",
    "All of the core, with a `Client` that takes the WebSocket of the package `ws` where there is none.\n",
  ],
  ["@distributary/client/react", "client/react/index.d.ts", ""],
] as const;

interface Place {
  readonly declared: string;
  /** In the folder of the types. */
  readonly file: string;
}

interface Shown extends Place {
  readonly name: string;
  readonly declarations: readonly Declaration[];
}

/** @param types The folder of the package's types. */
export function referenceOf(types: string): string {
  const read = (file: string) => readFileSync(join(types, file), "utf8");
  const beside = (file: string, from: string) => join(dirname(file), from.replace(/\.js$/, ".d.ts"));
  const show = (name: string, { declared, file }: Place): Shown => {
    const declarations = declarationsOf(read(file), declared);
    if (declarations.length === 0) throw new Error(`${declared} is to be declared in ${file}, and isn't`);
    return { name, declared, file, declarations };
  };
  const entries = ENTRIES.map(([entry, file, says]) => {
    const exported = exportsOf(read(file)).map(({ name, declared, from }) =>
      show(name, { declared, file: from === undefined ? file : beside(file, from) }),
    );
    return { head: [`## \`${entry}\`\n`, ...(says === "" ? [] : [says])], exported };
  });

  const all = entries.flatMap(({ exported }) => exported);
  const isShown = ({ declared, file }: Place) =>
    all.some((one) => one.declared === declared && one.file === file);
  const first = all.length;
  for (const { file, declarations } of all)
    for (const name of declarations.flatMap(({ code }) => typesIn(code))) {
      const imported = importOf(read(file), name);
      const place =
        imported === undefined
          ? { declared: name, file }
          : { declared: imported.declared, file: beside(file, imported.from) };
      // Of the language.
      if (declarationsOf(read(place.file), place.declared).length === 0 || isShown(place)) continue;
      all.push(withoutConstructor(show(name, place)));
    }
  return [
    HEAD,
    ...entries.flatMap(({ head, exported }) => [...head, ...exported.map(sectionOf)]),
    NAMED_ONLY,
    ...all.slice(first).map(sectionOf),
  ].join("\n");
}

/** Nobody can call that of what can't be imported. */
function withoutConstructor({ declarations, ...rest }: Shown): Shown {
  const bare = declarations.map((one) => ({
    ...one,
    code: one.code.replace(/^ +constructor\(.*\);\n/gm, ""),
  }));
  return { ...rest, declarations: bare };
}

function sectionOf({ name, declared, declarations }: Shown): string {
  const says = declarations.flatMap((one) => one.says ?? []);
  const code = declarations.map((one) => one.code.replaceAll(new RegExp(`\\b${declared}\\b`, "g"), name));
  return [`### ${name}\n`, ...says.map((one) => `${one}\n`), `\`\`\`ts\n${code.join("\n")}\n\`\`\`\n`].join(
    "\n",
  );
}

/** As the sources are now. */
export async function currentReference(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "distributary-types-"));
  try {
    await emitTypes(folder);
    return referenceOf(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const command = {
  usage: "npm run reference",
  does: "Makes docs/client-api.md anew, from the client's types and docstrings.",
  settings: {},
  switches: {},
  flagsOnly: true,
} as const;

async function main(): Promise<void> {
  const given = readSettings(command, {}, process.argv.slice(2));
  if (given.kind === "help") process.stdout.write(given.text);
  else if (given.kind === "misused") {
    process.stderr.write(`${given.problem}\n`);
    process.exitCode = 2;
  } else writeFileSync(REFERENCE, await currentReference());
}

if (import.meta.main) await main();
