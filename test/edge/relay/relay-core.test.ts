/** What a relay says to its clients and to its shards, event by event. */
import { beforeEach, describe, expect, test } from "vitest";
import { LIMITS } from "../../../shared/protocol/limits.ts";
import { holder } from "../../support/holders.ts";
import { error, frameOf, RelayWorld, verdict } from "../../support/relay-world.ts";
import { settled } from "../../support/simulated-edge.ts";

/** Of shard 0, and of shard 1. */
const [A, B, C1] = ["/t/a", "/t/b", "/t/c1"];
const GRANTS = { subscribe: ["/t/*"], publish: [], discover: [], admin: false };

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

  test("[S16] what nobody waits for any more isn't asked, however long the line is", async () => {
    const client = world.connect();
    const paths = Array.from({ length: 60 }, (_, i) => `/t/p${i}`);
    world.say(client, { subs: paths.map((sub, i) => ({ id: i + 1, sub, ...oldest })) });
    const gone = world.connect();
    world.say(gone, { subs: paths.map((sub, i) => ({ id: i + 1, sub: `${sub}x`, ...oldest })) });
    world.say(client, { subs: paths.slice(50).map((unsub, i) => ({ id: i + 100, unsub })) });
    world.core.clientClosed(gone);
    for (let i = 0; i < 50; i++) await begin(0);

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
