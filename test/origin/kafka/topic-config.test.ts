import { expect, test } from "vitest";
import { forgetsIn } from "../../../origin/kafka/topic-config.ts";

const WINDOW_MS = 600_000;
const forgets = (values: Readonly<Record<string, string>>, error = 0) =>
  forgetsIn(WINDOW_MS, { error, values: new Map(Object.entries(values)) });
const set = (...names: readonly string[]) =>
  `it must be kept for longer: set ${names.join(" and ")} to 1200000 or more`;

test.each([
  ["a week", { "cleanup.policy": "delete", "retention.ms": "604800000" }, undefined],
  ["exactly twice the window", { "cleanup.policy": "delete", "retention.ms": "1200000" }, undefined],
  ["for ever", { "cleanup.policy": "delete", "retention.ms": "-1" }, undefined],
  ["a little less", { "cleanup.policy": "delete", "retention.ms": "1199999" }, set("retention.ms")],
  [
    "compacted at any time, whatever its retention",
    { "cleanup.policy": "compact", "retention.ms": "604800000", "min.compaction.lag.ms": "0" },
    set("min.compaction.lag.ms"),
  ],
  [
    "compacted late",
    { "cleanup.policy": "compact", "retention.ms": "1", "min.compaction.lag.ms": "1200000" },
    undefined,
  ],
  [
    "both, too soon",
    { "cleanup.policy": "compact, delete", "retention.ms": "1", "min.compaction.lag.ms": "1" },
    set("retention.ms", "min.compaction.lag.ms"),
  ],
  ["of unknown length", { "cleanup.policy": "delete" }, set("retention.ms")],
])("a topic kept %s", (_, values, expected) => {
  expect(forgets(values)).toBe(expected);
});

test("a topic of which Kafka tells nothing is not relied on", () => {
  expect(forgets({}, 29)).toContain("DESCRIBE_CONFIGS");
});
