import { beforeEach, describe, expect, test } from "vitest";
import type { IndexedRecord } from "../../../origin/index/record.ts";
import { TIME_LIMITS } from "../../../origin/time-limits.ts";
import { LIMITS } from "../../../shared/protocol/limits.ts";
import { splitText } from "../../../shared/protocol/message.ts";
import { NOTHING, parsePosition } from "../../../shared/protocol/position.ts";
import { RecordingShard } from "../../support/recording-shard.ts";
import { infosOf, record, SmallOrigin, STREAM } from "../../support/small-origin.ts";

const at = (text: string) => parsePosition(text) ?? NOTHING;
const update = (offset: number, previous?: number, value = String(offset)) =>
  `{"e":"/t/a","p":"x:${offset}"${previous === undefined ? "" : `,"q":${previous}`},"t":1763690000000,"v":${value}}`;

let origin: SmallOrigin;
let shard: RecordingShard;

beforeEach(() => {
  origin = new SmallOrigin();
  shard = new RecordingShard(origin.watchList);
  origin.describe({ epoch: "x" });
  origin.read(0, "x");
});

/** A link that is live on `/t/a`. */
function live(on: RecordingShard, link: number): void {
  on.attach(link, "/t/a", 1);
  on.work();
  on.taken();
}

const write = (offset: number, key = "a") => origin.read(0, "x", record(offset, key, String(offset)));

/** A record whose value tells when it is looked at. */
function observed(key: string, looks: () => void): IndexedRecord {
  return {
    ...{ epoch: "x", offset: 5, previous: undefined, arrival: 0, timestamp: undefined, headers: [] },
    key: Buffer.from(key),
    kind: "json",
    get value() {
      looks();
      return Buffer.from("1");
    },
  };
}

describe("forwarding", () => {
  test("[F1] a frame is encoded once, however many links and shards it goes to, and not at all if nobody watches", () => {
    const other = new RecordingShard(origin.watchList);
    for (const link of [1, 2, 3]) live(shard, link);
    live(other, 1);
    let looks = 0;

    origin.watchList.records("t", [observed("a", () => looks++), observed("b", () => (looks += 100))]);

    expect(looks).toBe(1);
    const frame = '{"e":"/t/a","p":"x:5","v":1}';
    expect(shard.taken()).toEqual([`1,2,3 ${frame}`]);
    expect(other.taken()).toEqual([`1 ${frame}`]);
  });

  test("[U3] [F10] what one batch brings leaves in one message", () => {
    live(shard, 1);

    origin.read(0, "x", record(0, "a", "0"), record(1, "b", "1"), record(2, "a", "2"));

    expect(shard.messages).toHaveLength(1);
    expect(shard.taken()).toEqual([`1 ${update(0)}`, `1 ${update(2, 0)}`]);
  });

  test("[P5] an update names the record before it as far as anybody knows it: the watch, or else the index", () => {
    live(shard, 1);

    origin.watchList.records("t", [{ ...observed("a", () => undefined), previous: 3 }]);

    expect(shard.taken()).toEqual(['1 {"e":"/t/a","p":"x:5","q":3,"v":1}']);
  });

  test("[P5] an update names the record before it, also one that was there before anybody watched, or was dropped since", () => {
    write(3);
    live(shard, 1);

    write(7);
    origin.history.drop("t", 0, 8, false);
    write(9);

    expect(shard.taken()).toEqual([`1 ${update(7, 3)}`, `1 ${update(9, 7)}`]);
  });

  test("[A5] records without a key, and those with one that is too long, are nobody's", () => {
    live(shard, 1);
    const headless = { ...record(0, "", "1"), key: null };

    origin.read(0, "x", headless, record(1, "k".repeat(1_025), "1"), record(2, "a", "2"));

    expect(shard.taken()).toEqual([`1 ${update(2)}`]);
  });

  test("[F7] [F8] tombstones and values that are too large are forwarded as such", () => {
    live(shard, 1);

    origin.read(0, "x", record(0, "a", null), record(1, "a", Buffer.alloc(LIMITS.valueBytes + 1)));

    const [tombstone, omitted] = shard.taken();
    expect(tombstone).toContain('"d":true');
    expect(omitted).toContain(`"o":${LIMITS.valueBytes + 1}`);
  });

  test("[U4] a link that was detached gets nothing more, the others do", () => {
    live(shard, 1);
    live(shard, 2);

    origin.watchList.detach(shard, 1, "/t/a");
    write(0);
    origin.watchList.detach(shard, 2, "/t/a");
    write(1);

    expect(shard.taken()).toEqual([`2 ${update(0)}`]);
    expect(origin.watchList.size).toBe(0);
  });

  test("[U6] what comes between an attach and its answer is in the answer, and only there", () => {
    shard.attach(1, "/t/a", 4);
    write(0);
    shard.work();
    write(1);

    const [answer, ...updates] = shard.taken();
    expect(answer).toContain('"count":1');
    expect(updates).toEqual([`1 ${update(0)}`, `1 ${update(1, 0)}`]);
  });

  test("[U6] a link goes live with the answer about where its object is, and not with others' that come before", () => {
    shard.attach(1, "/t/a", 1, at("x:2"));
    shard.attach(1, "/t/a", 2, NOTHING);
    shard.work();
    expect(shard.taken()).toEqual([
      '1 {"waiting":"/t/a","id":1}',
      expect.stringMatching(/"id":2,.*"recovered":true/),
    ]);

    write(3);
    shard.work();
    write(4);

    const [answer, ...updates] = shard.taken();
    expect(answer).toMatch(/"id":1,"position":"x:2".*"count":1/);
    expect(updates).toEqual([`1 ${update(3)}`, `1 ${update(4, 3)}`]);
  });
});

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
      expect.stringMatching(/"id":2.*"ahead"/),
    ]);

    origin.pass(1);
    shard.work();

    expect(shard.taken()).toEqual([expect.stringMatching(/"id":1.*"ahead"/)]);
  });

  test("[U4] [L8] one that is taken back is not answered; the others are, and the link stays live", () => {
    live(shard, 1);
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
    live(shard, 1);
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

describe("[U10] a shard that is congested", () => {
  test("is sent nothing large; when it has drained it gets what it missed, by the chain, and is live again", () => {
    live(shard, 1);
    write(0);
    shard.taken();

    shard.congested = true;
    for (const offset of [1, 2, 3]) write(offset);
    shard.attach(2, "/t/a", 9);
    shard.work();
    expect(shard.messages).toEqual([]);
    shard.congested = false;
    shard.work();
    write(4);

    const frames = shard.taken();
    expect(frames.slice(0, 3)).toEqual([`1 ${update(1, 0)}`, `1 ${update(2, 1)}`, `1 ${update(3, 2)}`]);
    expect(frames[3]).toMatch(/^2 \{"attached":"\/t\/a","id":9/);
    expect(frames.slice(-1)).toEqual([`1,2 ${update(4, 3)}`]);
  });

  test("delays no other shard", () => {
    const other = new RecordingShard(origin.watchList);
    live(shard, 1);
    live(other, 1);

    shard.congested = true;
    write(0);

    expect(other.taken()).toEqual([`1 ${update(0)}`]);
  });

  test("is caught up a page at a time", () => {
    const value = JSON.stringify("y".repeat(LIMITS.answerBytes / 2));
    live(shard, 1);
    shard.congested = true;
    for (const offset of [0, 1, 2, 3, 4]) origin.read(0, "x", record(offset, "a", value));
    shard.congested = false;

    const steps: number[] = [];
    do {
      steps.push(shard.taken().length);
    } while (origin.watchList.step(shard));
    steps.push(shard.taken().length);

    expect(steps).toEqual([0, 2, 2, 1]);
  });

  test("[S5] whose missed updates are no longer held is told so, with the recent ones", () => {
    live(shard, 1);
    write(0);
    shard.taken();
    shard.congested = true;
    for (const offset of [1, 2, 3]) write(offset);

    origin.history.drop("t", 0, 3, false);
    shard.congested = false;
    shard.work();
    write(4);

    const [reset, ...updates] = shard.taken();
    expect(reset).toBe(
      '1 {"attached":"/t/a","id":0,"position":"x:2","head":"x:3","recovered":false,"cause":"horizon","to":"x:3","horizon":"x:3","count":1}',
    );
    expect(updates).toEqual([`1 ${update(3, 2)}`, `1 ${update(4, 3)}`]);
  });

  test("[S5] also where the index has forgotten that there was anything", () => {
    live(shard, 1);
    shard.congested = true;
    write(0);
    write(1, "b");

    origin.history.drop("t", 0, 2, false);
    shard.congested = false;
    shard.work();

    expect(shard.taken()).toEqual([
      '1 {"attached":"/t/a","id":0,"position":"x:0","head":"x:0","recovered":false,"cause":"horizon","to":"x:0","horizon":"x:2","count":0}',
    ]);
  });

  test("[U8] answers questions with unavailable", () => {
    shard.congested = true;

    origin.watchList.get(shard, 3, "/t/a");

    expect(shard.taken()).toEqual([expect.stringMatching(/^\?3 \{"error":\{"code":"unavailable"/)]);
  });
});

describe("[S5] [R4] who is live is told at once", () => {
  test("when records of the endpoint's partition were lost, though none follows", () => {
    write(0);
    live(shard, 1);

    origin.forwarder.rejoin("t", { partition: 0, epoch: "x", startOffset: 7, endOffset: 7 });
    shard.work();

    expect(shard.taken()).toEqual([
      '1 {"attached":"/t/a","id":0,"position":"x:6","head":"x:6","recovered":false,"cause":"horizon","to":"x:6","horizon":"x:7","count":0}',
    ]);
    origin.read(0, "x", record(9, "a", "9"));
    expect(shard.taken()).toEqual([`1 ${update(9, 6)}`]);
  });

  test("when records were lost that may have been those of an endpoint that had none", () => {
    live(shard, 1);

    origin.forwarder.rejoin("t", { partition: 0, epoch: "x", startOffset: 7, endOffset: 7 });
    shard.work();

    expect(shard.taken()).toEqual([expect.stringMatching(/"recovered":false,"cause":"horizon"/)]);
  });

  test("when the topic is another one, and when it is gone", () => {
    write(0);
    live(shard, 1);

    origin.describe({ epoch: "n" });
    shard.work();
    expect(shard.taken()).toEqual([
      '1 {"attached":"/t/a","id":0,"position":"-","head":"-","recovered":false,"cause":"epoch","to":"-","horizon":"n:0","count":0}',
    ]);
    origin.read(0, "n", record(0, "a", "0"));
    expect(shard.taken()).toEqual([`1 ${update(0).replace("x:0", "n:0")}`]);
    origin.forwarder.described("t", undefined, "earliest");
    shard.work();

    expect(shard.taken()).toEqual([expect.stringMatching(/"position":"-".*"cause":"epoch".*"count":0/)]);
  });

  test("when the log has dropped a part of what a new topic held before this origin found it", () => {
    live(shard, 1);

    origin.describe({ epoch: "n", start: 4, end: 9 });
    shard.work();

    expect(shard.taken()).toEqual([expect.stringMatching(/"recovered":false,"cause":"horizon"/)]);
    origin.read(0, "n", record(6, "a", "6"));
    expect(shard.taken()).toEqual([`1 ${update(6).replace("x:6", "n:6")}`]);
  });

  test("and not when a partition of others was added", () => {
    write(0);
    live(shard, 1);

    origin.forwarder.described("t", infosOf([{ epoch: "x" }, { epoch: "y" }]), "earliest");
    shard.work();

    expect(shard.taken()).toEqual([]);
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
