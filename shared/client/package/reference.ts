/** `npm run reference`: docs/client-api.md, from the types and the docstrings that the package has. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { readSettings } from "../../node/settings.ts";
import { emitTypes } from "./bundles.ts";
import { declarationsOf, exportsOf } from "./declarations.ts";

export const REFERENCE = join(import.meta.dirname, "../../../docs/client-api.md");

const HEAD = `# The client's API

This is for you if you use [the client](client.md) and want to know exactly what it takes and gives. It is made from the sources by
\`npm run reference\`: each name that can be imported, as TypeScript has it.
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

/** @param types The folder of the package's types. */
export function referenceOf(types: string): string {
  const sections = ENTRIES.map(([entry, file, says]) => {
    const text = readFileSync(join(types, file), "utf8");
    const names = exportsOf(text).map(({ name, declared, from }) => {
      const declaring =
        from === undefined
          ? text
          : readFileSync(join(types, dirname(file), from.replace(/\.js$/, ".d.ts")), "utf8");
      return sectionOf(name, declared, declaring);
    });
    return [`## \`${entry}\`\n`, ...(says === "" ? [] : [says]), ...names].join("\n");
  });
  return [HEAD, ...sections].join("\n");
}

function sectionOf(name: string, declared: string, text: string): string {
  const declarations = declarationsOf(text, declared);
  if (declarations.length === 0) throw new Error(`${declared} is exported, and declared nowhere`);
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
