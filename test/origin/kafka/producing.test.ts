/** What is made of a batch's way to its broker, with the broker's answers in the test's hands. */
import { beforeEach, expect, test, vi } from "vitest";
import { ApiWriter } from "../../../origin/kafka/api-writer.ts";
import { UnsentError } from "../../../origin/kafka/lanes.ts";
import { producing } from "../../../origin/kafka/producing.ts";
import type { Request } from "../../../origin/kafka/request.ts";
import { TIME_LIMITS } from "../../../origin/time-limits.ts";

const WHERE = { topic: "t", partition: 0, epoch: "e.0" };
const PLACE = { id: Buffer.alloc(16, 1), hasOwnId: true, leader: 1, leaderEpoch: 2, partitions: 1 };
const [SAME, OTHER] = [1, 103];
const never = () => false;

let asked: string[];
/** What a Fetch from nowhere is answered with, or what it fails with. */
let fetched: number | Error;
let isById: boolean;
let now: number;

beforeEach(() => {
  asked = [];
  fetched = SAME;
  isById = false;
  now = 0;
  vi.spyOn(performance, "now").mockImplementation(() => now);
  return () => vi.restoreAllMocks();
});

const lanes = {
  send: async <T>(_: number, { name, encode }: Request<T>): Promise<T> => {
    encode(new ApiWriter(0, false));
    asked.push(name);
    if (name === "Produce") return { error: 0, offset: 5, words: undefined, isById } as T;
    if (fetched instanceof Error) throw fetched;
    return [{ error: fetched }] as T;
  },
};
const newClaim = (locate = async () => PLACE) => producing(WHERE, { locate }, lanes);
const BATCH = Buffer.from("batch");

test("a broker that is told the topic's id has nothing more to show", async () => {
  isById = true;
  const { produce } = newClaim();

  expect(await produce(BATCH, "first", never)).toMatchObject({ offset: 5 });
  expect(asked).toEqual(["Produce"]);
});

test("one that is told its name shows which topic that is before it is believed, and, if that is long ago, before it is sent", async () => {
  const { produce } = newClaim();
  await produce(BATCH, "first", never);
  await produce(BATCH, "first", never);
  expect(asked).toEqual(["Produce", "Fetch", "Produce", "Fetch"]);

  now = TIME_LIMITS.produceNamedMs + 1;
  await produce(BATCH, "first", never);
  expect(asked.slice(4)).toEqual(["Fetch", "Produce", "Fetch"]);
});

test("a topic that was created again is told of: once it may have taken the batch, and later before it does", async () => {
  const { produce } = newClaim();
  fetched = OTHER;
  await expect(produce(BATCH, "first", never)).rejects.toMatchObject({ code: "changed" });
  expect(asked).toEqual(["Produce", "Fetch"]);

  now = TIME_LIMITS.produceNamedMs + 1;
  await expect(produce(BATCH, "first", never)).rejects.toMatchObject({ code: "changed" });
  expect(asked).toEqual(["Produce", "Fetch", "Fetch"]);
});

test("what has left has left, though what is asked after it can't be sent", async () => {
  fetched = new UnsentError("no connection");

  await expect(newClaim().produce(BATCH, "first", never)).rejects.not.toBeInstanceOf(UnsentError);
});

test("what is late doesn't leave, nor does what has no leader: that is told apart", async () => {
  await expect(newClaim().produce(BATCH, "first", () => true)).rejects.toBeInstanceOf(UnsentError);
  const leaderless = newClaim(async () => {
    throw new Error("nobody leads it");
  });
  await expect(leaderless.produce(BATCH, "first", never)).rejects.toBeInstanceOf(UnsentError);

  expect(asked).toEqual([]);
});
