/** docs/time-limits.md against the tables of the code, and the code against what would stand beside them. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { TIME_LIMITS as LOCAL } from "../../edge/local/time-limits.ts";
import { TIME_LIMITS as NODE } from "../../edge/runtime/node/time-limits.ts";
import { TIME_LIMITS as EDGE } from "../../edge/time-limits.ts";
import { TIME_LIMITS as ORIGIN } from "../../origin/time-limits.ts";
import type { BackoffBounds } from "../../shared/core/backoff.ts";

const root = join(import.meta.dirname, "../..");
const page = readFileSync(join(root, "docs/time-limits.md"), "utf8");

const inWords = (ms: number): string =>
  ms < 1_000
    ? `${ms} ms`
    : ms % 3_600_000 === 0
      ? `${ms / 3_600_000} h`
      : ms % 60_000 === 0 && ms > 60_000
        ? `${ms / 60_000} min`
        : `${ms / 1_000} s`;
const cellOf = (limit: number | BackoffBounds): string =>
  typeof limit === "number"
    ? inWords(limit)
    : `up to ${inWords(limit.baseMs)}, doubled, at most ${inWords(limit.maxMs)}`;

describe("docs/time-limits.md", () => {
  test.each([
    ["The origin", ORIGIN],
    ["The edge", EDGE],
    ["On one machine", LOCAL],
    ["On Node", NODE],
  ] as const)("%s: each limit, as it is, in the order of the code, and no other", (heading, limits) => {
    const part = page.split(`\n## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
    const rows = [...part.matchAll(/^\| `(\w+)` \| (.+?) \| (.+) \|$/gm)].map(([, name, value]) => [
      name,
      value,
    ]);

    expect(rows.length).toBeGreaterThan(5);
    expect(rows).toEqual(
      Object.entries<number | BackoffBounds>(limits).map(([name, limit]) => [name, cellOf(limit)]),
    );
  });
});

test("a time that is waited for stands in a table, with its unit in its name", () => {
  const elsewhere: string[] = [];
  for (const path of globSync(["origin/**/*.ts", "edge/**/*.ts", "doctor/**/*.ts", "start.ts"], {
    cwd: root,
  })) {
    const text = readFileSync(join(root, path), "utf8");
    if (!path.endsWith("time-limits.ts"))
      for (const [line] of text.matchAll(
        /^.*(?:\bconst [A-Z_]*(?:PATIENCE|TIMEOUT|_MS)\b.* = [\d_]{2,};|\b\w+Ms: [\d_]{3,}).*/gm,
      ))
        elsewhere.push(`${path}: ${line}`);
  }
  expect(elsewhere).toEqual([]);
  for (const [name, limit] of Object.entries<number | BackoffBounds>({
    ...ORIGIN,
    ...EDGE,
    ...LOCAL,
    ...NODE,
  }))
    expect(name, name).toMatch(typeof limit === "number" ? /Ms$/ : /(Again|Silent)$/);
});
