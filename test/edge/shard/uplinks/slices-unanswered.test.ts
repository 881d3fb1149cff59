/** What is answered where a slice has no origin, or one that waits, is silent or dies. */
import { beforeEach, describe, expect, test } from "vitest";
import { encodeWaiting } from "../../../../shared/protocol/attach.ts";
import { LIMITS } from "../../../../shared/protocol/limits.ts";
import type { FakeSocket } from "../../../support/fake-socket.ts";
import { ENDPOINT as A, answer, SlicedShard, update } from "../../../support/sliced-shard.ts";

let shard: SlicedShard;
/** The active origins of two slices. */
let one: FakeSocket;
let two: FakeSocket;

beforeEach(() => {
  shard = new SlicedShard();
  ({ one, two } = shard);
});

const attached = (fields: object) => ({ attached: A, horizon: "-", ...fields });

describe("a slice that can't answer", () => {
  test("[N5] [L7] when it comes, only those objects hear of it for which it has something", async () => {
    const down = await shard.live();
    shard.core.uplinkClosed(two);
    const back = shard.connect("two", { slice: "2/2" });

    shard.tell(back, ...answer({ id: 0, recovered: true, notHome: true }));
    expect(down.messages).toEqual([]);
    shard.tell(back, ...answer({ id: 0, to: "t.1:0", recovered: true, frames: [update("t.1:0")] }));
    expect(down.take()).toHaveLength(2);
  });

  test("[N6] a key that another slice speaks for is served", async () => {
    shard.core.uplinkClosed(two);
    const down = await shard.object("t.0:5,t.1:3");

    shard.tell(one, ...answer({ from: "t.0:5", recovered: true }));

    const position = "t.0:5,t.1:3";
    expect(down.take()).toEqual([
      attached({ id: 1, position, head: position, to: position, recovered: true, count: 0 }),
    ]);
  });

  test("[N6] a key that no other slice speaks for waits, and is answered when the slice has an origin", async () => {
    shard.core.uplinkClosed(two);
    const down = await shard.object();
    shard.tell(one, ...answer({ notHome: true }));
    expect(down.take()).toEqual([{ waiting: A, id: 1 }]);

    const back = shard.connect("two", { slice: "2/2" });
    expect(back.take()).toMatchObject([{ hello: { role: "active" } }, { attach: A, id: 1, link: 1 }]);
    shard.tell(back, ...answer({ from: "t.1:3" }));

    expect(down.take()).toEqual([
      attached({ id: 1, position: "t.1:3", head: "t.1:3", to: "t.1:3", count: 0 }),
    ]);
  });

  test("[N6] what is known to be missing in that slice is waited for", async () => {
    const down = await shard.live();
    shard.tell(two, update("t.1:0"));
    shard.core.uplinkClosed(two);
    down.take();
    shard.ask(down, 2, "t.0:5");
    shard.tell(one, ...answer({ id: 2, from: "t.0:5", recovered: true }));

    expect(down.take()).toEqual([{ waiting: A, id: 2 }]);
    shard.tell(one, update("t.0:8", 5));
    expect(down.take(), "who is live isn't delayed").toEqual([update("t.0:8", 5)]);
  });

  test("[N6] who has nothing is told that nothing is missing only by the slice of the key's home, too", async () => {
    const down = await shard.live();
    shard.core.uplinkClosed(two);
    shard.ask(down, 2, "-");
    const frames = [update("t.0:5")];
    const said = { to: "t.0:5", recovered: true, frames };
    shard.tell(one, ...answer({ id: 2, withoutHome: true, ...said }));
    expect(down.take()).toEqual([{ waiting: A, id: 2 }]);

    shard.ask(down, 3, "-");
    shard.tell(one, ...answer({ id: 3, ...said }));
    expect(down.take().slice(0, 1)).toEqual([
      attached({ id: 3, position: "-", head: "t.0:5", to: "t.0:5", recovered: true, count: 1 }),
    ]);
  });

  test("[N5] an answer speaks of the key's home if a part does", async () => {
    const down = await shard.object("t.0:5,t.1:3");
    shard.tell(one, ...answer({ from: "t.0:5", recovered: true, withoutHome: true }));
    shard.tell(two, ...answer({ from: "t.1:3", recovered: true }));
    const position = "t.0:5,t.1:3";
    expect(down.take()).toEqual([
      attached({ id: 1, position, head: position, to: position, recovered: true, count: 0 }),
    ]);

    shard.ask(down, 2, "t.0:5");
    shard.tell(one, ...answer({ id: 2, from: "t.0:5", recovered: true, withoutHome: true }));
    shard.tell(two, ...answer({ id: 2, recovered: true, notHome: true }));
    expect(down.take()).toMatchObject([{ id: 2, withoutHome: true }]);
  });

  test("[N6] the latest update is waited for if the link was sent something of that slice, whatever others have", async () => {
    const down = await shard.live();
    shard.tell(two, update("t.1:0"));
    shard.core.uplinkClosed(two);
    down.take();
    shard.ask(down, 2);
    shard.tell(one, ...answer({ id: 2, from: "t.0:3", to: "t.0:5", frames: [update("t.0:5", 3)] }));
    expect(down.take()).toEqual([{ waiting: A, id: 2 }]);

    const back = shard.connect("two", { slice: "2/2" });
    expect(back.take().slice(1)).toMatchObject([
      { attach: A, id: 0, from: "t.0:5,t.1:0" },
      { attach: A, id: 2 },
    ]);
    const frames = [update("t.1:0")];
    shard.tell(
      back,
      ...answer({ id: 0, from: "t.1:0", recovered: true }),
      ...answer({ id: 2, to: "t.1:0", frames }),
    );
    shard.tell(one, ...answer({ id: 2, from: "t.0:3", to: "t.0:5", frames: [update("t.0:5", 3)] }));

    expect(down.take().slice(0, 1)).toMatchObject([
      { id: 2, position: "t.0:3", to: "t.0:5,t.1:0", count: 2 },
    ]);
  });

  test("[N6] the latest update is not waited for if the link was never sent anything of that slice", async () => {
    const down = await shard.live();
    shard.core.uplinkClosed(two);
    shard.ask(down, 2);
    shard.tell(one, ...answer({ id: 2, from: "t.0:3", to: "t.0:5", frames: [update("t.0:5", 3)] }));

    expect(down.take().slice(0, 1)).toMatchObject([{ id: 2, position: "t.0:3", to: "t.0:5", count: 1 }]);
  });

  test("[N6] one that waits for its own partitions keeps nobody from an answer that others have", async () => {
    const down = await shard.object();
    shard.tell(one, ...answer({ from: "t.0:5" }));
    shard.tell(two, encodeWaiting(A, 1));

    expect(down.take()).toMatchObject([{ attached: A, id: 1, position: "t.0:5" }]);
    expect(one.take()).toHaveLength(1);
  });

  test("[N6] one that is silent is waited for for a second; what it says later is added", async () => {
    const down = await shard.object();
    shard.tell(one, ...answer({ from: "t.0:5" }));
    two.take();
    expect(down.take()).toEqual([]);

    shard.clock.next(1_000);
    expect(down.take()).toMatchObject([{ attached: A, id: 1, position: "t.0:5" }]);
    shard.tell(two, ...answer({ from: "t.1:3" }));
    expect(two.take()).toEqual([{ attach: A, id: 0, link: 1, from: "t.0:5" }]);
    shard.tell(two, ...answer({ id: 0, from: "t.1:3", recovered: true }));
    expect(down.take()).toMatchObject([{ id: 0, position: "t.0:5,t.1:3", recovered: true }]);
  });

  test("[N6] [L7] one that is silent is asked from where the link is once, however many ask, until it has been heard", async () => {
    const down = await shard.object();
    shard.tell(one, ...answer({ from: "t.0:5" }));
    shard.clock.next(1_000);
    two.take();

    for (const id of [2, 3, 4]) shard.ask(down, id, "t.0:3");
    const ids = two.take().map((frame) => (frame as { id: number }).id);

    expect(ids).toEqual([0, 2, 3, 4]);
  });

  describe("[N6] [U6] the object stands in a slice that isn't waited for", () => {
    let down: FakeSocket;
    beforeEach(async () => {
      down = await shard.object("t.1:5");
      shard.tell(two, encodeWaiting(A, 1));
      shard.tell(one, ...answer({ recovered: true }));
      expect(down.take()).toMatchObject([{ id: 1, to: "t.1:5", recovered: true }]);
      two.take();
    });

    test("what the slice adds late goes down before what comes live after it", () => {
      const frames = [update("t.1:6", 5), update("t.1:8", 6)];
      shard.tell(two, ...answer({ from: "t.1:5", to: "t.1:8", recovered: true, frames }), update("t.1:9"));

      expect(down.take()).toMatchObject([
        { id: 0, position: "t.1:5", to: "t.1:8", recovered: true, count: 2 },
        ...frames,
        update("t.1:9"),
      ]);
      expect(two.take()).toEqual([]);
    });

    test("that it lost continuity goes down, too, also if there is nothing after that", () => {
      shard.tell(two, ...answer({ from: "t.1:5", recovered: false }), update("t.1:9"));

      expect(down.take()).toMatchObject([{ id: 0, to: "t.1:5", recovered: false }, update("t.1:9")]);
    });

    test("that somebody else lost continuity doesn't: the slice is asked from where the link is", () => {
      shard.tell(two, ...answer({ from: "t.1:5", recovered: true }));
      shard.ask(down, 2, "t.0:3,t.1:1");
      shard.tell(
        one,
        ...answer({ id: 2, from: "t.0:3", to: "t.0:4", recovered: true, frames: [update("t.0:4")] }),
      );
      shard.clock.next(1_000);
      for (const socket of [two, down]) socket.take();

      shard.tell(two, ...answer({ id: 2, from: "t.1:8", recovered: false }));

      expect(down.take()).toEqual([]);
      expect(two.take()).toMatchObject([{ attach: A, id: 0, from: "t.0:4,t.1:5" }]);
    });
  });

  test("[N6] of one that dies, what it said of an open ask is asked of the next one", async () => {
    const standby = shard.connect("three", { slice: "1/2" });
    const down = await shard.object();
    shard.tell(one, ...answer({ from: "t.0:5" }));
    standby.take();

    shard.core.uplinkClosed(one);
    expect(standby.take()).toEqual([
      { role: "active", generation: 3 },
      { attach: A, id: 1, link: 1 },
    ]);
    shard.tell(two, ...answer({ notHome: true }));
    expect(down.take()).toEqual([]);
    shard.tell(standby, ...answer({ from: "t.0:6" }));

    expect(down.take()).toMatchObject([{ position: "t.0:6" }]);
  });

  test("[N7] a shard holds only so much while it waits", async () => {
    const down = await shard.object();
    const big = "x".repeat(1024 * 1024);
    const large = (offset: number) => update(`t.0:${offset}`, offset - 1).replace('"v":1}', `"v":"${big}"}`);
    shard.tell(one, ...answer({ from: "t.0:4", to: "t.0:5", frames: [large(5)] }));

    for (let i = 6; i <= LIMITS.scatterGatherBytes / big.length; i++) shard.tell(one, large(i));
    expect(down.messages).toEqual([]);
    for (let i = 0; i < 10; i++) shard.tell(one, large(LIMITS.scatterGatherBytes / big.length + 1 + i));

    expect(down.frames.length).toBeGreaterThan(25);
  });

  describe("[N7] a subscriber that was told to wait holds back nothing that comes live", () => {
    let down: FakeSocket;
    beforeEach(async () => {
      down = await shard.live();
      shard.ask(down, 2, "t.0:90,t.1:90");
      shard.tell(two, ...answer({ id: 2, from: "t.1:3", recovered: false }), update("t.1:4", 3));
      expect(down.take()).toEqual([]);
      shard.tell(one, encodeWaiting(A, 2));
      two.take();
    });

    test("where a slice refuses it without updates: that slice is asked again when the other one has answered", () => {
      expect(down.take()).toEqual([update("t.1:4", 3), { waiting: A, id: 2 }]);
      shard.tell(two, update("t.1:5", 4));
      expect(down.take()).toEqual([update("t.1:5", 4)]);

      shard.tell(one, ...answer({ id: 2, from: "t.0:5", recovered: false }));
      expect(two.take()).toMatchObject([{ attach: A, id: 2, from: "t.0:90,t.1:90" }]);
      shard.tell(two, ...answer({ id: 2, from: "t.1:5", recovered: false }));

      expect(down.take()).toMatchObject([{ id: 2, to: "t.0:5,t.1:5", head: "t.0:5,t.1:5" }]);
    });

    test("where a slice that is asked again takes time; the answer's head tells of what came", () => {
      shard.tell(one, ...answer({ id: 2, from: "t.0:5", recovered: false }));
      shard.tell(two, encodeWaiting(A, 2));
      down.take();

      shard.tell(one, update("t.0:6", 5));
      expect(down.take()).toEqual([update("t.0:6", 5)]);
      shard.tell(two, ...answer({ id: 2, from: "t.1:4", recovered: false }));

      expect(down.take()).toMatchObject([{ id: 2, to: "t.0:5,t.1:4", head: "t.0:6,t.1:4" }]);
    });
  });

  test("[N7] [U6] what a slice had for the object itself goes down before what comes live after it", async () => {
    const down = await shard.object("-");
    const part = {
      to: "t.1:8",
      recovered: true,
      withoutHome: true,
      frames: [update("t.1:6"), update("t.1:8", 6)],
    };
    shard.tell(two, ...answer(part), update("t.1:9"));
    shard.tell(one, encodeWaiting(A, 1));

    expect(down.take()).toMatchObject([
      { id: 0, position: "-", to: "t.1:8", recovered: true, withoutHome: true },
      ...part.frames,
      update("t.1:9"),
      { waiting: A, id: 1 },
    ]);
  });

  test("[N7] [L6] what was held for a link that is closed as it goes down counts no more, and counts once", async () => {
    const big = "x".repeat(1024 * 1024);
    const large = (offset: number) => update(`t.0:${offset}`, offset - 1).replace('"v":1}', `"v":"${big}"}`);
    /** A link that is owed so many live updates of 1 MiB. */
    const owe = async (link: number, count: number) => {
      const down = await shard.object();
      const part = answer({ from: "t.0:4", to: "t.0:5", frames: [large(5)] });
      const live = Array.from({ length: count }, (_, i) => large(6 + i));
      for (const frame of [...part, ...live]) shard.say(one, link, frame);
      return down;
    };
    const first = await owe(1, 25);
    first.bufferedAmount = LIMITS.linkBacklogBytes + 1;
    shard.core.uplinkClosed(one);
    expect(first.closed?.reason).toBe("slow_consumer");

    one = shard.connect("one", { slice: "1/2" });
    const second = await owe(2, 29);
    expect(second.messages).toEqual([]);
    for (let i = 0; i < 3; i++) shard.say(one, 2, large(35 + i));

    expect(second.messages).not.toEqual([]);
  });
});
