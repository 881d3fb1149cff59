import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isTopicOrPattern, TopicPattern } from "../../../shared/config/topic-pattern.ts";
import { isTopicName } from "../../../shared/protocol/address.ts";

const matches = (pattern: string, topic: string) => new TopicPattern(pattern).matches(topic);

/** Few characters, so that parts of patterns are found in names by chance, and more than once. */
const name = fc.string({ unit: fc.constantFrom("a", "b", ".", "_"), minLength: 1, maxLength: 8 });
const topic = name.filter((text) => isTopicName(text) && !text.startsWith("__"));
const pattern = fc
  .string({ unit: fc.constantFrom("a", "b", ".", "_", "*"), minLength: 1, maxLength: 8 })
  .filter((text) => text.includes("*"));

describe("a pattern", () => {
  test.each([
    ["orders.*", "orders.eu", true],
    ["orders.*", "orders.", true],
    ["orders.*", "orders", false],
    ["orders.*", "ordersXeu", false],
    ["orders.*", "old.orders.eu", false],
    ["*.orders", "eu.orders", true],
    ["*", "any", true],
    ["a*a", "a", false],
    ["a*a", "aa", true],
    ["a*b*c", "a-c-b-c", true],
    ["a*b*c", "a-c-b", false],
    ["a*bc*c", "abc", false],
    ["*", "__consumer_offsets", false],
    ["*offsets", "__consumer_offsets", false],
    ["*", "_one", true],
    ["*", "no topic's name", false],
    ["*", "..", false],
    ["ORDERS.*", "orders.eu", false],
  ])("%s and the topic %s: %s", (text, candidate, expected) => {
    expect(matches(text, candidate)).toBe(expected);
  });

  test("means what the regular expression with .* for each * means", () => {
    fc.assert(
      fc.property(pattern, topic, (text, candidate) => {
        const expression = text.split("*").map((part) => part.replaceAll(".", "\\."));
        expect(matches(text, candidate)).toBe(new RegExp(`^${expression.join(".*")}$`).test(candidate));
      }),
      { numRuns: 2_000 },
    );
  });

  test("that was made of a topic's name by putting * for a part of it matches that name", () => {
    fc.assert(
      fc.property(topic, fc.nat(8), fc.nat(8), (candidate, a, b) => {
        const [from, to] = [Math.min(a, b), Math.max(a, b)];
        expect(matches(`${candidate.slice(0, from)}*${candidate.slice(to)}`, candidate)).toBe(true);
      }),
    );
  });

  test("of many * is judged at once, however a name was made up", () => {
    const text = `${"a*".repeat(100)}b`;

    expect(matches(text, "a".repeat(249))).toBe(false);
    expect(matches(text, `${"a".repeat(248)}b`)).toBe(true);
  });
});

test("topics' names and patterns may stand in a list, but no pattern that could match nothing", () => {
  for (const text of ["a", "a.b-c_d", "__own", "*", "a*", "*.a", "a*b*c", "*__"])
    expect(isTopicOrPattern(text)).toBe(true);
  for (const text of ["", ".", "..", "a b", "a/b", "$", "__*", "__a*", "a".repeat(250), "*ü"])
    expect(isTopicOrPattern(text)).toBe(false);
});
