import { expect, test } from "vitest";
import { OPERATIONS } from "../../edge/operations.ts";
import { marginalBill, monthlyBill, NO_USAGE, PRICES, usageOf } from "./prices.ts";

test("a month costs what passes the plan's share, item by item", () => {
  const bill = monthlyBill({
    ...NO_USAGE,
    workerRequests: 30e6,
    objectRequests: 3e6,
    objectGbSeconds: 400_000,
  });

  expect(bill.workerRequests).toBeCloseTo(6);
  expect(bill.objectRequests).toBeCloseTo(0.3);
  expect(bill.objectGbSeconds).toBe(0);
  expect(bill.total).toBeCloseTo(6.3);
});

test("more of the same costs its price from the first", () => {
  expect(marginalBill({ ...NO_USAGE, rowsWritten: 1e6, storageGbMonths: 2 }).total).toBeCloseTo(1.4);
});

test("twenty incoming messages are one request, outgoing ones are free, and calls are requests", () => {
  const usage = usageOf({
    "websocket_message_in.endpoint_link": 100,
    "websocket_message_in.shard_uplink": 20,
    "websocket_message_out.endpoint": 1e9,
    "rpc.shard": 3,
    "object_request.endpoint": 4,
    "object_created.endpoint": 50,
    worker_request: 7,
    rows_written: 2,
  });

  expect(usage).toEqual({ ...NO_USAGE, objectRequests: 13, workerRequests: 7, rowsWritten: 2 });
});

test("every operation that the edge calls billed has a price, and no other", () => {
  for (const [name, means] of Object.entries(OPERATIONS)) {
    const { total } = marginalBill(usageOf({ [name]: 1e6 }));
    if (/bill/.test(means) || name === "worker_request") expect([name, total > 0]).toEqual([name, true]);
    if (/free|began/.test(means)) expect([name, total]).toEqual([name, 0]);
  }
  expect(PRICES.asOf).toMatch(/^\d{4}-\d\d$/);
});
