/** How much a relay takes, of a connection and of all together. */
import { beforeEach, describe, expect, test } from "vitest";
import { LIMITS } from "../../../shared/protocol/limits.ts";
import { holder, UNLIMITED } from "../../support/holders.ts";
import { error, RelayWorld, verdict } from "../../support/relay-world.ts";

/** Of shard 0, and of shard 1. */
const [A, B, C1] = ["/t/a", "/t/b", "/t/c1"];
const GRANTS = { subscribe: ["/t/*"], publish: [], discover: [], admin: false };

let world: RelayWorld;
beforeEach(() => {
  world = new RelayWorld();
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
