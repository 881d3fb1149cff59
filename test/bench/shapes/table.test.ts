import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { rowsOf } from "./scenarios.ts";
import { DOCUMENT, renewed } from "./table.ts";

const text = readFileSync(join(import.meta.dirname, "../../..", DOCUMENT), "utf8");

test("the document has the tables that the model gives: npm run shapes", () => {
  expect(renewed(text)).toBe(text);
  expect(() => renewed("no tables here")).toThrow(DOCUMENT);
});

test("by both bounds at most $700 a month: only shapes whose links aren't billed message by message, or gather for longer", () => {
  const rows = rowsOf({ connections: 1_000_000, each: 1, popularity: "even" });
  const within = rows
    .filter(({ dollars, passed }) => dollars.upper <= 700 && passed.length === 0)
    .map(({ shape, carriers, gatherMs }) => [shape, carriers, gatherMs]);
  expect(within).toEqual([
    ["relays", "sessions", 25],
    ["buckets", "messages", 100],
    ["buckets", "sessions", 25],
    ["shards", "messages", 25],
  ]);
  for (const { dollars } of rows) expect(dollars.lower).toBeLessThanOrEqual(700);
});
