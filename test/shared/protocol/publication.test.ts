/** Frames that publish: what each form says, byte for byte, and what is none. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeDown } from "../../../shared/protocol/down.ts";
import type { Frame } from "../../../shared/protocol/frame.ts";
import {
  decodePublication,
  encodePublication,
  encodeRefused,
  encodeTaken,
  isPublishKey,
  type Publication,
  problemOfHeaders,
} from "../../../shared/protocol/publication.ts";
import { decodeUp } from "../../../shared/protocol/subscriber.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);
const framed = (head: string, ...bytes: number[]) => new Uint8Array([...bytesOf(`${head}\n`), ...bytes]);

function read(frame: Frame): Publication {
  const publication = decodePublication(frame);
  if (!publication?.ok) throw new Error(publication?.problem ?? "it publishes nothing");
  return publication.value;
}

const textOf = (frame: Frame) => {
  const { value } = read(frame);
  return value && new TextDecoder().decode(value);
};

describe("a frame that publishes", () => {
  test("[W21] says what its client calls it, and for which endpoint; fields that nobody knows are passed over", () => {
    const frame = '{"id":2,"pub":"/orders/42","v":{"qty":1},"idempotencyKey":"c0ffee","later":[1]}';

    expect(read(frame)).toEqual({
      ...{ id: 2, endpoint: "/orders/42", key: "c0ffee", headers: [] },
      value: bytesOf('{"qty":1}'),
    });
    expect(decodeUp(frame)).toMatchObject({ ok: true, value: { kind: "publish", id: 2 } });
  });

  test.each([
    ['{"id":2,"pub":"/a/b","v":{"b": 1.0, "b":2e3}}', '{"b": 1.0, "b":2e3}'],
    ['{"id":2, "pub":"/a/b", "v": [1, 2] }', "[1, 2]"],
    ['{"v":12345678901234567890,"id":2,"pub":"/a/b"}', "12345678901234567890"],
    ['{"id":2,"pub":"/a/b","v":null}', "null"],
    ['{"id":2,"pub":"/a/b","v":"\\u00e9"}', '"\\u00e9"'],
    ['{"id":2,"pub":"/a/b","s":"a\\n\\u00e9"}', "a\né"],
    ['{"id":2,"pub":"/a/b","s":""}', ""],
    ['{"id":2,"pub":"/a/b","d":true}', null],
  ])("[W21] %s has this value, byte for byte", (frame, value) => {
    expect(textOf(frame)).toBe(value);
  });

  test("[W21] [F5] in binary has any bytes", () => {
    expect(read(framed('{"id":2,"pub":"/a/b","n":3}', 0, 255, 10))).toEqual({
      ...{ id: 2, endpoint: "/a/b", key: undefined, headers: [] },
      value: new Uint8Array([0, 255, 10]),
    });
  });

  test("[W21] [F6] has headers in order, as text, as bytes or without a value; names may repeat", () => {
    const frame = '{"id":2,"pub":"/a/b","h":[["a","é"],["a","AP8=","base64"],["b",null]],"d":true}';

    expect(read(frame).headers).toEqual([
      ["a", "é"],
      ["a", new Uint8Array([0, 255])],
      ["b", null],
    ]);
  });

  test.each([
    ["no value", '{"id":2,"pub":"/a/b"}'],
    ["two values", '{"id":2,"pub":"/a/b","v":1,"s":"1"}'],
    ["a value and none", '{"id":2,"pub":"/a/b","v":1,"d":true}'],
    ["a value that isn't JSON", '{"id":2,"pub":"/a/b","v":{"a":01}}'],
    ["a value that nests too deep", `{"id":2,"pub":"/a/b","v":${"[".repeat(129)}${"]".repeat(129)}}`],
    ["half a character", '{"id":2,"pub":"/a/b","s":"\\ud800"}'],
    ["bytes in a text frame", '{"id":2,"pub":"/a/b","n":0}'],
    ["no endpoint", '{"id":2,"pub":7,"v":1}'],
    ["a key that is no text", '{"id":2,"pub":"/a/b","v":1,"idempotencyKey":7}'],
    ["a header that is no pair", '{"id":2,"pub":"/a/b","v":1,"h":["a"]}'],
    ["a header that isn't base64", '{"id":2,"pub":"/a/b","v":1,"h":[["a","*","base64"]]}'],
    ["headers without end", `{"id":2,"pub":"/a/b","v":1,"h":[["a","${"a".repeat(40_000)}"]]}`],
    ["no id", '{"pub":"/a/b","v":1}'],
    ["an id that isn't whole", '{"id":1.5,"pub":"/a/b","v":1}'],
    ["fewer bytes than it says", framed('{"id":2,"pub":"/a/b","n":3}', 1, 2)],
    ["a value beside its bytes", framed('{"id":2,"pub":"/a/b","v":1,"n":1}', 1)],
    ["a tombstone with bytes", framed('{"id":2,"pub":"/a/b","d":true,"n":0}')],
  ])("[W21] with %s is malformed", (_, frame) => {
    expect(decodePublication(frame)).toMatchObject({ ok: false });
  });

  test.each([
    ["another frame", '{"id":2,"sub":"/a/b"}'],
    ["no JSON", "pub"],
    ["bytes without a header", new Uint8Array([1, 2, 3])],
    ["a header of more than 32 KiB", framed(`{"id":2,"pub":"/a/b","x":"${"x".repeat(32_768)}","n":0}`)],
  ])("[W21] is not %s", (_, frame) => {
    expect(decodePublication(frame)).toBeUndefined();
  });

  test("[W21] is read as it was written, whatever it holds", () => {
    const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 9 });
    const header = fc.tuple(text, fc.oneof(text, fc.uint8Array(), fc.constant(null)));
    fc.assert(
      fc.property(
        fc.record({
          id: fc.maxSafeNat(),
          endpoint: fc.constant("/a/%00"),
          key: fc.option(text, { nil: undefined }),
          headers: fc.array(header, { maxLength: 4 }),
          value: fc.option(fc.uint8Array({ maxLength: 64 })),
        }),
        (publication) => {
          expect(read(encodePublication(publication))).toEqual(publication);
        },
      ),
    );
  });
});

test("[W3] a key is 1 to 255 characters of visible ASCII and spaces", () => {
  expect(["a", " ", "~".repeat(255)].map(isPublishKey)).toEqual([true, true, true]);
  expect(["", "a".repeat(256), "k".repeat(1_024), "é", "a\n"].map(isPublishKey)).toEqual(
    Array(5).fill(false),
  );
});

describe("headers of a record", () => {
  test.each([
    [[["", "a"]], /lacks a name/],
    [[["$distributary", "a"]], /begin with \$/],
    [[["a", "\ud800"]], /isn't text/],
    [Array.from({ length: 51 }, () => ["a", null]), /50 headers/],
    [[["a", "é".repeat(8_192)]], /16384 bytes/],
  ] as const)("[W2] %j are refused", (headers, problem) => {
    expect(problemOfHeaders(headers as Publication["headers"])).toMatch(problem);
  });

  test("[W2] 50 of them, and 16 KiB in all, are taken", () => {
    expect(
      problemOfHeaders(Array.from({ length: 50 }, () => ["a", new Uint8Array(326)] as const)),
    ).toBeUndefined();
    expect(problemOfHeaders([["a", "é".repeat(8_191)]])).toBeUndefined();
  });
});

describe("an answer to a publish", () => {
  test("[W23] is the record's position, and is told from a verdict", () => {
    const frame = encodeTaken(2, "e.0:7");

    expect(frame).toBe('{"id":2,"ok":{"position":"e.0:7"}}');
    expect(encodeTaken(2, "e.0:7", "at-least-once")).toBe(
      '{"id":2,"ok":{"position":"e.0:7","guarantee":"at-least-once"}}',
    );
    expect(decodeDown(frame)).toEqual({ ok: true, value: { kind: "published", id: 2, position: "e.0:7" } });
    expect(decodeDown('{"id":2,"ok":{"position":"e.0:7","head":"e.0:7"}}')).toMatchObject({
      value: { kind: "verdict" },
    });
  });

  test("[W23] [W24] is an error like others, of one frame or of all, with the key if the edge made it", () => {
    const error = { code: "unknown_outcome", message: "who knows", retry: true };

    expect(encodeRefused(2, error, "made")).toBe(
      '{"id":2,"error":{"code":"unknown_outcome","message":"who knows","retry":true},"idempotencyKey":"made"}',
    );
    expect(decodeDown(encodeRefused(undefined, error))).toEqual({
      ok: true,
      value: { kind: "error", id: undefined, error },
    });
  });
});
