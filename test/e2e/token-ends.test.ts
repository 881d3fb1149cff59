/** What becomes of subscribers when their tokens end, or allow less than before: on the product, whose objects fall asleep. */
import { decodeJwt } from "jose";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Deployment, utf8 } from "../support/deployment.ts";
import { RawSubscriber } from "../support/raw-subscriber.ts";
import { AUTH_ISSUERS, tokenOf } from "../support/tokens.ts";

let deployment: Deployment;

beforeAll(async () => {
  deployment = await Deployment.start({
    topics: { private: { stream: { subscribe: "token" } } },
    // It is objects of endpoints that are looked at.
    edgeEnv: { AUTH_ISSUERS, ROOMS: "0" },
  });
});
afterAll(() => deployment.stop());

/** When a token ends: seconds since 1970. */
const endOf = (token: string) => Number(decodeJwt(token).exp);
const PRIVATE = { subscribe: ["/private/*"] };

async function subscribe(path: string, token: string): Promise<RawSubscriber> {
  const subscriber = new RawSubscriber(`${deployment.url.replace("http", "ws")}${path}`, {
    Authorization: `Bearer ${token}`,
  });
  await subscriber.verdict();
  // As S11 says: a close is heard at once then.
  subscriber.send('{"ping":1}');
  await subscriber.until(({ others }) => others.length > 0, "a pong");
  subscriber.others.length = 0;
  return subscriber;
}

const isClosed = ({ closed }: RawSubscriber) => closed !== undefined;
const produce = (key: string, value: string) =>
  deployment.produce("private", [{ key: utf8(key), value: utf8(value) }]);
const values = ({ updates }: RawSubscriber) => updates.map(({ value }) => String(value));

// Beside the others: it sleeps for as long as the runtime lets idle objects be.
test.concurrent("[L9] [S17] [S19] a subscriber of an object that has fallen asleep is told that its token ends, and closed when it has", async () => {
  const token = await tokenOf({ ...PRIVATE, until: 26 });
  const alice = await subscribe("/private/asleep", token);
  const created = async () => Number((await deployment.operations())["object_created.endpoint"]);
  const before = await created();

  await alice.until(isClosed, "the end", 60_000);

  expect(Date.now()).toBeGreaterThanOrEqual(endOf(token) * 1_000);
  expect(alice.closed).toEqual({ code: 4515, reason: "expired" });
  expect(alice.others).toEqual([{ expires: { in: expect.any(Number) } }]);
  expect(await created()).toBeGreaterThan(before);
});

test.concurrent("[S18] [S6] who renews in time gets every update, over the old end; a token that allows less ends it by name", async () => {
  const path = "/private/renewed";
  const token = await tokenOf({ ...PRIVATE, until: 8 });
  const [alice, bob] = await Promise.all([subscribe(path, token), subscribe(path, token)]);
  const later = await tokenOf({ ...PRIVATE, until: 3_000 });
  alice.send({ id: 1, token: later });
  produce("renewed", "1");
  await alice.until(({ others }) => others.some(({ id }) => id === 1), "an answer");
  await bob.until(isClosed, "the old end");
  produce("renewed", "2");
  await alice.until(({ updates }) => updates.length === 2, "both updates");
  expect(values(alice)).toEqual(["1", "2"]);
  expect([bob.closed, alice.closed]).toEqual([{ code: 4515, reason: "expired" }, undefined]);

  alice.send({ id: 2, token: await tokenOf({ subscribe: ["/private/another"] }) });
  await alice.until(isClosed, "the end");

  expect(alice.closed).toEqual({ code: 4520, reason: "forbidden" });
  expect(alice.others.filter(({ expires }) => expires === undefined)).toEqual([
    { id: 1, ok: { expires: endOf(later) } },
    { end: path, error: { code: "forbidden", message: expect.any(String), retry: false } },
  ]);
  expect(alice.violations).toEqual([]);
});
