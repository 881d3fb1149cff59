/** By whose tokens the connections of a relay are there. */
import { beforeEach, describe, expect, test } from "vitest";
import { LIMITS } from "../../../shared/protocol/limits.ts";
import { holder } from "../../support/holders.ts";
import { error, RelayWorld, verdict } from "../../support/relay-world.ts";

/** Of shard 0, and of shard 1. */
const [A, B, C1] = ["/t/a", "/t/b", "/t/c1"];
const GRANTS = { subscribe: ["/t/*"], publish: [], discover: [], admin: false };

let world: RelayWorld;
beforeEach(() => {
  world = new RelayWorld();
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

  test("[S17] [L14] one that is closed as it is told of its token's end is nobody's after that", () => {
    const until = world.clock.now + 600_000;
    const client = world.connect({ grants: GRANTS, tokensCount: true }, holder(until));
    world.link(0);
    world.say(client, { id: 1, sub: A });
    world.answer(0);
    client.bufferedAmount = 2 * LIMITS.subscriberBacklogBytes;

    world.clock.now = until - 60_000;
    world.down(0, '{"wake":true}');

    expect(client.closed?.reason).toBe("slow_consumer");
    expect(client.deserializeAttachment()).toBeNull();
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
