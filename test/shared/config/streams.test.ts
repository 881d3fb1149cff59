import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { backMs, parseStreams, readStreams, type Streams } from "../../../shared/config/streams.ts";

const entry = (title: string, fields: object = {}) => ({ title, subscribe: "public", ...fields });

function streamsOf(streams: Record<string, object>): Streams {
  const result = readStreams({ streams });
  if (!result.ok) throw new Error(result.problems.join("; "));
  return result.streams;
}

function problemsOf(streams: unknown): readonly string[] {
  const result = readStreams({ streams });
  return result.ok ? [] : result.problems;
}

test("nobody may publish unless that is said, whoever may read", () => {
  const streams = streamsOf({
    read: entry("r"),
    open: entry("o", { publish: "token", subscribe: "nobody" }),
  });

  expect(streams.get("read")?.publish).toBe("nobody");
  expect(streams.get("open")).toMatchObject({ publish: "token", subscribe: "nobody", discover: "nobody" });
  expect(problemsOf({ a: entry("a", { publish: "everybody" }) })).toHaveLength(1);
});

describe("which stream a topic is exposed as", () => {
  const streams = streamsOf({
    "*": entry("any"),
    "orders.*": entry("orders"),
    "orders.eu": entry("eu"),
    "*.archive": entry("archive"),
    "*.eu.old": entry("first of its length"),
    "old.eu.*": entry("second"),
    __own: entry("own"),
  });
  const titleOf = (topic: string) => streams.get(topic)?.title;

  test("its own name wins over patterns, of these the longest, and of equal ones the first", () => {
    expect(titleOf("orders.eu")).toBe("eu");
    expect(titleOf("orders.us")).toBe("orders");
    expect(titleOf("orders.archive")).toBe("archive");
    expect(titleOf("else")).toBe("any");
    expect(titleOf("old.eu.eu.old")).toBe("first of its length");
  });

  test("one that is Kafka's own only by its own name", () => {
    expect(titleOf("__own")).toBe("own");
    expect(titleOf("__consumer_offsets")).toBeUndefined();
  });

  test("what matches nothing isn't exposed", () => {
    expect(streamsOf({ "orders.*": entry("orders") }).get("order.eu")).toBeUndefined();
    expect(streamsOf({ orders: entry("orders") }).get("orders.eu")).toBeUndefined();
  });

  test("whatever else is listed, a name that is listed is its own stream", () => {
    const name = fc.stringMatching(/^[ab*.]{1,6}$/).filter((text) => text !== "." && text !== "..");
    fc.assert(
      fc.property(fc.uniqueArray(name, { minLength: 1, maxLength: 6 }), (names) => {
        const listed = streamsOf(Object.fromEntries(names.map((one) => [one, entry(one)])));
        for (const one of names) expect(listed.get(one)?.title).toBe(one);
        expect(listed.named.map(({ topic }) => topic)).toEqual(names.filter((one) => !one.includes("*")));
        expect(listed.hasPatterns).toBe(names.some((one) => one.includes("*")));
      }),
    );
  });
});

describe("where reading begins", () => {
  test.each([
    ["1s", 1_000],
    ["30m", 1_800_000],
    ["24h", 86_400_000],
    ["7d", 604_800_000],
    ["999999d", 86_399_913_600_000],
  ])("%s back is %i ms", (start, ms) => {
    const stream = streamsOf({ t: entry("t", { start }) }).get("t");

    expect(stream?.start).toBe(start);
    expect(stream && backMs(stream.start)).toBe(ms);
  });

  test("is the beginning unless told, and neither that nor the end is a time back", () => {
    const streams = streamsOf({ t: entry("t"), l: entry("l", { start: "latest" }) });

    expect(streams.all.map(({ start }) => [start, backMs(start)])).toEqual([
      ["earliest", undefined],
      ["latest", undefined],
    ]);
  });

  test.each(["", "0s", "5", "m", "1.5h", "-1d", "1w", "24 h", "1000000s", "24h7d", "all-keys", 30])(
    "%s is a problem in words, which say how all keys are had",
    (start) => {
      const problems = problemsOf({ t: entry("t", { start }) });

      expect(problems).toHaveLength(1);
      expect(problems[0]).toMatch(/^streams\.t\.start: /);
      if (typeof start === "string") expect(problems[0]).toMatch(/30m.*all keys .* earliest with compacted/);
    },
  );
});

test.each([["no topic"], ["__*"], [".."]])("%s is neither a topic's name nor a pattern", (name) => {
  expect(problemsOf({ [name]: entry("t") })).toEqual([
    expect.stringMatching(/neither a topic's name nor a pattern of names$/),
  ]);
});

test("a file that is no JSON is a problem", () => {
  expect(parseStreams("{")).toMatchObject({
    ok: false,
    problems: [expect.stringMatching(/^\(the file\): /)],
  });
});
