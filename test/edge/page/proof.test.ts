import { expect, test } from "vitest";
import {
  beginResumption,
  describeResumption,
  outcome,
  type Resumption,
  summarize,
  withCaughtUp,
  withUpdate,
  withVerdict,
} from "../../../edge/page/proof.ts";

const begin = (from: string): Resumption => {
  const resumption = beginResumption(from);
  if (resumption === undefined) throw new Error("nothing had been received");
  return resumption;
};
const recovered = (from: string) => withVerdict(begin(from), true, undefined);
const update = (offset: number, previous: number | undefined, epoch = "a") => ({ epoch, offset, previous });

test("a chain that leads from where it was cut is whole, and its updates are those that were missed", () => {
  const caughtUp = withCaughtUp(withUpdate(withUpdate(recovered("a:10"), update(12, 10)), update(15, 12)));
  const live = withUpdate(caughtUp, update(20, 15));

  expect(outcome(live)).toBe("whole");
  expect(describeResumption(live)).toBe(
    "resumed from a:10, recovered: true, 2 updates missed and delivered, 0 lost",
  );
});

test("[P5] a missing link shows, whatever the verdict said", () => {
  const claimed = withCaughtUp(withUpdate(withUpdate(recovered("a:10"), update(12, 11)), update(15, 12)));

  expect(outcome(claimed)).toBe("lost");
  expect(describeResumption(claimed)).toBe(
    "resumed from a:10, recovered: true, 2 updates missed and delivered, but 1 link of the chain missing",
  );
});

test("an update that comes again is no whole chain", () => {
  expect(outcome(withUpdate(recovered("a:10"), update(10, 9)))).toBe("lost");
});

test("each epoch is a chain by itself", () => {
  const both = withUpdate(withUpdate(recovered("a:10,b:5"), update(7, 5, "b")), update(11, 10, "a"));

  expect(both.broken).toBe(0);
});

test("nothing is said to be whole before it has caught up, nor after a loss that was announced", () => {
  const underWay = withUpdate(recovered("a:10"), update(12, 10));
  const announced = withCaughtUp(withVerdict(withVerdict(begin("a:10"), false, "horizon"), true, undefined));

  expect([outcome(begin("a:10")), outcome(underWay), outcome(announced)]).toEqual(["open", "open", "lost"]);
  expect(describeResumption(underWay)).not.toContain("lost");
  expect(describeResumption(announced)).toContain("recovered: false (horizon)");
});

test("an endpoint that had received nothing has nothing to resume", () => {
  expect(beginResumption(undefined)).toBeUndefined();
});

test("all together are whole only when each is", () => {
  const whole = withCaughtUp(withUpdate(recovered("a:10"), update(12, 10)));
  const lost = withCaughtUp(withVerdict(begin("a:10"), false, "epoch"));

  expect(summarize([whole, whole])).toBe(
    "2 endpoints resumed, 2 updates missed and delivered, 0 lost: every chain is whole.",
  );
  expect(summarize([whole, lost])).toContain("1 endpoint can't show that none is lost");
  expect(summarize([whole, recovered("a:10")])).toBe("1 of 2 endpoints are live again…");
});
