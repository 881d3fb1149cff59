import { expect, test } from "vitest";
import { Sample } from "../../../origin/doctor/sample.ts";

const bytes = (...values: readonly number[]) => Uint8Array.from(values);
const KEY = Buffer.from("k");
/** As serializers of Confluent's registry write it: with the id 7, and 100,001. */
const AVRO = [bytes(0, 0, 0, 0, 7, 2, 97), bytes(0, 0, 1, 134, 161, 123, 125)];

function says(...records: readonly (readonly [key: Uint8Array | null, value: Uint8Array | null])[]) {
  const sample = new Sample();
  for (const [key, value] of records) sample.add(key, value);
  expect(sample.records).toBe(records.length);
  return sample
    .findings("topic t")
    .map(({ verdict, what, says, todo }) => `${verdict} ${what}: ${says} → ${todo}`);
}

test("records with plain keys and values are nothing to speak of", () => {
  expect(says()).toEqual([]);
  expect(says([KEY, Buffer.from("{}")], [KEY, null], [Buffer.alloc(0), Buffer.alloc(0)])).toEqual([]);
});

test("records without a key have no URL", () => {
  expect(says([null, KEY], [KEY, KEY], [null, null])).toEqual([
    "hint topic t: 2 of the first 3 records have no key, and so no URL → have producers set a key",
  ]);
});

test("values behind the id of a schema are named, with the ids: subscribers would get them as binary", () => {
  expect(
    says([KEY, AVRO[1] ?? null], [KEY, AVRO[0] ?? null], [KEY, AVRO[0] ?? null], [KEY, null], [KEY, KEY]),
  ).toEqual([
    "hint topic t: 3 of the first 4 values begin with the five bytes of a schema registry (a byte 0, then an id: 7, 100001): subscribers get them as they are, in binary → expose a topic that has them as JSON, or have subscribers decode them",
  ]);
});

test("so are keys, of whose URLs it would be a part, and no more than five ids", () => {
  const schemas = [3, 1, 2, 6, 5, 4].map((id) => bytes(0, 0, 0, 0, id, 1));

  expect(says(...schemas.map((key) => [key, KEY] as const), [null, KEY])).toEqual([
    "hint topic t: 1 of the first 7 records have no key, and so no URL → have producers set a key",
    "hint topic t: 6 of the first 6 keys begin with the five bytes of a schema registry (a byte 0, then an id: 1, 2, 3, 4, 5, …), which are in their URLs, too ($b64.…), and change with the schema → have producers write keys as plain text",
  ]);
});

test.each([
  ["a number of eight bytes", bytes(0, 0, 0, 0, 0, 0, 1, 2)],
  ["an id and nothing behind it", bytes(0, 0, 0, 0, 7)],
  ["another first byte", bytes(1, 0, 0, 0, 7, 1)],
  ["an id that there can't be", bytes(0, 255, 255, 255, 255, 1)],
])("%s isn't taken for one", (_, value) => {
  expect(says([KEY, value])).toEqual([]);
});

test("bytes that lie within others are read where they lie", () => {
  expect(says([KEY, bytes(9, 9, 0, 0, 0, 0, 7, 1).subarray(2)])[0]).toContain("then an id: 7)");
});
