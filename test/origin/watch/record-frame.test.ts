import { expect, test } from "vitest";
import type { IndexedRecord } from "../../../origin/index/record.ts";
import { travelling } from "../../../origin/index/travelling.ts";
import { MARK_HEADER } from "../../../origin/publish/mark.ts";
import type { SourceRecord } from "../../../origin/source/source.ts";
import { frameOf } from "../../../origin/watch/record-frame.ts";
import { decodeUpdate } from "../../../shared/protocol/frame.ts";

const MIB = 1024 * 1024;

function record(fields: Partial<SourceRecord>): IndexedRecord {
  const source = { timestamp: 1_000, value: Buffer.from('{"a": 1.0}'), headers: [], ...fields };
  const known = { epoch: "e.0", offset: 7, previous: 3, arrival: 0, key: Buffer.from("k") };
  return { ...known, timestamp: source.timestamp, ...travelling(source) };
}

test("[F2] [F4] a record becomes a frame with its value as it was produced", () => {
  expect(frameOf("/t/k", record({}), 5)).toBe('{"e":"/t/k","p":"e.0:7","q":5,"t":1000,"v":{"a": 1.0}}');
  expect(frameOf("/t/k", record({ timestamp: undefined, value: null }), undefined)).toBe(
    '{"e":"/t/k","p":"e.0:7","d":true}',
  );
});

test("[F6] headers are text where they are UTF-8, else bytes, or null", () => {
  const headers = [
    ["a", Buffer.from("ü")] as const,
    ["a", Buffer.from([255])] as const,
    ["b", null] as const,
  ];

  expect(frameOf("/t/k", record({ headers, value: null }), undefined)).toContain(
    '"h":[["a","ü"],["a","/w==","base64"],["b",null]]',
  );
});

test("[F8] a value that the index left out is announced with its size", () => {
  expect(frameOf("/t/k", record({ value: Buffer.alloc(9_000_000) }), undefined)).toContain('"o":9000000}');
});

test("[F8] so is one whose frame would be too large for the edge, for it would end the uplink again and again", () => {
  const frame = frameOf("/t/k", record({ value: Buffer.alloc(4 * MIB, 1) }), 3);

  expect(frame).toBe(`{"e":"/t/k","p":"e.0:7","q":3,"t":1000,"o":${4 * MIB}}`);
  expect(frameOf("/t/k", record({ value: Buffer.alloc(8 * MIB, "x") }), 3).length).toBeGreaterThan(8 * MIB);
  expect(frameOf("/t/k", record({ value: Buffer.alloc(8 * MIB, 255) }), 3).length).toBeGreaterThan(8 * MIB);
});

const large = (mib: number) => [["a", Buffer.alloc(mib * MIB, "x")]] as const;

test("[F8] headers that are too large for the edge are left out, with their size in their place; the value travels", () => {
  const headers = [...large(17), ["ü", null] as const];
  const size = 17 * MIB + 3;

  expect(frameOf("/t/k", record({ headers }), 3)).toBe(
    `{"e":"/t/k","p":"e.0:7","q":3,"t":1000,"x":${size},"v":{"a": 1.0}}`,
  );
  expect(frameOf("/t/k", record({ headers, value: null }), 3)).toBe(
    `{"e":"/t/k","p":"e.0:7","q":3,"t":1000,"x":${size},"d":true}`,
  );
});

test("[F8] of headers and a value that only one of them can travel, it is the value", () => {
  const frame = frameOf("/t/k", record({ headers: large(9), value: Buffer.alloc(8 * MIB, 255) }), 3);

  expect(decodeUpdate(frame)).toMatchObject({
    ok: true,
    value: { headers: [], headersOmitted: 9 * MIB + 1, value: { kind: "bytes", bytes: { length: 8 * MIB } } },
  });
});

test.each([
  ["that escapes make too large", Buffer.alloc(4 * MIB, 1), 4 * MIB],
  ["that the index left out", Buffer.alloc(9_000_000), 9_000_000],
])("[F8] of a value %s the headers travel, unless they are too large themselves", (_, value, size) => {
  expect(decodeUpdate(frameOf("/t/k", record({ headers: large(1), value }), 3))).toMatchObject({
    ok: true,
    value: { headers: [["a", "x".repeat(MIB)]], value: { kind: "omitted", size } },
  });
  expect(frameOf("/t/k", record({ headers: large(17), value }), 3)).toBe(
    `{"e":"/t/k","p":"e.0:7","q":3,"t":1000,"x":${17 * MIB + 1},"o":${size}}`,
  );
});

test("[F6] what a publish is remembered by is no header of its record", () => {
  const headers = [["a", null] as const, [MARK_HEADER, Buffer.alloc(37)] as const, ["b", null] as const];

  expect(frameOf("/t/k", record({ headers, value: null }), undefined)).toContain(
    '"h":[["a",null],["b",null]]',
  );
  expect(frameOf("/t/k", record({ headers: headers.slice(1, 2), value: null }), undefined)).not.toContain(
    '"h"',
  );
});
