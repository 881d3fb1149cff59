/** Quotas of addresses and subjects. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "smol-toml";
import { describe, expect, test, vi } from "vitest";
import { TICKET_FRAMES, TICKET_REPLAYED } from "../../../edge/endpoint/tickets.ts";
import { Counts, QUOTA_SETTINGS, quotaWait, readQuotas } from "../../../edge/http/quotas.ts";
import { SENDER_SETTINGS } from "../../../edge/http/sender-limits.ts";

const A = { key: "192.0.2.1", isOwn: false };
const B = { key: "192.0.2.2", isOwn: false };
const OWN = { key: "127.0.0.1", isOwn: true };
const NOW = 1_000_000;

describe("counted in memory", () => {
  test("a minute's quota may be used at once, and comes back evenly", () => {
    const counts = new Counts(readQuotas({ READS_PER_MINUTE: "60" }));
    const takes = Array.from({ length: 61 }, () => counts.take("read", A, NOW));
    expect(takes).toEqual([...Array(60).fill(0), 1]);

    expect(counts.take("read", A, NOW + 1_000)).toBe(0);
    expect(counts.take("read", A, NOW + 1_000)).toBe(1);
  });

  test("reads past a hundred at once take turns, twice as fast as their quota comes back, for 5 s at most", () => {
    const counts = new Counts(readQuotas({}));
    const turns = Array.from({ length: 2_101 }, () => counts.takeTurn(A, NOW));
    expect(turns.slice(0, 100)).toEqual(Array(100).fill({ seconds: 0, turnMs: 0 }));
    expect(turns.slice(100, 104).map(({ turnMs }) => turnMs)).toEqual([3, 5, 8, 10]);
    expect(turns[2_099]).toEqual({ seconds: 0, turnMs: 5_000 });
    expect(turns[2_100]).toEqual({ seconds: 6, turnMs: 5_003 });

    // Nobody else's, and none of this machine's own.
    expect(counts.takeTurn(B, NOW)).toEqual({ seconds: 0, turnMs: 0 });
    const own = Array.from({ length: 200 }, () => counts.takeTurn(OWN, NOW));
    expect(own.every(({ turnMs }) => turnMs === 0)).toBe(true);
    // The quota itself is used up all the same.
    const slowly = Array.from({ length: 25_000 }, (_, i) => counts.takeTurn(A, NOW + 5_000 + i * 2.5));
    expect(slowly.at(-1)).toEqual({ seconds: 1, turnMs: expect.any(Number) });
  });

  test("nobody is refused for what others ask, nor for what is counted apart", () => {
    const counts = new Counts(readQuotas({ READS_PER_MINUTE: "1", SUBSCRIBES_PER_MINUTE: "1" }));
    expect(counts.take("read", A, NOW)).toBe(0);
    expect(counts.take("read", A, NOW)).toBe(60);
    expect(counts.take("read", B, NOW)).toBe(0);
    expect(counts.take("subscribe", A, NOW)).toBe(0);
  });

  test("this machine's own addresses have one only if it is set", () => {
    const most = Number(QUOTA_SETTINGS.READS_PER_MINUTE.default);
    const unset = new Counts(readQuotas({}));
    for (let i = 0; i < most; i++) unset.take("read", A, NOW);
    for (let i = 0; i < most; i++) unset.take("read", OWN, NOW);
    expect(unset.take("read", A, NOW)).toBeGreaterThan(0);
    expect(unset.take("read", OWN, NOW)).toBe(0);

    const set = new Counts(readQuotas({ READS_PER_MINUTE: "1" }));
    expect([set.take("read", OWN, NOW), set.take("read", OWN, NOW)]).toEqual([0, 60]);
  });

  test("of those that are remembered, the one that asked least recently is forgotten", () => {
    const counts = new Counts(readQuotas({ READS_PER_MINUTE: "1" }));
    counts.take("read", A, NOW);
    counts.take("read", B, NOW);
    const others = Array.from({ length: 9_999 }, (_, i) => ({ key: `other ${i}`, isOwn: false }));
    for (const other of others) {
      counts.take("read", other, NOW);
      counts.take("read", A, NOW);
    }
    expect(counts.take("read", A, NOW)).toBe(60);
    expect(counts.take("read", B, NOW)).toBe(0);
  });

  test.each(["0", "1.5", "many", "1000001"])("a quota can't be %s", (value) => {
    expect(() => readQuotas({ REPLAYS_PER_MINUTE: value })).toThrow(
      "REPLAYS_PER_MINUTE must be a whole number from 1 to 1,000,000",
    );
  });
});

describe("counted by Cloudflare", () => {
  const limiter = (success: boolean) => ({ limit: vi.fn(async () => ({ success })) });

  test("each binding is asked by the sender's key, and one that refuses is enough", async () => {
    const SUBSCRIBES = limiter(true);
    const REPLAYS = limiter(false);
    expect(await quotaWait({ SUBSCRIBES, REPLAYS }, A, "subscribe")).toBe(0);
    expect(await quotaWait({ SUBSCRIBES, REPLAYS }, A, "subscribe", "replay")).toBeGreaterThan(0);
    expect(SUBSCRIBES.limit).toHaveBeenCalledWith({ key: A.key });
  });

  test("a sender that nobody knows is let pass, and so is all while the platform can't count", async () => {
    const READS = { limit: () => Promise.reject(new Error("it can't count")) };
    expect(await quotaWait({ READS: limiter(false) }, undefined, "read")).toBe(0);
    expect(await quotaWait({ READS }, A, "read")).toBe(0);
  });

  test("wrangler.toml says the same numbers as the settings of workerd by itself", () => {
    const toml = readFileSync(join(import.meta.dirname, "../../../wrangler.toml"), "utf8");
    const limits = (parse(toml).ratelimits as { name: string; simple: unknown }[]).map(({ name, simple }) => [
      `${name}_PER_MINUTE`,
      simple,
    ]);
    const frames = Number(SENDER_SETTINGS.FRAMES_PER_MINUTE.default) / TICKET_FRAMES;
    const replayed = Number(SENDER_SETTINGS.REPLAYED_PER_MINUTE.default) / TICKET_REPLAYED;
    expect(limits).toEqual([
      ...Object.entries(QUOTA_SETTINGS).map(([name, setting]) => [
        name,
        { limit: Number(setting.default), period: 60 },
      ]),
      ["FRAMES_PER_MINUTE", { limit: frames, period: 60 }],
      // Sooner again: what comes at once is what others wait for.
      ["REPLAYED_PER_MINUTE", { limit: replayed / 6, period: 10 }],
    ]);
  });
});
