/** What a relay says to its clients and to its shards, event by event. */
import { beforeEach, describe, expect, test } from "vitest";
import { LIMITS } from "../../../shared/protocol/limits.ts";
import { holder, UNLIMITED } from "../../support/holders.ts";
import { frameOf, RelayWorld } from "../../support/relay-world.ts";
import { settled } from "../../support/simulated-edge.ts";

/** Of shard 0, and of shard 1. */
const [A, B, C1] = ["/t/a", "/t/b", "/t/c1"];
const GRANTS = { subscribe: ["/t/*"], publish: [], discover: [], admin: false };
const verdict = (id: number) =>
  expect.objectContaining({ id, ok: expect.objectContaining({ head: expect.any(String) }) });
const error = (id: number, code: string) =>
  expect.objectContaining({ id, error: expect.objectContaining({ code }) });

let world: RelayWorld;
beforeEach(() => {
  world = new RelayWorld();
});

describe("[M2] [M3] subscribes", () => {
  test("[M3] [L12] each is answered by its id, over one link to each shard, many in one message", () => {
    const client = world.connect();
    world.say(client, {
      subs: [
        { id: 1, sub: A },
        { id: 2, sub: C1 },
        { id: 5, sub: B, from: "e:0" },
      ],
    });
    expect(world.sought).toEqual([0, 1]);
    const [zero, one] = [world.link(0), world.link(1)];
    expect([zero.messages.length, one.messages.length]).toEqual([1, 1]);
    expect([world.answer(0).asked, world.answer(1).asked]).toEqual([[A, B], [C1]]);

    expect(client.take()).toEqual([verdict(1), verdict(5), verdict(2)]);
    const before = world.sent;
    const [first, second] = [world.append(A), world.append(B)];
    world.down(0, first, second);
    expect(client.take()).toEqual([first, second]);
    expect(world.sent - before).toBe(1);
  });

  test("[M2] [M3] what can't be served is answered, and nobody else notices", () => {
    const other = world.following(A);
    world.judge = (path) => (path === B ? { ok: false, code: "forbidden", message: "no" } : { ok: true });
    const client = world.connect();

    world.say(
      client,
      { id: 1, sub: B },
      { id: 2, sub: A, from: "what" },
      { id: 3, sub: 7 },
      { id: 4, unsub: 7 },
      { id: 5, later: A, v: 1 },
      { ping: 1, loud: true },
      { subs: [{ id: 6, token: "x" }] },
    );

    expect(client.take()).toEqual([
      error(1, "forbidden"),
      error(2, "bad_position"),
      error(3, "bad_frame"),
      error(4, "bad_frame"),
      error(5, "unsupported"),
      { pong: 1 },
      error(6, "unsupported"),
    ]);
    expect(client.closed).toBeUndefined();
    const frame = world.live(A);
    expect([other.take(), client.take()]).toEqual([[frame], []]);
  });

  test.each([
    ["an id that doesn't grow", { id: 1, sub: B }],
    [
      "one within a list",
      {
        subs: [
          { id: 3, sub: B },
          { id: 3, sub: A },
        ],
      },
    ],
    ["no id", { sub: B }],
    ["a list of something else", { subs: [7] }],
    ["what is no list", { subs: "all" }],
    ["an array", []],
  ])("[M2] [C5] %s closes the connection, and no other", (_, frame) => {
    const [client, other] = [world.following(A), world.following(A)];
    world.say(client, { id: 2, unsub: B });
    world.say(client, frame);

    expect(client.closed).toEqual({ code: 4500, reason: "bad_frame" });
    expect(other.closed).toBeUndefined();
    const update = world.live(A);
    expect(other.take()).toEqual([update]);
  });
});

describe("[M4] [M5] one subscription for each endpoint", () => {
  test("[M4] a subscribe takes the place of one that wasn't answered, which is told so first", () => {
    const client = world.connect();
    world.say(client, { id: 1, sub: A }, { id: 2, sub: A, from: "e:0" });
    world.link(0);
    world.answer(0);

    expect(client.take()).toEqual([error(1, "superseded"), verdict(2)]);
  });

  test("[M5] an unsub is answered at once, whatever it meets, and nothing about its endpoint follows", () => {
    const client = world.following(A);
    world.say(client, { id: 2, sub: B }, { id: 3, unsub: B }, { id: 4, unsub: B }, { id: 5, unsub: A });

    expect(client.take()).toEqual([
      error(2, "superseded"),
      { id: 3, ok: { unsub: B } },
      { id: 4, ok: { unsub: B } },
      { id: 5, ok: { unsub: A } },
    ]);
    world.append(B);
    world.answer(0);
    world.live(A);
    expect(client.take()).toEqual([]);
  });

  test("[M4] [M5] unsubscribed and subscribed again before any answer, it gets the last verdict only", () => {
    const client = world.connect();
    world.say(client, { id: 1, sub: A }, { id: 2, unsub: A }, { id: 3, sub: A });
    world.link(0);
    world.answer(0);
    const update = world.live(A);

    expect(client.take()).toEqual([error(1, "superseded"), { id: 2, ok: { unsub: A } }, verdict(3), update]);
  });

  test("[M3] [M4] after an error a subscription is what it was", () => {
    const client = world.following(A);
    world.judge = () => ({ ok: false, code: "unknown_topic", message: "gone" });
    world.say(client, { id: 9, sub: A });
    const update = world.live(A);

    expect(client.take()).toEqual([error(9, "unknown_topic"), update]);
  });

  test("[M6] an update is sent once to each connection that follows its endpoint", () => {
    const [both, one] = [world.following(A, B), world.following(B)];
    const [a, b] = [world.live(A), world.live(B)];

    expect([both.take(), one.take()]).toEqual([[a, b], [b]]);
  });
});

describe("[S16] [M2] from the oldest", () => {
  const oldest = { from: "oldest" };
  const begin = async (at: number) => {
    world.seeking.shift()?.resolve(new Map([["e", at]]));
    await settled();
  };

  test("[S16] it is asked where that is, and then resumed from there", async () => {
    const client = world.following(B);
    for (let i = 0; i < 3; i++) world.append(A, i);
    world.say(client, { id: 2, sub: A, ...oldest });
    expect(world.seeking.map(({ path }) => path)).toEqual([A]);
    const other = world.live(B);
    await begin(1);
    world.answer(0);

    expect(client.take()).toEqual([
      other,
      { id: 2, ok: { position: "e:1", head: "e:3", recovered: true } },
      frameOf(A, 2, 1),
      frameOf(A, 3, 1),
    ]);
    expect(world.live(A)).toBe(client.take()[0]);
  });

  test("[M4] [M5] what takes its place before that is known is served, and it is told so; its answer is nobody's then", async () => {
    const client = world.following(A);
    world.say(client, { id: 2, sub: A, ...oldest }, { id: 3, sub: A, from: "e:0" });
    world.answer(0);
    expect(client.take()).toEqual([error(2, "superseded"), verdict(3)]);
    world.say(client, { id: 4, sub: B, ...oldest }, { id: 5, unsub: B });
    expect(client.take()).toEqual([error(4, "superseded"), { id: 5, ok: { unsub: B } }]);
    await begin(0);
    await begin(0);

    expect([client.take(), world.answer(0).asked]).toEqual([[], []]);
  });

  test("[M5] [M6] while it is asked nothing is said of what was there before", async () => {
    const client = world.following(A);
    world.say(client, { id: 2, sub: A, ...oldest });
    world.live(A);
    expect(client.take()).toEqual([]);
    await begin(0);
    world.answer(0);

    expect(client.take()).toEqual([verdict(2), frameOf(A, 1, 1)]);
  });

  test("[S16] [M8] if nobody can say, it is refused as what may be had later, and nothing is followed", async () => {
    const client = world.following(A);
    world.say(client, { id: 2, sub: A, ...oldest }, { id: 3, sub: B, ...oldest });
    world.seeking.shift()?.resolve({ code: "unavailable", message: "no origin" });
    world.seeking.shift()?.reject(new Error("gone"));
    await settled();
    world.live(A);

    expect(client.take()).toEqual([error(2, "unavailable"), error(3, "unavailable")]);
    expect(world.problems).toEqual([expect.stringContaining("gone")]);
  });

  test("[S16] one question serves all who ask of a path, and no more than 50 are open", async () => {
    const clients = [world.connect(), world.connect()];
    const paths = Array.from({ length: 60 }, (_, i) => `/t/p${i}`);
    for (const client of clients)
      world.say(client, { subs: paths.map((sub, i) => ({ id: i + 1, sub, ...oldest })) });
    expect(world.seeking.map(({ path }) => path)).toEqual(paths.slice(0, 50));
    for (let i = 0; i < 60; i++) await begin(0);
    for (const shard of [0, 1]) {
      world.link(shard);
      world.answer(shard);
    }

    for (const client of clients) expect(client.take().length).toBe(60);
    expect(world.seeking).toEqual([]);
  });

  test("[S16] [L14] a relay whose memory went asks anew; [M8] what isn't exposed any more ends", async () => {
    const client = world.following(A);
    world.say(client, { subs: [B, "/t/x"].map((sub, i) => ({ id: i + 2, sub, ...oldest })) });
    world.rest();
    world.seeking.splice(0);
    world.exposes = (path) => path !== "/t/x";
    world.hibernate();
    expect(client.take()).toEqual([error(3, "unknown_topic")]);
    expect(world.seeking.map(({ path }) => path)).toEqual([B]);
    await begin(0);
    world.answer(0);

    expect(client.take()).toEqual([verdict(2)]);
  });

  test("[S19] a token that has ended meanwhile gets nothing more", async () => {
    const client = world.connect({ grants: GRANTS, tokensCount: true }, holder(world.clock.now + 1_000));
    world.link(0);
    world.say(client, { id: 1, sub: A, ...oldest });
    client.take();
    world.clock.now += 1_000;
    await begin(0);

    expect([client.take(), client.closed?.reason]).toEqual([[], "expired"]);
  });
});

describe("[M7] pace", () => {
  test("[M7] verdicts wait while much is unsent, live updates don't, and nobody is closed for its past", () => {
    const client = world.following(A);
    client.bufferedAmount = LIMITS.subscriberBacklogBytes + 1_000;
    const frame = world.live(A);
    expect(client.closed?.reason).toBe("slow_consumer");

    const other = world.following(A);
    other.bufferedAmount = LIMITS.subscriberBacklogBytes;
    world.say(other, { id: 2, sub: B });
    world.answer(0);
    expect(other.take()).toEqual([verdict(2)]);
    // What it was just sent is past.
    other.bufferedAmount += 100_000;
    world.say(other, { id: 3, sub: "/t/d" });
    world.answer(0);
    expect(other.take()).toEqual([]);
    const live = world.live(A);
    expect(other.take()).toEqual([live]);
    other.bufferedAmount = 0;
    world.pass(100);
    world.answer(0);
    expect(other.take()).toEqual([verdict(3)]);
    expect(frame).not.toBe(live);
  });
});

describe("[M8] [L13] endpoints whose source is gone", () => {
  test("[M8] [L13] subscriptions to a shard that can't be had end, and others go on", async () => {
    const client = world.following(A);
    world.say(client, { id: 2, sub: C1 });
    for (let i = 0; i < 200 && client.messages.length === 0; i++) {
      await Promise.resolve();
      world.clock.next(60_000);
    }

    expect(client.take()).toEqual([error(2, "unavailable")]);
    const update = world.live(A);
    expect(client.take()).toEqual([update]);

    world.cutLink(0);
    for (let i = 0; i < 200 && client.messages.length === 0; i++) {
      await Promise.resolve();
      world.clock.next(60_000);
    }
    expect(client.take()).toEqual([
      { end: A, error: expect.objectContaining({ code: "unavailable", retry: true }) },
    ]);
    expect(client.closed).toBeUndefined();
  });

  test("[L13] an endpoint that nobody follows is forgotten when the shard says so, and asked again if somebody does", () => {
    const client = world.following(A, B);
    world.say(client, { id: 3, unsub: A });
    expect(world.told(0)).toEqual([{ empty: A, nothing: true }]);
    world.say(client, { id: 4, sub: A });
    // It has crossed what the client said.
    world.down(0, JSON.stringify({ detached: A }));
    expect(world.answer(0).asked).toContain(A);
    client.take();

    world.say(client, { id: 5, unsub: A });
    world.down(0, JSON.stringify({ detached: A }));
    world.told(0);
    world.say(client, { id: 6, sub: A });
    expect(world.answer(0).asked).toEqual([A]);
  });

  test("[L13] a shard of which nothing is followed is told so", () => {
    world.following(A);
    world.link(1);

    expect(world.told(1)).toEqual([{ idle: true }]);
  });

  test("[L12] an update that can't be read ends the link, and all is asked anew on the next", () => {
    const client = world.following(A, B);
    const link = world.links.get(0);
    world.down(0, '{"e":"');

    expect(link?.closed?.reason).toBe("bad_frame");
    world.link(0);
    expect(world.answer(0).asked).toEqual([A, B]);
    const update = world.live(B);
    expect(client.take()).toEqual([update]);
  });
});

describe("[M9] tokens", () => {
  test("[M9] [M8] a renewal ends what the new token doesn't allow, and is answered then", async () => {
    const until = world.clock.now + 600_000;
    const client = world.connect({ grants: GRANTS, tokensCount: true }, holder(until));
    world.link(0);
    world.say(client, { id: 1, sub: A }, { id: 2, sub: B });
    world.answer(0);
    client.take();
    const narrower = { ...GRANTS, subscribe: ["/t/a"] };
    world.judge = (path, { grants }) =>
      grants?.subscribe.includes("/t/*") || path === A
        ? { ok: true }
        : { ok: false, code: "forbidden", message: "not this" };

    world.say(client, { id: 3, token: "a.b.c" });
    const renewed = holder(until + 1_000, { tokenId: "2" });
    await world.verified({
      ok: true,
      holder: renewed,
      mayRead: () => true,
      mayPublish: () => false,
      grants: narrower,
    });

    expect(client.take()).toEqual([
      { end: B, error: expect.objectContaining({ code: "forbidden" }) },
      { id: 3, ok: { expires: Math.floor((until + 1_000) / 1_000) } },
    ]);
    world.say(client, { id: 4, sub: B });
    world.live(B);
    const update = world.live(A);
    expect(client.take()).toEqual([error(4, "forbidden"), update]);
  });

  test("[M9] [S18] a public connection can't be renewed; [S19] one whose token ends is closed before anything else", () => {
    const anyone = world.connect();
    world.say(anyone, { id: 1, token: "a.b.c" });
    expect(anyone.take()).toEqual([error(1, "unsupported")]);
    const until = world.clock.now + 600_000;
    const client = world.connect({ grants: GRANTS, tokensCount: true }, holder(until));
    world.link(0);
    world.say(client, { id: 1, sub: A });
    world.answer(0);
    client.take();

    world.clock.now = until;
    world.live(A);

    expect(client.take()).toEqual([]);
    expect(client.closed?.reason).toBe("expired");
  });

  test("[L10] [L12] tokens are asked about once, of the first shard, and no verdict comes before", () => {
    const client = world.connect({ grants: GRANTS, tokensCount: true }, holder(world.clock.now + 600_000));
    world.say(client, { id: 1, sub: A }, { id: 2, sub: C1 });
    world.link(1, 3);
    world.link(0, 3);
    const checkOf = () => (world.answer(0).others as { check?: { id: number } }[])[0]?.check;
    const first = checkOf();
    expect(first).toMatchObject({ tokens: [expect.any(Array)] });
    world.link(0, 3);
    const check = checkOf();
    expect(check?.id).toBeGreaterThan(first?.id ?? 0);
    world.answer(1);
    expect(client.take()).toEqual([]);

    // What another shard says doesn't count, nor does what was asked before.
    world.down(1, JSON.stringify({ checked: { id: check?.id, revoked: [], revocations: 3 } }));
    expect(client.take()).toEqual([]);
    world.down(0, JSON.stringify({ checked: { id: check?.id, revoked: [], revocations: 3 } }));
    world.answer(0);
    world.answer(1);

    expect(client.take()).toEqual(expect.arrayContaining([verdict(1), verdict(2)]));
  });

  test("[L10] [L12] while no link is there nobody with a token has a verdict, whatever ended it", () => {
    const client = world.connect({ grants: GRANTS, tokensCount: true }, holder(world.clock.now + 600_000));
    const anyone = world.following(A);
    world.down(0, '{"e":"');
    world.say(client, { id: 1, sub: A });
    world.say(anyone, { id: 5, sub: A });

    expect([client.take(), anyone.take()]).toEqual([[], [verdict(5)]]);
    world.link(0);
    world.answer(0);
    expect(client.take()).toEqual([verdict(1)]);
  });

  test("[L11] [S25] a revocation is heard on any link", () => {
    const until = world.clock.now + 600_000;
    const client = world.connect({ grants: GRANTS, tokensCount: true }, holder(until));
    world.say(client, { id: 1, sub: A }, { id: 2, sub: C1 });
    for (const shard of [0, 1]) {
      world.link(shard);
      world.answer(shard);
    }
    const meant = { of: "token", issuer: "issuer", token: "1" };
    world.down(1, JSON.stringify({ revoke: { meant, graceMs: 0 } }));

    expect(client.closed?.reason).toBe("revoked");
  });
});

describe("[M1] [S9] clients that went while they were let in", () => {
  test("[M1] [S11] a connection of which nothing was ever heard is let go of after a minute, when another one comes", () => {
    const gone = world.connect();
    const pinging = world.connect();
    const following = world.following(A);
    world.pings.set(pinging, world.clock.now);
    world.pass(59_000);
    world.connect();
    expect(gone.closed).toBeUndefined();
    world.pass(2_000);
    const last = world.connect();

    expect(gone.closed?.reason).toBe("going_away");
    expect([pinging, following, last].map(({ closed }) => closed)).toEqual([undefined, undefined, undefined]);
    world.rest();
    world.hibernate();
    world.pass(61_000);
    world.connect();
    expect([last.closed?.reason, following.closed]).toEqual(["going_away", undefined]);
  });

  test("[S9] a socket of one endpoint that doesn't take its verdict is closed after 30 s, and nobody is interested any more", () => {
    const gone = world.alone(A);
    gone.bufferedAmount = 80;
    world.link(0);
    world.answer(0);
    world.pass(29_000);
    expect(gone.closed).toBeUndefined();
    world.pass(3_000);

    expect(gone.closed?.reason).toBe("slow_consumer");
    expect(world.told(0)).toContainEqual({ empty: A, nothing: true });
  });
});

describe("[M10] how much", () => {
  test("[M10] one subscription more than a connection may have gets its code, and room when one has gone", () => {
    world = new RelayWorld({ limits: { ...UNLIMITED, subscriptions: 2 } });
    const client = world.following(A, B);
    world.say(client, { id: 3, sub: "/t/x" }, { id: 4, sub: A }, { id: 5, unsub: B }, { id: 6, sub: "/t/x" });
    world.answer(0);

    expect(client.take()).toEqual([
      error(3, "too_many_subscriptions"),
      verdict(4),
      { id: 5, ok: { unsub: B } },
      verdict(6),
    ]);
  });

  test("[M10] what is too much of a list is refused by its ids, as one refusal; going on closes the connection", () => {
    const limits = { ...UNLIMITED, subscriptions: 1_000, asks: { perSecond: 1, burst: 3 } };
    world = new RelayWorld({ limits });
    const client = world.connect();
    const list = (from: number, count: number) => ({
      subs: Array.from({ length: count }, (_, i) => ({ id: from + i, unsub: A })),
    });
    world.say(client, list(1, 203));
    const answers = client.take();
    expect(answers.slice(0, 3)).toEqual([1, 2, 3].map((id) => ({ id, ok: { unsub: A } })));
    expect(answers.slice(3)).toEqual(Array.from({ length: 200 }, (_, i) => error(4 + i, "rate_limited")));
    for (let i = 0; i < 150; i++) world.say(client, list(1_000 * (i + 1), 2));

    expect(client.closed?.reason).toBe("rate_limited");
  });

  test("[M10] [L14] a relay that holds as many endpoints, or subscriptions, as it can says so", () => {
    world = new RelayWorld({ endpoints: 2, subscriptions: 3 });
    const [client, other] = [world.connect(), world.connect()];
    world.say(client, { id: 1, sub: A }, { id: 2, sub: B }, { id: 3, sub: C1 }, { id: 4, sub: A });
    world.say(other, { id: 1, sub: A }, { id: 2, sub: B });

    expect(client.take()).toEqual([error(3, "overloaded"), error(1, "superseded")]);
    expect(other.take()).toEqual([error(2, "overloaded")]);
  });

  test("[M10] [L14] [S16] what only seeks its beginning gets no more endpoints into a relay than it holds", () => {
    world = new RelayWorld({ endpoints: 1 });
    const client = world.connect();
    const oldest = { from: "oldest" };
    world.say(client, { id: 1, sub: A, ...oldest }, { id: 2, sub: B, ...oldest });
    world.say(client, { id: 3, sub: A }, { id: 4, sub: B });

    expect(client.take()).toEqual([error(1, "superseded"), error(4, "overloaded")]);
  });

  test("[M10] [L14] what a connection follows is counted once as it goes, whatever was being done with it", async () => {
    world = new RelayWorld({ subscriptions: 3 });
    const until = world.clock.now + 600_000;
    const client = world.connect({ grants: GRANTS, tokensCount: true }, holder(until));
    world.link(0);
    world.say(client, { id: 1, sub: A }, { id: 2, sub: B }, { id: 3, sub: "/t/d" });
    world.answer(0);
    world.say(client, { id: 4, token: "a.b.c" });
    // It takes nothing, so it is closed when it is told of the first end.
    client.bufferedAmount = 2 * LIMITS.subscriberBacklogBytes;
    world.judge = (_, { grants }) =>
      grants?.subscribe.length === 0 ? { ok: false, code: "forbidden", message: "no" } : { ok: true };
    const nothing = { ...GRANTS, subscribe: [] };
    const renewed = holder(until + 1_000, { tokenId: "2" });
    await world.verified({
      ok: true,
      holder: renewed,
      mayRead: () => false,
      mayPublish: () => false,
      grants: nothing,
    });
    expect(client.closed?.reason).toBe("slow_consumer");
    const next = world.connect();
    world.say(next, { subs: [A, B, "/t/d", "/t/f"].map((sub, i) => ({ id: i + 1, sub })) });

    expect(next.take()).toEqual([verdict(1), verdict(2), verdict(3), error(4, "overloaded")]);
  });

  test("[L14] a connection of which too much would have to be kept harms no other", async () => {
    const other = world.following(A);
    const until = world.clock.now + 600_000;
    const client = world.connect({ grants: GRANTS, tokensCount: true }, holder(until));
    world.say(client, { id: 1, token: "a.b.c" });
    const grants = {
      ...GRANTS,
      subscribe: Array.from({ length: 50 }, (_, i) => `/t/${"x".repeat(500)}${i}`),
    };
    const renewed = holder(until + 1_000, { tokenId: "2" });
    const good = { ok: true, holder: renewed, mayRead: () => true, mayPublish: () => false, grants } as const;
    await world.verified(good);
    const update = world.live(A);

    expect([client.closed?.reason, other.take()]).toEqual(["going_away", [update]]);
  });
});

describe("[L14] over a hibernation", () => {
  test("[L14] clients go on where they were, without anything asked", () => {
    const [one, other] = [world.following(A, B, C1), world.following(B)];
    world.live(A);
    world.rest();
    for (const socket of [one, other]) socket.take();
    for (const shard of [0, 1]) world.told(shard);
    world.hibernate();
    const [a, b, c] = [world.live(A), world.live(B), world.live(C1)];

    expect([one.take(), other.take()]).toEqual([[a, b, c], [b]]);
    const asked = [...world.told(0), ...world.told(1)].filter((said) => !("wake" in (said as object)));
    expect(asked).toEqual([]);
    world.say(one, { id: 1, sub: A });
    expect(one.closed?.reason).toBe("bad_frame");
  });

  test("[L14] what doesn't fit into an attachment is a row of the connection", () => {
    const paths = Array.from({ length: 700 }, (_, i) => `/t/a-path-of-some-length-${i}x`);
    const client = world.connect();
    world.link(0);
    for (let at = 0; at < paths.length; at += 100)
      world.say(client, { subs: paths.slice(at, at + 100).map((sub, i) => ({ id: at + i + 1, sub })) });
    world.answer(0);
    expect(world.rows.rows.size).toBe(0);
    world.rest();
    expect(world.rows.rows.size).toBe(1);
    client.take();
    world.hibernate();

    const update = world.live(paths[650] ?? "");
    expect(client.take()).toEqual([update]);
    for (let at = 0; at < 690; at += 115)
      world.say(client, {
        subs: paths.slice(at, at + 115).map((unsub, i) => ({ id: 1_000 + at + i, unsub })),
      });
    world.rest();
    expect(world.rows.rows.size).toBe(0);
    world.hibernate();
    client.take();
    const last = world.live(paths[695] ?? "");
    expect(client.take()).toEqual([last]);
  });

  test("[L14] [M11] what can't be told any more closes the connection, which says all again", () => {
    const [early, late] = [world.following(A), world.connect()];
    world.rest();
    world.say(late, { id: 1, sub: B });
    world.answer(0);
    world.hibernate();
    world.live(A);

    expect([early.closed?.reason, late.closed?.reason]).toEqual(["going_away", "going_away"]);
    // What the shards watch there nobody knows any more.
    expect(world.links.get(0)?.closed?.reason).toBe("going_away");
    const back = world.connect();
    world.say(back, { id: 1, sub: A, from: "e:0" });
    world.link(0);
    world.answer(0);
    expect(back.take()[0]).toMatchObject({ id: 1, ok: { recovered: true } });
  });

  test("[L9] [L14] a row is written for what changed of a connection alone, too", () => {
    const paths = Array.from({ length: 500 }, (_, i) => `/t/a-path-of-some-length-${i}x`);
    const client = world.connect();
    world.link(0);
    for (let at = 0; at < paths.length; at += 100)
      world.say(client, { subs: paths.slice(at, at + 100).map((sub, i) => ({ id: at + i + 1, sub })) });
    world.answer(0);
    world.rest();
    world.told(0);
    world.say(client, { id: 1_000, later: 1 });
    const [asked] = world.told(0) as { wake?: { at: number } }[];
    expect(asked?.wake?.at).toBeGreaterThan(world.clock.now);
    world.clock.now = asked?.wake?.at ?? 0;
    world.down(0, '{"wake":true}');
    world.hibernate();
    client.take();
    const update = world.live(paths[450] ?? "");

    expect([client.take(), client.closed]).toEqual([[update], undefined]);
  });

  test("[L14] a client that doesn't answer its close is nobody, and takes no link from the others", () => {
    const [client, gone] = [world.following(A), world.following(A, B)];
    world.say(gone, { unsub: B });
    expect(gone.closed?.reason).toBe("bad_frame");
    world.rest();
    client.take();
    world.hibernate(gone);
    const update = world.live(A);

    expect(client.take()).toEqual([update]);
    expect(world.links.get(0)?.closed).toBeUndefined();
  });

  test("[L14] [M11] one that was sent away for what was lost stays away, though it doesn't answer and is known again", () => {
    const away = world.following(A);
    world.hibernate();
    expect(away.closed?.reason).toBe("going_away");
    world.link(0);
    const back = world.following(A);
    world.rest();
    back.take();
    world.hibernate(away);
    const update = world.live(A);

    expect([back.take(), back.closed]).toEqual([[update], undefined]);
    world.say(back, { id: 2, unsub: A });
    expect(world.told(0)).toContainEqual(expect.objectContaining({ empty: A }));
  });

  test("[L13] [L14] an endpoint that was detached isn't there again after a hibernation", () => {
    const client = world.following(A, B);
    world.say(client, { id: 3, unsub: A });
    world.rest();
    world.down(0, JSON.stringify({ detached: A }));
    world.rest();
    world.hibernate();
    world.told(0);
    world.say(client, { id: 4, sub: A });

    expect(world.answer(0).asked).toEqual([A]);
  });

  test("[L14] [M8] a topic that is exposed no longer ends its subscriptions", () => {
    const client = world.following(A, B);
    world.rest();
    world.exposes = (path) => path !== B;
    world.hibernate();
    const update = world.live(A);

    expect(client.take()).toEqual([
      { end: B, error: expect.objectContaining({ code: "unknown_topic" }) },
      update,
    ]);
  });

  test("[L9] [L14] rows are written on the shard's word when nothing has happened for a while, not before", () => {
    world.following(A);
    const [asked] = world.told(0) as { wake?: { at: number } }[];
    expect(asked).toBeUndefined();
    world.live(A);
    world.down(0, '{"wake":true}');
    expect(world.rows.chunks).toEqual([]);
    const [again] = world.told(0) as { wake: { at: number } }[];
    world.clock.now = again?.wake.at ?? 0;
    world.down(0, '{"wake":true}');

    expect(world.rows.chunks).toHaveLength(1);
    expect(world.told(0)).toEqual([]);
  });

  test("[L14] windows share their memory, and those go that nobody asked for longest", () => {
    world = new RelayWorld({ windowBytes: 3_000 });
    const paths = ["/t/a", "/t/b", "/t/d"];
    world.following(...paths);
    const value = "x".repeat(900);
    world.clock.now += 1_000;
    const late = world.connect();
    world.say(late, { id: 1, sub: "/t/d" });
    for (const path of paths) world.live(path, value);
    for (const path of paths) world.live(path, value);

    const back = world.connect();
    world.told(0);
    world.say(back, { subs: paths.map((sub, i) => ({ id: i + 1, sub, from: "e:0" })) });
    expect((world.told(0) as { attach?: string }[]).flatMap(({ attach }) => attach ?? [])).toEqual([
      "/t/a",
      "/t/b",
    ]);
  });
});
