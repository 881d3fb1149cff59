/** `npm run schema`: makes shared/streams.schema.json, for editors, from the schema that the code reads with. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { toJsonSchema } from "@valibot/to-json-schema";
import { StreamsSchema } from "../../shared/protocol/streams.ts";

/** A JSON Schema (draft 7) of `streams.json`. */
export function streamsJsonSchema(): object {
  return toJsonSchema(StreamsSchema, {
    typeMode: "input",
    // What holds between two fields is left to the reader of the file.
    overrideAction: ({ valibotAction, jsonSchema }) =>
      valibotAction.type === "check" ? jsonSchema : undefined,
  });
}

if (import.meta.main)
  writeFileSync(
    join(import.meta.dirname, "../../shared/streams.schema.json"),
    `${JSON.stringify(streamsJsonSchema(), null, 2)}\n`,
  );
