/** The bench itself, for a few seconds: that it measures what it says, not how fast that is. */
import { afterEach, expect, test } from "vitest";
import { Bench, type BenchSettings, DoesNotFit } from "./bench.ts";

const SETTINGS: BenchSettings = {
  system: "distributary",
  endpoints: 10,
  clients: 60,
  payload: 512,
  json: false,
  popularity: "uniform",
  partitions: 3,
  origins: 1,
  processes: 2,
  lingerMs: 1,
  seed: 1,
};
const STAGE = { rate: 10, warmUpSeconds: 0.3, seconds: 1 };
/** Each client's endpoint has so many updates while it is measured, wherever in the cycle its turn is. */
const DUE = SETTINGS.clients * STAGE.rate * STAGE.seconds;

let bench: Bench | undefined;

const start = async (changes: Partial<BenchSettings> = {}) => {
  bench = await Bench.start({ ...SETTINGS, ...changes }, undefined, () => {});
  return bench;
};

afterEach(async () => {
  await bench?.stop();
  bench = undefined;
});

test("from the embedded log to the clients every update that is due is measured, none is lost and none comes twice", async () => {
  const result = await (await start()).stage(STAGE);

  expect(result.latency.count).toBe(DUE);
  expect(result).toMatchObject({ clients: 60, lost: 0, duplicated: 0, violations: 0, closes: 0, failed: 0 });
  expect(result.wireBytes).toBeGreaterThan(512);
  expect(result.wireBytes).toBeLessThan(700);
  for (const part of ["edge", "origin", "publisher", "clients", "machine"])
    expect([part, (result.cpu[part] ?? 0) > 0]).toEqual([part, true]);
  expect(result.operations?.["websocket_message_out.endpoint"]).toBeGreaterThan(900_000);
}, 60_000);

test("JSON arrives too, and a second stage goes on where the first ended", async () => {
  const running = await start({ json: true, popularity: "zipf" });

  const results = [await running.stage(STAGE), await running.stage({ ...STAGE, rate: 20 })];

  expect(results.map(({ latency }) => latency.count)).toEqual([DUE, 2 * DUE]);
  for (const result of results) expect(result).toMatchObject({ lost: 0, duplicated: 0, violations: 0 });
}, 60_000);

test("several origins that share the partitions deliver the same, and their CPU counts together", async () => {
  const running = await start({ origins: 3 });

  const result = await running.stage(STAGE);

  expect(result.latency.count).toBe(DUE);
  expect(result).toMatchObject({ lost: 0, duplicated: 0, violations: 0 });
  expect(result.cpu.origin).toBeGreaterThan(0);
}, 60_000);

test("clients with tokens of their own get the same from a stream that wants them, and come back with them", async () => {
  const running = await start({ tokens: true });

  const result = await running.stage(STAGE);
  const { edge } = await running.reconnect();

  expect(result.latency.count).toBe(DUE);
  expect(result).toMatchObject({ lost: 0, duplicated: 0, violations: 0, closes: 0 });
  expect(edge).toBeGreaterThanOrEqual(0);
}, 60_000);

test("clients that are all cut come back by position and have missed nothing", async () => {
  const { recovered, lost, all, p50 } = await (await start()).storm(10, 1.5);

  expect({ recovered, lost }).toEqual({ recovered: 60, lost: 0 });
  expect(all).toBeGreaterThanOrEqual(p50);
}, 60_000);

test.each([
  ["floor-uplink", ["edge", "origin"]],
  ["floor-feeds", ["edge"]],
] as const)(
  "%s delivers the same updates to the same clients",
  async (system, parts) => {
    const result = await (await start({ system })).stage(STAGE);

    expect(result.latency.count).toBe(DUE);
    expect(result).toMatchObject({ lost: 0, duplicated: 0, violations: 0 });
    expect(Object.keys(result.cpuPerDelivery)).toEqual(parts);
  },
  60_000,
);

test("a load that doesn't fit is refused before anything is started", async () => {
  await expect(start({ clients: 10_000_000, endpoints: 1 })).rejects.toThrow(DoesNotFit);
});
