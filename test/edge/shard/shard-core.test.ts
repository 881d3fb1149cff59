import { beforeEach, describe, expect, test } from "vitest";
import { endpointObject } from "../../../edge/object-identity.ts";
import { encodeAddressed } from "../../../shared/protocol/addressed.ts";
import { encodeAttach, encodeAttached } from "../../../shared/protocol/attach.ts";
import type { Frame } from "../../../shared/protocol/frame.ts";
import { SEPARATOR } from "../../../shared/protocol/message.ts";
import { NOTHING } from "../../../shared/protocol/position.ts";
import {
  encodeHello,
  encodeLatest,
  encodeQuestionError,
  encodeReady,
} from "../../../shared/protocol/uplink.ts";
import { FakeSocket } from "../../support/fake-socket.ts";
import { settled } from "../../support/simulated-edge.ts";
import { SmallShard, updateFrame as update } from "../../support/small-shard.ts";

const A = { path: "/quotes/A", object: endpointObject("/quotes/A") };
const B = { path: "/quotes/B", object: endpointObject("/quotes/B") };
const links = (...numbers: number[]) => ({ kind: "links", links: numbers }) as const;

let shard: SmallShard;
beforeEach(() => {
  shard = new SmallShard();
});

/** An origin that hasn't said that it is ready. */
const connect = () => shard.connect("test", { ready: false });

describe("uplinks", () => {
  test("[U2] [U12] [U14] of one name the newest wins, with a generation that grows over restarts too; the one before is replaced", () => {
    const first = connect();
    const second = connect();
    shard.forget([]);
    const third = connect();

    const hello = (generation: number) => [{ hello: { version: 1, generation, role: "active" } }];
    expect(first.take()).toMatchObject(hello(1));
    expect(second.take()).toMatchObject(hello(2));
    expect(third.take()).toMatchObject(hello(3));
    expect(first.closed).toEqual({ code: 4003, reason: "replaced" });
    expect(second.closed).toBeUndefined();
  });

  test("[U14] [C4] an origin that was replaced and speaks on is closed as stale, and nothing of it goes down", async () => {
    const old = new FakeSocket();
    shard.core.uplinkOpened(old, "test");
    shard.core.uplinkMessage(old, encodeHello({ version: 1, origin: "test" }));
    const current = connect();
    const down = await shard.watch(current, A.path, 1);
    old.closed = undefined;

    shard.core.uplinkMessage(old, encodeAddressed(links(1), update(A.path, 6, 5)));

    expect(old.closed).toEqual({ code: 4506, reason: "stale_generation" });
    expect(down.messages).toEqual([]);
    expect(shard.core.status().connected).toBe(true);
  });

  test.each<[string, Frame, number]>([
    ["speaks before its hello", encodeAddressed(links(1), update(A.path, 1)), 4500],
    ["sends a hello of another version", encodeHello({ version: 2, origin: "test" }), 4502],
    ["sends bytes that are no frames", new Uint8Array([1, 2]), 4500],
  ])("[U2] [V2] [C5] one that %s is closed, and the active one isn't", (_, message, code) => {
    const active = connect();
    const rude = new FakeSocket();
    shard.core.uplinkOpened(rude, "test");

    shard.core.uplinkMessage(rude, message);

    expect(rude.closed?.code).toBe(code);
    expect(active.closed).toBeUndefined();
    expect(shard.core.status().connected).toBe(true);
  });

  test.each([
    ["without an address", "x"],
    ["with an address that is none", `a\t${update(A.path, 8, 7)}`],
    ["that isn't JSON", "1\t{"],
    ["that is a malformed update", '1\t{"e":"/quotes/A"}'],
  ])("[C5] a frame %s closes the uplink; what came before it in the message goes down", async (_, bad) => {
    const uplink = connect();
    const down = await shard.watch(uplink, A.path, 1);
    const good = encodeAddressed(links(1), update(A.path, 6, 5));

    shard.core.uplinkMessage(
      uplink,
      [good, bad, encodeAddressed(links(1), update(A.path, 9, 6))].join(SEPARATOR),
    );

    expect(down.frames).toEqual([update(A.path, 6, 5)]);
    expect(uplink.closed).toEqual({ code: 4500, reason: "bad_frame" });
    expect(shard.core.status().connected).toBe(false);
  });

  test("[C5] an answer that can't be read ends the link that it is for, which is dialled again, and disturbs no other", async () => {
    const uplink = connect();
    const a = await shard.watch(uplink, A.path, 1);
    const b = await shard.watch(uplink, B.path, 2);

    const bad = '1\t{"attached":"/quotes/A"}';
    shard.core.uplinkMessage(uplink, [bad, encodeAddressed(links(2), update(B.path, 6, 5))].join(SEPARATOR));

    expect(a.closed).toEqual({ code: 4500, reason: "bad_frame" });
    expect([uplink.closed, b.closed, b.frames]).toEqual([undefined, undefined, [update(B.path, 6, 5)]]);
    while (shard.clock.next(1_000));
    await settled();
    expect(shard.objects).toEqual([A.object, B.object, A.object]);
  });

  test("[U8] [C5] a GET whose answer can't be read is refused, and the uplink goes on", async () => {
    const uplink = connect();
    const latest = shard.core.latest(A.path);
    const asked = uplink.take() as { get?: string; id?: number }[];
    const id = asked.find(({ get }) => get === A.path)?.id;

    shard.core.uplinkMessage(uplink, `?${id}\t{"latest":"/quotes/A","position":"x","count":0}`);

    expect(await latest).toMatchObject({ kind: "error", code: "internal" });
    expect(uplink.closed).toBeUndefined();
  });

  test("[P2] [U5] an answer whose position names more than a client may say goes down like any other", async () => {
    const uplink = connect();
    const down = await shard.watch(uplink, A.path, 1);
    const position = new Map(Array.from({ length: 70 }, (_, i) => [`x.${i}`, i]));
    const verdict = { position, head: position };
    const answer = encodeAttached({
      endpoint: A.path,
      id: 2,
      verdict,
      to: position,
      horizon: position,
      count: 0,
    });

    shard.core.uplinkMessage(uplink, encodeAddressed(links(1), answer));

    expect(uplink.closed).toBeUndefined();
    expect(down.messages).toEqual([answer]);
  });

  test("[U9] readiness is what the active origin says", () => {
    const uplink = connect();
    expect(shard.core.status().ready).toBe(false);

    shard.core.uplinkMessage(uplink, encodeAddressed({ kind: "shard" }, encodeReady(true)));
    expect(shard.core.status().ready).toBe(true);
    connect();

    expect(shard.core.status().ready).toBe(false);
  });

  test("[L2] [U2] a shard that hibernated knows its uplink, and gives no link number twice", async () => {
    const uplink = connect();
    await shard.watch(uplink, A.path, 1);

    shard.forget([uplink]);
    shard.core.attach(B.object);
    await settled();
    const down = shard.dialled.at(-1) ?? new FakeSocket();
    shard.core.linkMessage(down, encodeAttach({ endpoint: B.path, id: 1, from: undefined }));

    expect(uplink.take()).toEqual([{ attach: B.path, id: 1, link: 2 }]);
  });
});

describe("passing on", () => {
  test("[U3] [F1] what is addressed to several links goes to each as the same string", async () => {
    const uplink = connect();
    const first = await shard.watch(uplink, A.path, 1);
    shard.core.attach(endpointObject("/quotes/other"));
    await settled();
    const second = shard.dialled.at(-1) ?? new FakeSocket();
    shard.core.linkMessage(second, encodeAttach({ endpoint: A.path, id: 1, from: undefined }));
    second.take();

    shard.core.uplinkMessage(uplink, encodeAddressed(links(1, 2, 77), update(A.path, 6, 5)));

    expect(first.messages).toEqual([update(A.path, 6, 5)]);
    expect(second.messages[0]).toBe(first.messages[0]);
  });

  test("[F12] [L6] of a mixed batch every link gets its own frames, in order, in one message", async () => {
    const uplink = connect();
    const a = await shard.watch(uplink, A.path, 1);
    const b = await shard.watch(uplink, B.path, 2);

    shard.core.uplinkMessage(
      uplink,
      [
        encodeAddressed(links(1), update(A.path, 6, 5)),
        encodeAddressed(links(2), update(B.path, 7, 5)),
        encodeAddressed(links(1), update(A.path, 8, 6)),
      ].join(SEPARATOR),
    );

    expect(a.messages).toEqual([[update(A.path, 6, 5), update(A.path, 8, 6)].join(SEPARATOR)]);
    expect(b.messages).toEqual([update(B.path, 7, 5)]);
  });

  test("[L6] a link with more than 16 MiB unsent is closed and dialled again, and the others get theirs", async () => {
    const uplink = connect();
    const slow = await shard.watch(uplink, A.path, 1);
    const fast = await shard.watch(uplink, B.path, 2);
    slow.bufferedAmount = 16 * 1024 * 1024 + 1;

    shard.core.uplinkMessage(
      uplink,
      [encodeAddressed(links(1), update(A.path, 6, 5)), encodeAddressed(links(2), update(B.path, 6, 5))].join(
        SEPARATOR,
      ),
    );
    while (shard.clock.next(1_000));
    await settled();

    expect(slow.closed).toEqual({ code: 4001, reason: "slow_consumer" });
    expect(fast.frames).toEqual([update(B.path, 6, 5)]);
    expect(uplink.take()).toEqual([{ detach: A.path, link: 1 }]);
    expect(shard.objects).toEqual([A.object, B.object, A.object]);
  });

  test("[U3] [U4] an update for a link that there isn't is dropped, and the origin hears that nobody is there", () => {
    const uplink = connect();
    uplink.take();

    shard.core.uplinkMessage(uplink, encodeAddressed(links(3), update(A.path, 6, 5)));

    expect(uplink.take()).toEqual([{ detach: A.path, link: 3 }]);
    expect(uplink.closed).toBeUndefined();
  });
});

describe("questions", () => {
  const to = { kind: "question", id: 1 } as const;

  test("[U8] a question is answered by what the origin says about that endpoint", async () => {
    const uplink = connect();
    uplink.take();
    const latest = shard.core.latest(A.path);
    expect(uplink.take()).toEqual([{ get: A.path, id: 1 }]);

    shard.core.uplinkMessage(uplink, encodeAddressed(to, encodeLatest(B.path, NOTHING, 0)));
    shard.core.uplinkMessage(uplink, encodeAddressed(to, encodeLatest(A.path, new Map([["e", 6]]), 1)));
    shard.core.uplinkMessage(uplink, encodeAddressed(to, update(A.path, 6, 5)));

    expect(await latest).toEqual({ kind: "update", position: "e:6", frame: update(A.path, 6, 5) });
  });

  test("[U8] no record, and an error, are answers; a code of a later version is internal", async () => {
    const uplink = connect();
    const paths = [A.path, B.path, "/quotes/C"];
    const answers = paths.map((path) => shard.core.latest(path));

    shard.core.uplinkMessage(
      uplink,
      encodeAddressed({ kind: "question", id: 1 }, encodeLatest(A.path, NOTHING, 0)),
    );
    shard.core.uplinkMessage(
      uplink,
      encodeAddressed({ kind: "question", id: 2 }, encodeQuestionError("unavailable", "later")),
    );
    shard.core.uplinkMessage(uplink, '?3\t{"error":{"code":"new","message":"later","retry":false}}');

    expect(await Promise.all(answers)).toEqual([
      { kind: "none", position: "-" },
      { kind: "error", code: "unavailable", message: "later" },
      { kind: "error", code: "internal", message: "later" },
    ]);
  });

  test.each<[string, (uplink: FakeSocket) => void]>([
    ["after 5 s without an answer", () => void shard.clock.next(5_000)],
    ["when the origin goes", (uplink) => shard.core.uplinkClosed(uplink)],
  ])("[U8] [C2] a question is unavailable %s", async (_, happen) => {
    const uplink = connect();
    const latest = shard.core.latest(A.path);

    happen(uplink);

    expect(await latest).toMatchObject({ kind: "error", code: "unavailable" });
  });

  test("[U8] [C2] without an origin a question is unavailable at once; past a thousand it is overloaded", async () => {
    expect(await shard.core.latest(A.path)).toMatchObject({ kind: "error", code: "unavailable" });
    connect();
    const open = Array.from({ length: 1_000 }, (_, i) => shard.core.latest(`/quotes/${i}`));

    expect(await shard.core.latest(A.path)).toMatchObject({ kind: "error", code: "overloaded" });
    shard.clock.now += 5_000;
    while (shard.clock.next(0));
    expect(await Promise.all(open)).toHaveLength(1_000);
  });
});
