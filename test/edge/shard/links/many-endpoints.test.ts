/** A shard and an object of many endpoints: what is detached, and what leaves together. */
import { beforeEach, describe, expect, test } from "vitest";
import { relayObject } from "../../../../edge/object-identity.ts";
import { encodeAttach, encodeAttached } from "../../../../shared/protocol/attach.ts";
import { encodeEmpty, encodeIdle, encodeOccupied } from "../../../../shared/protocol/link.ts";
import { SEPARATOR } from "../../../../shared/protocol/message.ts";
import { NOTHING } from "../../../../shared/protocol/position.ts";
import type { FakeSocket } from "../../../support/fake-socket.ts";
import { settled } from "../../../support/simulated-edge.ts";
import { SmallShard, updateFrame } from "../../../support/small-shard.ts";

const RELAY = relayObject("weur-0");
const [A, B] = ["/t/a", "/t/b"];

let shard: SmallShard;
let origin: FakeSocket;
let link: FakeSocket;

beforeEach(async () => {
  shard = new SmallShard();
  origin = shard.connect("a");
  shard.core.attach(RELAY);
  await settled();
  const [dialled] = shard.dialled;
  if (dialled === undefined) throw new Error("nothing was dialled");
  link = dialled;
  link.take();
  origin.take();
});

function watch(...paths: string[]): void {
  const attaches = paths.map((endpoint) => encodeAttach({ endpoint, id: 1, from: undefined }));
  shard.core.linkMessage(link, attaches.join(SEPARATOR));
  const at = new Map([["e", 5]]);
  const verdict = { position: at, head: at };
  for (const endpoint of paths)
    shard.say(origin, 1, encodeAttached({ endpoint, id: 1, verdict, to: at, horizon: NOTHING, count: 0 }));
}

const pass = (ms: number) => {
  const until = shard.clock.now + ms;
  while (shard.clock.next(until - shard.clock.now));
  shard.clock.now = until;
};

describe("[L12] [L13] a link with many endpoints", () => {
  test("[L12] what an object asks in one message goes up in one", () => {
    watch(A, B);

    expect(origin.messages).toHaveLength(1);
    expect(origin.take()).toMatchObject([
      { attach: A, link: 1 },
      { attach: B, link: 1 },
    ]);
  });

  test("[L12] without an origin all are told to wait, in one message", () => {
    shard.core.uplinkClosed(origin);
    shard.core.linkMessage(
      link,
      [A, B].map((endpoint) => encodeAttach({ endpoint, id: 1, from: undefined })).join(SEPARATOR),
    );

    expect(link.messages).toHaveLength(1);
    expect(link.take()).toEqual([
      { waiting: A, id: 1 },
      { waiting: B, id: 1 },
    ]);
  });

  test("[L5] [L13] one that stays empty is detached, the last one too, and the link ends on the object's word", () => {
    watch(A, B);
    [link, origin].map((socket) => socket.take());
    shard.core.linkMessage(link, encodeEmpty(A));
    pass(30_000);
    expect(link.take()).toEqual([{ detached: A }]);
    expect(origin.take()).toEqual([{ detach: A, link: 1 }]);
    expect(link.closed).toBeUndefined();
    const update = updateFrame(B, 6, 5);
    shard.say(origin, 1, update);
    expect(link.take()).toEqual([update]);

    shard.core.linkMessage(link, encodeEmpty(B));
    pass(30_000);
    expect(link.take()).toEqual([{ detached: B }]);
    expect(link.closed).toBeUndefined();
    expect([...shard.rows]).toEqual([RELAY]);
    shard.core.linkMessage(link, encodeIdle());
    expect(link.closed?.reason).toBe("detached");
    expect([...shard.rows]).toEqual([]);
  });

  test("[L13] an object that takes one for watched that isn't is told so, and nothing is watched by that", () => {
    watch(A);
    link.take();
    shard.core.linkMessage(link, encodeOccupied(B));

    expect(link.take()).toEqual([{ detached: B }]);
    expect(shard.core.status().watched).toBe(1);
  });

  test("[L13] an object that says it has nothing is forgotten, unless something is watched", () => {
    watch(A);
    shard.core.linkMessage(link, encodeIdle());
    expect(link.closed).toBeUndefined();
    shard.core.linkMessage(link, encodeEmpty(A));
    pass(30_000);
    shard.core.linkMessage(link, encodeIdle());
    expect(link.closed?.reason).toBe("detached");
  });

  test("[L13] what an object says behind that is nobody's: nothing is asked for a link that has ended", async () => {
    shard.core.linkMessage(
      link,
      [encodeIdle(), encodeAttach({ endpoint: A, id: 1, from: undefined })].join(SEPARATOR),
    );

    expect(link.closed?.reason).toBe("detached");
    expect(origin.take()).toEqual([]);
    const asked = shard.core.occupancy(A);
    // For a word of other edges.
    pass(1_000);
    expect(await asked).toEqual({ kind: "subscribers", subscribers: 0 });
  });

  test("[L1] [L13] after a restart every shard dials the relays that it has noted, and forgets those that have nothing", async () => {
    expect([...shard.rows]).toEqual([RELAY]);
    shard.forget([]);
    pass(1_000);
    await settled();
    const again = shard.dialled.at(-1);
    expect(again).not.toBe(link);
    if (again !== undefined) shard.core.linkMessage(again, encodeIdle());

    expect(again?.closed?.reason).toBe("detached");
    expect([...shard.rows]).toEqual([]);
  });
});
