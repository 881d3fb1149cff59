/** Order, no loss and no duplicate at scale, and joins in the middle of it. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Deployment, pathOf, utf8 } from "../support/deployment.ts";
import type { RawSubscriber } from "../support/raw-subscriber.ts";

const RECORDS = 100_000;
const KEYS = 1_000;
const SUBSCRIBERS = 200;
const BATCH = 1_000;

let deployment: Deployment;

beforeAll(async () => {
  deployment = await Deployment.start({ topics: { load: { partitions: 6 } } });
});

afterAll(() => deployment?.stop());

interface Joined {
  readonly key: string;
  readonly subscriber: RawSubscriber;
  readonly verdict: Promise<void>;
  /** Records of its key when its verdict came. */
  produced: number;
}

/** A small generator with a seed, so that a failure can be repeated. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

test(`[P6] [S6] [U6] ${RECORDS} records over ${KEYS} keys and 6 partitions: each of ${SUBSCRIBERS} subscribers sees all of its key since it joined, in order, once`, async () => {
  const next = random(20_261_121);
  /** key → number of each of its records, in the order of the log */
  const produced = new Map<string, number[]>();
  const joined: Joined[] = [];
  const join = () => {
    const key = `key-${Math.floor(next() * KEYS)}`;
    const subscriber = deployment.subscribe(pathOf("load", key));
    const verdict = subscriber.verdict().then(() => {
      one.produced = produced.get(key)?.length ?? 0;
    });
    const one: Joined = { key, subscriber, verdict, produced: 0 };
    joined.push(one);
  };
  for (let i = 0; i < SUBSCRIBERS / 2; i++) join();
  await Promise.all(joined.map(({ verdict }) => verdict));

  for (let first = 0; first < RECORDS; first += BATCH) {
    const records = Array.from({ length: BATCH }, (_, i) => {
      const key = `key-${Math.floor(next() * KEYS)}`;
      const numbers = produced.get(key) ?? [];
      produced.set(key, numbers);
      numbers.push(first + i);
      return { key: utf8(key), value: utf8(`{"n":${first + i}}`) };
    });
    deployment.produce("load", records);
    if (first % 4_000 === 0) for (let i = 0; i < 4; i++) join();
    // Those who joined a while ago are waited for, those who join now are in the middle of the records.
    await Promise.all(joined.slice(0, -4).map(({ verdict }) => verdict));
  }

  await Promise.all(joined.map(({ verdict }) => verdict));
  expect(joined.length).toBe(SUBSCRIBERS);
  let compared = 0;
  for (const { key, subscriber, produced: before } of joined) {
    const all = produced.get(key) ?? [];
    const numbers = () =>
      subscriber.updates.map(({ value }) => (JSON.parse(value?.toString() ?? "") as { n: number }).n);
    await subscriber.until(
      () => subscriber.verdicts.length > 0 && numbers().at(-1) === all.at(-1),
      `the last record of ${key}`,
      60_000,
    );
    const seen = numbers();
    expect(subscriber.violations).toEqual([]);
    expect(subscriber.resets).toEqual([]);
    expect(seen).toEqual(all.slice(all.length - seen.length));
    // At least all that was produced after the verdict came.
    expect(seen.length).toBeGreaterThanOrEqual(all.length - before);
    compared += seen.length;
  }
  expect(compared).toBeGreaterThan(SUBSCRIBERS * 40);
  await Promise.all(joined.map(({ subscriber }) => subscriber.close()));
}, 180_000);

test("[R1] [R2] [R3] a subscriber that was cut comes back by position and has missed nothing, from the window or from the index", async () => {
  for (const missed of [5, 500]) {
    const key = `resume-${missed}`;
    const first = deployment.subscribe(pathOf("load", key));
    await first.verdict();
    const write = (from: number, to: number) =>
      deployment.produce(
        "load",
        Array.from({ length: to - from }, (_, i) => ({ key: utf8(key), value: utf8(String(from + i)) })),
      );
    write(0, 10);
    await first.until((s) => s.updates.length === 10, "ten updates");
    const other = deployment.subscribe(pathOf("load", key));
    await other.verdict();
    first.cut();

    write(10, 10 + missed);
    const again = deployment.subscribe(pathOf("load", key), first.position);
    write(10 + missed, 20 + missed);

    await again.until((s) => s.updates.length >= 10 + missed, "what was missed and what follows");
    expect(again.verdicts).toMatchObject([{ recovered: true, position: first.position }]);
    expect(again.updates.map(({ value }) => Number(value))).toEqual(
      Array.from({ length: 10 + missed }, (_, i) => 10 + i),
    );
    expect([...again.violations, ...other.violations]).toEqual([]);
    await Promise.all([again.close(), other.close()]);
  }
}, 60_000);
