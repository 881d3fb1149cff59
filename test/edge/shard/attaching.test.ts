/** Objects that attach to a shard, are dialled and watched, and leave. */
import { beforeEach, describe, expect, test } from "vitest";
import { endpointObject, relayObject } from "../../../edge/object-identity.ts";
import { encodeAddressed } from "../../../shared/protocol/addressed.ts";
import { encodeAttach } from "../../../shared/protocol/attach.ts";
import { encodeDetached, encodeEmpty, encodeOccupied } from "../../../shared/protocol/link.ts";
import { SEPARATOR } from "../../../shared/protocol/message.ts";
import { FakeSocket } from "../../support/fake-socket.ts";
import { settled } from "../../support/simulated-edge.ts";
import { attachedFrame, SmallShard, updateFrame as update } from "../../support/small-shard.ts";

const A = { path: "/quotes/A", object: endpointObject("/quotes/A") };
const B = { path: "/quotes/B", object: endpointObject("/quotes/B") };
const links = (...numbers: number[]) => ({ kind: "links", links: numbers }) as const;

let shard: SmallShard;
beforeEach(() => {
  shard = new SmallShard();
});

/** An origin that hasn't said that it is ready. */
const connect = () => shard.connect("test", { ready: false });

describe("attaching", () => {
  test("[L1] [L3] an attach notes the object in one row and dials; the link begins with a hello", async () => {
    shard.core.attach(A.object);
    shard.core.attach(A.object);
    await settled();

    expect([...shard.rows]).toEqual([A.object]);
    expect(shard.dialled).toHaveLength(1);
    expect(shard.dialled[0]?.frames).toEqual([{ hello: { version: 1, shard: 0, generation: 1, dial: 1 } }]);
  });

  test("[U7] without an uplink an attach is answered with waiting, and put to the next origin", async () => {
    shard.core.attach(A.object);
    await settled();
    const down = shard.dialled[0] ?? new FakeSocket();
    down.take();

    shard.core.linkMessage(down, encodeAttach({ endpoint: A.path, id: 4, from: new Map([["e", 2]]) }));
    const uplink = connect();

    expect(down.take()).toEqual([{ waiting: A.path, id: 4 }]);
    expect(uplink.take().slice(1)).toEqual([{ attach: A.path, id: 4, link: 1, from: "e:2" }]);
  });

  test("[L7] a new origin is told where each link is, and then what it has asked and not been answered", async () => {
    const first = connect();
    const down = await shard.watch(first, A.path, 1);
    shard.core.uplinkMessage(first, encodeAddressed(links(1), update(A.path, 6, 5)));
    shard.core.linkMessage(down, encodeAttach({ endpoint: A.path, id: 2, from: new Map([["e", 1]]) }));
    down.take();

    shard.core.uplinkClosed(first);
    const second = connect();

    expect(down.take()).toEqual([{ waiting: A.path, id: 2 }]);
    expect(second.take().slice(1)).toEqual([
      { attach: A.path, id: 0, link: 1, from: "e:6" },
      { attach: A.path, id: 2, link: 1, from: "e:1" },
    ]);
  });

  test("[L5] an object that stays empty for 30 s is detached: its row goes, the origin hears it, the link is closed", async () => {
    const uplink = connect();
    const down = await shard.watch(uplink, A.path, 1);

    shard.core.linkMessage(down, encodeEmpty(A.path));
    expect(shard.clock.next(29_999)).toBe(false);
    shard.clock.next(30_000);

    expect(shard.rows.size).toBe(0);
    expect(uplink.take()).toEqual([{ detach: A.path, link: 1 }]);
    expect(down.closed).toEqual({ code: 4004, reason: "detached" });
    expect(shard.core.status()).toMatchObject({ watched: 0, links: 0 });
  });

  test("[L5] one whose key has no record, or of which nothing was heard, is detached after a second", async () => {
    const uplink = connect();
    const none = await shard.watch(uplink, A.path, 1);
    shard.core.linkMessage(none, encodeEmpty(A.path, true));
    shard.core.attach(B.object);
    await settled();
    const unheard = shard.dialled.at(-1);
    if (unheard === undefined || unheard === none) throw new Error("nothing was dialled");
    shard.core.linkMessage(unheard, encodeEmpty(B.path));

    expect(shard.clock.next(999)).toBe(false);
    while (shard.clock.next(1_000));

    expect(shard.rows.size).toBe(0);
    expect([none.closed?.code, unheard.closed?.code]).toEqual([4004, 4004]);
    expect(shard.core.status()).toMatchObject({ watched: 0, links: 0 });
  });

  test("[L13] [L16] endpoints of a room that end at one moment are told of in one message", async () => {
    const down = await shard.watch(connect(), A.path, 1, relayObject("room-3"));
    shard.core.linkMessage(down, encodeAttach({ endpoint: B.path, id: 1, from: undefined }));
    down.take();

    shard.core.linkMessage(down, [encodeEmpty(A.path, true), encodeEmpty(B.path, true)].join(SEPARATOR));
    while (shard.clock.next(1_000));

    expect(down.messages).toEqual([[encodeDetached(A.path), encodeDetached(B.path)].join(SEPARATOR)]);
  });

  test("[L5] one whose key has no record stays if it is occupied again in time", async () => {
    const down = await shard.watch(connect(), A.path, 1);

    shard.core.linkMessage(down, encodeEmpty(A.path, true));
    shard.core.linkMessage(down, encodeOccupied(A.path));
    while (shard.clock.next(60_000));

    expect(down.closed).toBeUndefined();
  });

  test("[L5] one that is occupied again in time stays", async () => {
    const uplink = connect();
    const down = await shard.watch(uplink, A.path, 1);

    shard.core.linkMessage(down, encodeEmpty(A.path));
    shard.clock.now += 20_000;
    shard.core.linkMessage(down, encodeOccupied(A.path));
    shard.core.linkMessage(down, encodeEmpty(A.path));

    // From now on it has its time again.
    expect([10_000, 20_000].map((ms) => shard.clock.next(ms))).toEqual([false, false]);
    expect(down.closed).toBeUndefined();
    expect(shard.clock.next(30_000)).toBe(true);
    expect(down.closed?.code).toBe(4004);
  });

  test("[L1] after a restart every object is dialled again, at most 50 at once, and newer than all links before", async () => {
    await linkObjects(120);
    shard.hanging = true;

    shard.forget([]);
    while (shard.clock.next(1_000));
    await settled();

    expect(shard.dialled).toHaveLength(120 + 50);
  });

  test("[L3] dials of a restarted shard have a higher generation, without a new uplink", async () => {
    await linkObjects(1);
    const before = shard.generation;

    shard.forget([]);
    while (shard.clock.next(1_000));
    await settled();

    expect(shard.dialled[1]?.frames).toEqual([
      { hello: { version: 1, shard: 0, generation: before + 1, dial: 1 } },
    ]);
  });

  test("[A7] after the number of shards has changed, a shard forgets what is another's", () => {
    for (let i = 0; i < 20; i++) shard.rows.add(endpointObject(`/quotes/${i}`));

    shard.forget([], 2);

    expect(shard.rows.size).toBeGreaterThan(0);
    expect(shard.rows.size).toBeLessThan(20);
  });

  test("[L1] an object that can't be dialled is tried with backoff and then given up; it may attach again", async () => {
    shard.refusing = true;
    shard.core.attach(A.object);
    await settled();
    while (shard.clock.next(60_000)) await settled();

    expect(shard.dialled).toHaveLength(10);
    expect(shard.rows.size).toBe(0);
    expect(shard.problems).toHaveLength(1);
    shard.refusing = false;
    shard.core.attach(A.object);
    await settled();
    expect(shard.core.status().links).toBe(1);
  });

  describe("an object that holds two endpoints", () => {
    const object = endpointObject("/quotes/both");

    async function holdingBoth(uplink: FakeSocket): Promise<FakeSocket> {
      const down = await shard.watch(uplink, A.path, 1, object);
      askAndAnswer(uplink, down, 1, B.path);
      return down;
    }

    function askAndAnswer(uplink: FakeSocket, down: FakeSocket, link: number, path: string): void {
      shard.core.linkMessage(down, encodeAttach({ endpoint: path, id: 1, from: undefined }));
      shard.core.uplinkMessage(uplink, encodeAddressed(links(link), attachedFrame(path, 5)));
      down.take();
      uplink.take();
    }

    test("[L1] [L2] has one row and one link, on which each is watched by itself", async () => {
      const uplink = connect();
      const down = await holdingBoth(uplink);

      shard.core.uplinkMessage(uplink, encodeAddressed(links(1), update(A.path, 6, 5)));
      shard.core.uplinkMessage(uplink, encodeAddressed(links(1), update(B.path, 9, 5)));

      expect(down.frames).toEqual([update(A.path, 6, 5), update(B.path, 9, 5)]);
      expect([...shard.rows]).toEqual([object]);
      expect(shard.dialled).toHaveLength(1);
      expect(shard.core.status()).toMatchObject({ watched: 2, links: 1 });
    });

    test("[L5] [L13] one that stays empty is detached, which the object is told, and the other, the row and the link stay", async () => {
      const uplink = connect();
      const down = await holdingBoth(uplink);

      shard.core.linkMessage(down, encodeEmpty(B.path));
      shard.clock.next(30_000);
      expect(uplink.take()).toEqual([{ detach: B.path, link: 1 }]);
      shard.core.uplinkMessage(uplink, encodeAddressed(links(1), update(A.path, 6, 5)));

      expect(down.frames).toEqual([{ detached: B.path }, update(A.path, 6, 5)]);
      expect([...shard.rows]).toEqual([object]);
      expect(shard.core.status()).toMatchObject({ watched: 1, links: 1 });

      shard.core.linkMessage(down, encodeEmpty(A.path));
      shard.clock.next(30_000);
      expect(down.closed).toEqual({ code: 4004, reason: "detached" });
      expect(shard.rows.size).toBe(0);
    });

    test("[L1] [L7] is dialled once after its link broke, and both are watched on the new one", async () => {
      const uplink = connect();
      const broken = await holdingBoth(uplink);

      shard.core.linkClosed(broken);
      expect(uplink.take()).toEqual([
        { detach: A.path, link: 1 },
        { detach: B.path, link: 1 },
      ]);
      while (shard.clock.next(1_000));
      await settled();
      expect(shard.objects).toEqual([object, object]);
      const down = shard.dialled.at(-1) ?? new FakeSocket();
      for (const path of [A.path, B.path]) askAndAnswer(uplink, down, 2, path);
      const next = connect();

      expect(next.take().slice(1)).toEqual([
        { attach: A.path, id: 0, link: 2, from: "e:5" },
        { attach: B.path, id: 0, link: 2, from: "e:5" },
      ]);
      expect(shard.core.status()).toMatchObject({ watched: 2, links: 1 });
    });

    test("[L1] is dialled once when the shard's memory was lost", async () => {
      await holdingBoth(connect());

      shard.forget([]);
      while (shard.clock.next(1_000));
      await settled();

      expect(shard.objects).toEqual([object, object]);
      expect(shard.core.status().links).toBe(1);
    });
  });

  test("[C5] a link that says what can't be read is closed and dialled again", async () => {
    const uplink = connect();
    const down = await shard.watch(uplink, A.path, 1);

    shard.core.linkMessage(down, "?");
    while (shard.clock.next(1_000));
    await settled();

    expect(down.closed).toEqual({ code: 4500, reason: "bad_frame" });
    expect(shard.dialled).toHaveLength(2);
  });
});

/** The shard links this many objects. */
async function linkObjects(count: number): Promise<void> {
  for (let i = 0; i < count; i++) shard.core.attach(endpointObject(`/quotes/${i}`));
  for (let i = 0; i < count / 10; i++) await settled();
  expect(shard.core.status().links).toBe(count);
}
