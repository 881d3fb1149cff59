/** Sockets that are there by a token: until when, what they are told, and how it is renewed. */
import { beforeEach, describe, expect, test } from "vitest";
import { type Holder, holderOf } from "../../../edge/endpoint/holder.ts";
import type { Verified } from "../../../edge/endpoint/renewals.ts";
import { PATH, update } from "../../support/endpoint-frames.ts";
import type { FakeSocket } from "../../support/fake-socket.ts";
import { holder } from "../../support/holders.ts";
import { TokenWorld } from "../../support/token-world.ts";

const EXPIRED = { code: 4515, reason: "expired" };
const MINUTE = 60_000;

let world: TokenWorld;
let end: number;

beforeEach(() => {
  world = new TokenWorld();
  end = world.clock.now + 10 * MINUTE;
  world.subscribe();
  world.link();
  world.append();
  world.answerAsks();
});

/** Of sockets, what they were sent since this was last asked. */
const taken = (...sockets: FakeSocket[]) => sockets.map((socket) => socket.take());

describe("a subscription ends with its token", () => {
  test("[S19] before the first update that comes at its end, and nobody else's does", () => {
    const [alice, bob, anyone] = [world.live(holder(end)), world.live(holder(end + 1)), world.live()];
    world.clock.now = end - 1;
    world.append();
    expect(taken(alice, bob, anyone).map((frames) => frames.at(-1))).toEqual(Array(3).fill(update(2, 1)));

    world.clock.now = end;
    world.append();

    expect([alice, bob, anyone].map(({ closed }) => closed)).toEqual([EXPIRED, undefined, undefined]);
    expect(taken(alice, bob, anyone)).toEqual([[], [update(3, 2)], [update(3, 2)]]);
  });

  test("[S19] before a verdict that it waited for", () => {
    for (let i = 0; i < 5; i++) world.append();
    const waiting = world.subscribe(holder(end), "e:1");
    expect(world.up?.frames).toContainEqual(expect.objectContaining({ attach: PATH, from: "e:1" }));
    world.clock.now = end;

    world.answerAsks();

    expect(waiting.closed).toEqual(EXPIRED);
    expect(waiting.messages).toEqual([]);
  });

  test.each([
    ["awake", false],
    ["asleep", true],
  ])("[S19] [A8] what it asks afterwards isn't answered, by an object that was %s", (_, sleeps) => {
    const [alice, anyone] = [world.live(holder(end)), world.live()];
    world.clock.now = end;
    if (sleeps) world.hibernate();

    for (const socket of [alice, anyone])
      world.core.clientMessage(socket, `{"id":1,"sub":"${PATH}","from":"e:1"}`);
    world.answerAsks();

    expect(alice.closed).toEqual(EXPIRED);
    expect(alice.take()).toEqual([]);
    expect(anyone.take()).toMatchObject([{ id: 1, ok: { recovered: true } }]);
  });

  test("[S19] [S20] one that is over isn't admitted, nor one more than its subject may have", () => {
    world = new TokenWorld({
      messages: RATE,
      asks: RATE,
      publishes: RATE,
      perPrincipal: 2,
      unsentBytes: 1e9,
    });
    world.link();
    expect(world.core.refusalOf(holder(world.wall))).toMatchObject({ code: "expired" });
    const [first] = [world.live(holder(end)), world.live(holder(end, { tokenId: "2" }))];
    expect(world.core.refusalOf(holder(end))).toMatchObject({ code: "overloaded" });
    for (const other of [{ subject: "bob" }, { issuer: "another" }])
      expect(world.core.refusalOf(holder(end, other))).toBeUndefined();

    world.core.clientClosed(first);

    expect(world.core.refusalOf(holder(end))).toBeUndefined();
  });

  describe("[S20] a subject that has as many sockets as it may", () => {
    const LIMIT = 3;
    const came = (cameAt: number, more: Partial<Holder> = {}) => holder(end, { cameAt, ...more });

    beforeEach(() => {
      world = new TokenWorld({
        messages: RATE,
        asks: RATE,
        publishes: RATE,
        perPrincipal: LIMIT,
        unsentBytes: 1e9,
      });
      world.link();
    });

    /** As the shell does it. */
    function dial(of: Holder): FakeSocket | undefined {
      return world.core.refusalOf(of) === undefined ? world.live(of) : undefined;
    }

    test.each([
      ["awake", false],
      ["asleep", true],
    ])(
      "isn't locked out by those that went without a word, however often (the object was %s)",
      (_, sleeps) => {
        const stays = world.live(came(world.wall));
        for (let flaps = 0; flaps < 18; flaps++) {
          world.clock.now += MINUTE / 2 + 10;
          world.pings.set(stays, world.wall);
          if (sleeps) world.hibernate();

          expect(dial(came(world.wall))).toBeDefined();
        }

        expect(stays.closed).toBeUndefined();
        const open = [...world.sockets].filter(({ closed }) => closed === undefined);
        expect(open).toHaveLength(LIMIT);
      },
    );

    test("closes that of which nothing was heard for longest, so that it comes back if it is there, and nobody else's", () => {
      const other = world.live(came(world.wall, { subject: "bob" }));
      const anyone = world.live();
      const [first, second, third] = [0, 1, 2].map((ms) => world.live(came(world.wall + ms)));
      world.clock.now += MINUTE + 10;
      world.pings.set(first, world.wall - 5);

      expect(dial(came(world.wall))).toBeDefined();

      expect(second?.closed).toEqual({ code: 4005, reason: "overloaded" });
      expect([first, third, other, anyone].map((one) => one?.closed)).toEqual(Array(4).fill(undefined));
      expect(world.live(came(world.wall)).closed).toBeUndefined();
      expect(third?.closed).toEqual({ code: 4005, reason: "overloaded" });
    });

    test("and all of them were heard of within a minute gets no more, and none is closed", () => {
      const all = [0, 1, 2].map((ms) => world.live(came(world.wall + ms)));
      world.clock.now += 10 * MINUTE - 1;
      for (const one of all) world.pings.set(one, world.wall - MINUTE);

      expect(world.core.refusalOf(came(world.wall))).toMatchObject({ code: "overloaded" });
      expect(all.map(({ closed }) => closed)).toEqual(Array(3).fill(undefined));
    });

    test("is heard of by a renewal", async () => {
      const all = [0, 1, 2].map((ms) => world.live(came(world.wall + ms)));
      world.clock.now += 2 * MINUTE;
      for (const one of all) {
        world.renew(one, 1);
        const renewed = came(world.wall, { tokenId: "renewed" });
        await world.verified({
          ok: true,
          holder: renewed,
          mayRead: () => true,
          mayPublish: () => false,
        });
      }

      expect(world.core.refusalOf(came(world.wall))).toMatchObject({ code: "overloaded" });
    });
  });

  test("[S19] while all are public not even the clock is read, and by tokens once for a message, however many there are", () => {
    const perUpdates = (updates: number) => {
      const before = world.reads;
      for (let i = 0; i < updates; i++) world.append();
      return world.reads - before;
    };
    for (let i = 0; i < 100; i++) world.live();
    expect(perUpdates(50)).toBe(0);

    for (let i = 0; i < 100; i++) world.live(holder(end, { subject: `${i}` }));
    expect(perUpdates(50)).toBe(50);
  });

  test("[S19] the end is the machine's time, also where that was set back for long", () => {
    const alice = world.live(holder(end));
    world.append();
    world.offMs = -60 * MINUTE;
    world.append();
    world.clock.now = end + 59 * MINUTE;
    world.append();
    expect(alice.closed).toBeUndefined();

    world.clock.now = end + 60 * MINUTE;
    world.append();

    expect(alice.closed).toEqual(EXPIRED);
  });
});

describe("the notice that a token ends", () => {
  test("[S17] comes once, a minute before, whatever makes the object look, and over hibernations", () => {
    const alice = world.live(holder(end));
    world.clock.now = end - MINUTE - 1;
    world.append();
    expect(alice.take()).toEqual([update(2, 1)]);

    world.hibernate();
    world.clock.now = end - MINUTE + 500;
    world.append();
    world.hibernate();
    world.append();

    expect(alice.take()).toEqual([{ expires: { in: 59 } }, update(3, 2), update(4, 3)]);
  });

  test.each([
    [600_000, 60_000],
    [120_000, 60_000],
    [60_000, 30_000],
    [10_000, 5_000],
    [3_000, 2_000],
    [1_000, 1_000],
  ])("[S17] of a token that has %d ms left comes %d ms before its end", async (left, before) => {
    const until = 1_700_000_600_000;
    const grants = { subscribe: [], publish: [], discover: [], admin: false };

    const { noticeAt = 0 } = await holderOf(
      { kind: "known", issuer: "i", subject: "s", issuedAt: 1, grants, until },
      until - left,
    );

    expect(until - noticeAt).toBe(before);
  });
});

describe("[L9] the shard is asked to wake the object", () => {
  const wakeAt = (at: number) => ({ wake: { at } });

  test("[L9] when something is due first, and only if that changes; with public subscribers never", () => {
    world.live();
    expect(world.answerAsks()).toEqual([]);

    world.live(holder(end));
    const said = [...world.saidUp];
    world.live(holder(end + MINUTE));
    world.append();
    world.hibernate();
    world.append();
    expect(said).toEqual([wakeAt(end - MINUTE)]);
    expect(world.saidUp).toEqual(said);

    world.live(holder(end - 1));

    expect(world.saidUp).toEqual([...said, wakeAt(end - 1 - MINUTE)]);
  });

  test("[L9] again on each new link, and until nothing is left that is due", () => {
    const alice = world.live(holder(end));
    world.cutLink();
    world.link();
    world.answerAsks();
    expect(world.saidUp).toEqual([wakeAt(end - MINUTE), wakeAt(end - MINUTE)]);

    world.clock.now = end - MINUTE;
    world.wake();
    world.answerAsks();
    world.hibernate();
    world.clock.now = end;
    world.wake();
    world.answerAsks();

    expect(alice.take()).toEqual([{ expires: { in: 60 } }]);
    expect(alice.closed).toEqual(EXPIRED);
    expect(world.saidUp.slice(2)).toEqual([wakeAt(end)]);
  });

  test("[L9] and again if it was woken before the time, by another clock", () => {
    world.live(holder(end));
    world.clock.now = end - MINUTE - 5;

    world.wake();
    world.answerAsks();

    expect(world.saidUp).toEqual([wakeAt(end - MINUTE), wakeAt(end - MINUTE)]);
  });
});

describe("a token is renewed", () => {
  const later = (more: Partial<Holder> = {}): Verified => ({
    ok: true,
    holder: holder(end + 30 * MINUTE, { tokenId: "2", issuedAt: 1_700_000_500, ...more }),
    mayRead: () => true,
    mayPublish: () => false,
  });

  test("[S18] and its subscription goes on past the old end without a gap, over a hibernation too", async () => {
    const alice = world.live(holder(end));
    world.renew(alice, 1);
    world.append();
    expect(world.looking.map(({ token }) => token)).toEqual(["a.b.c"]);
    await world.verified(later());
    world.answerAsks();
    expect(world.saidUp.at(-1)).toEqual({ wake: { at: end - MINUTE } });
    world.clock.now = end + 1;
    world.append();
    world.hibernate();
    world.append();

    const expires = Math.floor((end + 30 * MINUTE) / 1_000);
    expect(alice.take()).toEqual([update(2, 1), { id: 1, ok: { expires } }, update(3, 2), update(4, 3)]);
    world.clock.now = end + 30 * MINUTE;
    world.append();
    expect(alice.closed).toEqual(EXPIRED);
  });

  test("[S17] [S18] each of its tokens is told of once, one that is sent twice too", async () => {
    const alice = world.live(holder(end));
    world.clock.now = end - MINUTE;
    world.append();
    for (const id of [1, 2]) {
      world.renew(alice, id);
      await world.verified(
        id === 1 ? { ok: true, holder: holder(end), mayRead: () => true, mayPublish: () => false } : later(),
      );
    }
    world.append();
    world.clock.now = end + 29 * MINUTE;
    world.append();

    const notices = alice.take().filter((frame) => typeof frame === "object" && "expires" in (frame ?? {}));
    expect(notices).toEqual([{ expires: { in: 60 } }, { expires: { in: 60 } }]);
  });

  test.each<[string, Verified | Error, string]>([
    ["that is refused", { ok: false, code: "invalid_token", message: "no" }, "invalid_token"],
    ["whose issuer can't be asked", { ok: false, code: "unavailable", message: "no" }, "unavailable"],
    ["of another subject", later({ subject: "bob" }), "forbidden"],
    ["of another issuer", later({ issuer: "another" }), "forbidden"],
    [
      "of another subject, for another path",
      { ...later({ subject: "bob" }), mayRead: (path) => path !== PATH } as Verified,
      "forbidden",
    ],
    ["that is over", later({ until: 1 }), "expired"],
    ["that breaks what looks at it", new Error("broken"), "unavailable"],
  ])("[S18] one %s changes nothing for the one before", async (_, verified, code) => {
    const alice = world.live(holder(end));
    world.renew(alice, 1);
    await world.verified(verified);

    expect(alice.take()).toEqual([{ id: 1, error: expect.objectContaining({ code }) }]);
    world.clock.now = end - 1;
    world.append();
    expect(alice.closed).toBeUndefined();
    world.clock.now = end;
    world.append();
    expect(alice.closed).toEqual(EXPIRED);
    expect(world.problems.join()).not.toContain("a.b.c");
  });

  test("[S18] [T3] one that can't be looked at yet is told when it can", async () => {
    const alice = world.live(holder(end));
    world.renew(alice, 1);
    await world.verified({ ok: false, code: "unavailable", message: "no", retryAfterMs: 20_000 });

    expect(alice.take()).toEqual([
      { id: 1, error: expect.objectContaining({ code: "unavailable", retry: true, retryAfterMs: 20_000 }) },
    ]);
  });

  test("[S18] one that doesn't allow the path ends the subscription by its name", async () => {
    const [alice, bob] = [world.live(holder(end)), world.live(holder(end))];
    world.renew(alice, 1);
    await world.verified({
      ok: true,
      holder: holder(end + 1),
      mayRead: (path) => path !== PATH,
      mayPublish: () => false,
    });
    world.append();

    const error = { code: "forbidden", message: expect.any(String), retry: false };
    expect(taken(alice, bob)).toEqual([[{ end: PATH, error }], [update(2, 1)]]);
    expect(alice.closed).toEqual({ code: 4520, reason: "forbidden" });
  });

  test("[S18] [S20] one at a time on a socket; others are served meanwhile, and after 5 s it is given up", async () => {
    const [alice, bob] = [world.live(holder(end)), world.live(holder(end))];
    world.renew(alice, 1);
    world.renew(alice, 2);
    world.renew(bob, 1);
    expect(alice.take()).toMatchObject([
      { id: 2, error: { code: "rate_limited", retry: true, retryAfterMs: 5_000 } },
    ]);
    world.append();
    expect(taken(alice, bob)).toEqual([[update(2, 1)], [update(2, 1)]]);

    world.pass(5_000);
    expect(taken(alice, bob)).toMatchObject([
      [{ id: 1, error: { code: "unavailable", retry: true } }],
      [{ id: 1, error: { code: "unavailable" } }],
    ]);
    await world.verified(later());
    await world.verified(later());
    expect(taken(alice, bob)).toEqual([[], []]);
    world.renew(alice, 3);
    await world.verified(later());

    expect(alice.take()).toMatchObject([{ id: 3, ok: {} }]);
  });

  test("[S18] a socket that has gone, or whose time is over, hears nothing of it", async () => {
    const [gone, over] = [world.live(holder(end)), world.live(holder(end))];
    for (const socket of [gone, over]) world.renew(socket, 1);
    world.core.clientClosed(gone);
    world.clock.now = end;
    for (let i = 0; i < 2; i++) await world.verified(later());

    expect(taken(gone, over)).toEqual([[], []]);
    expect(over.closed).toEqual(EXPIRED);
  });

  test("[S2] [S18] while one is looked at an answer with its id is due: a subscribe must have a larger one", () => {
    const alice = world.live(holder(end));
    world.renew(alice, 5);
    world.core.clientMessage(alice, `{"id":5,"sub":"${PATH}"}`);

    expect(alice.closed).toEqual({ code: 4500, reason: "bad_frame" });
  });

  test("[S18] a public socket has none to renew, and nobody looks at what it sends", () => {
    const anyone = world.live();
    world.renew(anyone, 1);

    expect(anyone.take()).toMatchObject([{ id: 1, error: { code: "unsupported" } }]);
    expect(world.looking).toEqual([]);
    expect(anyone.closed).toBeUndefined();
  });
});

const RATE = { perSecond: 1_000, burst: 1_000 };

describe("[S20] a connection that asks too much", () => {
  const again = (id: number) => `{"id":${id},"sub":"${PATH}","from":"e:1"}`;

  beforeEach(() => {
    world = new TokenWorld({
      messages: { perSecond: 20, burst: 100 },
      asks: { perSecond: 5, burst: 20 },
      publishes: { perSecond: 100, burst: 200 },
      perPrincipal: 10,
      unsentBytes: 1e9,
    });
    world.subscribe();
    world.link();
    world.append();
    world.answerAsks();
  });

  test("[S20] is told when it may ask again, and then it may; nobody else is", () => {
    const [eager, calm] = [world.live(), world.live()];
    for (let id = 1; id <= 21; id++) world.core.clientMessage(eager, again(id));
    world.core.clientMessage(calm, again(1));

    const verdicts = eager.take();
    expect(verdicts.slice(0, 20)).toEqual(
      Array.from({ length: 20 }, (_, i) => expect.objectContaining({ id: i + 1, ok: expect.anything() })),
    );
    expect(verdicts.slice(20)).toMatchObject([
      { id: 21, error: { code: "rate_limited", retry: true, retryAfterMs: 200 } },
    ]);
    expect(calm.take()).toMatchObject([{ id: 1, ok: {} }]);
    world.clock.now += 200;
    world.core.clientMessage(eager, again(22));
    expect(eager.take()).toMatchObject([{ id: 22, ok: {} }]);
    expect(eager.closed).toBeUndefined();
  });

  test("[S20] [C5] and goes on all the same is closed, and gets updates until then", () => {
    const [eager, calm] = [world.live(), world.live()];
    for (let id = 1; id <= 200; id++) world.core.clientMessage(eager, `{"id":${id},"pub":"/t/a"}`);
    world.append();
    expect(eager.take().at(-1)).toBe(update(2, 1));
    for (let id = 201; id <= 300; id++) world.core.clientMessage(eager, `{"id":${id},"pub":"/t/a"}`);

    expect(eager.closed).toEqual({ code: 4007, reason: "rate_limited" });
    world.append();
    expect(calm.take().at(-1)).toBe(update(3, 2));
    expect(calm.closed).toBeUndefined();
  });
});
