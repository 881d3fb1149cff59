import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  MAX_REVOCATIONS,
  means,
  type Revocation,
  Revocations,
  type TokenFacts,
} from "../../../edge/access/revocations.ts";

const TOKEN: TokenFacts = { issuer: "i", subject: "alice", id: "1", issuedAt: 100 };

function made(more: Partial<Revocation> = {}): Revocation {
  return {
    name: "r",
    issuer: "i",
    of: { kind: "all" },
    issuedUntil: 100,
    graceMs: 0,
    madeAt: 100_000,
    until: 200_000,
    ...more,
  };
}

describe("a revocation", () => {
  test.each<[string, Partial<Revocation>]>([
    ["of all means every token of its issuer", {}],
    ["of a subject means each of its tokens", { of: { kind: "subject", subject: "alice" } }],
    ["of a token means it", { of: { kind: "token", id: "1" } }],
  ])("%s", (_, more) => expect(new Revocations([made(more)]).of(TOKEN, 150_000)?.name).toBe("r"));

  test.each<[string, Partial<Revocation>]>([
    ["of another issuer", { issuer: "j" }],
    ["of another subject", { of: { kind: "subject", subject: "1" } }],
    ["of another token", { of: { kind: "token", id: "alice" } }],
    ["of what was issued before", { issuedUntil: 99 }],
    ["that has lapsed", { until: 150_000 }],
  ])("doesn't mean it if it is one %s", (_, more) =>
    expect(new Revocations([made(more)]).of(TOKEN, 150_000)).toBeUndefined(),
  );

  test("of a token never means one without a name", () => {
    const nameless = { ...TOKEN, id: undefined };
    expect(
      new Revocations([made({ of: { kind: "token", id: "undefined" } })]).of(nameless, 0),
    ).toBeUndefined();
  });
});

test("of several that which gives the least time counts", () => {
  const all = new Revocations([
    made({ name: "late", graceMs: 60_000 }),
    made({ name: "soon", of: { kind: "subject", subject: "alice" }, graceMs: 10_000 }),
    made({ name: "other", of: { kind: "subject", subject: "bob" } }),
  ]);
  expect(all.of(TOKEN, 0)?.name).toBe("soon");
  all.remove("soon");
  expect(all.of(TOKEN, 0)?.name).toBe("late");
});

test("one that is lifted, or has lapsed, means nobody", () => {
  const all = new Revocations([made({ name: "a" }), made({ name: "b", until: 300_000 })]);
  expect(all.lapse(250_000)).toEqual(["a"]);
  expect(all.of(TOKEN, 250_000)?.name).toBe("b");
  expect(all.remove("b")).toBe(true);
  expect(all.remove("b")).toBe(false);
  expect(all.of(TOKEN, 250_000)).toBeUndefined();
});

test("there are so many and no more, and one may take its own place", () => {
  const all = new Revocations(Array.from({ length: MAX_REVOCATIONS }, (_, i) => made({ name: `${i}` })));
  expect(all.add(made({ name: "more" }))).toBe(false);
  expect(all.add(made({ name: "0", issuedUntil: 500 }))).toBe(true);
  expect(all.of({ ...TOKEN, issuedAt: 500 }, 0)?.name).toBe("0");
});

test("looking up finds what looking through all would find", () => {
  const name = fc.constantFrom("a", "b", "alice");
  const of = fc.oneof(
    fc.constant({ kind: "all" } as const),
    name.map((subject) => ({ kind: "subject", subject }) as const),
    name.map((id) => ({ kind: "token", id }) as const),
  );
  const time = fc.integer({ min: 0, max: 4 });
  const revocation = fc.record({
    name,
    issuer: name,
    of,
    issuedUntil: time,
    graceMs: time,
    madeAt: time,
    until: time,
  });
  const token = fc.record({
    issuer: name,
    subject: name,
    id: fc.option(name, { nil: undefined }),
    issuedAt: time,
  });
  fc.assert(
    fc.property(fc.array(revocation), token, time, (list, asked, now) => {
      const byName = new Map(list.map((one) => [one.name, one]));
      const meant = [...byName.values()].filter((one) => one.until > now && means(one, asked));
      const least = Math.min(...meant.map(({ madeAt, graceMs }) => madeAt + graceMs));
      const found = new Revocations(list).of(asked, now);
      expect(found === undefined ? Number.POSITIVE_INFINITY : found.madeAt + found.graceMs).toBe(least);
    }),
  );
});
