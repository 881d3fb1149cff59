/** What a shard that begins to run makes of the number of shards, and of what it noted before. */
import { expect, test } from "vitest";
import { type Beginning, beginningOf } from "../../../edge/shard/beginning.ts";

const one = (isStrict: boolean, wasLeftOut = false): Beginning => ({ kind: "one", isStrict, wasLeftOut });

test.each<[string, number, number, number | undefined, Beginning]>([
  ["as many as before", 2, 4, 4, one(false)],
  ["it is new", 2, 4, undefined, one(true)],
  ["more than before, when it was there", 2, 4, 3, one(true)],
  ["fewer than before", 2, 3, 4, one(true)],
  ["as many as it takes again, since it was left out", 2, 4, 2, one(true, true)],
  ["just as many as it takes again", 2, 3, 1, one(true, true)],
  ["too few for it", 2, 2, 4, { kind: "leftOut" }],
  ["more, and it is the first one", 0, 4, 2, { kind: "first", leftOut: [] }],
  ["any, and it is the first one, and new", 0, 4, undefined, { kind: "first", leftOut: [] }],
  ["fewer, and it is the first one", 0, 2, 5, { kind: "first", leftOut: [2, 3, 4] }],
])("[A9] there are %s", (_, shard, shards, seen, expected) => {
  expect(beginningOf(shard, shards, seen)).toEqual(expected);
});

test("[A9] whoever was left out while the number went down and up again waits for the first one, if it was told", () => {
  for (let least = 1; least < 6; least++) {
    const { leftOut } = beginningOf(0, least, 6) as Extract<Beginning, { kind: "first" }>;
    expect(leftOut).toEqual([1, 2, 3, 4, 5].filter((shard) => shard >= least));
    for (const shard of leftOut) {
      expect(beginningOf(shard, least, 6)).toEqual({ kind: "leftOut" });
      expect(beginningOf(shard, 6, least)).toEqual(one(true, true));
    }
  }
});
