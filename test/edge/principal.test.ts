import { describe, expect, test } from "vitest";
import { encodePrincipal, isOver, type KnownPrincipal, PUBLIC, readPrincipal } from "../../edge/principal.ts";
import { PATH } from "../support/endpoint-frames.ts";
import { Clock } from "../support/simulated-wires.ts";
import { SmallShard } from "../support/small-shard.ts";

/** When the clocks of these tests begin. */
const { now: NOW } = new Clock();
const ALICE: KnownPrincipal = {
  kind: "known",
  issuer: "https://issuer.example",
  subject: "alice",
  id: "token-1",
  issuedAt: 1_760_000_000,
  grants: { subscribe: ["/quotes/*"], publish: [], discover: ["/quotes/*"], admin: false },
  until: NOW + 1_000,
};

describe("[A8] a principal travels unharmed:", () => {
  test.each<[string, Partial<KnownPrincipal>]>([
    ["as it is", {}],
    ["without an id", { id: undefined }],
    ["in other scripts", { subject: "žluťoučký 東京 🛬", issuer: "https://münchen.example" }],
    ["with what headers may not hold", { subject: "a\r\nDistributary-Principal: {}\0\u007f\u0085\u2028" }],
    ["with halves of characters", { subject: "\ud83d", id: "\udeec" }],
    ["with what JSON must quote", { subject: `"}],\\"`, id: "\\u0041" }],
    [
      "with every grant",
      { grants: { subscribe: ["/a/*"], publish: ["/b/c"], discover: ["*"], admin: true } },
    ],
  ])("%s", (_, changed) => {
    const principal = { ...ALICE, ...changed };

    const text = encodePrincipal(principal) ?? "";

    expect(readPrincipal(new Headers({ Name: text }).get("Name"))).toEqual(principal);
    expect(text).toMatch(/^[ -~]+$/);
  });

  test("one that is public takes no byte, and what says none is public", () => {
    expect(encodePrincipal(PUBLIC)).toBeUndefined();
    expect([undefined, null].map(readPrincipal)).toEqual([PUBLIC, PUBLIC]);
  });

  test("one that would not fit beside positions in an attachment is never sent", () => {
    expect(() => encodePrincipal({ ...ALICE, subject: "é".repeat(1_000) })).toThrow("4096 at most");
  });
});

test.each([
  ["nothing", ""],
  ["no JSON", "{"],
  ["a list", "[]"],
  ["the word", "public"],
  ["a public one, which is never written", '{"kind":"public"}'],
  ["one without an issuer", JSON.stringify({ ...ALICE, issuer: undefined })],
  ["one without a subject", JSON.stringify({ ...ALICE, subject: "" })],
  ["one without grants", JSON.stringify({ ...ALICE, grants: undefined })],
  [
    "one with a grant that is none",
    JSON.stringify({ ...ALICE, grants: { ...ALICE.grants, subscribe: "*" } }),
  ],
  ["one that is nearly an admin", JSON.stringify({ ...ALICE, grants: { ...ALICE.grants, admin: 1 } })],
  ["one that never ends", JSON.stringify({ ...ALICE, until: null })],
  ["one that is too long", JSON.stringify({ ...ALICE, subject: "a".repeat(4_096) })],
])("[A8] what can't be read is no principal, not even a public one: %s", (_, text) => {
  expect(() => readPrincipal(text)).toThrow("a principal can't be read");
});

test("[A8] it is over when its time has come, and a public one never is", () => {
  expect([ALICE.until - 1, ALICE.until].map((now) => isOver(ALICE, now))).toEqual([false, true]);
  expect(isOver(PUBLIC, Number.MAX_SAFE_INTEGER)).toBe(false);
});

test("[A8] [C2] a shard asks its origin nothing for one that is over", async () => {
  const shard = new SmallShard();
  const origin = shard.connect("a");
  origin.take();

  const latest = await shard.core.latest(PATH, { ...ALICE, until: shard.clock.now });

  expect(latest).toMatchObject({ kind: "error", code: "expired" });
  expect(origin.take()).toEqual([]);
});
