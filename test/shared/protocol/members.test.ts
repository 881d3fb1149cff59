import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { membersOf } from "../../../shared/protocol/members.ts";

const of = (text: string) => {
  const members = membersOf(text);
  return members && Object.fromEntries(members);
};

describe("the members of an object", () => {
  test("are told as they were written, and the space around them isn't", () => {
    expect(of(' {"a" : 1.50 ,"b":{ "c":[1, 2] , "}":"]" }, "d":"\\"}" ,"e":\ttrue\n} ')).toEqual({
      a: "1.50",
      b: '{ "c":[1, 2] , "}":"]" }',
      d: '"\\"}"',
      e: "true",
    });
    expect(of("{}")).toEqual({});
  });

  test("of one name the last counts, however the name is spelled", () => {
    expect(of('{"v":1,"\\u0076":2}')).toEqual({ v: "2" });
  });

  test.each([
    ["nothing", ""],
    ["an array", "[1]"],
    ["a name without a value", '{"a"}'],
    ["a value that is missing", '{"a":}'],
    ["a name that is no string", "{a:1}"],
    ["a comma before the end", '{"a":1,}'],
    ["no comma", '{"a":1 "b":2}'],
    ["a string without an end", '{"a":"b}'],
    ["a string that ends in a backslash", '{"a":"b\\'],
    ["an array without an end", '{"a":[1}'],
    ["something behind it", '{"a":1}{'],
    ["more than 32 members", `{${Array.from({ length: 33 }, (_, i) => `"${i}":1`).join()}}`],
  ])("are none of %s", (_, text) => {
    expect(membersOf(text)).toBeUndefined();
  });

  test("are those that a parser finds, in any object", () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ unit: "binary" }), fc.jsonValue(), { maxKeys: 32 }),
        fc.constantFrom(undefined, 1, "\t"),
        (object, space) => {
          const text = JSON.stringify(object, null, space);
          const parsed = JSON.parse(text) as Record<string, unknown>;
          const members = membersOf(text);

          expect([...(members?.keys() ?? [])].sort()).toEqual(Object.keys(parsed).sort());
          for (const [name, json] of members ?? []) {
            expect(json.trim()).toBe(json);
            expect(JSON.parse(json)).toEqual(parsed[name]);
          }
        },
      ),
    );
  });

  test("of any text there are none, or their text is a part of it", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'{}[],:"\\ a1') }), (text) => {
        for (const json of membersOf(text)?.values() ?? []) expect(text).toContain(json);
      }),
    );
  });
});
