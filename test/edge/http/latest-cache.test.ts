import { beforeEach, describe, expect, test } from "vitest";
import { type DataCentreCache, LatestCache } from "../../../edge/http/latest-cache.ts";
import type { LatestResult } from "../../../edge/shard/answering/latest.ts";
import { encodeUpdate, type Value } from "../../../shared/protocol/frame.ts";

const URL_A = "https://edge.example/$/latest/quotes/A";

const record = (offset: number, value: Value): LatestResult => ({
  kind: "update",
  position: `e.0:${offset}`,
  oldest: "-",
  frame: encodeUpdate({
    endpoint: "/quotes/A",
    epoch: "e.0",
    offset,
    previous: undefined,
    timestamp: 1,
    headers: [],
    value,
  }),
  value: undefined,
});
const json = (text: string): Value => ({ kind: "json", text });

/** As the platform's: it keeps what it is given, and hands out copies. */
class FakeCache implements DataCentreCache {
  readonly kept = new Map<string, Response>();
  isBroken = false;
  tries = 0;

  async match(url: string): Promise<Response | undefined> {
    this.tries++;
    if (this.isBroken) throw new Error("No Cache was configured");
    return this.kept.get(url)?.clone();
  }

  async put(url: string, response: Response): Promise<void> {
    this.kept.set(url, response);
  }
}

let now: number;
let fake: FakeCache;
let cache: LatestCache;
let questions: PromiseWithResolvers<LatestResult>[];
const kept: Promise<unknown>[] = [];

beforeEach(() => {
  now = 1_000_000;
  fake = new FakeCache();
  cache = new LatestCache(fake, () => now);
  questions = [];
});

/** A GET that takes what is up to so old. */
function ask(maxAgeMs: number, isBrief = false, of = cache) {
  const question = () => {
    const asked = Promise.withResolvers<LatestResult>();
    questions.push(asked);
    return asked.promise;
  };
  return of.ask(URL_A, maxAgeMs, isBrief, question, (work) => kept.push(work));
}

const settled = () => Promise.all(kept.splice(0));

describe("[H15] an answer", () => {
  test.each<[string, LatestResult]>([
    ["of text", record(7, json('{"é":1}'))],
    ["of bytes", record(7, { kind: "bytes", bytes: Uint8Array.of(0, 255, 10) })],
    ["of a deleted key", record(7, { kind: "tombstone" })],
    ["of a key without a record", { kind: "none", position: "e.0:3", oldest: undefined }],
    ["whose value is told beside it", { ...record(7, json("1")), value: "json" } as LatestResult],
  ])("%s is found as it was, by other isolates too, until it is too old", async (_, latest) => {
    const asked = ask(1_000);
    now += 100;
    questions[0]?.resolve(latest);
    expect(await asked).toEqual({ latest, ageMs: 0 });
    await settled();
    const elsewhere = new LatestCache(fake, () => now);

    // Its age counts from when it was asked for.
    now += 899;
    expect(await elsewhere.find(URL_A, 1_000)).toEqual({ latest, ageMs: 999 });
    expect(await elsewhere.find(URL_A, 999)).toBeUndefined();
    now += 1;
    expect(await elsewhere.find(URL_A, 1_000)).toBeUndefined();
    expect(await elsewhere.find(URL_A, 0)).toBeUndefined();
  });

  test.each<[string, LatestResult, boolean]>([
    ["an error", { kind: "error", code: "unavailable", message: "" }, false],
    [
      "a value that was left out since it was large",
      { ...record(7, { kind: "omitted", size: 9 }), value: "json" } as LatestResult,
      true,
    ],
    ["a large value", record(7, json(`"${"x".repeat(64 * 1_024)}"`)), false],
  ])("that is %s isn't kept", async (_, latest, isBrief) => {
    const asked = ask(1_000, isBrief);
    questions[0]?.resolve(latest);
    expect((await asked).latest).toEqual(latest);
    await settled();

    expect(fake.kept.size).toBe(0);
  });

  test("of a question that failed is nobody else's", async () => {
    const asked = ask(1_000);
    questions[0]?.reject(new Error("the shard is gone"));
    await expect(asked).rejects.toThrow("the shard is gone");
    await settled();
    void ask(1_000);

    expect(questions).toHaveLength(2);
  });
});

describe("[H15] a question that is under way", () => {
  test("answers all who come while it isn't too old, with their share of its age", async () => {
    const asked = [ask(1_000)];
    now += 600;
    asked.push(ask(1_000), ask(601));
    now += 200;
    questions[0]?.resolve(record(1, json("1")));

    expect((await Promise.all(asked)).map(({ ageMs }) => ageMs)).toEqual([0, 800, 800]);
    expect(questions).toHaveLength(1);
  });

  test("doesn't answer those who want a later one, and these answer whoever comes then", async () => {
    const first = ask(1_000);
    now += 600;
    const later = ask(600);
    const strict = ask(0);
    expect(questions).toHaveLength(3);
    const last = ask(1_000);
    expect(questions).toHaveLength(3);
    for (const [i, question] of questions.entries()) question.resolve(record(i, json(`${i}`)));

    const values = await Promise.all([first, later, strict, last]);
    expect(values.map(({ latest }) => latest.kind === "update" && latest.position)).toEqual([
      "e.0:0",
      "e.0:1",
      "e.0:2",
      "e.0:2",
    ]);
  });

  test("for a brief answer is none for who needs the value", async () => {
    void ask(1_000, true);
    void ask(1_000);

    expect(questions).toHaveLength(2);
  });
});

test("[H15] where there is no cache each is asked for, and it is looked for again after a while", async () => {
  fake.isBroken = true;
  expect(await cache.find(URL_A, 1_000)).toBeUndefined();
  expect(cache.isThere).toBe(false);
  void ask(1_000);
  void ask(1_000);
  await cache.find(URL_A, 1_000);
  expect([questions.length, fake.tries]).toEqual([2, 1]);

  now += 60_000;
  fake.isBroken = false;
  expect(await cache.find(URL_A, 1_000)).toBeUndefined();
  expect([cache.isThere, fake.tries]).toEqual([true, 2]);
});
