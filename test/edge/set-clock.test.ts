/** A clock of the edge that is set forward or back by hours: deadlines are as long as they were. */
import { beforeEach, describe, expect, test } from "vitest";
import { WHOLE } from "../../shared/protocol/slice.ts";
import { SimulatedEdge } from "../support/simulated-edge.ts";

const A = "/quotes/A";
const HOUR_MS = 3_600_000;

let edge: SimulatedEdge;

beforeEach(async () => {
  edge = new SimulatedEdge({
    window: { updates: 5, ageMs: 30_000, bytes: 40_000 },
    log: { window: 100, page: 3 },
    origins: [WHOLE, WHOLE],
    random: () => 0.5,
  });
  for (const origin of edge.origins) origin.start();
  await edge.quiet();
});

/** Delivers what is under way; no time passes. */
async function delivered(): Promise<void> {
  while (await edge.deliver(0));
}

describe.each([-24, -1, 1, 24])("set by %i hours", (hours) => {
  test("[L5] an endpoint is detached 30 s after its last subscriber has gone, whatever the clock shows", async () => {
    const receiver = edge.subscribe(A, undefined);
    await edge.quiet();
    edge.leave(receiver);
    await delivered();
    edge.pass(10_000);

    edge.setClock(hours * HOUR_MS);
    edge.pass(25_000);
    await delivered();

    expect(edge.watched()).toEqual({ rows: [], shard: ["0 endpoints", "0 links"], objects: [], origins: [] });
  });

  test("[U13] who is active stays so while it pings; who hangs gives way to a standby within seconds", async () => {
    edge.append(A, 1, "t.0");
    const receiver = edge.subscribe(A, undefined);
    await edge.quiet();

    edge.setClock(hours * HOUR_MS);
    edge.pass(20_000);
    await delivered();
    expect(edge.promotions).toBe(0);

    edge.origins[0]?.stop();
    edge.append(A, 2, "t.0");
    edge.pass(2_000);
    edge.setClock(-hours * HOUR_MS);
    edge.pass(7_000);
    await delivered();
    expect(edge.promotions).toBe(1);
    expect(receiver.updates).toHaveLength(2);
    expect([...receiver.violations, ...edge.problems]).toEqual([]);
  });

  test("[R1] a window forgets what is too old, and one who asks for that is answered from an index", async () => {
    edge.append(A, 1, "t.0");
    edge.subscribe(A, undefined);
    await edge.quiet();
    edge.append(A, 2, "t.0");
    await delivered();
    expect(await answers(new Map([["t.0", 0]]))).toEqual(["window"]);

    edge.setClock(hours * HOUR_MS);
    edge.pass(33_000);

    expect(await answers(new Map([["t.0", 0]]))).toEqual(["index"]);
  });
});

/** How one who comes back is answered. */
async function answers(from: ReadonlyMap<string, number>): Promise<readonly string[]> {
  const before = edge.answered.length;
  edge.subscribe(A, from);
  await delivered();
  return edge.answered.slice(before);
}
