import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Marker } from "../../../origin/publish/mark.ts";
import { Publisher } from "../../../origin/publish/publisher.ts";
import type { WriterNews } from "../../../origin/publish/topic-writers.ts";
import { TIME_LIMITS } from "../../../origin/time-limits.ts";
import { range } from "../../support/contract-records.ts";
import { ScriptedPartition } from "../../support/scripted-sink.ts";
import { codeOf, publishOf } from "../../support/sink-contract.ts";

let partition: ScriptedPartition;
let epochs: readonly string[];
let news: WriterNews[];
let publisher: Publisher;

beforeEach(() => {
  vi.useFakeTimers();
  partition = new ScriptedPartition();
  epochs = ["old.0"];
  news = [];
  publisher = new Publisher({
    sink: {
      partitions: async () => epochs,
      claim: partition.claim,
      isSettled: async () => true,
      settle: async () => {},
      close: async () => {},
    },
    marker: new Marker([Buffer.alloc(32, 1)]),
    announce: (one) => news.push(one),
  });
});
afterEach(async () => {
  await publisher.close();
  vi.useRealTimers();
});

const settle = () => vi.advanceTimersByTimeAsync(0);
const publish = () => publisher.publish(publishOf("t", { deadline: Number.POSITIVE_INFINITY }));

async function claimed(): Promise<void> {
  publisher.takeOver("t", Buffer.from("key"));
  await settle();
  partition.grant();
  await settle();
}

test("of a topic that is created again the old writer is said to be gone before the new one is there", async () => {
  await claimed();
  epochs = ["new.0"];
  await vi.advanceTimersByTimeAsync(TIME_LIMITS.topicLookMs + 1);
  await claimed();
  await claimed();

  const epochOf = (writer: WriterNews["writer"]) => (writer === "taking" ? writer : writer?.epoch);
  expect(news.map(({ epoch, writer }) => [epoch, epochOf(writer)])).toEqual([
    ["old.0", "taking"],
    ["old.0", 1],
    ["old.0", undefined],
    ["new.0", "taking"],
    ["new.0", 2],
  ]);
});

test("what waits until its topic is seen takes room, like all that waits", async () => {
  const ask = () => publisher.publish(publishOf("t", { value: Buffer.alloc(12 * 1024 * 1024) }));
  const waits = range(0, 5).map(ask);
  const refused = ask();
  await publisher.close();

  expect(codeOf(await refused)).toBe("overloaded");
  expect((await Promise.all(waits)).map(codeOf)).toEqual(waits.map(() => "not_writer"));
});

test("at the end what wasn't sent, and what comes later, is for another origin", async () => {
  const unseen = publish();
  await publisher.close();

  expect([codeOf(await unseen), codeOf(await publish())]).toEqual(["not_writer", "not_writer"]);
});
