import { expect, test } from "vitest";
import { resultAt } from "../sample-result.ts";
import { together } from "./cost.ts";

test("the turns of a system count together, and what is counted since its start counts once", () => {
  const first = resultAt(4, {
    cpu: { edge: 10 },
    messagesPerSecond: 40,
    operations: { message: 1 },
    lost: 0,
  });
  const second = resultAt(4, {
    cpu: { edge: 20 },
    messagesPerSecond: 42,
    operations: { message: 3 },
    lost: 2,
  });

  expect(together([first, second])).toMatchObject({
    cpu: { edge: 15 },
    messagesPerSecond: 41,
    operations: { message: 2 },
    lost: 2,
  });
  expect(together([])).toBeUndefined();
});
