import { expect, test } from "vitest";
import type { IndexedRecord } from "../../origin/index/record.ts";
import { frameOf } from "../../origin/record.ts";
import { decodeUpdate } from "../../shared/protocol/frame.ts";

const MIB = 1024 * 1024;

const record = (fields: Partial<IndexedRecord>): IndexedRecord => ({
  ...{ epoch: "e.0", offset: 7, previous: 3, arrival: 0, timestamp: 1_000, key: Buffer.from("k") },
  ...{ value: Buffer.from('{"a": 1.0}'), headers: [] },
  ...fields,
});

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
  expect(frameOf("/t/k", record({ value: { omitted: 9_000_000 } }), undefined)).toContain('"o":9000000}');
});

test("[F8] so is one whose frame would be too large for the edge, for it would end the uplink again and again", () => {
  const frame = frameOf("/t/k", record({ value: Buffer.alloc(4 * MIB, 1) }), 3);

  expect(frame).toBe(`{"e":"/t/k","p":"e.0:7","q":3,"t":1000,"o":${4 * MIB}}`);
  expect(frameOf("/t/k", record({ value: Buffer.alloc(8 * MIB, "x") }), 3).length).toBeGreaterThan(8 * MIB);
  expect(frameOf("/t/k", record({ value: Buffer.alloc(8 * MIB, 255) }), 3).length).toBeGreaterThan(8 * MIB);
});

test("headers that alone are too large for the edge are left out", () => {
  const frame = frameOf("/t/k", record({ headers: [["a", Buffer.alloc(17 * MIB, "x")]] }), 3);

  expect(decodeUpdate(frame)).toMatchObject({ ok: true, value: { headers: [], value: { kind: "omitted" } } });
});
