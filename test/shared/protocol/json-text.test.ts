import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isJsonText } from "../../../shared/protocol/json-text.ts";
import { LIMITS } from "../../../shared/protocol/limits.ts";

const judged = (text: string) => isJsonText(Buffer.from(text));
const parses = (text: string) => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

/** JSON, and what is left of it when somebody has been at it. */
const nearlyJson = fc
  .tuple(
    fc.json({ maxDepth: 6 }),
    fc.array(
      fc.tuple(
        fc.nat(),
        fc.nat({ max: 2 }),
        fc.constantFrom(...'{}[]",:\\ \t\n\r0123-+.eEntrufals/\u0000\u001f\u007fü\u{1f600}'),
      ),
      { maxLength: 3 },
    ),
  )
  .map(([json, changes]) => {
    const characters = [...json];
    for (const [at, removed, added] of changes)
      characters.splice(at % (characters.length + 1), removed, added);
    return characters.join("");
  });

describe("[F3] what is JSON by RFC 8259", () => {
  test("is what a parser takes, whatever the text", () => {
    fc.assert(
      fc.property(fc.oneof(nearlyJson, fc.string({ unit: "binary" })), (text) => {
        expect(judged(text)).toBe(parses(text));
      }),
      { numRuns: 3_000 },
    );
  });

  test.each([
    ..."0 -0 1 -1 10 1.5 0.0 1e5 1E+5 1e-5 1e400 01 -01 - + +1 .5 1. 1.e5 1e 1e+ 0x1 1_000 Infinity NaN".split(
      " ",
    ),
    ...'true false null True nul nulll tru "" "\\u00e9" "\\uD800" "\\u12" "\\u12g4" "\\x41" "\\" "a'.split(
      " ",
    ),
    ...'[] [1] [1,] [,1] [1,,2] [ {} {"a":1} {"a":1,} {"a"} {"a":} {a:1} {"a":1 "b":2} {1:2} ] } [} {]'.split(
      " ",
    ),
    ...[
      "",
      " ",
      " 1 ",
      "\t\n\r1",
      "\u00a01",
      "\ufeff1",
      "\v1",
      "1 2",
      '"\n"',
      '"\u007f"',
      "'a'",
      "// 1",
      "[1}\u0000",
    ],
  ])("of %j says the same as a parser", (text) => {
    expect(judged(text)).toBe(parses(text));
  });
});

describe(`[F3] JSON of which more than ${LIMITS.jsonDepth} arrays and objects lie in one another is text`, () => {
  const nested = (depth: number, open: string, within: string, close: string) =>
    open.repeat(depth) + within + close.repeat(depth);

  test.each([
    ["arrays", "[", "", "]"],
    ["arrays that hold something", "[", "1", "]"],
    ["objects", '{"a":', "{}", "}"],
    ["both, with space", '[ { "a" : ', "0", " } ] "],
  ])("%s", (_, open, within, close) => {
    const each = open.includes("{") && open.includes("[") ? 2 : 1;
    const deepest = LIMITS.jsonDepth / each - (within === "{}" ? 1 : 0);

    expect(judged(nested(deepest, open, within, close))).toBe(true);
    expect(judged(nested(deepest + 1, open, within, close))).toBe(false);
  });

  test("beside one another there may be any number", () => {
    expect(judged(`[${Array(10_000).fill("[[]]").join()}]`)).toBe(true);
  });

  test("what is open when it is told counts for nothing afterwards", () => {
    expect(judged("[".repeat(1_000_000))).toBe(false);
    expect(judged(nested(LIMITS.jsonDepth, "[", "", "]"))).toBe(true);
  });
});
