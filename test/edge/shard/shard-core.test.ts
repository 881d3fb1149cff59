import { beforeEach, describe, expect, test } from "vitest";
import { endpointObject, type ObjectIdentity } from "../../../edge/object-identity.ts";
import { ShardCore } from "../../../edge/shard/shard-core.ts";
import { encodeAddressed } from "../../../shared/protocol/addressed.ts";
import { encodeAttach, encodeAttached } from "../../../shared/protocol/attach.ts";
import type { Frame } from "../../../shared/protocol/frame.ts";
import { encodeUpdate } from "../../../shared/protocol/frame.ts";
import { encodeEmpty, encodeOccupied } from "../../../shared/protocol/link.ts";
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
import { Clock } from "../../support/simulated-wires.ts";

const A = { path: "/quotes/A", object: endpointObject("/quotes/A") };
const B = { path: "/quotes/B", object: endpointObject("/quotes/B") };
const links = (...numbers: number[]) => ({ kind: "links", links: numbers }) as const;

function update(path: string, offset: number, previous?: number): string {
  const value = { kind: "json", text: String(offset) } as const;
  const frame = encodeUpdate({
    endpoint: path,
    epoch: "e",
    offset,
    previous,
    timestamp: undefined,
    headers: [],
    value,
  });
  return String(frame);
}

function attached(path: string, id: number, to: number): string {
  const position = new Map([["e", to]]);
  return encodeAttached({
    endpoint: path,
    id,
    verdict: { position, head: position },
    to: position,
    horizon: NOTHING,
    count: 0,
  });
}

let clock: Clock;
let rows: Set<ObjectIdentity>;
let generation: number;
/** The objects' ends, in the order in which they were dialled. */
let dialled: { object: ObjectIdentity; socket: FakeSocket }[];
let refusing: boolean;
/** While true, dials are not answered. */
let hanging: boolean;
let problems: string[];

function createShard(uplinks: FakeSocket[] = [], shards = 1): ShardCore {
  return new ShardCore(
    {
      now: () => clock.now,
      wall: () => clock.now,
      random: () => 0.5,
      after: (ms, run) => clock.after(ms, run),
      dial: async (object) => {
        const socket = new FakeSocket();
        dialled.push({ object, socket });
        if (hanging) await new Promise(() => undefined);
        if (refusing) throw new Error("the object answered 503");
        return socket;
      },
      note: (object) => rows.add(object),
      forget: (object) => rows.delete(object),
      pingedAt: () => undefined,
      setGeneration: (value) => {
        generation = value;
      },
      keepRevocation: () => undefined,
      dropRevocation: () => undefined,
      log: (problem) => problems.push(problem),
      sent: () => undefined,
      disbelieved: () => undefined,
    },
    { shard: 0, shards },
    { generation, noted: [...rows], revocations: [], uplinks },
  );
}

function connect(shard: ShardCore): FakeSocket {
  const socket = new FakeSocket();
  shard.uplinkOpened(socket, "test");
  shard.uplinkMessage(socket, encodeHello({ version: 1, origin: "test" }));
  return socket;
}

/** A link to an object that has attached and been answered, at e:5. */
async function watching(
  shard: ShardCore,
  uplink: FakeSocket,
  { path, object }: typeof A,
  number: number,
): Promise<FakeSocket> {
  shard.attach(object);
  await settled();
  const socket = dialled.at(-1)?.socket;
  if (socket === undefined) throw new Error("nothing was dialled");
  shard.linkMessage(socket, encodeAttach({ endpoint: path, id: 1, from: undefined }));
  shard.uplinkMessage(uplink, encodeAddressed(links(number), attached(path, 1, 5)));
  socket.take();
  uplink.take();
  return socket;
}

beforeEach(() => {
  clock = new Clock();
  rows = new Set();
  generation = 0;
  dialled = [];
  refusing = false;
  hanging = false;
  problems = [];
});

describe("uplinks", () => {
  test("[U2] [U12] [U14] of one name the newest wins, with a generation that grows over restarts too; the one before is replaced", () => {
    const shard = createShard();
    const first = connect(shard);
    const second = connect(shard);
    const third = connect(createShard());

    const hello = (generation: number) => [{ hello: { version: 1, generation, role: "active" } }];
    expect(first.take()).toMatchObject(hello(1));
    expect(second.take()).toMatchObject(hello(2));
    expect(third.take()).toMatchObject(hello(3));
    expect(first.closed).toEqual({ code: 4003, reason: "replaced" });
    expect(second.closed).toBeUndefined();
  });

  test("[U14] [C4] an origin that was replaced and speaks on is closed as stale, and nothing of it goes down", async () => {
    const shard = createShard();
    const old = new FakeSocket();
    shard.uplinkOpened(old, "test");
    shard.uplinkMessage(old, encodeHello({ version: 1, origin: "test" }));
    const current = connect(shard);
    const down = await watching(shard, current, A, 1);
    old.closed = undefined;

    shard.uplinkMessage(old, encodeAddressed(links(1), update(A.path, 6, 5)));

    expect(old.closed).toEqual({ code: 4506, reason: "stale_generation" });
    expect(down.messages).toEqual([]);
    expect(shard.status().connected).toBe(true);
  });

  test.each<[string, Frame, number]>([
    ["speaks before its hello", encodeAddressed(links(1), update(A.path, 1)), 4500],
    ["sends a hello of another version", encodeHello({ version: 2, origin: "test" }), 4502],
    ["sends bytes that are no frames", new Uint8Array([1, 2]), 4500],
  ])("[U2] [V2] [C5] one that %s is closed, and the active one isn't", (_, message, code) => {
    const shard = createShard();
    const active = connect(shard);
    const rude = new FakeSocket();
    shard.uplinkOpened(rude, "test");

    shard.uplinkMessage(rude, message);

    expect(rude.closed?.code).toBe(code);
    expect(active.closed).toBeUndefined();
    expect(shard.status().connected).toBe(true);
  });

  test.each([
    ["without an address", "x"],
    ["with an address that is none", `a\t${update(A.path, 8, 7)}`],
    ["that isn't JSON", "1\t{"],
    ["that is a malformed update", '1\t{"e":"/quotes/A"}'],
  ])("[C5] a frame %s closes the uplink; what came before it in the message goes down", async (_, bad) => {
    const shard = createShard();
    const uplink = connect(shard);
    const down = await watching(shard, uplink, A, 1);
    const good = encodeAddressed(links(1), update(A.path, 6, 5));

    shard.uplinkMessage(uplink, [good, bad, encodeAddressed(links(1), update(A.path, 9, 6))].join(SEPARATOR));

    expect(down.frames).toEqual([update(A.path, 6, 5)]);
    expect(uplink.closed).toEqual({ code: 4500, reason: "bad_frame" });
    expect(shard.status().connected).toBe(false);
  });

  test("[C5] an answer that can't be read ends the link that it is for, which is dialled again, and disturbs no other", async () => {
    const shard = createShard();
    const uplink = connect(shard);
    const a = await watching(shard, uplink, A, 1);
    const b = await watching(shard, uplink, B, 2);

    const bad = '1\t{"attached":"/quotes/A"}';
    shard.uplinkMessage(uplink, [bad, encodeAddressed(links(2), update(B.path, 6, 5))].join(SEPARATOR));

    expect(a.closed).toEqual({ code: 4500, reason: "bad_frame" });
    expect([uplink.closed, b.closed, b.frames]).toEqual([undefined, undefined, [update(B.path, 6, 5)]]);
    while (clock.next(1_000));
    await settled();
    expect(dialled.map(({ object }) => object)).toEqual([A.object, B.object, A.object]);
  });

  test("[U8] [C5] a GET whose answer can't be read is refused, and the uplink goes on", async () => {
    const shard = createShard();
    const uplink = connect(shard);
    const latest = shard.latest(A.path);
    const asked = uplink.take() as { get?: string; id?: number }[];
    const id = asked.find(({ get }) => get === A.path)?.id;

    shard.uplinkMessage(uplink, `?${id}\t{"latest":"/quotes/A","position":"x","count":0}`);

    expect(await latest).toMatchObject({ kind: "error", code: "internal" });
    expect(uplink.closed).toBeUndefined();
  });

  test("[P2] [U5] an answer whose position names more than a client may say goes down like any other", async () => {
    const shard = createShard();
    const uplink = connect(shard);
    const down = await watching(shard, uplink, A, 1);
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

    shard.uplinkMessage(uplink, encodeAddressed(links(1), answer));

    expect(uplink.closed).toBeUndefined();
    expect(down.messages).toEqual([answer]);
  });

  test("[U9] readiness is what the active origin says", () => {
    const shard = createShard();
    const uplink = connect(shard);
    expect(shard.status().ready).toBe(false);

    shard.uplinkMessage(uplink, encodeAddressed({ kind: "shard" }, encodeReady(true)));
    expect(shard.status().ready).toBe(true);
    connect(shard);

    expect(shard.status().ready).toBe(false);
  });

  test("[L2] [U2] a shard that hibernated knows its uplink, and gives no link number twice", async () => {
    const before = createShard();
    const uplink = connect(before);
    await watching(before, uplink, A, 1);

    const woken = createShard([uplink]);
    woken.attach(B.object);
    await settled();
    const down = dialled.at(-1)?.socket ?? new FakeSocket();
    woken.linkMessage(down, encodeAttach({ endpoint: B.path, id: 1, from: undefined }));

    expect(uplink.take()).toEqual([{ attach: B.path, id: 1, link: 2 }]);
  });
});

describe("passing on", () => {
  test("[U3] [F1] what is addressed to several links goes to each as the same string", async () => {
    const shard = createShard();
    const uplink = connect(shard);
    const first = await watching(shard, uplink, A, 1);
    shard.attach(endpointObject("/quotes/other"));
    await settled();
    const second = dialled.at(-1)?.socket ?? new FakeSocket();
    shard.linkMessage(second, encodeAttach({ endpoint: A.path, id: 1, from: undefined }));
    second.take();

    shard.uplinkMessage(uplink, encodeAddressed(links(1, 2, 77), update(A.path, 6, 5)));

    expect(first.messages).toEqual([update(A.path, 6, 5)]);
    expect(second.messages[0]).toBe(first.messages[0]);
  });

  test("[F12] [L6] of a mixed batch every link gets its own frames, in order, in one message", async () => {
    const shard = createShard();
    const uplink = connect(shard);
    const a = await watching(shard, uplink, A, 1);
    const b = await watching(shard, uplink, B, 2);

    shard.uplinkMessage(
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
    const shard = createShard();
    const uplink = connect(shard);
    const slow = await watching(shard, uplink, A, 1);
    const fast = await watching(shard, uplink, B, 2);
    slow.bufferedAmount = 16 * 1024 * 1024 + 1;

    shard.uplinkMessage(
      uplink,
      [encodeAddressed(links(1), update(A.path, 6, 5)), encodeAddressed(links(2), update(B.path, 6, 5))].join(
        SEPARATOR,
      ),
    );
    while (clock.next(1_000));
    await settled();

    expect(slow.closed).toEqual({ code: 4001, reason: "slow_consumer" });
    expect(fast.frames).toEqual([update(B.path, 6, 5)]);
    expect(uplink.take()).toEqual([{ detach: A.path, link: 1 }]);
    expect(dialled.map(({ object }) => object)).toEqual([A.object, B.object, A.object]);
  });

  test("[U3] [U4] an update for a link that there isn't is dropped, and the origin hears that nobody is there", () => {
    const shard = createShard();
    const uplink = connect(shard);
    uplink.take();

    shard.uplinkMessage(uplink, encodeAddressed(links(3), update(A.path, 6, 5)));

    expect(uplink.take()).toEqual([{ detach: A.path, link: 3 }]);
    expect(uplink.closed).toBeUndefined();
  });
});

describe("attaching", () => {
  test("[L1] [L3] an attach notes the object in one row and dials; the link begins with a hello", async () => {
    const shard = createShard();

    shard.attach(A.object);
    shard.attach(A.object);
    await settled();

    expect([...rows]).toEqual([A.object]);
    expect(dialled).toHaveLength(1);
    expect(dialled[0]?.socket.frames).toEqual([{ hello: { version: 1, shard: 0, generation: 1, dial: 1 } }]);
  });

  test("[U7] without an uplink an attach is answered with waiting, and put to the next origin", async () => {
    const shard = createShard();
    shard.attach(A.object);
    await settled();
    const down = dialled[0]?.socket ?? new FakeSocket();
    down.take();

    shard.linkMessage(down, encodeAttach({ endpoint: A.path, id: 4, from: new Map([["e", 2]]) }));
    const uplink = connect(shard);

    expect(down.take()).toEqual([{ waiting: A.path, id: 4 }]);
    expect(uplink.take().slice(1)).toEqual([{ attach: A.path, id: 4, link: 1, from: "e:2" }]);
  });

  test("[L7] a new origin is told where each link is, and then what it has asked and not been answered", async () => {
    const shard = createShard();
    const first = connect(shard);
    const down = await watching(shard, first, A, 1);
    shard.uplinkMessage(first, encodeAddressed(links(1), update(A.path, 6, 5)));
    shard.linkMessage(down, encodeAttach({ endpoint: A.path, id: 2, from: new Map([["e", 1]]) }));
    down.take();

    shard.uplinkClosed(first);
    const second = connect(shard);

    expect(down.take()).toEqual([{ waiting: A.path, id: 2 }]);
    expect(second.take().slice(1)).toEqual([
      { attach: A.path, id: 0, link: 1, from: "e:6" },
      { attach: A.path, id: 2, link: 1, from: "e:1" },
    ]);
  });

  test("[L5] an object that stays empty for 30 s is detached: its row goes, the origin hears it, the link is closed", async () => {
    const shard = createShard();
    const uplink = connect(shard);
    const down = await watching(shard, uplink, A, 1);

    shard.linkMessage(down, encodeEmpty(A.path));
    expect(clock.next(29_999)).toBe(false);
    clock.next(30_000);

    expect(rows.size).toBe(0);
    expect(uplink.take()).toEqual([{ detach: A.path, link: 1 }]);
    expect(down.closed).toEqual({ code: 4004, reason: "detached" });
    expect(shard.status()).toMatchObject({ watched: 0, links: 0 });
  });

  test("[L5] one that is occupied again in time stays", async () => {
    const shard = createShard();
    const uplink = connect(shard);
    const down = await watching(shard, uplink, A, 1);

    shard.linkMessage(down, encodeEmpty(A.path));
    clock.now += 20_000;
    shard.linkMessage(down, encodeOccupied(A.path));
    shard.linkMessage(down, encodeEmpty(A.path));
    clock.next(10_000);

    expect(down.closed).toBeUndefined();
    expect(clock.next(20_000)).toBe(true);
    expect(down.closed?.code).toBe(4004);
  });

  test("[L1] after a restart every object is dialled again, at most 50 at once, and newer than all links before", async () => {
    await createShardWithRows(120);
    hanging = true;
    dialled = [];

    createShard();
    while (clock.next(1_000));
    await settled();

    expect(dialled).toHaveLength(50);
  });

  test("[L3] dials of a restarted shard have a higher generation, without a new uplink", async () => {
    await createShardWithRows(1);
    const before = generation;
    dialled = [];

    createShard();
    while (clock.next(1_000));
    await settled();

    expect(dialled[0]?.socket.frames).toEqual([
      { hello: { version: 1, shard: 0, generation: before + 1, dial: 1 } },
    ]);
  });

  test("[A7] after the number of shards has changed, a shard forgets what is another's", () => {
    for (let i = 0; i < 20; i++) rows.add(endpointObject(`/quotes/${i}`));

    createShard([], 2);

    expect(rows.size).toBeGreaterThan(0);
    expect(rows.size).toBeLessThan(20);
  });

  test("[L1] an object that can't be dialled is tried with backoff and then given up; it may attach again", async () => {
    refusing = true;
    const shard = createShard();
    shard.attach(A.object);
    await settled();
    while (clock.next(60_000)) await settled();

    expect(dialled).toHaveLength(10);
    expect(rows.size).toBe(0);
    expect(problems).toHaveLength(1);
    refusing = false;
    shard.attach(A.object);
    await settled();
    expect(shard.status().links).toBe(1);
  });

  describe("an object that holds two endpoints", () => {
    const object = endpointObject("/quotes/both");

    async function holdingBoth(shard: ShardCore, uplink: FakeSocket): Promise<FakeSocket> {
      const down = await watching(shard, uplink, { path: A.path, object }, 1);
      askAndAnswer(shard, uplink, down, 1, B.path);
      return down;
    }

    function askAndAnswer(
      shard: ShardCore,
      uplink: FakeSocket,
      down: FakeSocket,
      link: number,
      path: string,
    ): void {
      shard.linkMessage(down, encodeAttach({ endpoint: path, id: 1, from: undefined }));
      shard.uplinkMessage(uplink, encodeAddressed(links(link), attached(path, 1, 5)));
      down.take();
      uplink.take();
    }

    test("[L1] [L2] has one row and one link, on which each is watched by itself", async () => {
      const shard = createShard();
      const uplink = connect(shard);
      const down = await holdingBoth(shard, uplink);

      shard.uplinkMessage(uplink, encodeAddressed(links(1), update(A.path, 6, 5)));
      shard.uplinkMessage(uplink, encodeAddressed(links(1), update(B.path, 9, 5)));

      expect(down.frames).toEqual([update(A.path, 6, 5), update(B.path, 9, 5)]);
      expect([...rows]).toEqual([object]);
      expect(dialled).toHaveLength(1);
      expect(shard.status()).toMatchObject({ watched: 2, links: 1 });
    });

    test("[L5] one that stays empty is detached, and the other, the row and the link stay", async () => {
      const shard = createShard();
      const uplink = connect(shard);
      const down = await holdingBoth(shard, uplink);

      shard.linkMessage(down, encodeEmpty(B.path));
      clock.next(30_000);
      expect(uplink.take()).toEqual([{ detach: B.path, link: 1 }]);
      shard.uplinkMessage(uplink, encodeAddressed(links(1), update(A.path, 6, 5)));

      expect(down.frames).toEqual([update(A.path, 6, 5)]);
      expect([...rows]).toEqual([object]);
      expect(shard.status()).toMatchObject({ watched: 1, links: 1 });

      shard.linkMessage(down, encodeEmpty(A.path));
      clock.next(30_000);
      expect(down.closed).toEqual({ code: 4004, reason: "detached" });
      expect(rows.size).toBe(0);
    });

    test("[L1] [L7] is dialled once after its link broke, and both are watched on the new one", async () => {
      const shard = createShard();
      const uplink = connect(shard);
      const broken = await holdingBoth(shard, uplink);

      shard.linkClosed(broken);
      expect(uplink.take()).toEqual([
        { detach: A.path, link: 1 },
        { detach: B.path, link: 1 },
      ]);
      while (clock.next(1_000));
      await settled();
      expect(dialled.map((dial) => dial.object)).toEqual([object, object]);
      const down = dialled.at(-1)?.socket ?? new FakeSocket();
      for (const path of [A.path, B.path]) askAndAnswer(shard, uplink, down, 2, path);
      const next = connect(shard);

      expect(next.take().slice(1)).toEqual([
        { attach: A.path, id: 0, link: 2, from: "e:5" },
        { attach: B.path, id: 0, link: 2, from: "e:5" },
      ]);
      expect(shard.status()).toMatchObject({ watched: 2, links: 1 });
    });

    test("[L1] is dialled once when the shard's memory was lost", async () => {
      const before = createShard();
      await holdingBoth(before, connect(before));
      dialled = [];

      const shard = createShard();
      while (clock.next(1_000));
      await settled();

      expect(dialled.map((dial) => dial.object)).toEqual([object]);
      expect(shard.status().links).toBe(1);
    });
  });

  test("[C5] a link that says what can't be read is closed and dialled again", async () => {
    const shard = createShard();
    const uplink = connect(shard);
    const down = await watching(shard, uplink, A, 1);

    shard.linkMessage(down, "?");
    while (clock.next(1_000));
    await settled();

    expect(down.closed).toEqual({ code: 4500, reason: "bad_frame" });
    expect(dialled).toHaveLength(2);
  });
});

describe("questions", () => {
  const to = { kind: "question", id: 1 } as const;

  test("[U8] a question is answered by what the origin says about that endpoint", async () => {
    const shard = createShard();
    const uplink = connect(shard);
    uplink.take();
    const latest = shard.latest(A.path);
    expect(uplink.take()).toEqual([{ get: A.path, id: 1 }]);

    shard.uplinkMessage(uplink, encodeAddressed(to, encodeLatest(B.path, NOTHING, 0)));
    shard.uplinkMessage(uplink, encodeAddressed(to, encodeLatest(A.path, new Map([["e", 6]]), 1)));
    shard.uplinkMessage(uplink, encodeAddressed(to, update(A.path, 6, 5)));

    expect(await latest).toEqual({ kind: "update", position: "e:6", frame: update(A.path, 6, 5) });
  });

  test("[U8] no record, and an error, are answers; a code of a later version is internal", async () => {
    const shard = createShard();
    const uplink = connect(shard);
    const paths = [A.path, B.path, "/quotes/C"];
    const answers = paths.map((path) => shard.latest(path));

    shard.uplinkMessage(
      uplink,
      encodeAddressed({ kind: "question", id: 1 }, encodeLatest(A.path, NOTHING, 0)),
    );
    shard.uplinkMessage(
      uplink,
      encodeAddressed({ kind: "question", id: 2 }, encodeQuestionError("unavailable", "later")),
    );
    shard.uplinkMessage(uplink, '?3\t{"error":{"code":"new","message":"later","retry":false}}');

    expect(await Promise.all(answers)).toEqual([
      { kind: "none", position: "-" },
      { kind: "error", code: "unavailable", message: "later" },
      { kind: "error", code: "internal", message: "later" },
    ]);
  });

  test.each<[string, (shard: ShardCore, uplink: FakeSocket) => void]>([
    ["after 5 s without an answer", () => void clock.next(5_000)],
    ["when the origin goes", (shard, uplink) => shard.uplinkClosed(uplink)],
  ])("[U8] [C2] a question is unavailable %s", async (_, happen) => {
    const shard = createShard();
    const uplink = connect(shard);
    const latest = shard.latest(A.path);

    happen(shard, uplink);

    expect(await latest).toMatchObject({ kind: "error", code: "unavailable" });
  });

  test("[U8] [C2] without an origin a question is unavailable at once; past a thousand it is overloaded", async () => {
    const shard = createShard();
    expect(await shard.latest(A.path)).toMatchObject({ kind: "error", code: "unavailable" });
    connect(shard);
    const open = Array.from({ length: 1_000 }, (_, i) => shard.latest(`/quotes/${i}`));

    expect(await shard.latest(A.path)).toMatchObject({ kind: "error", code: "overloaded" });
    clock.now += 5_000;
    while (clock.next(0));
    expect(await Promise.all(open)).toHaveLength(1_000);
  });
});

/** Runs a shard that has linked this many objects, and ends it. */
async function createShardWithRows(count: number): Promise<void> {
  const shard = createShard();
  for (let i = 0; i < count; i++) shard.attach(endpointObject(`/quotes/${i}`));
  for (let i = 0; i < count / 10; i++) await settled();
  expect(shard.status().links).toBe(count);
}
