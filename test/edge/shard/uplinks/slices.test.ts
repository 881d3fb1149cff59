import { beforeEach, describe, expect, test } from "vitest";
import { endpointObject } from "../../../../edge/object-identity.ts";
import { encodeAddressed } from "../../../../shared/protocol/addressed.ts";
import { encodeAttach, encodeAttached, encodeWaiting } from "../../../../shared/protocol/attach.ts";
import { encodeUpdate } from "../../../../shared/protocol/frame.ts";
import { LIMITS } from "../../../../shared/protocol/limits.ts";
import { NOTHING, parsePosition } from "../../../../shared/protocol/position.ts";
import { encodeLatest, encodeQuestionError } from "../../../../shared/protocol/uplink.ts";
import type { FakeSocket } from "../../../support/fake-socket.ts";
import { settled } from "../../../support/simulated-edge.ts";
import { SmallShard } from "../../../support/small-shard.ts";

const A = "/quotes/A";
const at = (text: string) => parsePosition(text) ?? NOTHING;

let shard: SmallShard;
/** The active origins of two slices. */
let one: FakeSocket;
let two: FakeSocket;

beforeEach(() => {
  shard = new SmallShard();
  one = shard.connect("one", { slice: "1/2" });
  two = shard.connect("two", { slice: "2/2" });
  for (const uplink of [one, two]) uplink.take();
});

interface Said {
  readonly id?: number;
  readonly from?: string;
  readonly to?: string;
  readonly head?: string;
  readonly recovered?: boolean;
  readonly frames?: readonly string[];
  readonly notHome?: boolean;
  readonly withoutHome?: boolean;
}

/** What an origin answers, as its items. */
function answer({ id = 1, from = "-", to = from, head = to, frames = [], ...rest }: Said): string[] {
  const { recovered, notHome, withoutHome } = rest;
  const cause = recovered === false ? ("horizon" as const) : undefined;
  const verdict = { position: at(from), head: at(head), recovered, cause };
  const attached = {
    endpoint: A,
    id,
    verdict,
    to: at(to),
    horizon: NOTHING,
    count: frames.length,
    notHome,
    withoutHome,
  };
  return [encodeAttached(attached), ...frames];
}

const say = (uplink: FakeSocket, ...frames: string[]) => {
  for (const frame of frames) shard.say(uplink, 1, frame);
};

function update(p: string, q?: number, t?: number): string {
  const [epoch = "", offset] = p.split(":");
  const value = { kind: "json", text: "1" } as const;
  const facts = { endpoint: A, epoch, offset: Number(offset), previous: q, timestamp: t, headers: [] };
  return String(encodeUpdate({ ...facts, value }));
}

/** An object that has a link and asks. */
async function object(from?: string): Promise<FakeSocket> {
  shard.core.attach(endpointObject(A));
  await settled();
  const down = shard.dialled.at(-1);
  if (down === undefined) throw new Error("nothing was dialled");
  ask(down, 1, from);
  down.take();
  return down;
}

function ask(down: FakeSocket, id: number, from?: string): void {
  shard.core.linkMessage(
    down,
    encodeAttach({ endpoint: A, id, from: from === undefined ? undefined : at(from) }),
  );
}

/** An object that has been answered: it stands at t.0:5, and nothing is known in the second slice. */
async function live(): Promise<FakeSocket> {
  const down = await object();
  say(one, ...answer({ from: "t.0:5" }));
  say(two, ...answer({ notHome: true }));
  for (const socket of [one, two, down]) socket.take();
  return down;
}

const attached = (fields: object) => ({ attached: A, horizon: "-", ...fields });

describe("who answers", () => {
  test("[N1] [N2] each slice has its active origin, its standbys, and is told of its slice", () => {
    const standby = shard.connect("three", { slice: "2/2" });

    const hello = { version: 1, shard: 0, shards: 1, slice: "2/2", role: "standby", generation: 2 };
    expect(standby.take()).toEqual([{ hello }]);
    expect(shard.core.status()).toMatchObject({
      connected: true,
      ready: true,
      generation: 2,
      slices: [
        { slice: "1/2", connected: true, ready: true, origin: "one", generation: 1, standbys: [] },
        { slice: "2/2", origin: "two", generation: 2, standbys: [{ origin: "three", ready: true }] },
      ],
    });
  });

  test("[N2] where a slice has no origin the shard isn't connected", () => {
    shard.core.uplinkClosed(two);

    expect(shard.core.status()).toMatchObject({
      connected: false,
      ready: false,
      slices: [{ origin: "one" }, { connected: false, ready: false, origin: null, generation: 0 }],
    });
  });

  test("[N2] a slice's standby takes over for that slice alone", async () => {
    const standby = shard.connect("three", { slice: "2/2" });
    const down = await live();
    say(two, update("t.1:0"));
    standby.take();

    shard.core.uplinkClosed(two);

    expect(standby.take()).toEqual([
      { role: "active", generation: 3 },
      { attach: A, id: 0, link: 1, from: "t.0:5,t.1:0" },
    ]);
    expect(one.take()).toEqual([]);
    expect(down.take()).toEqual([update("t.1:0")]);
  });

  test("[N2] [U12] an origin of the same name replaces its uplink in another slice, too", () => {
    const again = shard.connect("two", { slice: "1/2" });

    expect(two.closed?.code).toBe(4003);
    expect(again.take()).toMatchObject([{ hello: { role: "standby" } }]);
    expect(shard.core.status().slices).toMatchObject([{ origin: "one" }, { origin: null }]);
  });

  test("[N2] roles, slices and numbers of links outlive the shard's memory", async () => {
    await live();
    const before = shard.core.status();

    shard.forget([one, two]);

    expect(shard.core.status()).toEqual({ ...before, links: 0, watched: 0 });
    await settled();
    shard.clock.next(2_000);
    await settled();
    ask(shard.dialled.at(-1) ?? one, 1);
    expect(one.take()).toEqual([{ attach: A, id: 1, link: 2 }]);
    expect(two.take()).toEqual([{ attach: A, id: 1, link: 2 }]);
  });
});

describe("one answer of several", () => {
  test("[N5] an ask goes to each slice; its answer goes down when all have answered", async () => {
    const down = await object("t.0:5");
    expect(one.take()).toEqual([{ attach: A, id: 1, link: 1, from: "t.0:5" }]);
    expect(two.take()).toEqual([{ attach: A, id: 1, link: 1, from: "t.0:5" }]);

    say(one, ...answer({ from: "t.0:5", to: "t.0:7", recovered: true, frames: [update("t.0:7", 5)] }));
    expect(down.take()).toEqual([]);
    say(two, ...answer({ recovered: true, notHome: true }));

    const positions = { position: "t.0:5", head: "t.0:7", to: "t.0:7" };
    expect(down.take()).toEqual([
      attached({ id: 1, ...positions, recovered: true, count: 1 }),
      update("t.0:7", 5),
    ]);
  });

  test("[N5] where a key is known in two, positions are put together, and the newest update comes last", async () => {
    const down = await object();
    say(one, ...answer({ from: "t.0:5", to: "t.0:7", frames: [update("t.0:7", 5, 2_000)] }));
    say(two, ...answer({ from: "t.1:3", to: "t.1:4", head: "t.1:9", frames: [update("t.1:4", 3, 1_000)] }));

    expect(down.take()).toEqual([
      attached({
        id: 1,
        position: "t.0:5,t.1:3",
        head: "t.0:7,t.1:9",
        to: "t.0:7,t.1:4",
        count: 2,
      }),
      update("t.1:4", 3, 1_000),
      update("t.0:7", 5, 2_000),
    ]);
  });

  test("[N5] it is recovered only if each slice says so; else the cause is of the first that doesn't", async () => {
    const down = await object("t.0:5,t.1:3");
    say(two, ...answer({ from: "t.1:8", recovered: false }));
    say(one, ...answer({ from: "t.0:5", recovered: true }));

    expect(down.take()).toMatchObject([{ position: "t.0:5,t.1:8", recovered: false, cause: "horizon" }]);
  });

  test("[N5] an answer that comes in pieces isn't mixed with what another slice sends", async () => {
    const down = await live();
    say(one, ...answer({ id: 0, from: "t.0:5", to: "t.0:9", frames: [update("t.0:7", 5)] }).slice(0, 1));
    say(two, update("t.1:0"));
    say(one, update("t.0:7", 5));

    const [first, header, last] = down.take();
    expect([first, last]).toEqual([update("t.1:0"), update("t.0:7", 5)]);
    expect(header).toMatchObject({ id: 0, position: "t.0:5,t.1:0", to: "t.0:9,t.1:0", count: 1 });
  });

  test("[N7] what comes live after a slice's part of the answer follows the answer", async () => {
    const down = await object("t.0:5");
    say(one, ...answer({ from: "t.0:5", to: "t.0:7", recovered: true, frames: [update("t.0:7", 5)] }));
    say(one, update("t.0:8", 7));
    expect(down.take()).toEqual([]);

    say(two, ...answer({ recovered: true, notHome: true }));

    expect(down.take().slice(1)).toEqual([update("t.0:7", 5), update("t.0:8", 7)]);
  });

  test("[N7] what comes live where there was nothing to answer isn't held, and the answer tells of it", async () => {
    const down = await live();
    ask(down, 2, "t.0:3");
    say(two, ...answer({ id: 2, recovered: true, notHome: true }));
    say(two, update("t.1:0"));
    expect(down.take()).toEqual([update("t.1:0")]);

    say(one, ...answer({ id: 2, from: "t.0:3", to: "t.0:5", recovered: true, frames: [update("t.0:5", 3)] }));

    expect(down.take()[0]).toMatchObject({ position: "t.0:3", to: "t.0:5", head: "t.0:5,t.1:0" });
  });
});

describe("a slice that can't answer", () => {
  test("[N5] [L7] when it comes, only those objects hear of it for which it has something", async () => {
    const down = await live();
    shard.core.uplinkClosed(two);
    const back = shard.connect("two", { slice: "2/2" });

    say(back, ...answer({ id: 0, recovered: true, notHome: true }));
    expect(down.messages).toEqual([]);
    say(back, ...answer({ id: 0, to: "t.1:0", recovered: true, frames: [update("t.1:0")] }));
    expect(down.take()).toHaveLength(2);
  });

  test("[N6] a key that another slice speaks for is served", async () => {
    shard.core.uplinkClosed(two);
    const down = await object("t.0:5,t.1:3");

    say(one, ...answer({ from: "t.0:5", recovered: true }));

    const position = "t.0:5,t.1:3";
    expect(down.take()).toEqual([
      attached({ id: 1, position, head: position, to: position, recovered: true, count: 0 }),
    ]);
  });

  test("[N6] a key that no other slice speaks for waits, and is answered when the slice has an origin", async () => {
    shard.core.uplinkClosed(two);
    const down = await object();
    say(one, ...answer({ notHome: true }));
    expect(down.take()).toEqual([{ waiting: A, id: 1 }]);

    const back = shard.connect("two", { slice: "2/2" });
    expect(back.take()).toMatchObject([{ hello: { role: "active" } }, { attach: A, id: 1, link: 1 }]);
    say(back, ...answer({ from: "t.1:3" }));

    expect(down.take()).toEqual([
      attached({ id: 1, position: "t.1:3", head: "t.1:3", to: "t.1:3", count: 0 }),
    ]);
  });

  test("[N6] what is known to be missing in that slice is waited for", async () => {
    const down = await live();
    say(two, update("t.1:0"));
    shard.core.uplinkClosed(two);
    down.take();
    ask(down, 2, "t.0:5");
    say(one, ...answer({ id: 2, from: "t.0:5", recovered: true }));

    expect(down.take()).toEqual([{ waiting: A, id: 2 }]);
    say(one, update("t.0:8", 5));
    expect(down.take(), "who is live isn't delayed").toEqual([update("t.0:8", 5)]);
  });

  test("[N6] who has nothing is told that nothing is missing only by the slice of the key's home, too", async () => {
    const down = await live();
    shard.core.uplinkClosed(two);
    ask(down, 2, "-");
    const frames = [update("t.0:5")];
    const said = { to: "t.0:5", recovered: true, frames };
    say(one, ...answer({ id: 2, withoutHome: true, ...said }));
    expect(down.take()).toEqual([{ waiting: A, id: 2 }]);

    ask(down, 3, "-");
    say(one, ...answer({ id: 3, ...said }));
    expect(down.take().slice(0, 1)).toEqual([
      attached({ id: 3, position: "-", head: "t.0:5", to: "t.0:5", recovered: true, count: 1 }),
    ]);
  });

  test("[N5] an answer speaks of the key's home if a part does", async () => {
    const down = await object("t.0:5,t.1:3");
    say(one, ...answer({ from: "t.0:5", recovered: true, withoutHome: true }));
    say(two, ...answer({ from: "t.1:3", recovered: true }));
    const position = "t.0:5,t.1:3";
    expect(down.take()).toEqual([
      attached({ id: 1, position, head: position, to: position, recovered: true, count: 0 }),
    ]);

    ask(down, 2, "t.0:5");
    say(one, ...answer({ id: 2, from: "t.0:5", recovered: true, withoutHome: true }));
    say(two, ...answer({ id: 2, recovered: true, notHome: true }));
    expect(down.take()).toMatchObject([{ id: 2, withoutHome: true }]);
  });

  test("[N6] the latest update is waited for if the link was sent something of that slice, whatever others have", async () => {
    const down = await live();
    say(two, update("t.1:0"));
    shard.core.uplinkClosed(two);
    down.take();
    ask(down, 2);
    say(one, ...answer({ id: 2, from: "t.0:3", to: "t.0:5", frames: [update("t.0:5", 3)] }));
    expect(down.take()).toEqual([{ waiting: A, id: 2 }]);

    const back = shard.connect("two", { slice: "2/2" });
    expect(back.take().slice(1)).toMatchObject([
      { attach: A, id: 0, from: "t.0:5,t.1:0" },
      { attach: A, id: 2 },
    ]);
    const frames = [update("t.1:0")];
    say(
      back,
      ...answer({ id: 0, from: "t.1:0", recovered: true }),
      ...answer({ id: 2, to: "t.1:0", frames }),
    );
    say(one, ...answer({ id: 2, from: "t.0:3", to: "t.0:5", frames: [update("t.0:5", 3)] }));

    expect(down.take().slice(0, 1)).toMatchObject([
      { id: 2, position: "t.0:3", to: "t.0:5,t.1:0", count: 2 },
    ]);
  });

  test("[N6] the latest update is not waited for if the link was never sent anything of that slice", async () => {
    const down = await live();
    shard.core.uplinkClosed(two);
    ask(down, 2);
    say(one, ...answer({ id: 2, from: "t.0:3", to: "t.0:5", frames: [update("t.0:5", 3)] }));

    expect(down.take().slice(0, 1)).toMatchObject([{ id: 2, position: "t.0:3", to: "t.0:5", count: 1 }]);
  });

  test("[N6] one that waits for its own partitions keeps nobody from an answer that others have", async () => {
    const down = await object();
    say(one, ...answer({ from: "t.0:5" }));
    say(two, encodeWaiting(A, 1));

    expect(down.take()).toMatchObject([{ attached: A, id: 1, position: "t.0:5" }]);
    expect(one.take()).toHaveLength(1);
  });

  test("[N6] one that is silent is waited for for a second; what it says later is added", async () => {
    const down = await object();
    say(one, ...answer({ from: "t.0:5" }));
    two.take();
    expect(down.take()).toEqual([]);

    shard.clock.next(1_000);
    expect(down.take()).toMatchObject([{ attached: A, id: 1, position: "t.0:5" }]);
    say(two, ...answer({ from: "t.1:3" }));
    expect(two.take()).toEqual([{ attach: A, id: 0, link: 1, from: "t.0:5" }]);
    say(two, ...answer({ id: 0, from: "t.1:3", recovered: true }));
    expect(down.take()).toMatchObject([{ id: 0, position: "t.0:5,t.1:3", recovered: true }]);
  });

  test("[N6] [L7] one that is silent is asked from where the link is once, however many ask, until it has been heard", async () => {
    const down = await object();
    say(one, ...answer({ from: "t.0:5" }));
    shard.clock.next(1_000);
    two.take();

    for (const id of [2, 3, 4]) ask(down, id, "t.0:3");
    const ids = two.take().map((frame) => (frame as { id: number }).id);

    expect(ids).toEqual([0, 2, 3, 4]);
  });

  describe("[N6] [U6] the object stands in a slice that isn't waited for", () => {
    let down: FakeSocket;
    beforeEach(async () => {
      down = await object("t.1:5");
      say(two, encodeWaiting(A, 1));
      say(one, ...answer({ recovered: true }));
      expect(down.take()).toMatchObject([{ id: 1, to: "t.1:5", recovered: true }]);
      two.take();
    });

    test("what the slice adds late goes down before what comes live after it", () => {
      const frames = [update("t.1:6", 5), update("t.1:8", 6)];
      say(two, ...answer({ from: "t.1:5", to: "t.1:8", recovered: true, frames }), update("t.1:9"));

      expect(down.take()).toMatchObject([
        { id: 0, position: "t.1:5", to: "t.1:8", recovered: true, count: 2 },
        ...frames,
        update("t.1:9"),
      ]);
      expect(two.take()).toEqual([]);
    });

    test("that it lost continuity goes down, too, also if there is nothing after that", () => {
      say(two, ...answer({ from: "t.1:5", recovered: false }), update("t.1:9"));

      expect(down.take()).toMatchObject([{ id: 0, to: "t.1:5", recovered: false }, update("t.1:9")]);
    });

    test("that somebody else lost continuity doesn't: the slice is asked from where the link is", () => {
      say(two, ...answer({ from: "t.1:5", recovered: true }));
      ask(down, 2, "t.0:3,t.1:1");
      say(one, ...answer({ id: 2, from: "t.0:3", to: "t.0:4", recovered: true, frames: [update("t.0:4")] }));
      shard.clock.next(1_000);
      for (const socket of [two, down]) socket.take();

      say(two, ...answer({ id: 2, from: "t.1:8", recovered: false }));

      expect(down.take()).toEqual([]);
      expect(two.take()).toMatchObject([{ attach: A, id: 0, from: "t.0:4,t.1:5" }]);
    });
  });

  test("[N6] of one that dies, what it said of an open ask is asked of the next one", async () => {
    const standby = shard.connect("three", { slice: "1/2" });
    const down = await object();
    say(one, ...answer({ from: "t.0:5" }));
    standby.take();

    shard.core.uplinkClosed(one);
    expect(standby.take()).toEqual([
      { role: "active", generation: 3 },
      { attach: A, id: 1, link: 1 },
    ]);
    say(two, ...answer({ notHome: true }));
    expect(down.take()).toEqual([]);
    say(standby, ...answer({ from: "t.0:6" }));

    expect(down.take()).toMatchObject([{ position: "t.0:6" }]);
  });

  test("[N7] a shard holds only so much while it waits", async () => {
    const down = await object();
    const big = "x".repeat(1024 * 1024);
    const large = (offset: number) => update(`t.0:${offset}`, offset - 1).replace('"v":1}', `"v":"${big}"}`);
    say(one, ...answer({ from: "t.0:4", to: "t.0:5", frames: [large(5)] }));

    for (let i = 6; i <= LIMITS.scatterGatherBytes / big.length; i++) say(one, large(i));
    expect(down.messages).toEqual([]);
    for (let i = 0; i < 10; i++) say(one, large(LIMITS.scatterGatherBytes / big.length + 1 + i));

    expect(down.frames.length).toBeGreaterThan(25);
  });

  describe("[N7] a subscriber that was told to wait holds back nothing that comes live", () => {
    let down: FakeSocket;
    beforeEach(async () => {
      down = await live();
      ask(down, 2, "t.0:90,t.1:90");
      say(two, ...answer({ id: 2, from: "t.1:3", recovered: false }), update("t.1:4", 3));
      expect(down.take()).toEqual([]);
      say(one, encodeWaiting(A, 2));
      two.take();
    });

    test("where a slice refuses it without updates: that slice is asked again when the other one has answered", () => {
      expect(down.take()).toEqual([update("t.1:4", 3), { waiting: A, id: 2 }]);
      say(two, update("t.1:5", 4));
      expect(down.take()).toEqual([update("t.1:5", 4)]);

      say(one, ...answer({ id: 2, from: "t.0:5", recovered: false }));
      expect(two.take()).toMatchObject([{ attach: A, id: 2, from: "t.0:90,t.1:90" }]);
      say(two, ...answer({ id: 2, from: "t.1:5", recovered: false }));

      expect(down.take()).toMatchObject([{ id: 2, to: "t.0:5,t.1:5", head: "t.0:5,t.1:5" }]);
    });

    test("where a slice that is asked again takes time; the answer's head tells of what came", () => {
      say(one, ...answer({ id: 2, from: "t.0:5", recovered: false }));
      say(two, encodeWaiting(A, 2));
      down.take();

      say(one, update("t.0:6", 5));
      expect(down.take()).toEqual([update("t.0:6", 5)]);
      say(two, ...answer({ id: 2, from: "t.1:4", recovered: false }));

      expect(down.take()).toMatchObject([{ id: 2, to: "t.0:5,t.1:4", head: "t.0:6,t.1:4" }]);
    });
  });

  test("[N7] [U6] what a slice had for the object itself goes down before what comes live after it", async () => {
    const down = await object("-");
    const part = {
      to: "t.1:8",
      recovered: true,
      withoutHome: true,
      frames: [update("t.1:6"), update("t.1:8", 6)],
    };
    say(two, ...answer(part), update("t.1:9"));
    say(one, encodeWaiting(A, 1));

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
      const down = await object();
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

describe("questions", () => {
  const to = { kind: "question", id: 1 } as const;
  const reply = (uplink: FakeSocket, frame: string) =>
    shard.core.uplinkMessage(uplink, encodeAddressed(to, frame));

  test("[N8] a GET is put to each slice; the newest record is the answer", async () => {
    const latest = shard.core.latest(A);
    reply(two, encodeLatest(A, at("t.1:3"), 1));
    reply(two, update("t.1:3", 1, 2_000));
    reply(one, encodeLatest(A, at("t.0:5"), 1));
    reply(one, update("t.0:5", 1, 1_000));

    expect(await latest).toEqual({
      kind: "update",
      position: "t.0:5,t.1:3",
      frame: update("t.1:3", 1, 2_000),
    });
  });

  test("[N8] a slice for which it is not home, or that isn't ready, changes nothing", async () => {
    const latest = shard.core.latest(A);
    reply(two, encodeQuestionError("unavailable", "not ready"));
    reply(one, encodeLatest(A, NOTHING, 0));

    expect(await latest).toEqual({ kind: "none", position: "-" });
  });

  test("[N8] where no slice that is there knows of the key it is unavailable, not unknown", async () => {
    shard.core.uplinkClosed(two);
    const latest = shard.core.latest(A);
    reply(one, encodeLatest(A, NOTHING, 0, { notHome: true }));

    expect(await latest).toMatchObject({ kind: "error", code: "unavailable" });
  });

  test("[N8] a slice that is silent delays the answer of another by a second at most", async () => {
    const latest = shard.core.latest(A);
    shard.clock.next(1_000);
    reply(one, encodeLatest(A, at("t.0:5"), 0));

    expect(await latest).toEqual({ kind: "none", position: "t.0:5" });
  });
});

describe("other counts of slices", () => {
  const connect = (...slices: string[]) => slices.map((slice) => shard.connect(`of ${slice}`, { slice }));

  test("[N9] what is served stays so while each of its slices has an origin; others stand by", () => {
    const others = connect("1/4", "2/4", "3/4", "4/4");

    for (const other of others) expect(other.take()).toMatchObject([{ hello: { role: "standby" } }]);
    expect(shard.core.status().slices.map(({ origin }) => origin)).toEqual(["one", "two"]);
    expect(shard.core.status().standbys).toHaveLength(4);
  });

  test("[N9] when one has none, a count that is ready as a whole is served, from where each link is", async () => {
    await live();
    const others = connect("1/4", "2/4", "3/4", "4/4");
    for (const other of others) other.take();

    shard.leave(two);

    for (const [i, other] of others.entries())
      expect(other.take()).toEqual([
        { role: "active", generation: 3 + i },
        { attach: A, id: 0, link: 1, from: "t.0:5" },
      ]);
    expect(one.closed?.code).toBe(4003);
    expect(shard.core.status().slices).toHaveLength(4);
  });

  test("[N9] a count that isn't ready as a whole isn't served instead of half of the one before", () => {
    const others = connect("1/4", "2/4", "3/4");
    shard.connect("late", { slice: "4/4", ready: false });
    shard.core.uplinkClosed(two);
    expect(shard.core.status().slices.map(({ origin }) => origin)).toEqual(["one", null]);

    for (const other of others) other.take();
    shard.connect("last", { slice: "4/4" });
    expect(shard.core.status().slices.map(({ origin }) => origin)).toEqual([
      ...["of 1/4", "of 2/4", "of 3/4", "last"],
    ]);
  });

  const served = () => shard.core.status().slices.map(({ origin }) => origin);

  test("[N9] where the last origin of a slice hangs, another count is served after its deadline; and after twice that, if it wasn't dead", () => {
    const whole = shard.connect("whole");
    shard.pass(2_999, one, whole);
    expect(served()).toEqual(["one", "two"]);
    shard.pass(1, one, whole);
    expect([served(), two.closed?.code]).toEqual([["whole"], 4003]);

    say(two, update("t.1:0"));
    const again = connect("1/2", "2/2");
    shard.pass(5_999, ...again);
    expect(served()).toEqual(["whole"]);
    shard.pass(1, ...again);
    expect(served()).toEqual(["of 1/2", "of 2/2"]);
  });

  test("[N9] one that only pings, or is ready again in time, has not missed its deadline", () => {
    const whole = shard.connect("whole");
    shard.ready(two, false);
    for (let seconds = 0; seconds < 10; seconds++) {
      shard.pass(1_000, whole);
      for (const uplink of [one, two]) shard.pings.set(uplink, shard.clock.now);
      if (seconds === 1) shard.ready(two);
    }

    expect(served()).toEqual(["one", "two"]);
  });

  test("[N9] one that hangs gives way to a standby of its own slice rather than to another count", () => {
    const [whole, standby] = [shard.connect("whole"), shard.connect("three", { slice: "2/2" })];
    shard.pass(3_000, one, whole, standby);

    expect(served()).toEqual(["one", "three"]);
  });

  test("[N9] a count of which one origin hangs itself isn't served instead", () => {
    const [first] = connect("1/3", "2/3", "3/3");
    shard.pass(10_000, one, first ?? one);

    expect(served()).toEqual(["one", "two"]);
  });

  test("[N9] an ask that is open is put to the new slices; one slice for all is a count like others", async () => {
    const all = shard.connect("all");
    const down = await object();
    say(one, ...answer({ notHome: true }));
    all.take();

    shard.core.uplinkClosed(two);

    expect(shard.core.status()).toMatchObject({ origin: "all", slices: [{ slice: "1/1" }] });
    expect(all.take()).toEqual([
      { role: "active", generation: 3 },
      { attach: A, id: 1, link: 1 },
    ]);
    down.take();
    const items = answer({ from: "t.0:5" });
    say(all, ...items);
    expect(down.messages, "as it came").toEqual(items);
  });

  test("[N9] a ninth count is refused as too many", () => {
    const others = connect("1/3", "1/4", "1/5", "1/6", "1/7", "1/8", "1/9");
    const [ninth] = connect("1/10");

    expect(others.map(({ closed }) => closed)).toEqual(others.map(() => undefined));
    expect(ninth?.closed).toEqual({ code: 4005, reason: "overloaded" });
  });

  test("[N9] [U12] an origin that names odd counts again and again keeps nobody from another one", () => {
    const odd = ["1/3", "5/64", "7/9", "1/1", "2/2"].map((slice) => shard.connect("odd", { slice }));
    const others = connect("1/4", "2/4", "3/4", "4/4");

    expect(odd.slice(0, -1).map(({ closed }) => closed?.code)).toEqual([4003, 4003, 4003, 4003]);
    expect(others.map(({ closed }) => closed)).toEqual(others.map(() => undefined));
    expect(shard.core.status().slices.map(({ origin }) => origin)).toEqual(["one", "two"]);
    shard.leave(two);
    shard.core.uplinkClosed(odd[4] as FakeSocket);
    expect(shard.core.status().slices).toHaveLength(4);
  });
});
