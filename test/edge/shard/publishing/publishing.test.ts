/** What a shard makes of publishes, with origins, time and their silence in the test's hands. */
import { beforeEach, describe, expect, test } from "vitest";
import type { PublishOutcome } from "../../../../edge/shard/publishing/outcome.ts";
import { Publishing } from "../../../../edge/shard/publishing/publishing.ts";
import { murmur2, partitionOf } from "../../../../shared/core/partitioner.ts";
import { LIMITS } from "../../../../shared/protocol/limits.ts";
import { decodePublish, type Published, type PublishRequest } from "../../../../shared/protocol/publish.ts";
import { countedModule } from "../../../support/counted-work.ts";
import { FakeClock } from "../../../support/fake-clock.ts";

/** When the test begins, by the wall clock. */
const SINCE_1970 = 1_764_000_000_000;

class Uplink {
  bufferedAmount = 0;
  open = true;
  heard = true;
  /** What its key may speak for; undefined: everything. */
  topic: string | undefined;
  readonly got: PublishRequest[] = [];
  send(): void {}
  close(): void {}
}

let clock: FakeClock;
let a: Uplink;
let b: Uplink;
let actives: (Uplink | undefined)[];
let shard: Publishing<Uplink>;

beforeEach(() => {
  clock = new FakeClock();
  a = new Uplink();
  b = new Uplink();
  actives = [a];
  shard = newShard();
});

function newShard(Made = Publishing): Publishing<Uplink> {
  return new Made<Uplink>({
    now: () => clock.now(),
    wall: () => SINCE_1970 + clock.now(),
    random: () => clock.random(),
    after: (ms, run) => clock.after(ms, run),
    actives: () => actives,
    isOpen: ({ open }) => open,
    isHeard: ({ open, heard }) => open && heard,
    mayTopic: ({ topic }, asked) => topic === undefined || topic === asked,
    send: (uplink, frame) => {
      const read = decodePublish(frame);
      if (!read.ok) throw new Error(read.problem);
      uplink.got.push(read.value);
    },
  });
}

interface Asked {
  outcome: PublishOutcome | undefined;
}

/** `answered` once whatever is due has been told. */
function publish(value = "1", endpoint = "/t/k", to = shard): Asked {
  const asked: Asked = { outcome: undefined };
  const key = `key of ${value}`;
  const bytes = new TextEncoder().encode(value);
  const publish = {
    endpoint,
    issuer: "i",
    subject: "s",
    key,
    by: "client",
    headers: [],
    value: bytes,
  } as const;
  void to.publish(publish).then((outcome) => {
    asked.outcome = outcome;
  });
  return asked;
}

const settled = () => new Promise((resolve) => setImmediate(resolve));
const valuesAt = ({ got }: Uplink) => got.map(({ value }) => new TextDecoder().decode(value ?? undefined));

function answer(from: Uplink, result: Published, n = from.got.length - 1): void {
  shard.published(from, from.got[n]?.id ?? -1, result);
}

const refused = (code: string): Published => ({ error: { code, message: "why" } });
const at = (position: string) => ({ kind: "position", position });

/** `t` has one partition, which this one writes. */
function writes(from: Uplink, epoch: number | undefined, partitions = 1, partition = 0): void {
  const number = epoch === undefined ? undefined : { id: 1, epoch };
  shard.writes(from, { topic: "t", partition, partitions, number });
}

describe("to whom", () => {
  test("[W6] a publish travels whole, and its answer is told once, from whoever was asked last only", async () => {
    const asked = publish("value");
    expect(a.got).toEqual([
      expect.objectContaining({
        endpoint: "/t/k",
        issuer: "i",
        subject: "s",
        key: "key of value",
        by: "client",
      }),
    ]);
    shard.published(b, a.got[0]?.id ?? 0, { position: "e:1" });
    await settled();
    expect(asked.outcome).toBeUndefined();
    answer(a, { position: "e:2" });
    answer(a, { position: "e:3" });
    await settled();

    expect(asked.outcome).toEqual(at("e:2"));
  });

  test("[W6] what is late for another life of the shard answers nothing of this one", async () => {
    publish("before");
    clock.chance = 0.25;
    const next = newShard();
    const asked = publish("after", "/t/k", next);
    next.published(a, a.got[0]?.id ?? 0, { position: "e:1" });
    await settled();

    expect(a.got[0]?.id).not.toBe(a.got[1]?.id);
    expect(asked.outcome).toBeUndefined();
  });

  test("[W7] without an origin it is unavailable at once", async () => {
    actives = [undefined];
    const asked = publish();
    await settled();

    expect(asked.outcome).toMatchObject({ kind: "error", code: "unavailable" });
  });

  test("[W7] past so many, or so many bytes, it is overloaded at once, and not once there is room", async () => {
    const share = LIMITS.openPublishes / 4;
    const fill = (topic: string) => {
      for (let i = 0; i < share; i++) publish(`${topic}${i}`, `/${topic}/k`);
    };
    fill("t");
    const [many, other] = [publish("many"), publish("other", "/other/k")];
    answer(a, { position: "e:1" });
    await settled();
    // Another partition isn't held up by one that hangs.
    expect([many.outcome, other.outcome]).toMatchObject([{ code: "overloaded" }, { kind: "position" }]);
    answer(a, { position: "e:1" }, 0);
    const room = publish("room");
    await settled();
    expect(room.outcome).toBeUndefined();
    // However many hang, each takes half of what is left at most, and so there is some for the next.
    for (const topic of ["u", "v", "w", "x", "y"]) fill(topic);
    const next = publish("next", "/z/k");
    await settled();
    expect(next.outcome).toBeUndefined();

    shard = newShard();
    const large = "x".repeat(LIMITS.openPublishBytes / 8);
    publish(large);
    const bytes = publish(large);
    a.bufferedAmount = LIMITS.uplinkBacklogBytes + 1;
    const unsent = publish("small");
    await settled();
    expect([bytes.outcome, unsent.outcome]).toMatchObject([{ code: "overloaded" }, { code: "overloaded" }]);
  });

  test("[W7] headers take room like values: past what there is it is overloaded", async () => {
    const headers = [["a", "x".repeat(LIMITS.publishHeaderBytes)]] as const;
    const outcomes: PublishOutcome[] = [];
    const said = { endpoint: "/t/k", issuer: "", subject: "", by: "edge", headers, value: null } as const;
    for (let i = 0; i < LIMITS.openPublishBytes / 4 / LIMITS.publishHeaderBytes; i++)
      void shard.publish({ ...said, key: String(i) }).then((outcome) => outcomes.push(outcome));
    await settled();

    expect(outcomes[0]).toMatchObject({ code: "overloaded" });
  });

  test("[W8] it goes to the highest that says it writes the partition, though it stands by", () => {
    writes(a, 4);
    writes(b, 5);
    publish("1");
    writes(b, undefined);
    publish("2", "/t/other");

    expect([valuesAt(b), valuesAt(a)]).toEqual([["1"], ["2"]]);
    expect([b.got[0]?.claim, a.got[0]?.claim]).toEqual([false, false]);
  });

  test("[W8] one that is closed, or silent, isn't asked, whatever it said", () => {
    writes(b, 5);
    b.heard = false;
    publish("1");
    b.heard = true;
    b.open = false;
    publish("2", "/t/other");

    expect([valuesAt(a), valuesAt(b)]).toEqual([["1", "2"], []]);
  });

  test("[W8] each partition has its own writer", () => {
    const keys = Array.from({ length: 20 }, (_, i) => `k${i}`);
    writes(a, 1, 2, 0);
    writes(b, 1, 2, 1);
    for (const key of keys) publish(key, `/t/${key}`);
    const of = (partition: number) =>
      keys.filter((key) => partitionOf(new TextEncoder().encode(key), 2) === partition);

    expect([valuesAt(a), valuesAt(b)]).toEqual([of(0), of(1)]);
  });

  test("[W8] if nobody says so, the origin of the slice that has it is asked to take it over, or another one", () => {
    const sliceOf = (key: string) => (murmur2(new TextEncoder().encode(key)) & 0x7fffffff) % 2;
    const [first, second] = [0, 1].map((slice) => {
      const key = Array.from({ length: 20 }, (_, i) => `k${i}`).find((one) => sliceOf(one) === slice);
      return `/t/${key}`;
    });
    actives = [a, b];
    publish("1", first);
    publish("2", second);
    answer(a, { position: "e:1" });
    actives = [undefined, b];
    publish("3", first);

    expect([valuesAt(a), valuesAt(b)]).toEqual([["1"], ["2", "3"]]);
    expect(a.got[0]?.claim).toBe(true);
  });

  test("[W8] [U16] nothing goes to one whose key may not speak for the topic", async () => {
    a.topic = "other";
    actives = [a, b];
    const keys = Array.from({ length: 10 }, (_, i) => `/t/${i}`);
    for (const path of keys) publish(path, path);
    expect([a.got.length, b.got.length]).toEqual([0, 10]);

    b.topic = "other";
    const asked = publish("1", "/t/none");
    await settled();
    expect(asked.outcome).toMatchObject({ code: "unavailable" });
  });

  test("[W8] taking over is asked for at once, then after 3 s, then after twice as long each time, and after a quiet minute as at first", () => {
    const claims: number[] = [];
    const from = clock.now();
    while (clock.now() - from < 60_000) {
      publish(String(clock.now()));
      if (a.got.at(-1)?.claim) claims.push((clock.now() - from) / 1_000);
      clock.pass(500);
    }
    expect(claims).toEqual([0, 3, 9, 21, 45]);
    clock.pass(61_000);
    publish("quiet");
    clock.pass(3_000);
    publish("again");

    expect(a.got.slice(-2).map(({ claim }) => claim)).toEqual([true, true]);
  });

  test("[W8] after the origin has gone that was asked, or had it, taking over is asked for 3 s later at most", () => {
    for (const ms of [0, 3_000, 6_000, 12_000]) {
      clock.pass(ms);
      publish(String(ms));
    }
    expect(a.got.filter(({ claim }) => claim)).toHaveLength(4);
    // The next one would be 24 s later.
    clock.pass(1_000);
    actives = [b];
    a.open = false;
    shard.lost(a);
    expect(b.got.filter(({ claim }) => claim)).toEqual([]);
    clock.pass(2_000);
    publish("later");
    expect(b.got.at(-1)?.claim).toBe(true);

    writes(b, 5);
    const c = new Uplink();
    actives = [c];
    b.open = false;
    shard.lost(b);
    answer(c, refused("not_writer"));
    clock.pass(3_000);
    expect(c.got.some(({ claim }) => claim)).toBe(true);
  });

  test("[W8] but not sooner for one that says that it was relieved, which is there: they would take turns", () => {
    for (const ms of [0, 3_000]) {
      clock.pass(ms);
      publish(String(ms));
    }
    writes(b, 5);
    writes(b, undefined);
    const before = a.got.length;
    clock.pass(5_900);
    publish("between");
    expect(a.got.slice(before).filter(({ claim }) => claim)).toEqual([]);
    clock.pass(100);
    publish("after");

    expect(a.got.at(-1)?.claim).toBe(true);
  });

  test("[W8] publishes go to one that says that it is taking the partition, and nobody else is asked to", async () => {
    shard.writes(b, { topic: "t", partition: 0, partitions: 1, number: "taking" });
    const asked = publish("1");
    clock.pass(5_000);
    publish("2", "/t/other");
    expect([valuesAt(a), valuesAt(b)]).toEqual([[], ["1", "2"]]);
    expect(b.got.map(({ claim }) => claim)).toEqual([false, false]);
    answer(b, refused("not_writer"), 0);
    expect([valuesAt(a), a.got[0]?.claim]).toEqual([["1"], true]);
    writes(b, 5);
    answer(a, refused("not_writer"));
    answer(b, { position: "e:1" });
    await settled();

    expect(asked.outcome).toEqual(at("e:1"));
  });

  test("[W8] not if that is silent, and one that has it wins over one that is taking it", () => {
    shard.writes(b, { topic: "t", partition: 0, partitions: 1, number: "taking" });
    b.heard = false;
    publish("1");
    b.heard = true;
    writes(a, 4);
    publish("2", "/t/other");

    expect([valuesAt(a), valuesAt(b)]).toEqual([["1", "2"], []]);
  });

  test("[W8] one that is no longer the writer is left for the next, without a loop", async () => {
    writes(b, 5);
    const asked = publish();
    answer(b, refused("not_writer"));
    expect(valuesAt(a)).toEqual(["1"]);
    answer(a, refused("not_writer"));
    clock.pass(2_900);
    expect([a.got.length, b.got.length]).toEqual([1, 1]);
    expect(asked.outcome).toBeUndefined();

    clock.pass(200);
    expect([a.got.length, b.got.length]).toEqual([1, 2]);
    answer(b, { position: "e:1" });
    await settled();
    expect(asked.outcome).toEqual(at("e:1"));
  });

  test("[W8] whoever waits for a writer goes to it when there is news", () => {
    publish();
    answer(a, refused("not_writer"));
    expect(a.got).toHaveLength(1);
    writes(b, 6);

    expect(valuesAt(b)).toEqual(["1"]);
  });
});

describe("one answer", () => {
  test.each([
    ["too_large", "too_large"],
    ["invalid", "bad_request"],
    ["unknown_topic", "unknown_topic"],
    ["in_flight", "in_flight"],
    ["id_reused", "id_reused"],
    ["id_not_kept", "id_not_kept"],
    ["overloaded", "overloaded"],
    ["unavailable", "unavailable"],
    ["forbidden", "not_writable"],
  ])("[W9] what an origin calls %s is told at once, if it was asked once", async (said, code) => {
    const asked = publish();
    answer(a, refused(said));
    await settled();

    expect(asked.outcome).toMatchObject({ kind: "error", code });
    expect(a.got).toHaveLength(1);
  });

  test("[W9] what a dead origin left without an answer is sent to the next with the same id, in order", async () => {
    const asked = [publish("1"), publish("2"), publish("3", "/t/other")];
    a.open = false;
    actives = [b];
    shard.lost(a);

    expect(valuesAt(b)).toEqual(["1", "2", "3"]);
    expect(b.got.map(({ id }) => id)).toEqual(a.got.map(({ id }) => id));
    for (const n of [0, 1, 2]) answer(b, { position: `e:${n}` }, n);
    await settled();
    expect(asked.map(({ outcome }) => outcome)).toEqual([at("e:0"), at("e:1"), at("e:2")]);
  });

  test("[W9] so is what a silent one did, as soon as another one is there, and not before", () => {
    publish();
    a.heard = false;
    clock.pass(500);
    expect(a.got).toHaveLength(1);
    actives = [b];
    clock.pass(100);

    expect(valuesAt(b)).toEqual(["1"]);
  });

  test.each([
    "not_writer",
    "unavailable",
    "overloaded",
    "in_flight",
    "unknown",
    "forbidden",
    "of a later version",
  ])("[W9] once it may be in the log, %s proves nothing, and it is sent again", async (code) => {
    const asked = publish();
    answer(a, refused("unknown"));
    clock.pass(100);
    answer(a, refused(code));
    clock.pass(3_100);
    await settled();
    expect(asked.outcome).toBeUndefined();
    expect(a.got).toHaveLength(3);
    answer(a, { position: "e:1" });
    await settled();

    expect(asked.outcome).toEqual(at("e:1"));
  });

  test.each(["too_large", "invalid", "unknown_topic", "id_not_kept"])(
    "[W9] then nobody will know after %s: it is told to be unknown",
    async (code) => {
      const asked = publish();
      answer(a, refused("unknown"));
      clock.pass(100);
      answer(a, refused(code));
      await settled();

      expect(asked.outcome).toMatchObject({ code: "unknown_outcome" });
    },
  );

  test("[W9] the deadline is the shard's own: unknown if it was sent, unavailable if it wasn't", async () => {
    const sent = publish("sent");
    const waits = publish("waits", "/t/other");
    answer(a, refused("not_writer"));
    actives = [undefined];
    clock.pass(9_900);
    await settled();
    expect(sent.outcome).toBeUndefined();
    clock.pass(200);
    await settled();

    expect(sent.outcome).toMatchObject({ code: "unknown_outcome" });
    expect(waits.outcome).toMatchObject({ code: "unavailable" });
    expect(clock.pending).toBe(0);
  });

  test("[W9] an origin has half a second less than what is left", () => {
    publish();
    answer(a, refused("unknown"));
    clock.pass(4_000);

    expect(a.got[0]?.withinMs).toBe(9_500);
    expect(a.got[1]?.withinMs).toBeLessThanOrEqual(9_400);
  });

  test("[W9] an origin may write it until two seconds before the shard gives up, by the wall clock, however often it is sent", () => {
    publish();
    answer(a, refused("unknown"));
    clock.pass(4_000);

    expect(a.got.map(({ until }) => until)).toEqual(a.got.map(() => SINCE_1970 + 8_000));
    expect(a.got.length).toBeGreaterThan(1);
  });

  test("[W9] a publish waits while one of its key that came before it is under way elsewhere", () => {
    publish("1");
    writes(b, 5);
    publish("2");
    publish("other key", "/t/other");
    expect([valuesAt(a), valuesAt(b)]).toEqual([["1"], ["other key"]]);
    answer(a, refused("not_writer"));

    expect(valuesAt(b)).toEqual(["other key", "1", "2"]);
  });

  test("[W9] nothing is held, and no timer runs, once all is answered", async () => {
    publish();
    expect(clock.pending).toBe(1);
    answer(a, { position: "e:1" });
    clock.pass(100);

    expect(clock.pending).toBe(0);
  });
});

test.each([
  ["one after the other is answered", (count: number) => Array.from({ length: count }, (_, i) => i)],
  ["the last is answered first", (count: number) => Array.from({ length: count }, (_, i) => count - 1 - i)],
])("[W24] [W9] a publish costs no more for those of its key that are under way: %s", async (_, orderOf) => {
  const files = ["/shard/publishing/publishing.ts", "/shard/publishing/lane.ts", "/core/ordered.ts"];
  const { module, count } = await countedModule(
    files,
    () => import("../../../../edge/shard/publishing/publishing.ts"),
  );
  const workOf = (publishes: number) =>
    count(() => {
      shard = newShard(module.Publishing);
      a.got.length = 0;
      for (let i = 0; i < publishes; i++) publish(String(i));
      for (const n of orderOf(publishes)) answer(a, { position: `e:${n}` }, n);
    });
  const [few, many] = [await workOf(100), await workOf(1_000)];

  // Ten times as many; their places are found by halving.
  expect(many / few).toBeLessThan(15);
});
