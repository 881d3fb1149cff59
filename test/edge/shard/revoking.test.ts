/** A shard that knows of tokens that count no more. */
import { beforeEach, describe, expect, test } from "vitest";
import { MAX_REVOCATIONS } from "../../../edge/access/revocations.ts";
import { tokenNamesOf } from "../../../edge/access/token-names.ts";
import { endpointObject } from "../../../edge/object-identity.ts";
import type { KnownPrincipal } from "../../../edge/principal.ts";
import { MAX_HEARD } from "../../../edge/shard/revoking.ts";
import { TIME_LIMITS } from "../../../edge/time-limits.ts";
import { encodeCheck } from "../../../shared/protocol/link.ts";
import type { Meant, Revocation, TokenNames } from "../../../shared/protocol/revocation.ts";
import { encodeRevocations, encodeSpreadOut, type SpreadOut } from "../../../shared/protocol/uplink.ts";
import type { FakeSocket } from "../../support/fake-socket.ts";
import { settled } from "../../support/simulated-edge.ts";
import { SmallShard } from "../../support/small-shard.ts";

const ALICE: TokenNames = { issuer: "i", subject: "alice", tokenId: "1", issuedAt: 100 };
const BOB: TokenNames = { ...ALICE, subject: "bob", tokenId: undefined };
const OF_ALICE: Meant = { of: "subject", issuer: "i", subject: "alice", before: 200 };

let shard: SmallShard;
let uplink: FakeSocket;

beforeEach(() => {
  shard = new SmallShard();
  uplink = shard.connect("a");
});

function revocation(more: Partial<Revocation> = {}): Revocation {
  const madeAt = shard.clock.now;
  return { id: "r", meant: OF_ALICE, graceMs: 0, madeAt, until: madeAt + 60_000, ...more };
}

/** What a link says first. */
async function helloOf(path: string): Promise<unknown> {
  shard.core.attach(endpointObject(path));
  await settled();
  return shard.dialled.at(-1)?.take()[0];
}

const without = (hello: unknown) => {
  expect(hello).toMatchObject({ hello: { shard: 0 } });
  expect(hello).not.toHaveProperty("hello.revocations");
};

describe("what it tells objects", () => {
  test("[L11] a revocation goes down every link at once, when its row is written", async () => {
    const links = [await shard.watch(uplink, "/t/a", 1), await shard.watch(uplink, "/t/b", 2)];

    expect(shard.core.revoking.revoke(revocation({ graceMs: 5_000 }))).toBe(true);

    for (const link of links) expect(link.take()).toEqual([{ revoke: { meant: OF_ALICE, graceMs: 5_000 } }]);
    expect([...shard.revocations.values()]).toEqual([revocation({ graceMs: 5_000 })]);
  });

  test("[L11] nobody is told of one that can't be written", async () => {
    const link = await shard.watch(uplink, "/t/a", 1);
    shard.revocations.set = () => {
      throw new Error("the disk is full");
    };

    expect(() => shard.core.revoking.revoke(revocation())).toThrow("the disk is full");
    expect(link.take()).toEqual([]);
    expect(shard.core.revoking.list()).toEqual([]);
  });

  test("[L10] a new link says how many there are, over a restart too, and nothing of them if there are none", async () => {
    without(await helloOf("/t/a"));
    shard.core.revoking.revoke(revocation());
    expect(await helloOf("/t/b")).toMatchObject({ hello: { revocations: 1 } });

    shard.forget([uplink]);
    expect(await helloOf("/t/c")).toMatchObject({ hello: { revocations: 1 } });

    shard.clock.now += 60_000;
    without(await helloOf("/t/d"));
    expect(shard.revocations.size).toBe(0);
  });

  test("[L10] it says of each token that it is asked about whether it counts, and how long its sockets have", async () => {
    const link = await shard.watch(uplink, "/t/a", 1);
    shard.core.revoking.revoke(revocation({ graceMs: 5_000 }));
    link.take();
    shard.clock.now += 2_000;
    shard.core.linkMessage(
      link,
      encodeCheck(7, [BOB, ALICE, { ...ALICE, issuedAt: 200 }, { ...ALICE, issuer: "j" }]),
    );
    expect(link.take()).toEqual([{ checked: { id: 7, revoked: [[1, 3_000]], revocations: 1 } }]);
    shard.clock.now += 4_000;
    shard.core.linkMessage(link, encodeCheck(8, [ALICE]));
    expect(link.take()).toEqual([{ checked: { id: 8, revoked: [[0, 0]], revocations: 1 } }]);

    shard.clock.now += 60_000;
    shard.core.linkMessage(link, encodeCheck(9, [ALICE]));

    expect(link.take()).toEqual([{ checked: { id: 9, revoked: [], revocations: 0 } }]);
  });

  test("[L11] one that is lifted is told of, once, and is gone over a restart", async () => {
    const link = await shard.watch(uplink, "/t/a", 1);
    shard.core.revoking.revoke(revocation());
    link.take();
    expect(shard.core.revoking.lift("j", "r")).toBe(false);

    // The second time nothing is left to do, but whoever asks may not know that.
    expect([shard.core.revoking.lift("i", "r"), shard.core.revoking.lift("i", "r")]).toEqual([true, true]);

    expect(link.take()).toEqual([{ revocations: 0 }]);
    shard.forget([uplink]);
    without(await helloOf("/t/b"));
  });
});

describe("what it keeps", () => {
  test("[A9] so many and no more; one that lapsed or was lifted makes room, and one more of the same id needs none", () => {
    for (let i = 0; i < MAX_REVOCATIONS; i++)
      expect(
        shard.core.revoking.revoke(
          revocation({ id: `${i}`, until: shard.clock.now + (i === 0 ? 10 : 60_000) }),
        ),
      ).toBe(true);
    expect(shard.core.revoking.revoke(revocation({ id: "more" }))).toBe(false);
    expect(shard.revocations.size).toBe(MAX_REVOCATIONS);
    expect(shard.core.revoking.revoke(revocation({ id: "1" }))).toBe(true);
    shard.core.revoking.lift("i", "1");
    expect(shard.core.revoking.revoke(revocation({ id: "more" }))).toBe(true);
    shard.clock.now += 10;

    expect(shard.core.revoking.revoke(revocation({ id: "and more" }))).toBe(true);
    expect(shard.core.revoking.revoke(revocation({ id: "too many" }))).toBe(false);
    expect(shard.core.status().revocations).toBe(MAX_REVOCATIONS);
  });

  test("[A9] what it learns of another shard it keeps, tells and doesn't put in the place of its own", async () => {
    const link = await shard.watch(uplink, "/t/a", 1);
    const own = revocation({ id: "a", graceMs: 5 });
    shard.core.revoking.revoke(own);
    link.take();

    shard.core.revoking.learn([
      revocation({ id: "a" }),
      revocation({ id: "b" }),
      revocation({ id: "c", until: shard.clock.now }),
    ]);

    expect([...shard.revocations.values()]).toEqual([own, revocation({ id: "b" })]);
    expect(link.take()).toEqual([{ revoke: { meant: OF_ALICE, graceMs: 0 } }]);
  });

  test("[A9] what was made again while it was away takes the place of what it was before, and not the other way", async () => {
    const link = await shard.watch(uplink, "/t/a", 1);
    const before = revocation({ meant: { of: "token", issuer: "i", token: "1" } });
    shard.core.revoking.revoke(before);
    shard.clock.now += 1_000;
    const after = revocation();
    link.take();

    shard.core.revoking.learn([after]);
    expect([...shard.revocations.values()]).toEqual([after]);
    expect(link.take()).toEqual([{ revoke: { meant: OF_ALICE, graceMs: 0 } }]);

    shard.core.revoking.learn([before]);
    expect([...shard.revocations.values()]).toEqual([after]);
    expect(link.take()).toEqual([]);
  });

  test("[A9] what was lifted while it was left out goes, and what is another issuer's of that id doesn't stay for it", () => {
    const stays = revocation({ id: "stays" });
    for (const one of [stays, revocation({ id: "lifted" }), revocation({ id: "x" })])
      shard.core.revoking.revoke(one);
    const theirs = revocation({ id: "x", meant: { ...OF_ALICE, issuer: "j" } });

    shard.core.revoking.learn([stays, theirs]);
    expect(shard.revocations.size).toBe(4);
    shard.core.revoking.learn([stays, theirs], true);

    expect([...shard.revocations.values()]).toEqual([stays, theirs]);
    expect(shard.core.revoking.list()).toEqual([stays, theirs]);
    shard.forget([uplink]);
    expect(shard.core.revoking.list()).toEqual([stays, theirs]);
  });

  test("[A9] what another shard had room for it has room for", () => {
    for (let i = 0; i < MAX_REVOCATIONS; i++) shard.core.revoking.revoke(revocation({ id: `${i}` }));

    shard.core.revoking.learn([revocation({ id: "learnt" })]);

    expect(shard.revocations.has("i learnt")).toBe(true);
    expect(shard.core.revoking.revoke(revocation({ id: "more" }))).toBe(false);
  });

  test("[A9] of what it learns late sockets have what is left of the margin, and no new one", async () => {
    const link = await shard.watch(uplink, "/t/a", 1);
    const made = revocation({ graceMs: 5_000 });
    shard.clock.now += 4_000;

    shard.core.revoking.learn([
      made,
      revocation({ id: "over", graceMs: 5_000, madeAt: made.madeAt - 1_000 }),
    ]);

    expect(link.take()).toEqual([1_000, 0].map((graceMs) => ({ revoke: { meant: OF_ALICE, graceMs } })));
  });

  test("[A9] one that was made by a clock ahead of its own, or again at once, leaves sockets no more than its margin", () => {
    const { revoking } = shard.core;
    for (let i = 0; i < 3; i++) revoking.revoke(revocation({ graceMs: 5_000 }));
    expect(revoking.check(1, [ALICE]).revoked).toEqual([[0, 5_000]]);

    const meant: Meant = { ...OF_ALICE, subject: "bob" };
    revoking.learn([revocation({ id: "ahead", meant, graceMs: 1_000, madeAt: shard.clock.now + 60_000 })]);
    expect(revoking.check(2, [BOB]).revoked).toEqual([[0, 1_000]]);
  });

  test("[A9] it lists those of one issuer", () => {
    shard.core.revoking.revoke(revocation({ id: "a" }));
    shard.core.revoking.revoke(revocation({ id: "b", meant: { ...OF_ALICE, issuer: "j" } }));

    expect(shard.core.revoking.list("i").map(({ id }) => id)).toEqual(["a"]);
  });
});

describe("[D4] one that was lifted", () => {
  const lifted = () => [...shard.revocations.values()].map(({ id, lifted = false }) => [id, lifted]);

  test("isn't brought back by another edge, or another shard, that hasn't heard of that", () => {
    const before = revocation();
    shard.core.revoking.revoke(before);
    shard.core.revoking.lift("i", "r");

    shard.core.revoking.learn([before]);
    expect(shard.core.revoking.list()).toEqual([]);
    shard.forget([uplink]);
    shard.core.revoking.learn([before]);

    expect([shard.core.revoking.list(), lifted()]).toEqual([[], [["r", true]]]);
  });

  test("is lifted here, too, once it is heard, and told of; also if it was never known here", async () => {
    const link = await shard.watch(uplink, "/t/a", 1);
    const one = revocation();
    shard.core.revoking.revoke(one);
    link.take();
    const later = { lifted: true, madeAt: one.madeAt + 1 } as const;

    shard.core.revoking.learn([
      { ...one, ...later },
      { ...one, id: "other", ...later },
    ]);

    expect(link.take()).toEqual([{ revocations: 0 }]);
    expect(lifted()).toEqual([
      ["r", true],
      ["other", true],
    ]);
    expect(shard.core.revoking.known().map(({ id }) => id)).toEqual(["r", "other"]);
  });

  test("may be made again, whatever the clocks say, and is newer for all", () => {
    const first = revocation();
    shard.core.revoking.revoke(first);
    shard.clock.now += 5_000;
    shard.core.revoking.lift("i", "r");
    const [whenLifted] = shard.core.revoking.known();

    // By a clock that is behind.
    shard.core.revoking.revoke({ ...first, madeAt: first.madeAt + 1_000 });

    const [again] = shard.core.revoking.known();
    expect(again?.lifted).toBeUndefined();
    expect(again?.madeAt).toBeGreaterThan(whenLifted?.madeAt ?? Number.POSITIVE_INFINITY);
    expect(lifted()).toEqual([["r", false]]);
  });

  test("is forgotten when it would have lapsed", () => {
    shard.core.revoking.revoke(revocation());
    shard.core.revoking.lift("i", "r");
    expect(shard.core.revoking.known()).toHaveLength(1);

    shard.clock.now += 60_000;

    expect(shard.core.revoking.known()).toEqual([]);
    expect(shard.core.revoking.lift("i", "r")).toBe(false);
    expect(shard.revocations.size).toBe(0);
  });

  test("so many are kept and no more: the one that was lifted first goes", () => {
    for (let i = 0; i <= MAX_REVOCATIONS; i++) {
      shard.core.revoking.revoke(revocation({ id: `${i}` }));
      shard.core.revoking.lift("i", `${i}`);
    }

    expect(shard.revocations.size).toBe(MAX_REVOCATIONS);
    expect(shard.revocations.has("i 0")).toBe(false);
  });
});

test("[D4] what origins tell of other edges has a bound, past which nothing of it is kept", () => {
  const many = (count: number) => Array.from({ length: count }, (_, i) => revocation({ id: `${i}` }));

  expect(shard.core.revoking.hear(many(MAX_HEARD + 1))).toBe(false);
  expect(shard.core.revoking.list()).toEqual([]);
  expect(shard.core.revoking.hear(many(MAX_HEARD))).toBe(true);
  expect(shard.core.revoking.hear(many(MAX_HEARD))).toBe(true);
});

describe("[D4] what it says to origins of a revocation, and they to it", () => {
  const spreads = (socket: FakeSocket) =>
    socket.take().flatMap((said) => {
      const { spread, id } = said as { spread?: Revocation; id: number };
      return spread === undefined ? [] : [{ id, spread }];
    });
  const answer = (socket: FakeSocket, id: number, out: Partial<SpreadOut> = {}) =>
    shard.core.uplinkMessage(
      socket,
      `0\t${encodeSpreadOut(id, { isKept: true, stored: [], missing: [], ...out })}`,
    );

  test("each is told, one that stands by too, and what no origin could bring to an edge is missing there", async () => {
    const standby = shard.connect("b");
    uplink.take();
    shard.core.revoking.revoke(revocation());

    const unspread = shard.core.spread("i", "r");
    const [[one], [other]] = [spreads(uplink), spreads(standby)];
    expect([one?.spread, other?.spread]).toEqual([revocation(), revocation()]);
    answer(uplink, one?.id ?? 0, { stored: ["x"], missing: ["y", "z"] });
    answer(standby, other?.id ?? 0, { stored: ["y"], missing: ["x", "z"] });

    expect(await unspread).toEqual({ told: 2, edges: ["z"], origins: [] });
  });

  test("origins that don't keep it, go, or don't answer in time are named", async () => {
    const [failing, going, silent] = [uplink, shard.connect("b"), shard.connect("c")];
    for (const socket of [failing, going, silent]) socket.take();
    shard.core.revoking.revoke(revocation());

    const unspread = shard.core.spread("i", "r");
    answer(failing, spreads(failing)[0]?.id ?? 0, { isKept: false, stored: ["x"] });
    shard.core.uplinkClosed(going);
    const end = shard.clock.now + TIME_LIMITS.shardSpreadMs;
    while (shard.clock.next(end - shard.clock.now));

    expect(await unspread).toEqual({ told: 3, edges: [], origins: ["a", "b", "c"] });
    answer(silent, spreads(silent)[0]?.id ?? 0, { missing: ["x"] });
  });

  test("nobody is told if there is no origin, or no such revocation", async () => {
    expect(await shard.core.spread("i", "r")).toEqual({ told: 0, edges: [], origins: [] });
    shard.core.revoking.revoke(revocation());
    shard.core.uplinkClosed(uplink);

    expect(await shard.core.spread("i", "r")).toEqual({ told: 0, edges: [], origins: [] });
  });

  test("what was revoked and lifted elsewhere is stored before that is said, from a standby too", () => {
    const standby = shard.connect("b");
    standby.take();
    shard.core.revoking.revoke(revocation({ id: "lifted" }));
    const later = { madeAt: shard.clock.now + 1 };

    shard.core.uplinkMessage(
      standby,
      `0\t${encodeRevocations(7, [revocation(), revocation({ id: "lifted", ...later, lifted: true })])}`,
    );

    expect(shard.core.revoking.list().map(({ id }) => id)).toEqual(["r"]);
    expect([...shard.revocations.keys()]).toEqual(["i lifted", "i r"]);
    expect(standby.take()).toEqual([{ learnt: 7 }]);
  });

  test("an origin whose key has bounds isn't told, and isn't believed", async () => {
    const bound = shard.connect("bound", { scope: "topics=t" });
    bound.take();
    uplink.take();

    shard.core.uplinkMessage(bound, `0\t${encodeRevocations(7, [revocation()])}`);
    expect([shard.core.revoking.list(), bound.take()]).toEqual([[], []]);
    shard.core.revoking.revoke(revocation());
    const unspread = shard.core.spread("i", "r");
    answer(uplink, spreads(uplink)[0]?.id ?? 0);

    expect(await unspread).toEqual({ told: 1, edges: [], origins: [] });
    expect(bound.take()).toEqual([]);
  });
});

describe("a GET", () => {
  const alice: KnownPrincipal = {
    kind: "known",
    issuer: "https://issuer.example",
    subject: "alice",
    id: "t-1",
    issuedAt: 100,
    grants: { subscribe: [], publish: [], discover: [], admin: false },
    until: Number.MAX_SAFE_INTEGER,
  };
  const meantOf = async (principal: KnownPrincipal): Promise<Meant> => {
    const { issuer, subject } = await tokenNamesOf(principal);
    return { of: "subject", issuer, subject, before: 200 };
  };
  const REVOKED = { kind: "error", code: "revoked", message: expect.any(String) };

  test("[A9] by a token that was revoked isn't asked for", async () => {
    shard.core.revoking.revoke(revocation({ meant: await meantOf(alice), graceMs: 60_000 }));

    expect(await shard.core.latest("/t/a", alice)).toEqual(REVOKED);
    expect(uplink.take().filter((frame) => typeof frame === "object" && "get" in (frame ?? {}))).toEqual([]);
    expect(await shard.core.revoking.isRevoked(alice)).toBe(true);
    expect(await shard.core.revoking.isRevoked({ ...alice, issuedAt: 200 })).toBe(false);
  });

  test("[A8] is refused if the token ends while its answer is awaited", async () => {
    const hers = shard.core.latest("/t/a", { ...alice, until: shard.clock.now + 1 });
    shard.clock.now += 1;
    shard.core.uplinkClosed(uplink);
    while (shard.clock.next(10_000));

    expect(await hers).toEqual({ kind: "error", code: "expired", message: expect.any(String) });
  });

  test("[A9] is refused if the token is revoked while its answer is awaited; nobody else's is", async () => {
    const [hers, anyones] = [shard.core.latest("/t/a", alice), shard.core.latest("/t/a")];
    shard.core.revoking.revoke(revocation({ meant: await meantOf(alice) }));
    shard.core.uplinkClosed(uplink);
    while (shard.clock.next(10_000));

    expect(await hers).toEqual(REVOKED);
    expect(await anyones).toMatchObject({ kind: "error", code: "unavailable" });
  });
});
