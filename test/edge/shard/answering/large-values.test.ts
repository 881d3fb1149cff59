import { beforeEach, describe, expect, test } from "vitest";
import { LargeValues } from "../../../../edge/shard/answering/large-values.ts";
import type { LatestResult } from "../../../../edge/shard/answering/latest.ts";
import { encodeUpdate } from "../../../../shared/protocol/frame.ts";
import { LIMITS } from "../../../../shared/protocol/limits.ts";
import { FakeClock } from "../../../support/fake-clock.ts";

const MIB = 1_024 * 1_024;

let clock: FakeClock;
/** The size of the latest value, and its offset; what the origin says if that is something else. */
let size: number;
let offset: number;
let instead: LatestResult | undefined;
/** What the origin was asked, and how many bytes of values it sent. */
let asked: string[];
let sent: number;
let large: LargeValues;

beforeEach(() => {
  clock = new FakeClock();
  [size, offset, instead, asked, sent] = [MIB, 7, undefined, [], 0];
  large = new LargeValues({
    after: (ms, run) => clock.after(ms, run),
    ask: (path, brief) => {
      asked.push(`${path}${brief ? " brief" : ""}`);
      return Promise.resolve(instead ?? latest(path, brief));
    },
  });
});

function latest(endpoint: string, brief: boolean): LatestResult {
  const head = { endpoint, epoch: "e", offset, previous: undefined, timestamp: undefined, headers: [] };
  const isLarge = size > LIMITS.questionValueBytes;
  const kept = isLarge && brief;
  if (!kept) sent += size;
  const frame = encodeUpdate({
    ...head,
    value: kept ? { kind: "omitted", size } : { kind: "bytes", bytes: new Uint8Array(size) },
  });
  const position = `e:${offset}`;
  return { kind: "update", position, oldest: "-", frame, value: isLarge ? "json" : undefined };
}

const get = async (path = "/t/a") => {
  const result = await large.ask(path, false);
  return result.kind === "update" ? `${result.position} ${result.frame.length > size}` : result.kind;
};
const taken = () => asked.splice(0);

describe("[U8] [H5] of a large value that is held", () => {
  beforeEach(async () => {
    expect(await get()).toBe("e:7 true");
    expect(taken()).toEqual(["/t/a"]);
  });

  test("an origin is asked for each GET whether it is the latest, and sends it no more", async () => {
    for (let round = 0; round < 40; round++) expect(await get()).toBe("e:7 true");

    expect(taken()).toEqual(Array(40).fill("/t/a brief"));
    expect(sent).toBe(MIB);
  });

  test("a later record is told, once it is there", async () => {
    offset = 8;

    expect(await get()).toBe("e:8 true");
    expect(taken()).toEqual(["/t/a brief", "/t/a"]);
    expect(await get()).toBe("e:8 true");
    expect(taken()).toEqual(["/t/a brief"]);
  });

  test.each<[string, LatestResult]>([
    ["an error", { kind: "error", code: "unavailable", message: "it is away" }],
    ["that there is none", { kind: "none", position: "-", oldest: "-" }],
  ])("%s is told as it is", async (_, said) => {
    instead = said;

    expect(await large.ask("/t/a", false)).toBe(said);
  });

  test("a small one that takes its place is told as it comes", async () => {
    size = 10;

    expect(await get()).toBe("e:7 true");
    expect(taken()).toEqual(["/t/a brief"]);
  });

  test("nothing is left after 10 s in which nobody asked", async () => {
    clock.pass(9_999);
    await get();
    clock.pass(9_999);
    await get();
    expect(taken()).toEqual(["/t/a brief", "/t/a brief"]);

    clock.pass(10_000);
    await get();
    expect(taken()).toEqual(["/t/a"]);
  });

  test("what was asked for longest ago goes for others", async () => {
    size = 8 * MIB;
    await get("/t/b");
    await get("/t/c");
    taken();

    for (const path of ["/t/c", "/t/a"]) await get(path);
    expect(taken()).toEqual(["/t/c brief", "/t/a"]);
  });
});

test("[U8] a brief question is put as it is, and nothing is held of its answer", async () => {
  await large.ask("/t/a", true);
  await get();

  expect(taken()).toEqual(["/t/a brief", "/t/a"]);
});

test("[U8] small values aren't held", async () => {
  size = 100;
  await get();
  await get();

  expect(taken()).toEqual(["/t/a", "/t/a"]);
});
