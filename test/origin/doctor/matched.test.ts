import { expect, test } from "vitest";
import { matchedBy } from "../../../origin/doctor/matched.ts";
import { Streams } from "../../../shared/config/streams.ts";
import { STREAM } from "../../support/small-origin.ts";

const streams = new Streams(["orders.*", "orders.eu", "none.*"].map((topic) => ({ ...STREAM, topic })));

test("topics are examined that are named or match, each once, and each pattern says how many it matches", () => {
  const { streams: examined, findings } = matchedBy(streams, ["orders.eu", "orders.us", "other"]);

  expect(examined.map(({ topic }) => topic)).toEqual(["orders.eu", "orders.us"]);
  expect(findings).toMatchObject([
    { verdict: "ok", what: "pattern orders.*", says: "matches 1 topics" },
    { verdict: "hint", what: "pattern none.*" },
  ]);
});

test("of thousands only the first are examined, and that is said", () => {
  const existing = Array.from({ length: 1_000 }, (_, i) => `orders.${i}`);

  const { streams: examined, findings } = matchedBy(streams, existing);

  expect(examined).toHaveLength(21);
  expect(findings[0]?.says).toContain("1000");
  expect(findings[0]?.says).toContain("first 20");
});
