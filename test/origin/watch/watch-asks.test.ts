import { beforeEach, describe, expect, test } from "vitest";
import { TIME_LIMITS } from "../../../origin/time-limits.ts";
import { LIMITS } from "../../../shared/protocol/limits.ts";
import { splitText } from "../../../shared/protocol/message.ts";
import { NOTHING, parsePosition } from "../../../shared/protocol/position.ts";
import { RecordingShard } from "../../support/recording-shard.ts";
import { record, SmallOrigin, STREAM, updateOf as update } from "../../support/small-origin.ts";

const at = (text: string) => parsePosition(text) ?? NOTHING;

let origin: SmallOrigin;
let shard: RecordingShard;

beforeEach(() => {
  origin = new SmallOrigin();
  shard = new RecordingShard(origin.watchList);
  origin.onLook = () => origin.look();
  origin.describe({ epoch: "x" });
  origin.read(0, "x");
});

const write = (offset: number) => origin.read(0, "x", record(offset, "a", String(offset)));

describe("attaches", () => {
  test("[U7] [R5] one that must wait is told once, and answered when it needn't any longer", () => {
    origin.forwarder.batch("t", 0, "x", { records: [], nextOffset: 2, endOffset: 9 });
    shard.attach(1, "/t/a", 5, at("x:6"));
    shard.work();
    origin.forwarder.batch("t", 0, "x", { records: [], nextOffset: 6, endOffset: 9 });
    shard.work();
    expect(shard.taken()).toEqual(['1 {"waiting":"/t/a","id":5}']);

    origin.read(0, "x", record(6, "a", "6"));
    shard.work();

    expect(shard.taken()).toEqual([expect.stringMatching(/"id":5,"position":"x:6".*"recovered":true/)]);
  });

  test("[U5] every one is answered, also two of one link", () => {
    shard.attach(1, "/t/a", 0);
    shard.attach(1, "/t/a", 7);
    shard.work();

    expect(shard.taken().map((frame) => /"id":\d+/.exec(frame)?.[0])).toEqual(['"id":0', '"id":7']);
  });

  test("[L7] a shard's own question takes the place of one that isn't answered, and pushes out none of an object", () => {
    write(0);
    shard.attach(1, "/t/a", 0, at("x:3"));
    shard.attach(1, "/t/a", 7, at("x:2"));
    for (let i = 0; i < 30; i++) shard.attach(1, "/t/a", 0, at(`x:${i % 2 === 0 ? 2 : 4}`));
    shard.attach(1, "/t/a", 8);
    shard.work();
    write(1);
    // Until the first question is answered nothing is live (U6).
    expect(shard.taken().filter((item) => item.includes('"p":"x:1"'))).toEqual([]);

    for (const offset of [2, 3, 4]) write(offset);
    shard.work();

    const answers = shard
      .taken()
      .flatMap((item) => /"id":(\d+),"position":"([^"]*)"/.exec(item)?.slice(1) ?? []);
    expect(answers).toEqual(["0", "x:2", "7", "x:2"]);
  });

  test("one link can't fill the memory with questions that wait: the oldest is forgotten", () => {
    origin = new SmallOrigin();
    shard = new RecordingShard(origin.watchList);
    for (let id = 1; id <= 30; id++) shard.attach(1, "/t/a", id);
    shard.work();
    shard.taken();

    origin.forwarder.described("t", undefined, "earliest");
    shard.work();

    const ids = shard.taken().map((frame) => Number(/"id":(\d+)/.exec(frame)?.[1]));
    // What an object may have open, and some of its shard's.
    expect(ids).toEqual(Array.from({ length: LIMITS.openAsks + 3 }, (_, i) => 31 - LIMITS.openAsks - 3 + i));
  });

  test("[R5] [U5] of one link one that must wait delays no other, and each is answered when it needn't any longer", () => {
    write(0);
    shard.attach(1, "/t/a", 1, at("x:9"));
    shard.attach(1, "/t/a", 2, at("x:5"));
    shard.attach(1, "/t/a", 3, at("x:0"));
    shard.work();
    const ids = () =>
      shard
        .taken()
        .flatMap((frame) => /"(attached|waiting)".*"id":(\d+)/.exec(frame)?.slice(1).join(" ") ?? []);
    expect(ids()).toEqual(["waiting 1", "waiting 2", "attached 3"]);

    origin.read(0, "x", record(5, "b", "5"));
    shard.work();
    expect(ids()).toEqual(["attached 2"]);
    origin.pass(TIME_LIMITS.askAheadMs);
    shard.work();

    expect(ids()).toEqual(["attached 1"]);
  });

  test("[R5] one whose asker knows more is answered when that has been read, too, and from where it asked", () => {
    write(0);
    origin.watchList.attach(shard, 1, { endpoint: "/t/a", id: 1, from: at("x:0"), reached: at("x:5") });
    origin.watchList.attach(shard, 1, { endpoint: "/t/a", id: 2, from: at("x:0"), reached: at("x:6,y:9") });
    shard.work();
    write(4);
    shard.work();
    expect(shard.taken()).toEqual([
      expect.stringMatching(/waiting.*"id":1/),
      expect.stringMatching(/waiting.*"id":2/),
    ]);

    write(5);
    shard.work();
    const whole = /"position":"x:0","head":"x:5","recovered":true.*"count":2/;
    expect(shard.taken()[0]).toMatch(whole);
    origin.pass(TIME_LIMITS.askAheadMs);
    shard.work();

    // There is no such thing: what is known counts.
    expect(shard.taken()[0]).toMatch(whole);
  });

  test("[R5] one that has waited before, as its shard says, is waited for only as long as is left", () => {
    origin.watchList.attach(shard, 1, {
      endpoint: "/t/a",
      id: 1,
      from: at("x:9"),
      waited: TIME_LIMITS.askAheadMs - 1,
    });
    origin.watchList.attach(shard, 1, {
      endpoint: "/t/a",
      id: 2,
      from: at("x:9"),
      waited: TIME_LIMITS.askAheadMs,
    });
    shard.work();
    expect(shard.taken()).toEqual([
      expect.stringMatching(/waiting.*"id":1/),
      // For a look at the topic.
      expect.stringMatching(/waiting.*"id":2/),
      expect.stringMatching(/"id":2.*"ahead"/),
    ]);

    origin.pass(1);
    shard.work();

    expect(shard.taken()).toEqual([expect.stringMatching(/"id":1.*"ahead"/)]);
  });

  test("[U4] [L8] one that is taken back is not answered; the others are, and the link stays live", () => {
    shard.goLive(1);
    shard.attach(1, "/t/a", 2, at("x:9"));
    shard.attach(1, "/t/a", 3, at("x:8"));
    shard.work();
    shard.taken();

    origin.watchList.cancel(shard, 1, { endpoint: "/t/a", id: 2 });
    origin.watchList.cancel(shard, 2, { endpoint: "/t/a", id: 3 });
    origin.pass(TIME_LIMITS.askAheadMs);
    shard.work();
    write(0);

    expect(shard.taken()).toEqual([expect.stringMatching(/"id":3.*"ahead"/), `1 ${update(0)}`]);
  });

  test("[L8] where nothing else is asked, and nobody is live, nothing stays of one that is taken back", () => {
    shard.attach(1, "/t/a", 2, at("x:9"));
    shard.work();

    origin.watchList.cancel(shard, 1, { endpoint: "/t/a", id: 2 });

    expect(origin.watchList.size).toBe(0);
  });

  test("a thousand at once are answered in steps, so that others get their turn", () => {
    for (let i = 0; i < 1_000; i++) shard.attach(1, `/t/${i}`, 1);
    expect(shard.wakes).toBeGreaterThan(0);

    let steps = 1;
    while (origin.watchList.step(shard)) steps++;

    expect(steps).toBeGreaterThan(10);
    expect(shard.taken()).toHaveLength(1_000);
  });

  test("[U7] for a topic that isn't exposed here, the asker waits: a new list of streams comes with a new uplink", () => {
    shard.attach(1, "/other/a", 3);

    expect(shard.taken()).toEqual(['1 {"waiting":"/other/a","id":3}']);
    expect(origin.refused).toEqual(["/other/a"]);
    expect(origin.watchList.size).toBe(0);
  });

  test("[L7] an uplink that is lost takes its watches and questions with it", () => {
    shard.goLive(1);
    origin.forwarder.batch("t", 0, "x", { records: [], nextOffset: 1, endOffset: 9 });
    shard.attach(2, "/t/a", 3, at("x:5"));
    shard.work();
    shard.taken();
    const { wakes } = shard;

    origin.watchList.shardLost(shard);
    origin.forwarder.batch("t", 0, "x", { records: [record(5, "a", "5")], nextOffset: 9, endOffset: 9 });
    shard.attach(3, "/t/a", 4);
    shard.work();

    expect([shard.taken(), shard.wakes - wakes, origin.watchList.size]).toEqual([[], 0, 0]);
  });
});

describe("[U8] questions", () => {
  const ask = (path: string) => {
    origin.watchList.get(shard, 13, path);
    return shard.taken();
  };

  test("are answered with the latest record and the endpoint's position, and nothing is watched", () => {
    write(0);
    write(2);

    expect(ask("/t/a")).toEqual([
      '?13 {"latest":"/t/a","position":"x:2","count":1,"oldest":"-"}',
      `?13 ${update(2, 0)}`,
    ]);
    expect(origin.watchList.size).toBe(0);
  });

  test("of a key without records have no record", () => {
    expect(ask("/t/b")).toEqual(['?13 {"latest":"/t/b","position":"-","count":0,"oldest":"-"}']);
  });

  /** The answer's head, and the record's frame as far as its value's bytes. */
  const askFor = (path: string, brief: boolean) => {
    origin.watchList.get(shard, 13, path, brief);
    const frames = shard.messages.splice(0).flatMap((message) => {
      const items = typeof message === "string" ? splitText(message) : [message];
      return items.map((item) => Buffer.from(item).toString());
    });
    return { head: frames[0], frame: frames[1]?.split("\n")[0], bytes: frames[1]?.split("\n")[1] };
  };
  const large = LIMITS.questionValueBytes + 1;

  test.each([
    ["json", `"${"x".repeat(large - 2)}"`],
    ["text", "x".repeat(large)],
    ["text", "[".repeat(large)],
  ])("of a large value of %s say what it is, and have it as the bytes that were produced", (kind, value) => {
    origin.read(0, "x", record(0, "a", value));

    expect(askFor("/t/a", false)).toEqual({
      head: `?13\t{"latest":"/t/a","position":"x:0","count":1,"oldest":"-","value":"${kind}"}`,
      frame: `?13\t{"e":"/t/a","p":"x:0","t":1763690000000,"n":${large}}`,
      bytes: value,
    });
  });

  test("that are brief are told of a large value without it, and of another as ever", () => {
    origin.read(0, "x", record(0, "a", "x".repeat(large)));
    origin.read(0, "x", record(1, "b", "1"));

    expect(askFor("/t/a", true)).toEqual({
      head: '?13\t{"latest":"/t/a","position":"x:0","count":1,"oldest":"-","value":"text"}',
      frame: `?13\t{"e":"/t/a","p":"x:0","t":1763690000000,"o":${large}}`,
      bytes: undefined,
    });
    expect(askFor("/t/b", true).frame).toBe('?13\t{"e":"/t/b","p":"x:1","t":1763690000000,"v":1}');
  });

  test("that are brief are told of what is there now, though they were told before", () => {
    const is = (offset: number) => expect.stringContaining(`"p":"x:${offset}"`);
    for (const offset of [0, 1]) {
      origin.read(0, "x", record(offset, "a", `${offset}`.repeat(large)));
      for (let round = 0; round < 2; round++)
        expect(askFor("/t/a", true)).toMatchObject({ frame: is(offset) });
    }
    origin.read(0, "x", record(2, "a", "2"));
    expect(askFor("/t/a", true).frame).toContain('"p":"x:2","q":1,');
    expect(askFor("/t/a", true).frame).toContain('"v":2}');
  });

  test("are told of no headers, which are for subscribers", () => {
    const headers = [["a", Buffer.from("1")]] as const;
    origin.read(0, "x", { ...record(0, "a", "1"), headers });

    expect(askFor("/t/a", false).frame).toBe('?13\t{"e":"/t/a","p":"x:0","t":1763690000000,"v":1}');
  });

  test("of a partition that isn't fully read can't be answered yet", () => {
    origin = new SmallOrigin([STREAM]);
    shard = new RecordingShard(origin.watchList);
    expect(ask("/t/a")).toEqual([expect.stringContaining('"code":"unavailable"')]);
    origin.describe({ epoch: "x", end: 4 });
    origin.forwarder.batch("t", 0, "x", { records: [record(0, "a", "0")], nextOffset: 1, endOffset: 4 });
    expect(ask("/t/a")).toEqual([expect.stringContaining('"code":"unavailable"')]);
    origin.forwarder.batch("t", 0, "x", { records: [], nextOffset: 4, endOffset: 4 });

    expect(ask("/t/a")).toHaveLength(2);
  });

  test("of what isn't exposed, or is no endpoint, are errors", () => {
    expect(ask("/other/a")).toEqual([expect.stringContaining('"code":"unknown_topic"')]);
    expect(ask("/t/%zz")).toEqual([expect.stringContaining('"code":"bad_address"')]);
    expect(ask("/t/%61")).toEqual([expect.stringContaining('"code":"bad_address"')]);
  });
});
