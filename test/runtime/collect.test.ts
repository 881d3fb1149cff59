/** When the runtime on Node gives memory back. */
import { expect, test } from "vitest";
import { collector } from "../../edge/runtime/node/objects/collect.ts";

const INTERVAL_MS = 30_000;

function started() {
  const [few, many] = [
    { size: 0, gone: 0 },
    { size: 0, gone: 0 },
  ];
  let collections = 0;
  const look = collector([few, many], () => {
    collections++;
  });
  return {
    few,
    many,
    /** Whether it does so at that time. */
    collects(now: number): boolean {
      const before = collections;
      look(now);
      return collections > before;
    },
  };
}

test("memory is given back when 2,000 objects have gone, of all classes", () => {
  const { few, many, collects } = started();
  [few.gone, many.gone] = [1, 1_998];
  expect(collects(0)).toBe(false);
  few.gone++;
  expect(collects(0)).toBe(true);
  // What has gone since counts anew.
  expect(collects(INTERVAL_MS)).toBe(false);
  many.gone += 1_999;
  expect(collects(INTERVAL_MS)).toBe(false);
  many.gone++;
  expect(collects(INTERVAL_MS)).toBe(true);
});

test("not again within 30 s", () => {
  const { many, collects } = started();
  many.gone = 2_000;
  expect(collects(0)).toBe(true);
  many.gone = 10_000;
  expect(collects(INTERVAL_MS - 1)).toBe(false);
  expect(collects(INTERVAL_MS)).toBe(true);
});

test("not while much lives beside it, or by itself", () => {
  const { few, many, collects } = started();
  [few.size, many.size, many.gone] = [1, 1_000, 4_003];
  expect(collects(0)).toBe(false);
  many.gone++;
  expect(collects(0)).toBe(true);
  [many.size, many.gone] = [4_000, 100_000];
  expect(collects(INTERVAL_MS)).toBe(false);
  few.size = 0;
  expect(collects(INTERVAL_MS)).toBe(true);
});
