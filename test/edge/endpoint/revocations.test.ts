/** Sockets whose tokens are revoked: what the object asks its shard, whom it keeps waiting, and whom it closes. */
import { beforeEach, describe, expect, test } from "vitest";
import type { Holder } from "../../../edge/endpoint/holder.ts";
import type { Verified } from "../../../edge/endpoint/renewals.ts";
import { encodeChecked, encodeRevocations, encodeRevoke } from "../../../shared/protocol/link.ts";
import type { Meant } from "../../../shared/protocol/revocation.ts";
import { update } from "../../support/endpoint-frames.ts";
import type { FakeSocket } from "../../support/fake-socket.ts";
import { holder } from "../../support/holders.ts";
import { TokenWorld } from "../../support/token-world.ts";

const REVOKED = { code: 4519, reason: "revoked" };
const MINUTE = 60_000;
const OF_ALICE: Meant = { of: "subject", issuer: "issuer", subject: "alice", before: 1_700_000_001 };

let world: TokenWorld;
let end: number;
let anyone: FakeSocket;
/** How much was looked at of what was said to the shard. */
let looked: number;

function begin(): void {
  looked = 0;
  world = new TokenWorld();
  end = world.clock.now + 30 * MINUTE;
  anyone = world.subscribe();
  world.link();
  world.append();
  world.answerAsks();
  anyone.take();
}

beforeEach(begin);

const bob = (more: Partial<Holder> = {}) => holder(end, { subject: "bob", tokenId: "2", ...more });
const asking = (id: number, ...tokens: Holder[]) => ({
  check: {
    id,
    tokens: tokens.map(({ issuer, subject, issuedAt, tokenId }) => [
      issuer,
      subject,
      issuedAt,
      tokenId ?? null,
    ]),
  },
});
/** What was asked of the shard about tokens since this was last called. */
function checks(): unknown[] {
  world.answerAsks();
  const said = world.saidUp.slice(looked);
  looked = world.saidUp.length;
  return said.filter((frame) => typeof frame === "object" && frame !== null && "check" in frame);
}
const checked = (id: number, revoked: [number, number][] = [], revocations = 1) =>
  world.say(encodeChecked({ id, revoked, revocations }));

/** There is another link, and the shard has revocations. */
function relink(revocations = 1): void {
  world.cutLink();
  world.link(revocations);
}

describe("[L11] a revocation that comes down the link closes", () => {
  test.each<[string, Meant, boolean, boolean]>([
    ["one token", { of: "token", issuer: "issuer", token: "1" }, true, false],
    ["a subject", OF_ALICE, true, false],
    ["all", { of: "all", issuer: "issuer", before: 1_700_000_001 }, true, true],
    ["all of another issuer", { of: "all", issuer: "another", before: 1_700_000_001 }, false, false],
    ["what was issued before", { of: "all", issuer: "issuer", before: 1_700_000_000 }, false, false],
  ])("of %s, whom it means and nobody else, awake or asleep", (_, meant, hers, his) => {
    for (const sleeps of [false, true]) {
      begin();
      const sockets = [world.live(holder(end)), world.live(bob())];
      if (sleeps) world.hibernate();

      world.say(encodeRevoke(meant, 0));
      world.append();

      expect(sockets.map(({ closed }) => closed)).toEqual(
        [hers, his].map((is) => (is ? REVOKED : undefined)),
      );
      expect(sockets.map((socket) => socket.take().length)).toEqual([hers, his].map((is) => (is ? 0 : 1)));
    }
    expect(anyone.closed).toBeUndefined();
  });

  test("at once whoever has no verdict yet, grace or not", () => {
    for (let i = 0; i < 5; i++) world.append();
    const alice = world.subscribe(holder(end), "e:1");

    world.say(encodeRevoke(OF_ALICE, MINUTE));
    world.answerAsks();

    expect(alice.closed).toEqual(REVOKED);
    expect(alice.messages).toEqual([]);
  });
});

describe("[L10] while the shard has no revocations", () => {
  test("it is asked nothing about tokens, on new links, by new sockets and after a sleep", async () => {
    const alice = world.live(holder(end));
    relink(0);
    world.live(bob());
    world.hibernate();
    world.renew(alice, 1);
    await world.verified({
      ok: true,
      holder: holder(end + MINUTE),
      mayRead: () => true,
      mayPublish: () => false,
    });

    expect(checks()).toEqual([]);
    expect(world.saidUp.flatMap((said) => Object.keys(said as object))).not.toContain("check");
    expect(alice.take()).toMatchObject([{ id: 1, ok: {} }]);
  });

  test("what is kept on its link is what it was before there were revocations", () => {
    world.live(holder(end));
    const attachment = world.up?.deserializeAttachment();

    expect(attachment).not.toHaveProperty("revocations");
  });
});

describe("[L10] while it has some, nobody with a token has a verdict before it said that the token counts", () => {
  beforeEach(() => {
    relink();
    world.answerAsks();
  });

  test("a new socket, though its answer lies ready here; a public one has it at once", () => {
    const [alice, public_] = [world.subscribe(holder(end), "e:1"), world.subscribe(undefined, "e:1")];
    expect(public_.take()).toMatchObject([{ id: 0, ok: { recovered: true } }]);
    expect(checks()).toEqual([asking(1, holder(end))]);
    expect(alice.take()).toEqual([]);

    checked(1);

    expect(alice.take()).toMatchObject([{ id: 0, ok: { recovered: true } }]);
    expect(alice.closed).toBeUndefined();
  });

  test("a new socket whose answer has to be asked for: that is asked for afterwards, and once", () => {
    for (let i = 0; i < 5; i++) world.append();
    const alice = world.subscribe(holder(end), "e:1");
    expect(checks()).toEqual([asking(1, holder(end))]);
    world.append();
    expect(alice.take()).toEqual([]);

    checked(1);
    world.answerAsks();

    const updates = Array.from({ length: 6 }, (_, i) => update(i + 2, i + 1));
    expect(alice.take()).toEqual([expect.objectContaining({ id: 0 }), ...updates]);
  });

  test("one that was revoked has none, and hears why", () => {
    const [alice, other] = [world.subscribe(holder(end), "e:1"), world.subscribe(bob(), "e:1")];
    checks();
    checked(1, [[0, MINUTE]]);
    checked(2);

    expect(alice.closed).toEqual(REVOKED);
    expect(alice.take()).toEqual([]);
    expect(other.take()).toMatchObject([{ id: 0, ok: { recovered: true } }]);
  });

  test("a socket that came while the object had no link, and one that is asked about when the link breaks", () => {
    const alice = world.subscribe(holder(end), "e:1");
    world.cutLink();
    const other = world.subscribe(bob(), "e:1");
    expect([alice.take(), other.take()]).toEqual([[], []]);

    world.link(1);
    expect(checks()).toEqual([asking(1, holder(end), bob())]);
    expect([alice.take(), other.take()]).toEqual([[], []]);
    checked(1, [[1, 0]]);

    expect(alice.take()).toMatchObject([{ id: 0, ok: { recovered: true } }]);
    expect(other.closed).toEqual(REVOKED);
    expect(other.take()).toEqual([]);
  });

  test("and if a new link's shard has none, it goes on at once", () => {
    const alice = world.subscribe(holder(end), "e:1");
    world.cutLink();
    world.link();

    expect(checks()).toEqual([]);
    expect(alice.take()).toMatchObject([{ id: 0, ok: { recovered: true } }]);
  });

  test("a socket that waited when the object fell asleep; those that are live were told of by the shard", () => {
    const live = world.subscribe(bob());
    checks();
    checked(1);
    world.answerAsks();
    const alice = world.subscribe(holder(end), "e:1");
    checks();
    // Its own questions are all answered: what is open is what it asked about alice, and that may be on its way.
    world.hibernate();
    world.append();
    expect(checks()).toEqual([asking(3, bob(), holder(end))]);
    checked(2);
    expect(alice.take()).toEqual([]);

    checked(3, [[1, 0]]);

    expect(alice.closed).toEqual(REVOKED);
    expect(live.closed).toBeUndefined();
    world.hibernate();
    world.append();
    expect(checks()).toEqual([]);
  });

  test("it isn't asked again once it said that it has none left", () => {
    world.subscribe(holder(end));
    checks();
    checked(1, [], 0);

    world.live(bob());

    expect(checks()).toEqual([]);
  });

  test("many are asked about in messages of a bounded size", () => {
    for (let i = 0; i < 600; i++) world.subscribe(holder(end, { subject: `${i}` }));
    relink();

    const sizes = checks().map((frame) => (frame as { check: { tokens: unknown[] } }).check.tokens.length);
    expect(sizes).toEqual([256, 256, 88]);
  });
});

test("[L10] after a new link those that are live are asked about before anything else, and closed", () => {
  const [alice, other] = [world.live(holder(end)), world.live(bob())];
  world.cutLink();
  const up = world.link(3);
  expect(up.frames[0]).toEqual(asking(1, holder(end), bob()));

  checked(1, [[0, 0]], 3);
  world.append();

  expect(alice.closed).toEqual(REVOKED);
  expect(alice.take()).toEqual([]);
  expect(other.take()).toEqual([update(2, 1)]);
});

describe("[S25] with a margin", () => {
  const later = (more: Partial<Holder> = {}): Verified => ({
    ok: true,
    holder: holder(end + MINUTE, { tokenId: "3", issuedAt: 1_700_000_100, ...more }),
    mayRead: () => true,
    mayPublish: () => false,
  });

  test("a socket is told, gets updates until then, asleep or not, and is closed if it wasn't renewed", () => {
    const alice = world.live(holder(end));
    world.say(encodeRevoke(OF_ALICE, 10_000));
    const at = world.clock.now + 10_000;
    expect(world.answerAsks().at(-1)).toEqual({ wake: { at } });
    world.hibernate();
    world.clock.now = at - 1;
    world.append();
    expect(alice.take()).toEqual([{ expires: { in: 10 } }, update(2, 1)]);
    world.hibernate();
    world.clock.now = at;

    world.wake();

    expect(alice.closed).toEqual(REVOKED);
    expect(alice.take()).toEqual([]);
  });

  test("it may renew with a token that counts, and then goes on", async () => {
    const alice = world.live(holder(end));
    world.say(encodeRevoke(OF_ALICE, 10_000));
    world.renew(alice, 1);
    await world.verified(later());
    expect(checks()).toEqual([asking(1, { ...holder(end), tokenId: "3", issuedAt: 1_700_000_100 })]);
    expect(alice.take()).toEqual([{ expires: { in: 10 } }]);
    checked(1);
    world.clock.now += 10_000;
    world.append();

    expect(alice.take()).toMatchObject([{ id: 1, ok: {} }, expect.stringMatching(/^\{"e":/)]);
    expect(alice.closed).toBeUndefined();
  });

  test("but not with one that was revoked too: then it ends when it would have", async () => {
    const alice = world.live(holder(end));
    world.say(encodeRevoke(OF_ALICE, 10_000));
    world.renew(alice, 1);
    await world.verified(later({ issuedAt: 1_700_000_000 }));
    checked(1, [[0, 10_000]]);

    expect(alice.take()).toMatchObject([
      { expires: { in: 10 } },
      { id: 1, error: { code: "revoked", retry: false } },
    ]);
    world.clock.now += 10_000;
    world.append();
    expect(alice.closed).toEqual(REVOKED);
  });

  test("of two revocations the earlier end counts, and it is told once", () => {
    const alice = world.live(holder(end));
    world.say(encodeRevoke(OF_ALICE, 10_000));
    world.say(encodeRevoke(OF_ALICE, 20_000));
    world.say(encodeRevoke(OF_ALICE, 5_000));
    expect(alice.take()).toEqual([{ expires: { in: 10 } }]);
    world.clock.now += 5_000;
    world.append();

    expect(alice.closed).toEqual(REVOKED);
  });

  test("a token that ends sooner by itself ends as it would", () => {
    const alice = world.live(holder(world.clock.now + 5_000));
    world.say(encodeRevoke(OF_ALICE, 10_000));
    world.clock.now += 5_000;
    world.append();

    expect(alice.closed).toEqual({ code: 4515, reason: "expired" });
  });

  test("[L11] and if it is lifted meanwhile the socket stays, and is told of its token's own end", () => {
    const alice = world.live(holder(end));
    world.say(encodeRevoke(OF_ALICE, 10_000));
    world.say(encodeRevocations(1));
    expect(checks()).toEqual([asking(1, holder(end))]);
    checked(1);
    world.clock.now += 10_000;
    world.append();
    expect(alice.closed).toBeUndefined();
    expect(alice.take()).toEqual([{ expires: { in: 10 } }, update(2, 1)]);
    world.clock.now = end - MINUTE;
    world.append();
    expect(alice.take()).toEqual([{ expires: { in: 60 } }, update(3, 2)]);
    world.clock.now = end;
    world.append();

    expect(alice.closed).toEqual({ code: 4515, reason: "expired" });
  });

  test("[L11] nor is anybody asked about if none is left", () => {
    const alice = world.live(holder(end));
    world.say(encodeRevoke(OF_ALICE, 10_000));
    world.say(encodeRevocations(0));
    world.clock.now += 10_000;
    world.append();

    expect(checks()).toEqual([]);
    expect(alice.closed).toBeUndefined();
  });
});

describe("[S18] [L10] a token that is renewed is asked about", () => {
  const good: Verified = {
    ok: true,
    holder: holder(1e13, { tokenId: "3" }),
    mayRead: () => true,
    mayPublish: () => false,
  };

  test("one that is revoked while the answer is under way doesn't get through", async () => {
    const alice = world.live(bob());
    relink();
    checks();
    checked(1);
    world.renew(alice, 1);
    await world.verified({
      ok: true,
      holder: bob({ tokenId: "3", until: end + MINUTE }),
      mayRead: () => true,
      mayPublish: () => false,
    });
    expect(checks()).toHaveLength(1);
    checked(2);
    world.say(encodeRevoke({ of: "token", issuer: "issuer", token: "3" }, 0));

    expect(alice.closed).toEqual(REVOKED);
  });

  test("and is unavailable for now if there is no link, or it breaks; after 5 s at the latest", async () => {
    const alice = world.live(holder(end));
    relink();
    checks();
    checked(1);
    const renewed: unknown[] = [];
    for (const [id, breaks] of [
      [1, () => world.cutLink()],
      [2, () => undefined],
    ] as const) {
      world.renew(alice, id);
      await world.verified(good);
      breaks();
      renewed.push(...alice.take());
    }
    expect(renewed).toMatchObject([
      { id: 1, error: { code: "unavailable", retry: true } },
      { id: 2, error: { code: "unavailable", retry: true } },
    ]);
    world.link(1);
    checked(1);
    world.renew(alice, 3);
    await world.verified(good);
    world.pass(5_000);

    expect(alice.take()).toMatchObject([{ id: 3, error: { code: "unavailable", retry: true } }]);
    expect(alice.closed).toBeUndefined();
  });
});
