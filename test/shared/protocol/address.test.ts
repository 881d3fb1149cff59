import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { base64Path, endpointPath, parseAddress, shardOf } from "../../../shared/protocol/address.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const address = (path: string) => {
  const result = parseAddress(path);
  return result.ok
    ? { key: Buffer.from(result.address.key), path: result.address.path, canonical: result.canonical }
    : result.code;
};

describe("addresses", () => {
  test.each([
    ["AAPL", "/t/AAPL"],
    ["a b/c%d$e", "/t/a%20b%2Fc%25d%24e"],
    ["", "/t/$"],
    [".", "/t/$."],
    ["..", "/t/$.."],
    ["...", "/t/..."],
    ["$", "/t/%24"],
    ["$.", "/t/%24."],
    ["~-._", "/t/~-._"],
    ["é😀", "/t/%C3%A9%F0%9F%98%80"],
    ["?#[]@!&'()*+,;=", "/t/%3F%23%5B%5D%40%21%26%27%28%29%2A%2B%2C%3B%3D"],
  ])("[A1] [A2] the key %j has the path %s", (key, path) => {
    expect(endpointPath("t", bytes(key))).toBe(path);
    expect(address(path)).toEqual({ key: Buffer.from(bytes(key)), path, canonical: true });
  });

  test("[A1] a key that is not UTF-8 has a path too", () => {
    expect(endpointPath("t", Uint8Array.of(0xff, 0x00, 0xc3))).toBe("/t/%FF%00%C3");
  });

  test("[A1] [A2] every key has one path, which Node's URL parser leaves as it is and which reads back as the key", () => {
    const key = fc.oneof(
      fc.uint8Array({ maxLength: 64 }),
      fc.constantFrom("", ".", "..", "$", "$.", "%2e").map(bytes),
    );
    fc.assert(
      fc.property(key, fc.stringMatching(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,20}$/), (key, topic) => {
        const path = endpointPath(topic, key);

        const parsed = new URL(path, "http://127.0.0.1:1/somewhere/else").pathname;

        expect(parsed).toBe(path);
        expect(address(parsed)).toEqual({ key: Buffer.from(key), path, canonical: true });
      }),
      { numRuns: 2_000 },
    );
  });

  test("[A1] two keys never share a path", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 8 }), fc.uint8Array({ maxLength: 8 }), (a, b) => {
        expect(endpointPath("t", a) === endpointPath("t", b)).toBe(Buffer.from(a).equals(Buffer.from(b)));
      }),
    );
  });

  test.each([
    ["/t/%41APL", "/t/AAPL"],
    ["/t/a%2fb", "/t/a%2Fb"],
    ["/t/US$", "/t/US%24"],
    ["/t/$AAPL", "/t/%24AAPL"],
    ["/t/a:b", "/t/a%3Ab"],
    ["/t/é", "/t/%C3%A9"],
    ["/t/%7E", "/t/~"],
    ["/t/%2E", "/t/$."],
    ["/t/😀", "/t/%F0%9F%98%80"],
  ])("[A3] %s is another spelling of %s", (spelling, canonical) => {
    expect(address(spelling)).toMatchObject({ path: canonical, canonical: false });
  });

  test.each([
    ["a/b", "/t/$b64.YS9i"],
    ["", "/t/$b64."],
    ["..", "/t/$b64.Li4"],
    ["\u0000", "/t/$b64.AA"],
    ["??>", "/t/$b64.Pz8-"],
  ])("[A13] the key %j can be spelled %s, too", (key, path) => {
    expect(base64Path({ topic: "t", key: bytes(key) })).toBe(path);
    expect(parseAddress(path)).toMatchObject({
      ok: true,
      isBase64: true,
      canonical: false,
      address: { path: endpointPath("t", bytes(key)) },
    });
  });

  test("[A13] every key has one such path, which reads back as the key", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (key) => {
        const path = base64Path({ topic: "t", key });

        expect(new URL(path, "http://127.0.0.1:1/").pathname).toBe(path);
        expect(address(path)).toMatchObject({ key: Buffer.from(key), path: endpointPath("t", key) });
      }),
    );
  });

  test.each(["/t/$b64.YS9i=", "/t/$b64.YS9j!", "/t/$b64.Li5", "/t/$b64.A", "/t/$b64.YS%39i"])(
    "[A13] %s is no key's: there is one such path for each",
    (path) => {
      expect(address(path)).toBe("bad_address");
    },
  );

  test.each([
    "/t/%",
    "/t/%2",
    "/t/%zz",
    "/t/a%",
    "/t%41/a",
    "/a b/c",
    `/${"t".repeat(250)}/a`,
    "/../a",
    "/./a",
  ])("[A4] %s is refused", (path) => {
    expect(address(path)).toBe("bad_address");
  });

  test.each(["", "/", "/t", "/t/", "//a", "/t/a/b", "/t/a/", "t/a", "/$/health", "/$x/a"])(
    "[A4] [A6] %j is no endpoint",
    (path) => {
      expect(address(path)).toBe("not_found");
    },
  );

  test("[A5] a key of 1,024 bytes has an endpoint, a longer one has none", () => {
    expect(address(endpointPath("t", new Uint8Array(1_024)))).toMatchObject({ canonical: true });
    expect(address(endpointPath("t", new Uint8Array(1_025)))).toBe("key_too_long");
  });

  test("[A7] the shard is FNV-1a of the path, the same everywhere", () => {
    expect(shardOf("", 1_000)).toBe(0x811c9dc5 % 1_000);
    expect(shardOf("a", 0x100000000)).toBe(0xe40c292c);
    expect(shardOf("foobar", 0x100000000)).toBe(0xbf9cf968);
  });

  test("[A7] shards share the endpoints out evenly", () => {
    const counts = new Array<number>(8).fill(0);
    for (let i = 0; i < 8_000; i++)
      counts[shardOf(`/quotes/key-${i}`, 8)] = (counts[shardOf(`/quotes/key-${i}`, 8)] ?? 0) + 1;
    expect(Math.min(...counts)).toBeGreaterThan(800);
  });
});
