import { expect, test } from "vitest";
import { producedBatch } from "../../../origin/kafka/produced-batch.ts";
import { contentsOf } from "./batches.ts";

const CONTROL = 0x20;
const NUMBERED = { producerId: 1, producerEpoch: 0, sequence: 0 };

function batchOf(count: number, attributes = 0): Buffer {
  const records = Array.from({ length: count }, (_, i) => ({
    key: Buffer.from("k"),
    value: Buffer.alloc(i),
    headers: [],
  }));
  return producedBatch(records, NUMBERED, 1, "none", attributes);
}

test("the batches of all logs count, without marks of transactions and the room behind the last one", () => {
  const logs = [
    Buffer.concat([batchOf(3), batchOf(1, CONTROL), batchOf(7), Buffer.alloc(100)]),
    batchOf(2),
    Buffer.alloc(0),
  ];
  expect(contentsOf(logs)).toEqual({ records: 12, batches: 3 });
});
