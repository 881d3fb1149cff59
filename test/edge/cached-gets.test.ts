/** GETs of public endpoints where the data centre has a cache, in the real runtime, counted where they are answered. */
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { formatPosition } from "../../shared/protocol/position.ts";
import { eventually } from "../support/deadline.ts";
import { MADE_BY_HAND, startEdge, type TestEdge } from "../support/edge-harness.ts";
import { ScriptedOrigin } from "../support/scripted-origin.ts";

let edge: TestEdge;
let origin: ScriptedOrigin;
let paths = 0;

beforeAll(async () => {
  edge = await startEdge({ CACHE: "on" });
  origin = await new ScriptedOrigin({ url: edge.url }).connect();
}, 60_000);
afterAll(async () => {
  origin.cut();
  await edge.close();
});

const newPath = () => `/quotes/cached-${++paths}`;
const FRESH = { "Cache-Control": "no-cache" };

async function ask(path: string, headers: Record<string, string> = {}, method = "GET") {
  const answer = await fetch(edge.url + path, { headers, method });
  return { status: answer.status, headers: answer.headers, text: await answer.text() };
}

/** Questions of this path that came to the origin. */
const asked = (path: string) => origin.gets.filter((one) => one === path).length;

test("[H15] 100 GETs of one key that come in time are one question, and after that what was written is seen", async () => {
  const path = newPath();
  origin.append(path, 1);
  await ask(path);
  // What was asked for doesn't get old while this machine is slow.
  await edge.setBehind(300_000);
  onTestFinished(() => edge.setBehind(0));
  origin.append(path, 2);
  let left = 100;
  const reader = async () => {
    for (; left > 0; left--) expect((await ask(path)).text).toBe("1");
  };
  await Promise.all(Array.from({ length: 4 }, reader));

  expect(asked(path)).toBe(1);
  await edge.setBehind(-1_000);
  expect((await ask(path)).text).toBe("2");
}, 120_000);

test("[H15] GETs that come while one is under way share its question, and one with `no-cache` has its own", async () => {
  const path = newPath();
  origin.append(path, 1);
  origin.answering = false;
  const first = ask(path);
  await eventually(() => asked(path) === 1, "the first question");
  await edge.setBehind(300_000);
  onTestFinished(() => edge.setBehind(0));
  const others = Array.from({ length: 20 }, () => ask(path));
  const fresh = ask(path, FRESH);
  await eventually(() => asked(path) === 2, "the second");
  origin.answerHeld();
  const answers = await Promise.all([first, ...others, fresh]);

  expect(answers.map(({ status }) => status)).toEqual(Array(22).fill(200));
  expect(asked(path)).toBe(2);
});

test("[H15] what is reused says how old it is; `no-cache` is answered with what is there now, which others get from then on", async () => {
  const path = newPath();
  origin.append(path, 1);
  const first = await ask(path);
  origin.append(path, 2);
  const fresh = await ask(path, FRESH);
  const after = await ask(path);

  expect([first.headers.get("Cache-Control"), first.headers.get("Age")]).toEqual(["max-age=1", "0"]);
  expect(first.headers.get("Vary")).toContain("Accept");
  expect([fresh.text, after.text]).toEqual(["2", "2"]);
  expect(["0", "1"]).toContain(after.headers.get("Age"));
});

test("[H15] [H2] [H3] a HEAD, a tag, and a key without a record are answered with what is kept", async () => {
  const path = newPath();
  const none = newPath();
  origin.append(path, 1);
  const { headers } = await ask(path);
  const before = [asked(path), asked(none)];
  const again = async () => {
    await ask(path);
    const kept = [
      await ask(path, {}, "HEAD"),
      await ask(path, { "If-None-Match": String(headers.get("ETag")) }),
      await ask(none),
      await ask(none),
    ];
    return kept.map(({ status, headers }) => `${status} ${headers.get("Cache-Control")}`);
  };
  const begun = performance.now();

  expect(await again()).toEqual(["200 max-age=1", "304 max-age=1", "404 no-store", "404 no-store"]);
  const seconds = Math.ceil((performance.now() - begun) / 1_000);
  expect(asked(path)).toBeLessThanOrEqual((before[0] ?? 0) + seconds);
  expect(asked(none)).toBeLessThanOrEqual((before[1] ?? 0) + 1 + seconds);
});

test("[H15] [H2] nobody is led back behind the tag that it brings", async () => {
  const path = newPath();
  const { epoch } = origin.append(path, 1);
  await ask(path);
  const { offset } = origin.append(path, 2);
  const tag = `"${formatPosition(new Map([[epoch, offset]]))}"`;

  expect((await ask(path, { "If-None-Match": tag })).status).toBe(304);
});

test("[H15] [T4] what is asked for with a token is asked for anew, and kept for nobody", async () => {
  const path = newPath();
  origin.append(path, 1);
  const grants = { subscribe: ["/*"], publish: [], discover: [], admin: false };
  const principal = {
    kind: "known",
    issuer: "i",
    subject: "s",
    issuedAt: 1,
    grants,
    until: Date.now() + 60_000,
  };
  const withToken = () => ask(path, { [MADE_BY_HAND]: JSON.stringify(principal) });
  const first = await withToken();
  await withToken();

  expect(asked(path)).toBe(2);
  expect(first.headers.get("Cache-Control")).toBe("private, no-cache");
  origin.append(path, 2);
  expect((await ask(path)).text).toBe("2");
});
