/**
 * Every rule of PROTOCOL.md and INTERNALS.md is shown by a test that names it, and every rule that a test names exists.
 * Codes and limits in the text are those of the code.
 */
import { globSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { describe, expect, test } from "vitest";
import { CLOSE, ERRORS, RESET_CAUSES } from "../../shared/protocol/codes.ts";
import { LIMITS } from "../../shared/protocol/limits.ts";

const root = join(import.meta.dirname, "../..");
const files = (pattern: string) => globSync(pattern, { cwd: root }).map((path) => relative(".", path));
const source = (path: string) => readFileSync(join(root, path), "utf8");

describe("the rules", () => {
  const [protocol, internals] = [source("shared/PROTOCOL.md"), source("shared/INTERNALS.md")];
  const both = protocol + internals;
  const idsIn = (text: string) =>
    [...text.matchAll(/^- \*\*\[([A-Z]\d+)\]\*\*/gm)].map((match) => match[1] ?? "");
  const defined = idsIn(both);

  test("no rule ID is used twice, in whichever document", () => {
    expect(defined).toEqual([...new Set(defined)]);
    expect(defined.length).toBeGreaterThan(60);
  });

  test("every rule is named by a test, and tests name no other", () => {
    const named = new Set<string>();
    for (const path of files("test/**/*.ts"))
      for (const [, rules] of source(path).matchAll(/["'`]((?:\[[A-Z]\d+\] ?)+)/g))
        for (const [, rule] of (rules ?? "").matchAll(/\[([A-Z]\d+)\]/g)) named.add(rule ?? "");

    expect([...named].filter((rule) => !defined.includes(rule))).toEqual([]);
    expect(defined.filter((rule) => !named.has(rule))).toEqual([]);
  });

  test("what an author of a client reads names no rule of what runs inside", () => {
    const inside = idsIn(internals).filter((rule) => new RegExp(`\\b${rule}\\b`).test(protocol));

    expect(inside).toEqual([]);
  });

  test("every rule that a document refers to exists", () => {
    const prose = both.replace(/`[^`]*`|^```[\s\S]*?^```/gm, "");
    const cited = [...prose.matchAll(/\b([ACEFHLMNOPRSTUVW]\d{1,2})\b/g)].map((match) => match[1] ?? "");

    expect([...new Set(cited)].filter((rule) => !defined.includes(rule))).toEqual([]);
  });

  test("every limit of the code stands in a table of limits", () => {
    const rows = [protocol, internals].flatMap((text) => (text.split("## Limits")[1] ?? "").split("\n"));
    const bounds = rows.flatMap((row) => row.split(" | ")[1]?.split(/; |, /) ?? []);

    const absent = Object.entries(LIMITS).filter(([, limit]) => {
      const [count, ofKiB, ofMiB] = [limit, limit / 1_024, limit / 1_024 ** 2].map((n) =>
        n.toLocaleString("en"),
      );
      const said = [count, `${ofKiB} KiB`, `${ofMiB} MiB`];
      return !bounds.some((bound) => said.some((text) => bound === text || bound.startsWith(`${text} `)));
    });
    expect(absent).toEqual([]);
  });

  test("[C2] [C4] [R4] codes are those of the code", () => {
    for (const [code, { status, retry }] of Object.entries(ERRORS))
      expect(protocol).toMatch(new RegExp(`\\| \`${code}\` \\| ${status} \\| ${retry ? "yes" : "no"} \\|`));
    for (const [name, code] of Object.entries(CLOSE)) expect(both).toContain(`| ${code} | \`${name}\` |`);
    for (const cause of RESET_CAUSES) expect(protocol).toContain(`\`${cause}\``);
  });
});
