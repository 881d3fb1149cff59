/** A socket of one endpoint in a room: it says and is told what the socket of the endpoint's own object would. */
import { beforeEach, expect, test } from "vitest";
import { holder, UNLIMITED } from "../../support/holders.ts";
import { error, RelayWorld, verdict } from "../../support/relay-world.ts";

const [A, B] = ["/t/a", "/t/b"];
const GRANTS = { subscribe: ["/t/*"], publish: [], discover: [], admin: false };

let world: RelayWorld;
beforeEach(() => {
  world = new RelayWorld();
});

test("[L16] [S1] [S2] its URL is the subscribe with the id 0, and it may subscribe again, which takes the place of that", () => {
  const [one, other] = [world.alone(A), world.alone(B)];
  world.link(0);
  world.say(one, { id: 7, sub: A });
  expect(new Set(world.answer(0).asked)).toEqual(new Set([A, B]));

  expect(one.take()).toEqual([verdict(7)]);
  expect(other.take()).toEqual([verdict(0)]);
  const update = world.live(A);
  expect(one.take()).toEqual([update]);
  expect(other.take()).toEqual([]);
});

test("[L16] [S2] [S7] [S8] another endpoint is refused there, and an id that isn't larger closes it", () => {
  const client = world.alone(A);
  world.link(0);
  world.answer(0);
  client.take();

  world.say(
    client,
    { id: 1, sub: B },
    { ping: 1, loud: true },
    { id: 2, later: 1 },
    { id: 3, sub: A, from: "x" },
  );
  expect(client.take()).toEqual([
    error(1, "unsupported"),
    { pong: 1 },
    error(2, "unsupported"),
    error(3, "bad_position"),
  ]);
  world.say(client, { id: 4, sub: A });
  world.say(client, { id: 4, sub: A });
  expect(client.closed?.reason).toBe("bad_frame");
  expect(world.told(0)).toContainEqual({ empty: A, nothing: true });
});

test("[L16] [S20] it is bounded as any socket of one endpoint is: it is told when to go on, and closed in the end", () => {
  world = new RelayWorld({
    limits: { ...UNLIMITED, messages: { perSecond: 1, burst: 1 }, subscriptions: 1 },
  });
  const client = world.alone(A);
  world.say(client, { ping: 1, loud: true }, { id: 1, sub: A });
  expect(client.take()).toEqual([
    { pong: 1 },
    expect.objectContaining({
      id: 1,
      error: expect.objectContaining({ code: "rate_limited", retryAfterMs: 1_000 }),
    }),
  ]);
  for (let id = 2; id <= 102; id++) world.say(client, { id, sub: A });
  expect(client.closed?.reason).toBe("rate_limited");
});

test("[L16] [S20] a subject's sockets are counted for each endpoint", () => {
  world = new RelayWorld({ limits: { ...UNLIMITED, perPrincipal: 1, subscriptions: 1 } });
  const token = holder(world.clock.now + 600_000);
  const right = { grants: GRANTS, tokensCount: true };
  expect(world.core.refusalOf(token, A)).toBeUndefined();
  world.alone(A, right, token);
  expect(world.core.refusalOf(token, A)).toMatchObject({ code: "overloaded" });
  expect(world.core.refusalOf(token, B)).toBeUndefined();
});

test("[L16] [S18] a token that doesn't allow the endpoint any more ends it, and it is told why", async () => {
  const until = world.clock.now + 600_000;
  const client = world.alone(A, { grants: GRANTS, tokensCount: true }, holder(until));
  world.link(0);
  world.answer(0);
  client.take();
  world.judge = () => ({ ok: false, code: "forbidden", message: "not this" });

  world.say(client, { id: 1, token: "a.b.c" });
  await world.verified({
    ok: true,
    holder: holder(until + 1_000, { tokenId: "2" }),
    mayRead: () => false,
    mayPublish: () => false,
    grants: { ...GRANTS, subscribe: [] },
  });
  expect(client.take()).toEqual([{ end: A, error: expect.objectContaining({ code: "forbidden" }) }]);
  expect(client.closed?.reason).toBe("forbidden");
});

test("[L16] [W22] it may publish to its endpoint if its token lets it, and to no other", () => {
  const client = world.alone(A);
  world.link(0);
  world.answer(0);
  client.take();
  world.say(client, { id: 1, pub: B, v: 1 });
  world.judgePublish = () => ({ ok: false, code: "no_token", message: "not you" });
  world.say(client, { id: 2, pub: A, v: 1 });
  expect(client.take()).toEqual([error(1, "unsupported"), error(2, "no_token")]);

  world.judgePublish = () => ({ ok: true });
  world.say(client, { id: 3, pub: A, v: 1 });
  expect(client.take()).toEqual([]);
  expect(world.told(0)).toHaveLength(1);
});

test("[L16] where no link to its shard can be had it is closed, to come back, and a room that is full takes nobody", async () => {
  world = new RelayWorld({ endpoints: 1 });
  const client = world.alone(A);
  expect([world.core.isFullFor(A), world.core.isFullFor(B)]).toEqual([false, true]);
  expect(world.alone(B).closed?.reason).toBe("overloaded");
  for (let i = 0; i < 200 && client.closed === undefined; i++) {
    await Promise.resolve();
    world.clock.next(60_000);
  }
  expect(client.closed?.reason).toBe("unavailable");
});
