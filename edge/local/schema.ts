/** `npm run schema`: makes shared/streams.schema.json, for editors, from the schema that the code reads with. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { toJsonSchema } from "@valibot/to-json-schema";
import { StreamsSchema } from "../../shared/config/streams.ts";
import { readSettings } from "../../shared/node/settings.ts";

/** A JSON Schema (draft 7) of `streams.json`. */
export function streamsJsonSchema(): object {
  return toJsonSchema(StreamsSchema, {
    typeMode: "input",
    // What holds between two fields is left to the reader of the file.
    overrideAction: ({ valibotAction, jsonSchema }) =>
      valibotAction.type === "check" ? jsonSchema : undefined,
  });
}

const command = {
  usage: "npm run schema",
  does: "Makes shared/streams.schema.json anew, by which editors check streams.json.",
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
    const file = join(root, "shared/streams.schema.json");
    writeFileSync(file, `${JSON.stringify(streamsJsonSchema(), null, 2)}\n`);
    execFileSync(join(root, "node_modules/.bin/biome"), ["format", "--write", file], { stdio: "inherit" });
  }
}

if (import.meta.main) main();
