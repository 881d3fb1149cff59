import { describe, expect, test } from "vitest";
import { allowedOf, publishMaxBytes, readPublishHeaders } from "../../../edge/http/publish-request.ts";

function read(headers: Record<string, string>) {
  const result = readPublishHeaders(new Headers(headers));
  return result.ok ? result.read : result.problem;
}

describe("[W2] headers of the record", () => {
  test("are text or bytes, by lower-case names", () => {
    expect(
      read({
        "Distributary-Header-Trace-Id": "a: b",
        "DISTRIBUTARY-BASE64-HEADER-RAW": "AP8=",
        "Distributary-Header-Base64": "x",
        "Content-Type": "text/plain",
      }),
    ).toMatchObject({
      headers: [
        ["raw", new Uint8Array([0, 255])],
        ["base64", "x"],
        ["trace-id", "a: b"],
      ],
    });
    expect(read({ "Distributary-Header-Empty": "" })).toMatchObject({ headers: [["empty", ""]] });
  });

  test("are so many and so large at most", () => {
    const many = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`Distributary-Header-${i}`, "x"]));

    expect(read(many(50))).toMatchObject({ headers: { length: 50 } });
    expect(read(many(51))).toMatch(/50 headers/);
    expect(read({ "Distributary-Header-a": "x".repeat(16_383) })).toMatchObject({ headers: { length: 1 } });
    expect(read({ "Distributary-Header-a": "x".repeat(16_384) })).toMatch(/16384 bytes/);
  });

  test("come once each: of one name, as text and as bytes, they are a mistake", () => {
    expect(read({ "Distributary-Header-A": "x", "Distributary-Base64-Header-a": "eA==" })).toMatch(
      /header a comes as text and as base64/,
    );
    expect(read({ "Distributary-Header-A": "x", "Distributary-Base64-Header-B": "eA==" })).toMatchObject({
      headers: { length: 2 },
    });
  });

  test("that can't be a record's are a mistake", () => {
    expect(read({ "Distributary-Header-": "x" })).toMatch(/lacks a name/);
    expect(read({ "Distributary-Header-$a": "x" })).toMatch(/may begin with \$/);
    expect(read({ "Distributary-Header-a": "\xe9" })).toMatch(/Distributary-Base64-Header-a/);
    for (const wrong of ["*", "A", "AA=A", "A===", "AA A", "AA", "AAA", "AA=", "AAAA=", "AA==, AA=="])
      expect(read({ "Distributary-Base64-Header-a": wrong })).toMatch(/isn't base64/);
  });
});

describe("[W3] what a client calls a publish", () => {
  test.each([
    ["c0ffee", "c0ffee"],
    ['"c0ffee"', "c0ffee"],
    ['"a \\"b\\" \\\\"', 'a "b" \\'],
    ["x".repeat(255), "x".repeat(255)],
  ])("%s", (text, key) => {
    expect(read({ "Idempotency-Key": text })).toMatchObject({ key });
  });

  test.each(["", '""', "x".repeat(256), "\xe9"])("%j is refused", (text) => {
    expect(read({ "Idempotency-Key": text })).toMatch(/Idempotency-Key must be/);
  });

  test("is nothing if it says nothing", () => {
    expect(read({})).toEqual({ headers: [], key: undefined, minimal: false });
  });
});

test.each([
  ["return=minimal", true],
  ["respond-async, return=minimal; a=b", true],
  ['RETURN="minimal"', true],
  ["return=representation", false],
  ["areturn=minimal", false],
  ["return=minimally", false],
])("[W5] Prefer: %s", (prefer, minimal) => {
  expect(read({ Prefer: prefer })).toMatchObject({ minimal });
});

test("[H8] a page may send what a publish has, and of what it asks for, headers of records only", () => {
  expect(
    allowedOf("X-Other, distributary-header-a,Distributary-Base64-Header-B, distributary-header-", ["A"]),
  ).toEqual([
    "A",
    "Content-Type",
    "Prefer",
    "Idempotency-Key",
    "distributary-header-a",
    "distributary-base64-header-b",
  ]);
  expect(allowedOf(undefined, ["A"])).toHaveLength(4);
});

test("[W1] how large a value may be is set in whole bytes, up to what travels", () => {
  expect(publishMaxBytes({})).toBe(1_048_576);
  expect(publishMaxBytes({ PUBLISH_MAX_BYTES: "5" })).toBe(5);
  for (const wrong of ["0", "1.5", "x", "8388609"])
    expect(() => publishMaxBytes({ PUBLISH_MAX_BYTES: wrong })).toThrow(/PUBLISH_MAX_BYTES must be/);
});
