/** One who was away longer than the index reaches is caught up from the log, where the stream allows it. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../support/deadline.ts";
import { Deployment, pathOf, utf8 } from "../support/deployment.ts";

const ROUNDS = 30;
const KEYS = ["a", "b", "c"];

let deployment: Deployment;

beforeAll(async () => {
  const window = { updates: 5, seconds: 1 };
  deployment = await Deployment.start({
    topics: {
      replayed: { partitions: 2, stream: { window, replay: 100_000 } },
      forgotten: { partitions: 2, stream: { window } },
    },
  });
});

afterAll(() => deployment?.stop());

const write = (round: number) => {
  for (const topic of ["replayed", "forgotten"])
    deployment.produce(
      topic,
      KEYS.map((key) => ({ key: utf8(key), value: utf8(JSON.stringify({ key, round })) })),
    );
};

test("[R7] nothing is lost to one who comes back after the index has dropped what it missed, but with `replay` 0", async () => {
  const path = (topic: string) => pathOf(topic, "a");
  write(0);
  const before = ["replayed", "forgotten"].map((topic) => deployment.subscribe(path(topic)));
  const positions = await Promise.all(
    before.map(async (one) => (await one.until(({ updates }) => updates.length === 1, "the first")).position),
  );
  for (const one of before) one.socket.close();
  for (let round = 1; round <= ROUNDS; round++) write(round);

  const forgotten = await eventually(
    async () => {
      const late = deployment.subscribe(path("forgotten"), positions[1]);
      await late.until(({ verdicts }) => verdicts.length > 0, "a verdict");
      late.socket.close();
      return late.verdicts[0]?.recovered === false && late.verdicts[0];
    },
    "the index has dropped it",
    60_000,
  );
  expect(forgotten).toMatchObject({ cause: "horizon" });

  const late = deployment.subscribe(path("replayed"), positions[0]);
  await late.until(({ updates }) => updates.length === ROUNDS, "all that it missed");
  write(ROUNDS + 1);
  await late.until(({ updates }) => updates.length === ROUNDS + 1, "what comes next");

  expect(late.verdicts).toMatchObject([{ recovered: true, position: positions[0] }]);
  expect(late.resets).toEqual([]);
  expect(late.violations).toEqual([]);
  expect(late.updates.map(({ value }) => JSON.parse(String(value)).round)).toEqual(
    Array.from({ length: ROUNDS + 1 }, (_, i) => i + 1),
  );
  late.socket.close();
}, 120_000);
