import { describe, expect, test } from "vitest";
import { Shares, sizeOf } from "../../../../edge/shard/publishing/shares.ts";
import { LIMITS } from "../../../../shared/protocol/limits.ts";
import type { Publish } from "../../../../shared/protocol/publish.ts";

const EMPTY: Publish = {
  ...{ endpoint: "", issuer: "", subject: "", key: "", by: "client", headers: [], value: null },
};
const LONG = "x".repeat(10_000);

describe("[W7] what a publish takes at a shard", () => {
  test.each<[string, Partial<Publish>]>([
    ["value", { value: new Uint8Array(10_000) }],
    ["path", { endpoint: LONG }],
    ["issuer", { issuer: LONG }],
    ["subject", { subject: LONG }],
    ["key", { key: LONG }],
    ["header's text", { headers: [["a", LONG]] }],
    ["header's bytes", { headers: [["a", new Uint8Array(10_000)]] }],
    ["header's name", { headers: [[LONG, null]] }],
  ])("counts its %s", (_, said) => {
    expect(sizeOf({ ...EMPTY, ...said }) - sizeOf(EMPTY)).toBeGreaterThanOrEqual(10_000);
  });

  test("counts headers though they say nothing", () => {
    const headers = Array.from({ length: LIMITS.publishHeaders }, () => ["", ""] as const);

    expect(sizeOf({ ...EMPTY, headers }) - sizeOf(EMPTY)).toBeGreaterThanOrEqual(100 * LIMITS.publishHeaders);
  });

  test("is bounded though all of it is headers", () => {
    const shares = new Shares();
    const bytes = sizeOf({ ...EMPTY, headers: [["a", "x".repeat(LIMITS.publishHeaderBytes)]] });
    let held = 0;
    while (held <= LIMITS.openPublishes && shares.take("t/0", bytes)) held++;

    expect(held * LIMITS.publishHeaderBytes).toBeLessThanOrEqual(LIMITS.openPublishBytes / 4);
    expect(held).toBeGreaterThan(100);
  });

  test("though twenty partitions take all that they may, there is some for another one; one alone has a quarter again", () => {
    const shares = new Shares();
    const held: number[] = [];
    for (let partition = 0; partition < 20; partition++) {
      let count = 0;
      while (shares.take(`t/${partition}`, 1)) count++;
      held.push(count);
    }

    expect(held[0]).toBe(LIMITS.openPublishes / 4);
    expect(shares.take("t/next", 1)).toBe(true);
    shares.give("t/next", 1);
    for (let i = 0; i < held.length; i++)
      while ((held[i] ?? 0) > 0) {
        shares.give(`t/${i}`, 1);
        held[i] = (held[i] ?? 0) - 1;
      }
    while (shares.take("t/first", 1)) held[0] = (held[0] ?? 0) + 1;
    expect(held[0]).toBe(LIMITS.openPublishes / 4);
  });
});
