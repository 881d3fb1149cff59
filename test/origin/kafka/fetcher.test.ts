/** Fetching from a broker that throttles, falls silent or ends its connections: every fetch is answered, or fails. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { Connection } from "../../../origin/kafka/connection.ts";
import { Fetcher } from "../../../origin/kafka/fetcher.ts";
import { SilentError } from "../../../origin/kafka/hearing.ts";
import type { Fetched } from "../../../origin/kafka/requests.ts";
import { range } from "../../support/contract-records.ts";
import { eventually } from "../../support/deadline.ts";
import { recordBatch } from "../../support/record-batch.ts";
import { fetchAnswer, frame, ScriptedBroker } from "../../support/scripted-broker.ts";

const TOPIC = Buffer.alloc(16, 7);

let broker: ScriptedBroker;
let fetcher: Fetcher;
let failures: Error[];
let signs: number;
const stop = new AbortController();

beforeEach(async () => {
  broker = await ScriptedBroker.start();
  failures = [];
  signs = 0;
  fetcher = new Fetcher(
    () => new Connection({ brokers: [], clientId: "test" }, broker.address),
    (error) => failures.push(error),
  );
});
afterEach(async () => {
  fetcher.close();
  await broker.stop();
});

const from = (partition: number) => ({
  topicId: TOPIC,
  partition,
  offset: 0,
  leaderEpoch: -1,
  lastEpoch: -1,
});
const fetch = (partition: number, mood: "first" | "flowing" | "idle" = "flowing"): Promise<Fetched> =>
  fetcher.fetch(from(partition), mood, 0, stop.signal, () => signs++);

const records = recordBatch({ firstOffset: 0, values: ["a"] });
const answered = (throttleMs = 0, partitions = [0]) =>
  fetchAnswer(
    throttleMs,
    TOPIC,
    partitions.map((partition) => ({ partition, records })),
  );
/** Answers once with each of these, and then with the last. */
function answer(...bodies: readonly [Buffer, ...Buffer[]]): void {
  let i = 0;
  broker.answers.fetch = () => bodies[Math.min(i++, bodies.length - 1)];
}

test.each(["first", "flowing", "idle"] as const)(
  "a throttled answer that names nothing is no failure: one that is %s waits as long as the broker wants, and is answered",
  async (mood) => {
    answer(fetchAnswer(300), fetchAnswer(300), answered());
    const began = performance.now();

    const fetched = await fetch(0, mood);

    expect(fetched.records).toEqual(records);
    expect(performance.now() - began).toBeGreaterThan(590);
    expect(broker.asked.filter((one) => one === "fetch")).toHaveLength(3);
    expect(failures).toEqual([]);
  },
);

test("a broker that throttles one connection for minutes is asked over another in seconds, and what waits is answered", async () => {
  answer(fetchAnswer(120_000), answered());

  const fetched = await fetch(0);

  expect(fetched.records).toEqual(records);
  expect(broker.sockets).toHaveLength(2);
  expect(failures).toEqual([]);
}, 30_000);

test("an answer that names nothing, of a broker that doesn't throttle, is a failure, and not asked for again at once", async () => {
  answer(fetchAnswer(0));

  await expect(fetch(0)).rejects.toThrow("leaves out a partition");
});

test("if the connection ends while the broker throttles, its fetches fail at once, and the next ones are answered", async () => {
  answer(answered(60_000), answered(0, [0, 1]));
  await fetch(0);
  const waits = fetch(0);
  await eventually(() => broker.sockets.length === 1, "one connection");

  broker.sockets[0]?.end();

  await expect(waits).rejects.toBeInstanceOf(Error);
  expect((await fetch(0)).records).toEqual(records);
  expect((await fetch(1)).records).toEqual(records);
});

test("while a broker throttles, or an answer comes slowly, there are signs of life; of a silent one there are none", async () => {
  answer(answered(2_500), answered());
  await fetch(0);
  await fetch(0);
  expect(signs).toBe(2);

  delete broker.answers.fetch;
  const before = signs;
  await expect(fetch(0)).rejects.toBeInstanceOf(SilentError);

  expect(signs).toBe(before);
});

test("a broker that answers that there is nothing is alive", async () => {
  const nothing = fetchAnswer(0, TOPIC, [{ partition: 0, records: Buffer.alloc(0) }]);
  answer(nothing, nothing, nothing, answered());

  await fetch(0);

  expect(signs).toBe(3);
});

test("those that wait in the queue because the broker throttles all connections are given signs of life, too", async () => {
  broker.answers.fetch = () => fetchAnswer(60_000);
  const waits = [fetch(0)];
  await broker.until("fetch", 1);
  // On the other connection.
  waits.push(fetch(1));
  await broker.until("fetch", 2);
  waits.push(fetch(2));
  const ended = Promise.allSettled(waits);
  const others = signs;

  await eventually(() => signs >= others + 6, "two signs for each of the three");

  fetcher.close();
  for (const { status } of await ended) expect(status).toBe("rejected");
});

test("an answer may take far longer than a broker may be silent", { timeout: 30_000 }, async () => {
  const batch = recordBatch({ firstOffset: 0, values: range(0, 12).map(() => "x".repeat(10_000)) });
  const body = fetchAnswer(0, TOPIC, [{ partition: 0, records: batch }]);
  broker.answers.fetch = (socket, correlation) => {
    const whole = frame(correlation, body);
    const pieces = range(0, 12).map((i) =>
      whole.subarray((i * whole.length) / 12, ((i + 1) * whole.length) / 12),
    );
    const next = setInterval(() => {
      const piece = pieces.shift();
      if (piece === undefined) clearInterval(next);
      else socket.write(piece);
    }, 1_000);
    return undefined;
  };

  const fetched = await fetch(0);

  expect(fetched.records).toEqual(batch);
  expect(signs).toBeGreaterThan(8);
  expect(failures).toEqual([]);
});

test("of a line that gets slow in the middle of a large answer less is asked for, and that is no failure", {
  timeout: 60_000,
}, async () => {
  const large = fetchAnswer(0, TOPIC, [{ partition: 0, records: Buffer.alloc(1024 * 1024) }]);
  answer(large);
  for (const _ of range(0, 6)) await fetch(0);
  broker.answers.fetch = (socket, correlation) => {
    const whole = frame(correlation, large);
    let at = 0;
    const next = setInterval(() => {
      if (socket.destroyed) return clearInterval(next);
      socket.write(whole.subarray(at, at + 5_000));
      at += 5_000;
    }, 500);
    return undefined;
  };
  const comes = fetch(0);
  await broker.until("fetch", 7);

  answer(answered());
  const fetched = await comes;

  expect(fetched.records).toEqual(records);
  expect(broker.sockets).toHaveLength(2);
  expect(failures).toEqual([]);
});

test("renewed, nothing that was under way is waited for, and what comes next goes over new connections", async () => {
  delete broker.answers.fetch;
  const stuck = [fetch(0), fetch(1)].map((one) => one.catch((error: unknown) => error));
  await broker.until("fetch");

  answer(answered(0, [0, 1, 2]));
  fetcher.renew();

  for (const one of stuck) expect(await one).toBeInstanceOf(Error);
  expect((await fetch(2)).records).toEqual(records);
  expect(broker.sockets.length).toBeGreaterThan(1);
});
