import { beforeEach, describe, expect, test } from "vitest";
import type { IndexedRecord } from "../../../origin/index/record.ts";
import { LIMITS } from "../../../shared/protocol/limits.ts";
import { NOTHING, parsePosition } from "../../../shared/protocol/position.ts";
import { RecordingShard } from "../../support/recording-shard.ts";
import { infosOf, record, SmallOrigin, updateOf as update } from "../../support/small-origin.ts";

const at = (text: string) => parsePosition(text) ?? NOTHING;

let origin: SmallOrigin;
let shard: RecordingShard;

beforeEach(() => {
  origin = new SmallOrigin();
  shard = new RecordingShard(origin.watchList);
  origin.describe({ epoch: "x" });
  origin.read(0, "x");
});

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
    for (const link of [1, 2, 3]) shard.goLive(link);
    other.goLive(1);
    let looks = 0;

    origin.watchList.records("t", [observed("a", () => looks++), observed("b", () => (looks += 100))]);

    expect(looks).toBe(1);
    const frame = '{"e":"/t/a","p":"x:5","v":1}';
    expect(shard.taken()).toEqual([`1,2,3 ${frame}`]);
    expect(other.taken()).toEqual([`1 ${frame}`]);
  });

  test("[U3] [F10] what one batch brings leaves in one message", () => {
    shard.goLive(1);

    origin.read(0, "x", record(0, "a", "0"), record(1, "b", "1"), record(2, "a", "2"));

    expect(shard.messages).toHaveLength(1);
    expect(shard.taken()).toEqual([`1 ${update(0)}`, `1 ${update(2, 0)}`]);
  });

  test("[P5] an update names the record before it as far as anybody knows it: the watch, or else the index", () => {
    shard.goLive(1);

    origin.watchList.records("t", [{ ...observed("a", () => undefined), previous: 3 }]);

    expect(shard.taken()).toEqual(['1 {"e":"/t/a","p":"x:5","q":3,"v":1}']);
  });

  test("[P5] an update names the record before it, also one that was there before anybody watched, or was dropped since", () => {
    write(3);
    shard.goLive(1);

    write(7);
    origin.history.drop("t", 0, 8, false);
    write(9);

    expect(shard.taken()).toEqual([`1 ${update(7, 3)}`, `1 ${update(9, 7)}`]);
  });

  test("[A5] records without a key, and those with one that is too long, are nobody's", () => {
    shard.goLive(1);
    const headless = { ...record(0, "", "1"), key: null };

    origin.read(0, "x", headless, record(1, "k".repeat(1_025), "1"), record(2, "a", "2"));

    expect(shard.taken()).toEqual([`1 ${update(2)}`]);
  });

  test("[F7] [F8] tombstones and values that are too large are forwarded as such", () => {
    shard.goLive(1);

    origin.read(0, "x", record(0, "a", null), record(1, "a", Buffer.alloc(LIMITS.valueBytes + 1)));

    const [tombstone, omitted] = shard.taken();
    expect(tombstone).toContain('"d":true');
    expect(omitted).toContain(`"o":${LIMITS.valueBytes + 1}`);
  });

  test("[U4] a link that was detached gets nothing more, the others do", () => {
    shard.goLive(1);
    shard.goLive(2);

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

describe("[U10] a shard that is congested", () => {
  test("is sent nothing large; when it has drained it gets what it missed, by the chain, and is live again", () => {
    shard.goLive(1);
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
    shard.goLive(1);
    other.goLive(1);

    shard.congested = true;
    write(0);

    expect(other.taken()).toEqual([`1 ${update(0)}`]);
  });

  test("is caught up a page at a time", () => {
    const value = JSON.stringify("y".repeat(LIMITS.answerBytes / 2));
    shard.goLive(1);
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
    shard.goLive(1);
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
    shard.goLive(1);
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
    shard.goLive(1);

    origin.forwarder.rejoin("t", { partition: 0, epoch: "x", startOffset: 7, endOffset: 7 });
    shard.work();

    expect(shard.taken()).toEqual([
      '1 {"attached":"/t/a","id":0,"position":"x:6","head":"x:6","recovered":false,"cause":"horizon","to":"x:6","horizon":"x:7","count":0}',
    ]);
    origin.read(0, "x", record(9, "a", "9"));
    expect(shard.taken()).toEqual([`1 ${update(9, 6)}`]);
  });

  test("when records were lost that may have been those of an endpoint that had none", () => {
    shard.goLive(1);

    origin.forwarder.rejoin("t", { partition: 0, epoch: "x", startOffset: 7, endOffset: 7 });
    shard.work();

    expect(shard.taken()).toEqual([expect.stringMatching(/"recovered":false,"cause":"horizon"/)]);
  });

  test("when the topic is another one, and when it is gone", () => {
    write(0);
    shard.goLive(1);

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
    shard.goLive(1);

    origin.describe({ epoch: "n", start: 4, end: 9 });
    shard.work();

    expect(shard.taken()).toEqual([expect.stringMatching(/"recovered":false,"cause":"horizon"/)]);
    origin.read(0, "n", record(6, "a", "6"));
    expect(shard.taken()).toEqual([`1 ${update(6).replace("x:6", "n:6")}`]);
  });

  test("and not when a partition of others was added", () => {
    write(0);
    shard.goLive(1);

    origin.forwarder.described("t", infosOf([{ epoch: "x" }, { epoch: "y" }]), "earliest");
    shard.work();

    expect(shard.taken()).toEqual([]);
  });
});
