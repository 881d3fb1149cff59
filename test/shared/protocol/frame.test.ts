import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  decodeUpdate,
  encodeUpdate,
  type Frame,
  type Header,
  routingOf,
  type Update,
  type Value,
} from "../../../shared/protocol/frame.ts";
import { LIMITS } from "../../../shared/protocol/limits.ts";
import { packMessages, splitBinary, splitText } from "../../../shared/protocol/message.ts";
import { classifyValue } from "../../support/values.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const update = (value: Value, more: Partial<Update> = {}): Update => ({
  endpoint: "/t/k",
  epoch: "Zk3x9Q.3",
  offset: 1_077,
  previous: 1_041,
  timestamp: 1_763_690_000_123,
  headers: [],
  value,
  ...more,
});
const decoded = (frame: Frame) => {
  const result = decodeUpdate(frame);
  if (!result.ok) throw new Error(result.problem);
  return result.value;
};
/** The bytes that a receiver can restore from a value. */
const produced = (value: Value) =>
  value.kind === "tombstone" || value.kind === "omitted"
    ? null
    : Buffer.from(value.kind === "bytes" ? value.bytes : utf8(value.text));

const jsonText = fc
  .tuple(fc.json(), fc.constantFrom("", " ", "\n\t", "\r\n "))
  .map(([json, space]) => space + json + space);
const anyBytes = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.string({ unit: "binary", maxLength: 100 }).map(utf8),
  jsonText.map(utf8),
  fc
    .constantFrom(
      '{"a":1,"a":2}',
      "12345678901234567890123",
      "1.0",
      "1e400",
      '"\\ud800"',
      "",
      " ",
      "\ufeff{}",
      "\u001e",
      ',"v":',
      '{"v":1}',
    )
    .map(utf8),
);
const header: fc.Arbitrary<Header> = fc.tuple(
  fc.oneof(fc.string(), fc.constantFrom("v", '","v":', "\n")),
  fc.oneof(fc.constant(null), fc.string(), fc.uint8Array({ maxLength: 20 }), fc.constant(',"v":')),
);
const whole: fc.Arbitrary<Update> = fc.record({
  endpoint: fc.constantFrom("/t/k", "/t/%22%2C%22v%22%3A", "/a.b/$"),
  epoch: fc.stringMatching(/^[A-Za-z0-9_.-]{1,32}$/),
  offset: fc.maxSafeNat(),
  previous: fc.option(fc.maxSafeNat(), { nil: undefined }),
  timestamp: fc.option(fc.oneof(fc.integer({ min: 0, max: 4e12 }), fc.maxSafeNat()), { nil: undefined }),
  headers: fc.array(header, { maxLength: 4 }),
  value: fc.oneof(
    anyBytes.map(classifyValue),
    fc.constant<Value>({ kind: "tombstone" }),
    fc.constant<Value>({ kind: "omitted", size: 9e9 }),
  ),
});
const anyUpdate: fc.Arbitrary<Update> = fc.oneof(
  whole,
  fc.tuple(whole, fc.nat()).map(([update, headersOmitted]) => ({ ...update, headers: [], headersOmitted })),
);

describe("update frames", () => {
  test("[F2] the frame is what PROTOCOL.md shows", () => {
    expect(encodeUpdate(update({ kind: "json", text: '{"bid":229.1}' }))).toBe(
      '{"e":"/t/k","p":"Zk3x9Q.3:1077","q":1041,"t":1763690000123,"v":{"bid":229.1}}',
    );
    expect(
      encodeUpdate(update({ kind: "text", text: 'a"b' }, { previous: undefined, timestamp: undefined })),
    ).toBe('{"e":"/t/k","p":"Zk3x9Q.3:1077","s":"a\\"b"}');
    expect(encodeUpdate(update({ kind: "tombstone" }))).toContain(',"d":true}');
    expect(encodeUpdate(update({ kind: "omitted", size: 9_000_000 }))).toContain(',"o":9000000}');
  });

  test.each([
    ['{"b":1,"a":2}', "json"],
    ['{"a":1,"a":2}', "json"],
    ["12345678901234567890", "json"],
    [' \n{"a" : 1}\t', "json"],
    ['"text in quotes"', "json"],
    ["null", "json"],
    ["plain", "text"],
    ["", "text"],
    ["NaN", "text"],
    ["\ufeff{}", "text"],
    ["{'a':1}", "text"],
  ])("[F3] [F4] %j travels as %s and is restored to the byte", (text, kind) => {
    const value = classifyValue(utf8(text));

    expect(value.kind).toBe(kind);
    expect(produced(decoded(encodeUpdate(update(value))).value)?.equals(utf8(text))).toBe(true);
  });

  test("[F3] no value, other bytes and too many bytes", () => {
    expect(classifyValue(null)).toEqual({ kind: "tombstone" });
    expect(classifyValue(Uint8Array.of(0xff))).toEqual({ kind: "bytes", bytes: Uint8Array.of(0xff) });
    expect(classifyValue(new Uint8Array(LIMITS.valueBytes)).kind).toBe("text");
    expect(classifyValue(new Uint8Array(LIMITS.valueBytes + 1))).toEqual({
      kind: "omitted",
      size: LIMITS.valueBytes + 1,
    });
  });

  test("[F5] 512 random bytes grow by no more than their header", () => {
    const bytes = Uint8Array.from({ length: 512 }, (_, i) => (i * 151 + 7) % 256);

    const frame = encodeUpdate(update(classifyValue(bytes)));

    expect(typeof frame).toBe("object");
    expect(frame.length).toBeLessThanOrEqual(512 + 84);
  });

  test("[F2] [F4] [F5] [F6] [F7] every update is restored as it was, headers and timestamp too", () => {
    fc.assert(
      fc.property(anyUpdate, (original) => {
        const restored = decoded(encodeUpdate(original));

        expect({ ...restored, value: restored.value.kind }).toEqual({
          ...original,
          value: original.value.kind,
        });
        expect(produced(restored.value)).toEqual(produced(original.value));
        if (original.value.kind === "omitted") expect(restored.value).toEqual(original.value);
      }),
      { numRuns: 2_000 },
    );
  });

  test("[F2] what a hop needs is read without the value, whatever stands in it", () => {
    fc.assert(
      fc.property(anyUpdate, (original) => {
        const { endpoint, epoch, offset, previous } = original;
        expect(routingOf(encodeUpdate(original))).toEqual({ endpoint, epoch, offset, previous });
      }),
      { numRuns: 2_000 },
    );
  });

  test("[F2] [F8] headers that were omitted are told from none, and before the value", () => {
    const omitted = update({ kind: "json", text: "1" }, { headersOmitted: 17 });
    const frame = encodeUpdate(omitted);

    expect(frame).toContain(',"x":17,"v":1}');
    expect(decoded(frame).headersOmitted).toBe(17);
    expect(decoded(encodeUpdate(update({ kind: "json", text: "1" })))).not.toHaveProperty("headersOmitted");
  });

  test("[F2] [V3] a field added by a later version is passed over", () => {
    expect(decoded('{"e":"/t/k","p":"a:1","q":0,"zone":"eu","v":{"x":1}}').value).toEqual({
      kind: "json",
      text: '{"x":1}',
    });
    expect(routingOf('{"e":"/t/k","p":"a:1","q":0,"zone":"eu","v":{"x":1}}')?.previous).toBe(0);
  });

  test.each([
    "",
    "{}",
    "null",
    "[]",
    '{"e":"/t/k"}',
    '{"e":"/t/k","p":"a:1"}',
    '{"e":"/t/k","p":"a:x","v":1}',
    '{"e":"/t/k","p":"a:1","v":}',
    '{"e":"/t/k","p":"a:1","v":{]}',
    '{"e":"/t/k","p":"a:1","d":true,"v":1}',
    '{"e":"/t/k","p":"a:1","q":-1,"v":1}',
    '{"e":"/t/k","p":"a:1","t":1e400,"v":1}',
    '{"e":"/t/k","p":"a:1","x":-1,"v":1}',
    '{"e":"/t/k","p":"a:1","x":true,"v":1}',
    '{"e":"t","p":"a:1","v":1}',
    '{"e":"/t/k","p":"a:1","h":[["name","=A","base64"]],"v":1}',
    '{"e":"/t/k","p":"a:1","n":3}',
    '{"e":"/t/k","p":"a:1","v":1',
    Uint8Array.of(1, 2, 3),
    utf8('{"e":"/t/k","p":"a:1","n":3}\nab'),
    utf8('{"e":"/t/k","p":"a:1","n":3}'),
  ])("[F9] %j is a problem, not an exception", (frame) => {
    expect(decodeUpdate(frame).ok).toBe(false);
  });

  test("[F9] any text and any bytes are read or refused, without an exception", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.uint8Array()),
        (frame) => typeof decodeUpdate(frame).ok === "boolean",
      ),
    );
  });
});

describe("messages", () => {
  test("[F10] [F11] [F12] however frames are packed, they come out the same and in order", () => {
    fc.assert(
      fc.property(
        fc.array(anyUpdate.map(encodeUpdate), { maxLength: 20 }),
        fc.integer({ min: 1, max: 2_000 }),
        (frames, maxBytes) => {
          const messages = packMessages(frames, maxBytes);

          const unpacked = messages.flatMap((message): readonly Frame[] =>
            typeof message === "string" ? splitText(message) : (splitBinary(message) ?? []),
          );

          expect(unpacked).toEqual(frames);
          for (const message of messages)
            expect(message.length <= maxBytes || frames.includes(message)).toBe(true);
        },
      ),
    );
  });

  test("[F10] [F11] frames that come together leave together", () => {
    const text = encodeUpdate(update({ kind: "json", text: "1" }));
    const binary = encodeUpdate(update({ kind: "bytes", bytes: Uint8Array.of(0xff) }));

    expect(
      packMessages([text, text, text, binary, binary, text], 10_000).map((message) => typeof message),
    ).toEqual(["string", "object", "string"]);
  });

  test("[F11] bytes that are not whole binary frames are refused", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1 }),
        (bytes) => splitBinary(Uint8Array.from(bytes)) === undefined,
      ),
    );
    const frame = encodeUpdate(update({ kind: "bytes", bytes: Uint8Array.of(0xff, 0xfe) }));
    if (typeof frame === "string") throw new Error("expected a binary frame");
    expect(splitBinary(frame.slice(0, -1))).toBeUndefined();
  });
});
