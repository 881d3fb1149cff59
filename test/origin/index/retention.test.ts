import { describe, expect, test } from "vitest";
import { type Droppable, nextToDrop } from "../../../origin/index/retention.ts";
import { ROOMY } from "../../support/index-records.ts";

const partition = (fields: Partial<Droppable>): Droppable => ({
  retired: false,
  maxAgeMs: undefined,
  records: 10,
  bytes: 1_000,
  newest: 500,
  ...fields,
});

describe("what goes next", () => {
  test("nothing while all is within bounds, however old it is where age has no bound", () => {
    const all = [partition({ newest: 0 }), partition({})];
    expect(nextToDrop(all, { maxRecords: 20, maxBytes: 2_000 }, 1e12)).toBeUndefined();
    expect(nextToDrop([], ROOMY, 0)).toBeUndefined();
  });

  test("what is retired, before anything that someone can ask for", () => {
    const retired = partition({ retired: true });
    expect(nextToDrop([partition({ maxAgeMs: 1 }), retired], ROOMY, 1_000)).toBeDefined();
    expect(nextToDrop([partition({}), retired], ROOMY, 1_000)).toBe(retired);
  });

  test("a batch whose youngest record is older than its topic allows, and not one that just reaches it", () => {
    const old = partition({ maxAgeMs: 100 });
    expect(nextToDrop([partition({}), old], ROOMY, 600)).toBeUndefined();
    expect(nextToDrop([partition({}), old], ROOMY, 601)).toBe(old);
  });

  test("over the bound of bytes the largest in bytes gives, over that of records the one with most records", () => {
    const wide = partition({ bytes: 5_000, records: 1 });
    const many = partition({ bytes: 10, records: 500 });
    const all = [partition({}), wide, many, partition({})];
    expect(nextToDrop(all, { ...ROOMY, maxBytes: 7_009 }, 0)).toBe(wide);
    expect(nextToDrop(all, { ...ROOMY, maxBytes: 7_010 }, 0)).toBeUndefined();
    expect(nextToDrop(all, { ...ROOMY, maxRecords: 520 }, 0)).toBe(many);
    expect(nextToDrop(all, { ...ROOMY, maxRecords: 521 }, 0)).toBeUndefined();
  });

  test("a partition without a batch on disk has nothing to give", () => {
    const empty = partition({ newest: undefined, retired: true, bytes: 1e9 });
    expect(nextToDrop([empty], { maxRecords: 0, maxBytes: 0 }, 0)).toBeUndefined();
  });
});
