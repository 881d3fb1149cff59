import { generateKeyPairSync } from "node:crypto";
import { expect, onTestFinished, test, vi } from "vitest";
import { REMOTE_KEYS, RemoteKeys } from "../../../edge/access/remote-keys.ts";

const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const setOf = (...kids: string[]) =>
  Response.json({ keys: kids.map((kid) => ({ ...publicKey.export({ format: "jwk" }), kid })) });

/** An issuer that answers as the test says, at a time that the test says. */
function issuer(answer: () => Promise<Response> | Response) {
  const world = { now: 0, asked: 0, answer, problems: [] as string[], kept: [] as Promise<unknown>[] };
  const keys = new RemoteKeys("https://issuer.example/keys", {
    now: () => world.now,
    problem: (words) => world.problems.push(words),
    fetch: async () => {
      world.asked++;
      return world.answer();
    },
  });
  const keepAlive = (work: Promise<unknown>) => void world.kept.push(work);
  return { world, keys: { key: (kid: string) => keys.key(kid, keepAlive) } };
}

const down = () => Promise.reject(new Error("down"));

test("a key is fetched once, whoever asks for it meanwhile", async () => {
  const { world, keys } = issuer(() => setOf("a", "b"));
  const found = await Promise.all(Array.from({ length: 100 }, (_, i) => keys.key(i % 2 ? "a" : "b")));
  expect(new Set(found.map(({ kind }) => kind))).toEqual(new Set(["key"]));
  expect(world.asked).toBe(1);
});

test("tokens of known keys pass for hours while the issuer is down, and it is asked once in 30 s", async () => {
  const { world, keys } = issuer(() => setOf("a"));
  await keys.key("a");
  world.answer = down;
  const hour = 3_600_000;
  for (; world.now < hour; world.now += 1_000) expect(await keys.key("a")).toMatchObject({ kind: "key" });
  expect(world.asked - 1).toBeLessThanOrEqual((hour - REMOTE_KEYS.freshMs) / REMOTE_KEYS.pauseMs + 1);
  expect(world.problems.length).toBe(world.asked - 1);
  world.now = REMOTE_KEYS.staleMs;
  expect(await keys.key("a")).toEqual({ kind: "unavailable", retryMs: REMOTE_KEYS.pauseMs });
});

test("10,000 names that nobody knows cause at most one question in 30 s, and only who asked is told that there is none", async () => {
  const { world, keys } = issuer(() => setOf("a"));
  let unknown = 0;
  for (let i = 0; i < 10_000; i++) {
    world.now += 10;
    const { asked } = world;
    const { kind } = await keys.key(`x${i}`);
    expect(kind).toBe(world.asked > asked ? "unknown" : "unavailable");
    if (kind === "unknown") unknown++;
  }
  expect(world.asked).toBeLessThanOrEqual(100_000 / REMOTE_KEYS.pauseMs + 1);
  expect(unknown).toBe(world.asked);
});

test("[T3] a key that was published a moment ago is never refused, however many made-up names are asked for", async () => {
  const { world, keys } = issuer(() => setOf("a"));
  await keys.key("made-up");
  world.answer = () => setOf("a", "new");
  for (let i = 0; i < 100; i++) {
    world.now += 290;
    await keys.key(`x${i}`);
    expect(await keys.key("new")).toEqual({ kind: "unavailable", retryMs: REMOTE_KEYS.pauseMs - world.now });
  }

  world.now = REMOTE_KEYS.pauseMs;
  await keys.key("another made-up");

  expect(await keys.key("new")).toMatchObject({ kind: "key" });
  expect(world.asked).toBe(2);
});

test("[T3] keys that were asked for before a token came don't tell that there is no such key", async () => {
  const { world, keys } = issuer(() => setOf("a"));
  const answer = Promise.withResolvers<Response>();
  world.answer = () => answer.promise;
  const first = keys.key("new");
  world.now = 1_000;
  const second = keys.key("new");

  answer.resolve(setOf("a"));

  expect(await first).toEqual({ kind: "unknown" });
  expect(await second).toEqual({ kind: "unavailable", retryMs: REMOTE_KEYS.pauseMs });
});

test("a new key is known as soon as it is needed, and one that was taken away isn't for long", async () => {
  const { world, keys } = issuer(() => setOf("a"));
  await keys.key("a");
  world.answer = () => setOf("b");
  world.now = REMOTE_KEYS.pauseMs;
  expect(await keys.key("b")).toMatchObject({ kind: "key" });
  expect(await keys.key("a")).toEqual({ kind: "unknown" });
});

test("an old set is asked for again without a wait", async () => {
  const { world, keys } = issuer(() => setOf("a"));
  await keys.key("a");
  world.answer = () => new Promise(() => {});
  world.now = REMOTE_KEYS.freshMs;
  expect(await keys.key("a")).toMatchObject({ kind: "key" });
  expect(world.asked).toBe(2);
});

test("a request that goes on without the answer keeps the question alive after its own end", async () => {
  const { world, keys } = issuer(() => setOf("a"));
  await keys.key("a");
  const asked = Promise.withResolvers<Response>();
  world.answer = () => asked.promise;
  world.now = REMOTE_KEYS.freshMs;
  world.kept.length = 0;

  await keys.key("a");

  expect(world.kept).toHaveLength(1);
  asked.resolve(setOf("b"));
  await Promise.all(world.kept);
  expect(await keys.key("a")).toEqual({ kind: "unknown" });
});

test("a request that others wait with keeps the question alive, though it may leave first", async () => {
  const { world, keys } = issuer(() => setOf("a"));

  await Promise.all([keys.key("a"), keys.key("a"), keys.key("a")]);

  expect([world.asked, world.kept.length]).toEqual([1, 1]);
});

test("nobody waits longer than its time for an answer that another request had asked for", async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const { keys } = issuer(() => new Promise(() => {}));
  const found = Promise.all([keys.key("a"), keys.key("a")]);

  await vi.advanceTimersByTimeAsync(REMOTE_KEYS.answerMs);

  const unavailable = { kind: "unavailable", retryMs: REMOTE_KEYS.pauseMs };
  expect(await found).toEqual([unavailable, unavailable]);
  expect(vi.getTimerCount()).toBe(0);
});

test("who has its answer leaves no timer behind", async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const { keys } = issuer(() => setOf("a"));

  expect(await keys.key("a")).toMatchObject({ kind: "key" });

  expect(vi.getTimerCount()).toBe(0);
});

test("a question that never ends is over after its time", async () => {
  const { world, keys } = issuer(() => new Promise(() => {}));
  void keys.key("a");
  world.answer = () => setOf("a");
  world.now = REMOTE_KEYS.answerMs;
  const retryMs = REMOTE_KEYS.pauseMs - REMOTE_KEYS.answerMs;
  expect(await keys.key("a")).toEqual({ kind: "unavailable", retryMs });
  world.now = REMOTE_KEYS.pauseMs;
  expect(await keys.key("a")).toMatchObject({ kind: "key" });
});

test.each<[string, () => Response]>([
  ["garbage", () => new Response("<html>")],
  ["another JSON", () => Response.json({ keys: "a" })],
  ["a list of nothing", () => Response.json({ keys: [] })],
  [
    "keys for other purposes",
    () => Response.json({ keys: [{ ...publicKey.export({ format: "jwk" }), use: "enc" }] }),
  ],
  ["secrets", () => Response.json({ keys: [{ kty: "oct", k: "c2VjcmV0", kid: "a" }] })],
  ["a redirect", () => new Response(null, { status: 302, headers: { Location: "http://127.0.0.1/" } })],
  ["an error", () => new Response("down", { status: 503 })],
  ["10 MB", () => new Response("x".repeat(10_000_000))],
])("%s is no answer: what is known stays, and it is said why", async (_, answer) => {
  const { world, keys } = issuer(() => setOf("a"));
  await keys.key("a");
  world.answer = answer;
  world.now = REMOTE_KEYS.pauseMs;
  expect(await keys.key("b")).toEqual({ kind: "unavailable", retryMs: REMOTE_KEYS.pauseMs });
  expect(await keys.key("a")).toMatchObject({ kind: "key" });
  expect(world.problems).toHaveLength(1);
});

test("what an issuer answers comes into no log", async () => {
  const { world, keys } = issuer(() => new Response("hush, this is no JSON"));

  await keys.key("a");

  expect(world.problems).toEqual([
    "the keys of https://issuer.example/keys can't be had: it answers with no JSON",
  ]);
});
