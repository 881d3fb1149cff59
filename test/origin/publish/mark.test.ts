import { expect, test } from "vitest";
import {
  MARK_HEADER,
  Marker,
  markHeader,
  type PublishContent,
  readMark,
} from "../../../origin/publish/mark.ts";

const SECRET = Buffer.alloc(32, 1);
const CONTENT: PublishContent = {
  topic: "t",
  key: Buffer.from("k"),
  value: Buffer.from("v"),
  headers: [["h", Buffer.from("1")]],
  id: { issuer: "i", subject: "s", key: "c", chosenBy: "client" },
};
const marker = new Marker([SECRET]);
const [mark] = marker.marksOf(CONTENT);

test("what is written into a header is read from it, among others", () => {
  expect(readMark([["a", null], markHeader(mark), ["b", Buffer.alloc(3)]])).toEqual(mark);
});

test.each([
  ["no header", []],
  ["null", [[MARK_HEADER, null]] as const],
  ["too short", [[MARK_HEADER, Buffer.alloc(36, 1)]] as const],
  ["another version", [[MARK_HEADER, Buffer.alloc(37, 2)]] as const],
])("%s is no mark", (_, headers) => {
  expect(readMark(headers)).toBeUndefined();
});

test.each<readonly [string, Partial<PublishContent>]>([
  ["topic", { topic: "u" }],
  ["record's key", { key: Buffer.from("l") }],
  ["client", { id: { ...CONTENT.id, subject: "t" } }],
  ["issuer", { id: { ...CONTENT.id, issuer: "j" } }],
  ["publish's key", { id: { ...CONTENT.id, key: "d" } }],
  ["borders between these", { id: { issuer: "is", subject: "", key: "c", chosenBy: "client" } }],
])("another %s is another id", (_, changes) => {
  expect(marker.marksOf({ ...CONTENT, ...changes })[0].id).not.toBe(mark.id);
});

test.each<readonly [string, Partial<PublishContent>]>([
  ["value", { value: Buffer.from("w") }],
  ["tombstone instead of nothing", { value: null }],
  ["header's name", { headers: [["g", Buffer.from("1")]] }],
  ["header's value", { headers: [["h", null]] }],
  ["number of headers", { headers: [] }],
])("with another %s the id stays, and the fingerprint is another", (_, changes) => {
  const [other] = marker.marksOf({ ...CONTENT, ...changes });

  expect(other.id).toBe(mark.id);
  expect(other.fingerprint).not.toBe(mark.fingerprint);
});

test("no value is not an empty one", () => {
  const [none] = marker.marksOf({ ...CONTENT, value: null });
  const [empty] = marker.marksOf({ ...CONTENT, value: Buffer.alloc(0) });

  expect(none.fingerprint).not.toBe(empty.fingerprint);
});

test("another secret makes other marks; with both in use, the first marks and both are known", () => {
  const fresh = new Marker([Buffer.alloc(32, 2)]).marksOf(CONTENT)[0];

  expect(fresh.id).not.toBe(mark.id);
  expect(new Marker([Buffer.alloc(32, 2), SECRET]).marksOf(CONTENT)).toEqual([fresh, mark]);
});

test("a mark tells which secret made it, and whether that is one of those in use", () => {
  const fresh = new Marker([Buffer.alloc(32, 2)]);
  const both = new Marker([Buffer.alloc(32, 2), SECRET]);
  const written = readMark([markHeader(mark)]);

  expect([marker, both, fresh].map((one) => one.recognises(written?.secret ?? ""))).toEqual([
    true,
    true,
    false,
  ]);
  expect(both.marksOf(CONTENT).map(({ secret }) => marker.recognises(secret))).toEqual([false, true]);
});
