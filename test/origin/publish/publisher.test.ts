import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Marker } from "../../../origin/publish/mark.ts";
import { Publisher } from "../../../origin/publish/publisher.ts";
import { ScriptedPartition } from "../../support/scripted-sink.ts";
import { codeOf, publishOf } from "../../support/sink-contract.ts";

let partition: ScriptedPartition;
let publisher: Publisher;

beforeEach(() => {
  vi.useFakeTimers();
  partition = new ScriptedPartition();
  publisher = new Publisher({
    sink: { partitions: async () => ["old.0"], claim: partition.claim, close: async () => {} },
    marker: new Marker([Buffer.alloc(32, 1)]),
  });
});
afterEach(async () => {
  await publisher.close();
  vi.useRealTimers();
});

const publish = () => publisher.publish(publishOf("t", { deadline: Number.POSITIVE_INFINITY }));

test("at the end what wasn't sent, and what comes later, is for another origin", async () => {
  const unseen = publish();
  await publisher.close();

  expect([codeOf(await unseen), codeOf(await publish())]).toEqual(["not_writer", "not_writer"]);
});
