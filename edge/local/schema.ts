/** `npm run schema`: makes the schemas of what people write, for editors, from those that the code reads with. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { toJsonSchema } from "@valibot/to-json-schema";
import { IssuersSchema } from "../../shared/config/issuers.ts";
import { StreamsSchema } from "../../shared/config/streams.ts";
import { readSettings } from "../../shared/node/settings.ts";

/** JSON Schemas (draft 7) of `streams.json` and of `AUTH_ISSUERS`, by their names in shared/. */
export function jsonSchemas(): Readonly<Record<string, object>> {
  return { "streams.schema.json": made(StreamsSchema), "issuers.schema.json": made(IssuersSchema) };
}

function made(schema: Parameters<typeof toJsonSchema>[0]): object {
  return toJsonSchema(schema, {
    typeMode: "input",
    // What holds between two fields, and what else only code can say, is left to the reader of the text.
    overrideAction: ({ valibotAction, jsonSchema }) =>
      valibotAction.type === "check" ? jsonSchema : undefined,
  });
}

const command = {
  usage: "npm run schema",
  does: "Makes shared/*.schema.json anew, by which editors check streams.json and the list of AUTH_ISSUERS.",
  settings: {},
  switches: {},
  flagsOnly: true,
} as const;

function main(): void {
  const given = readSettings(command, {}, process.argv.slice(2));
  if (given.kind === "help") process.stdout.write(given.text);
  else if (given.kind === "misused") {
    process.stderr.write(`${given.problem}\n`);
    process.exitCode = 2;
  } else {
    const root = join(import.meta.dirname, "../..");
    const files = Object.entries(jsonSchemas()).map(([name, schema]) => {
      const file = join(root, "shared", name);
      writeFileSync(file, `${JSON.stringify(schema, null, 2)}\n`);
      return file;
    });
    execFileSync(join(root, "node_modules/.bin/biome"), ["format", "--write", ...files], {
      stdio: "inherit",
    });
  }
}

if (import.meta.main) main();
