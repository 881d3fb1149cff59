import { expect, test } from "vitest";
import type { PartitionFacts } from "../../../origin/index/views.ts";
import { Unusable } from "../../../origin/operate/unusable.ts";
import { RecordedLog } from "../../support/recorded-log.ts";

const NOTHING: PartitionFacts = {
  topic: "t",
  partition: 0,
  epoch: "e",
  horizon: 0,
  checkpoint: 0,
  records: 0,
  bytes: 0,
  kept: 0,
  keyless: 0,
  keyTooLong: 0,
  omitted: 0,
  oldestAt: undefined,
};

test("records that nobody sees are warned of once a topic, with their number, and again when it is tenfold", () => {
  const recorded = new RecordedLog();
  const unusable = new Unusable(recorded.log);
  const look = (...facts: readonly Partial<PartitionFacts>[]) =>
    unusable.look(facts.map((one) => ({ ...NOTHING, ...one })));

  look({});
  expect(recorded.events).toEqual([]);
  look({ keyless: 2 }, { partition: 1, keyless: 1 }, { topic: "u", keyless: 5 });
  for (const keyless of [3, 4, 29]) look({ keyless });
  look({ keyless: 30 });
  look({ keyless: 299 });

  expect(recorded.of("records_without_key")).toEqual([
    { topic: "t", count: 3 },
    { topic: "u", count: 5 },
    { topic: "t", count: 30 },
  ]);
});

test("keys that are too long and values that don't travel are told of by themselves", () => {
  const recorded = new RecordedLog();
  const unusable = new Unusable(recorded.log);

  for (const _ of [1, 2]) unusable.look([{ ...NOTHING, keyTooLong: 1, omitted: 7 }]);

  expect(recorded.events).toEqual([
    { event: "keys_too_long", fields: { topic: "t", count: 1 } },
    { event: "values_omitted", fields: { topic: "t", count: 7 } },
  ]);
});
