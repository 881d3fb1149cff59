import { describe, expect, test } from "vitest";
import { readUplinkKey } from "../../../shared/config/uplink-key.ts";
import { readUplinkScope } from "../../../shared/config/uplink-scope.ts";

const SECRET = "0123456789abcdef0123456789abcdef";

describe("[U16] a key with bounds", () => {
  test("says what its holder may speak for, slices and topics each by themselves", () => {
    const read = readUplinkKey(`k1:origin-1(slices=1/2|2/2 topics=flights|orders.*):${SECRET}:with:colons`);
    if (!read.ok) throw new Error(read.problem);
    const { kid, name, scope, secret } = read.key;

    expect([kid, name, new TextDecoder().decode(secret)]).toEqual([
      "k1",
      "origin-1",
      `${SECRET}:with:colons`,
    ]);
    expect(
      ["1/2", "2/2", "1/1", "1/3"].map((text) =>
        scope?.maySlice({ number: Number(text[0]), count: Number(text[2]) }),
      ),
    ).toEqual([...[true, true, false, false]]);
    expect(
      ["flights", "orders.eu", "orders", "flights2", "__x"].map((topic) => scope?.mayTopic(topic)),
    ).toEqual([...[true, true, false, false, false]]);
  });

  test("one that bounds topics alone may speak for any slice, and the other way round", () => {
    expect(readUplinkScope("topics=a")?.maySlice({ number: 3, count: 7 })).toBe(true);
    expect(readUplinkScope("slices=1/1")?.mayTopic("anything")).toBe(true);
  });

  test.each([
    ...["()", "(everything)", "(slices=3/2)", "(slices=1/65)", "(topics=a b)", "(topics=)", "(topics=a||b)"],
    ...["(topics=__x*)", "(slices=1/1 slices=1/2)", "(topic=a)", `(topics=${"a|".repeat(600)}a)`],
  ])("that can't be read is refused, never taken for one without: %s", (bounds) => {
    const read = readUplinkKey(`k1:origin-1${bounds}:${SECRET}`);

    expect(read.ok).toBe(false);
    expect(read.ok ? "" : read.problem).not.toContain(SECRET);
  });

  test("one that isn't closed is no key at all", () => {
    for (const bounds of ["(topics=a", "topics=a)", "(a)(b)", "(a:b"])
      expect(readUplinkKey(`k1:origin-1${bounds}:${SECRET}`).ok).toBe(false);
  });
});
