import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { jsonSchemas } from "../../edge/local/schema.ts";

test.each(Object.entries(jsonSchemas()))("shared/%s is what npm run schema makes", (name, schema) => {
  const file = readFileSync(join(import.meta.dirname, "../../shared", name), "utf8");

  expect(JSON.parse(file)).toEqual(schema);
});
