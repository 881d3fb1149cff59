/** Tokens on sockets, in the real runtime: their end finds objects that sleep, and they are renewed without a gap. */
import { decodeJwt } from "jose";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startEdge, type TestEdge } from "../support/edge-harness.ts";
import { RawSubscriber } from "../support/raw-subscriber.ts";
import { ScriptedOrigin } from "../support/scripted-origin.ts";
import { AUTH_ISSUERS, tokenOf } from "../support/tokens.ts";

let edge: TestEdge;
let origin: ScriptedOrigin;
let keys = 0;

beforeAll(async () => {
  edge = await startEdge({ SHARDS: "1", AUTH_ISSUERS });
  origin = await new ScriptedOrigin({ url: edge.url, shards: 1 }).connect();
}, 60_000);
afterAll(async () => {
  origin.cut();
  await edge.close();
});

const newPath = () => `/quotes/token-${++keys}`;
/** When a token ends: seconds since 1970. */
const endOf = (token: string) => Number(decodeJwt(token).exp);

/** A live subscriber by a token. */
async function subscribe(path: string, token: string): Promise<RawSubscriber> {
  const subscriber = new RawSubscriber(`${edge.wsUrl}${path}`, { Authorization: `Bearer ${token}` });
  await subscriber.verdict();
  // As S11 says: a close is heard at once then.
  subscriber.send('{"ping":1}');
  await subscriber.until(({ others }) => others.length > 0, "a pong");
  subscriber.others.length = 0;
  return subscriber;
}

const created = async () => Number((await edge.operations())["object_created.endpoint"]);
const isClosed = ({ closed }: RawSubscriber) => closed !== undefined;
const notices = ({ others }: RawSubscriber) => others.filter((frame) => "expires" in frame);
const values = ({ updates }: RawSubscriber) => updates.map(({ value }) => Number(value));

test("[L9] [S17] [S19] an object that sleeps is woken for its tokens: they are told of, and end, though nothing comes", async () => {
  const path = newPath();
  const token = await tokenOf({ until: 10 });
  const exp = endOf(token);
  const alice = await subscribe(path, token);
  const anyone = new RawSubscriber(`${edge.wsUrl}${path}`);
  await anyone.verdict();
  const before = await created();

  await edge.evict(path);
  await alice.until((one) => notices(one).length > 0, "the notice");
  const toldAt = Date.now();
  await edge.evict(path);
  await alice.until(isClosed, "the end");
  const closedAt = Date.now();

  expect(alice.closed).toEqual({ code: 4515, reason: "expired" });
  expect(toldAt).toBeLessThan(exp * 1_000);
  expect(closedAt).toBeGreaterThanOrEqual(exp * 1_000);
  expect(notices(alice)).toEqual([{ expires: { in: expect.any(Number) } }]);
  expect(await created()).toBe(before + 2);
  origin.append(path, 1);
  await anyone.until(({ updates }) => updates.length > 0, "an update");
  expect([alice.updates.length, anyone.closed, notices(anyone)]).toEqual([0, undefined, []]);
  await anyone.close();
});

test("[S18] [S6] who renews goes on past the old end, asleep or not, and misses nothing; who doesn't ends", async () => {
  const path = newPath();
  const token = await tokenOf({ until: 8 });
  const [alice, bob] = await Promise.all([subscribe(path, token), subscribe(path, token)]);
  origin.append(path, 1);
  const later = await tokenOf({ until: 3_000 });
  alice.send({ id: 1, token: later });
  origin.append(path, 2);
  await alice.until(({ others }) => others.some((frame) => frame.id === 1), "an answer");
  await edge.evict(path);

  await bob.until(isClosed, "the old end");
  origin.append(path, 3);
  await edge.evict(path);
  origin.append(path, 4);
  await alice.until(({ updates }) => updates.length >= 4, "all updates");

  expect(alice.others.filter(({ id }) => id === 1)).toEqual([{ id: 1, ok: { expires: endOf(later) } }]);
  expect(values(alice)).toEqual([1, 2, 3, 4]);
  expect(alice.violations).toEqual([]);
  expect(alice.closed).toBeUndefined();
  expect(bob.closed).toEqual({ code: 4515, reason: "expired" });
  await alice.close();
}, 60_000);

test("[S18] one that is refused changes nothing: its socket goes on, to the end of the one before", async () => {
  const path = newPath();
  const token = await tokenOf({ until: 8 });
  const alice = await subscribe(path, token);
  const good = await tokenOf({ until: 3_000 });
  const bad = [await tokenOf({ subject: "bob" }), `${good.slice(0, -5)}AAAAA`, await tokenOf({ until: -60 })];

  for (const [i, one] of bad.entries()) {
    alice.send({ id: i + 1, token: one });
    await alice.until(({ others }) => others.some(({ id }) => id === i + 1), "an answer");
  }
  origin.append(path, 1);
  await alice.until(({ updates }) => updates.length > 0, "an update");
  await alice.until(isClosed, "the end");

  const codes = alice.others.flatMap(({ error }) => (error as { code: string } | undefined)?.code ?? []);
  expect(codes).toEqual(["forbidden", "invalid_token", "expired"]);
  expect(alice.closed).toEqual({ code: 4515, reason: "expired" });
  expect(Date.now()).toBeGreaterThanOrEqual(endOf(token) * 1_000);
  expect(edge.logs().join()).not.toContain(good.split(".")[1]);
}, 60_000);

test("[S18] [S20] a public socket has no token to renew, and asks as much as anybody may", async () => {
  const path = newPath();
  origin.append(path, 1);
  const anyone = new RawSubscriber(`${edge.wsUrl}${path}`);
  await anyone.verdict();
  anyone.send({ id: 1, token: await tokenOf() });
  for (let id = 2; id <= 40; id++) anyone.send({ id, sub: path });
  await anyone.until(
    ({ others }) =>
      others.some(({ error }) => (error as { code?: string } | undefined)?.code === "rate_limited"),
    "a refusal",
  );

  expect(anyone.others[0]).toMatchObject({ id: 1, error: { code: "unsupported" } });
  const refused = anyone.others.find(
    ({ error }) => (error as { code?: string } | undefined)?.code === "rate_limited",
  );
  expect(refused).toMatchObject({ error: { retry: true, retryAfterMs: expect.any(Number) } });
  expect(anyone.closed).toBeUndefined();
  await anyone.close();
});

test("[S20] [S8] one more of a subject takes the place of one of which nothing was heard, and pings that an object slept through were heard", async () => {
  const lone = await startEdge({ SHARDS: "1", AUTH_ISSUERS, CONNECTIONS_PER_SUBJECT: "3" });
  const lonely = await new ScriptedOrigin({ url: lone.url, shards: 1 }).connect();
  try {
    const path = newPath();
    const token = await tokenOf({ from: -300 });
    const dial = () => new RawSubscriber(`${lone.wsUrl}${path}`, { Authorization: `Bearer ${token}` });
    await lone.setBehind(120_000);
    const all = [dial(), dial(), dial()];
    const [alive, ...silent] = all;
    for (const one of all) {
      await one.verdict();
      // So that a close is heard at once; it isn't what counts as a sign of life.
      one.send({ id: 1, sub: path });
      await one.until(({ verdicts }) => verdicts.length > 1, "another verdict");
    }
    await lone.evict(path);
    alive?.send('{"ping":1}');
    await alive?.until(({ others }) => others.length > 0, "a pong");
    await lone.setBehind(0);

    for (const _ of silent) {
      const more = dial();
      await more.verdict();
      all.push(more);
    }
    await Promise.all(silent.map((one) => one.until(isClosed, "a close")));
    expect(silent.map(({ closed }) => closed)).toEqual(Array(2).fill({ code: 4005, reason: "overloaded" }));

    const tooMany = dial();
    await tooMany.until(isClosed, "a close");
    expect(tooMany.closed).toMatchObject({ code: 4005 });
    lonely.append(path, 1);
    const open = all.filter((one) => !isClosed(one));
    for (const one of open) await one.until(({ updates }) => updates.length > 0, "an update");
    expect(open).toHaveLength(3);
    expect(open).toContain(alive);
    for (const one of open) await one.close();
  } finally {
    lonely.cut();
    await lone.close();
  }
}, 60_000);
