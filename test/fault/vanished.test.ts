import { expect, test } from "vitest";
import { expectedOf } from "./latest.ts";
import { whole, withVanished } from "./vanished.ts";
import type { Placed } from "./writer.ts";

const placed = (offset: number, endpoint = "/t/k", isTombstone = false): Placed => ({
  endpoint,
  partition: 0,
  offset,
  id: offset * 100,
  isTombstone,
});
const held = (...offsets: number[]) => offsets.map((offset) => ({ offset, id: offset * 100 }));

test("what was acknowledged and can't be read back has vanished, and stands in its place", () => {
  const contents = new Map([[0, new Map([["/t/k", held(1, 5)]])]]);
  const acknowledged = {
    placed: [placed(5), placed(3), placed(1), placed(4, "/t/gone", true)],
    sent: new Map(),
  };

  const kept = withVanished(contents, acknowledged).get(0);

  expect(kept?.records).toEqual(
    new Map([
      [
        "/t/k",
        [
          { offset: 1, id: 100 },
          { offset: 3, id: 300, vanished: true },
          { offset: 5, id: 500 },
        ],
      ],
      ["/t/gone", [{ offset: 4, id: 400, isTombstone: true, vanished: true }]],
    ]),
  );
  expect(kept?.forgetful?.vanished.map(({ offset }) => offset)).toEqual([3, 4]);
});

test("what no producer was told of is there all the same, if it can be read back", () => {
  const contents = new Map([[0, new Map([["/t/k", held(1, 2)]])]]);
  const kept = withVanished(contents, { placed: [placed(1)], sent: new Map() }).get(0);
  expect(kept?.records.get("/t/k")).toEqual(held(1, 2));
});

test("offsets of other partitions are other records", () => {
  const contents = new Map([
    [0, new Map([["/t/k", held(1)]])],
    [1, new Map()],
  ]);
  const log = withVanished(contents, {
    placed: [placed(1), { ...placed(1), partition: 1 }],
    sent: new Map(),
  });
  expect(log.get(0)?.forgetful?.vanished).toEqual([]);
  expect(log.get(1)?.forgetful?.vanished).toMatchObject([{ offset: 1 }]);
});

test("GET is due the last value, nothing after a tombstone that has vanished with all before it, and either where the log doesn't tell", () => {
  const contents = new Map([
    [
      0,
      new Map([
        ["/t/alive", held(1, 2)],
        ["/t/again", held(6)],
      ]),
    ],
  ]);
  const kept = withVanished(contents, {
    placed: [
      placed(3, "/t/deleted"),
      placed(4, "/t/deleted", true),
      placed(5, "/t/purged"),
      placed(7, "/t/again", true),
    ],
    sent: new Map(),
  }).get(0);
  const epoch = { isVoid: false, isForgotten: false, records: new Map(), ...kept };

  expect(expectedOf(new Map([["a.0", epoch]]))).toEqual(
    new Map<string, unknown>([
      ["/t/alive", 200],
      ["/t/deleted", "gone"],
      ["/t/purged", undefined],
      ["/t/again", undefined],
    ]),
  );
});

test("GET is due nothing certain of a key in several offset spaces, of a topic that is gone, or that an index forgets", () => {
  const records = whole(new Map([[0, new Map([["/t/k", held(1)]])]])).get(0)?.records ?? new Map();
  const epoch = { isVoid: false, isForgotten: false, records };
  const expected = (...epochs: object[]) =>
    expectedOf(new Map(epochs.map((one, i) => [`a.${i}`, { ...epoch, ...one }]))).get("/t/k");

  expect(expected({})).toBe(100);
  expect(expected({}, {})).toBeUndefined();
  expect(expected({ isVoid: true })).toBeUndefined();
  expect(expected({ isForgotten: true })).toBeUndefined();
});
