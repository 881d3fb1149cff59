import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { streamsJsonSchema } from "../../edge/local/schema.ts";

test("shared/streams.schema.json is what npm run schema makes", () => {
  const file = readFileSync(join(import.meta.dirname, "../../shared/streams.schema.json"), "utf8");

  expect(JSON.parse(file)).toEqual(streamsJsonSchema());
});
