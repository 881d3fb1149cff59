import { describe, expect, test } from "vitest";
import { matches, patternText, readPattern } from "../../../edge/access/pattern.ts";
import { parseAddress } from "../../../shared/protocol/address.ts";

const CLAIMS = {
  sub: "alice",
  tenant: "acme",
  star: "*",
  brace: "{sub}",
  slash: "a/b",
  escaped: "a%2Fb",
  dots: "..",
  dot: ".",
  empty: "",
  number: 7,
  list: ["alice"],
  half: "\ud800",
  emoji: "😀",
  long: "x".repeat(1_100),
};

function allows(pattern: string, path: string): boolean {
  const read = readPattern(pattern, CLAIMS);
  if (!read.ok) throw new Error(read.problem);
  const parsed = parseAddress(path);
  if (!parsed.ok) throw new Error(`${path} is no path`);
  return matches(read.matcher, parsed.address);
}

describe("a pattern names", () => {
  test.each([
    ["/quotes/AAPL", "/quotes/AAPL"],
    ["/quotes/*", "/quotes/AAPL"],
    ["/quotes/*", "/quotes/$"],
    ["/quotes/A*", "/quotes/A"],
    ["/quotes/A*", "/quotes/A%2F"],
    ["/quotes/%FF*", "/quotes/%FF%00"],
    ["/quotes/$", "/quotes/$"],
    ["/quotes/$..", "/quotes/$.."],
    ["/quotes-*", "/quotes-eu/x"],
    ["/*", "/anything/at%20all"],
    ["/users/{sub}", "/users/alice"],
    ["/users/{sub}%2Finbox", "/users/alice%2Finbox"],
    ["/users/{sub}%2F*", "/users/alice%2Finbox"],
    ["/{tenant}/{sub}", "/acme/alice"],
    ["/{tenant}-orders/*", "/acme-orders/1"],
    ["/users/{sub}.{tenant}", "/users/alice.acme"],
    ["/users/{star}", "/users/%2A"],
    ["/users/{brace}", "/users/%7Bsub%7D"],
    ["/users/{escaped}", "/users/a%252Fb"],
    ["/users/{dots}", "/users/$.."],
    ["/users/{dot}{dot}", "/users/$.."],
    ["/users/{emoji}", "/users/%F0%9F%98%80"],
  ])("%s: %s", (pattern, path) => expect(allows(pattern, path)).toBe(true));
});

describe("a pattern doesn't name", () => {
  test.each([
    ["/quotes/AAPL", "/quotes/AAP"],
    ["/quotes/AAPL", "/quotes/AAPLE"],
    ["/quotes/AAPL", "/quote/AAPL"],
    ["/quotes/A*", "/quotes/a"],
    ["/quotes/*", "/quotes-eu/AAPL"],
    ["/quotes-*", "/quotes/AAPL"],
    ["/quotes/%FF*", "/quotes/%C3%BF"],
    ["/users/{sub}", "/users/bob"],
    ["/users/{sub}%2F*", "/users/alice"],
    ["/users/{sub}%2F*", "/users/alice2%2Finbox"],
    ["/users/{star}", "/users/alice"],
    ["/users/{brace}", "/users/alice"],
    ["/users/{escaped}", "/users/a%2Fb"],
    ["/users/{slash}", "/users/a%2Fb"],
    ["/users/{slash}%2F*", "/users/a%2Fb%2Fc"],
    ["/users/{empty}", "/users/$"],
    ["/users/{empty}%2F*", "/users/%2Fetc"],
    ["/users/{missing}", "/users/$"],
    ["/users/{missing}", "/users/x"],
    ["/users/{number}", "/users/7"],
    ["/users/{list}", "/users/alice"],
    ["/users/{half}", "/users/%EF%BF%BD"],
    ["/users/{toString}", "/users/x"],
    ["/{slash}/x", "/a/x"],
    ["/{star}/x", "/anything/x"],
    ["/{dots}/x", "/x/x"],
    ["/users/{long}", "/users/x"],
  ])("%s: %s", (pattern, path) => expect(allows(pattern, path)).toBe(false));
});

describe("no pattern is", () => {
  test.each([
    [""],
    ["quotes/*"],
    ["*"],
    ["/"],
    ["//"],
    ["/quotes"],
    ["/quotes/"],
    ["/quotes/a/b"],
    ["/quotes/**"],
    ["/*/a"],
    ["/quotes/*a"],
    ["/users/{sub}*"],
    ["/{sub}*"],
    ["/users/{sub"],
    ["/users/sub}"],
    ["/users/{}"],
    ["/users/{a.b}"],
    ["/users/{{sub}}"],
    ["/quotes/."],
    ["/quotes/$*"],
    ["/quotes/$.*"],
    ["/quotes/%24*".replace("%24", "$")],
    ["/quotes/%4"],
    ["/quotes/%2{sub}"],
    ["/quotes/%41"],
    ["/quotes/%c3"],
    ["/quotes/ä"],
    ["/quo tes/a"],
    ["/../a"],
    ["/$/health"],
    ["/$*"],
    [`/q/${"%41".repeat(2_000)}`],
    [`/q/${"a".repeat(1_025)}`],
  ])("%s", (pattern) => expect(readPattern(pattern, CLAIMS)).toMatchObject({ ok: false }));
});

test.each([
  [`/users/${"x".repeat(1_024)}`, "", "keys"],
  [`/users/${"%FF".repeat(1_024)}`, "", "keys"],
  ["/users/{kilo}", "x".repeat(1_024), "keys"],
  ["/users/{kilo}x", "x".repeat(1_024), "nothing"],
  ["/users/{kilo}x*", "x".repeat(1_022), "keys"],
  ["/users/{kilo}x*", "x".repeat(1_023), "nothing"],
])("%s with a long claim names what can be written, or nothing", (pattern, kilo, kind) => {
  const read = readPattern(pattern, { kilo });
  expect(read).toMatchObject({ ok: true, matcher: { kind } });
  const text = read.ok ? patternText(read.matcher) : "refused";
  if (text !== undefined) expect(readPattern(text, {})).toEqual(read);
});

test.each([
  ["/quotes/AAPL", "/quotes/AAPL"],
  ["/quotes/*", "/quotes/*"],
  ["/quotes/.*", "/quotes/.*"],
  ["/quotes/$.", "/quotes/$."],
  ["/quotes-*", "/quotes-*"],
  ["/*", "/*"],
  ["/users/{star}", "/users/%2A"],
  ["/users/{dot}", "/users/$."],
  ["/users/{emoji}%2F*", "/users/%F0%9F%98%80%2F*"],
  ["/users/{slash}", undefined],
])("%s is written as %s when its claims are known, and means the same", (pattern, expected) => {
  const read = readPattern(pattern, CLAIMS);
  const text = read.ok ? patternText(read.matcher) : "refused";
  expect(text).toBe(expected);
  if (text !== undefined) expect(readPattern(text, {})).toEqual(read);
});
