import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MAX_REVOCATIONS, OWN_REVOCATIONS, Revocations } from "../../../edge/access/revocations.ts";
import { endOf } from "../../../edge/access/same-meaning.ts";
import { type Meant, means, type Revocation, type TokenNames } from "../../../shared/protocol/revocation.ts";

const TOKEN: TokenNames = { issuer: "i", subject: "alice", tokenId: "1", issuedAt: 100 };
const ALL: Meant = { of: "all", issuer: "i", before: 101 };

function made(more: Partial<Revocation> = {}): Revocation {
  return { id: "r", meant: ALL, graceMs: 0, madeAt: 100_000, until: 200_000, ...more };
}

describe("a revocation", () => {
  test.each<[string, Meant]>([
    ["of all means every token of its issuer", ALL],
    ["of a subject means each of its tokens", { of: "subject", issuer: "i", subject: "alice", before: 101 }],
    ["of a token means it", { of: "token", issuer: "i", token: "1" }],
  ])("[A9] %s", (_, meant) => expect(new Revocations([made({ meant })]).of(TOKEN, 150_000)?.id).toBe("r"));

  test.each<[string, Partial<Revocation>]>([
    ["all of another issuer", { meant: { ...ALL, issuer: "j" } }],
    ["another subject", { meant: { of: "subject", issuer: "i", subject: "1", before: 101 } }],
    [
      "that subject of another issuer",
      { meant: { of: "subject", issuer: "j", subject: "alice", before: 101 } },
    ],
    ["another token", { meant: { of: "token", issuer: "i", token: "alice" } }],
    ["that token of another issuer", { meant: { of: "token", issuer: "j", token: "1" } }],
    ["what was issued before", { meant: { ...ALL, before: 100 } }],
    [
      "what that subject was issued before",
      { meant: { of: "subject", issuer: "i", subject: "alice", before: 100 } },
    ],
    ["it, and has lapsed", { until: 150_000 }],
  ])("[A9] doesn't mean a token if it is of %s", (_, more) =>
    expect(new Revocations([made(more)]).of(TOKEN, 150_000)).toBeUndefined(),
  );

  test("[A9] of a token never means one without an id", () => {
    const nameless = { ...TOKEN, tokenId: undefined };
    for (const token of ["undefined", "", "null"])
      expect(
        new Revocations([made({ meant: { of: "token", issuer: "i", token } })]).of(nameless, 0),
      ).toBeUndefined();
  });
});

test("[A9] one that is lifted, or has lapsed, means nobody", () => {
  const all = new Revocations([made({ id: "a" }), made({ id: "b", until: 300_000 })]);
  expect(all.lapse(199_999)).toEqual([]);
  expect(all.lapse(250_000).map(({ id }) => id)).toEqual(["a"]);
  expect(all.of(TOKEN, 250_000)?.id).toBe("b");
  expect(all.remove("j", "b")).toBe(false);
  expect([all.remove("i", "b"), all.remove("i", "b")]).toEqual([true, false]);
  expect(all.of(TOKEN, 250_000)).toBeUndefined();
  all.add(made({ id: "c", until: 400_000 }));
  expect(all.lapse(400_000).map(({ id }) => id)).toEqual(["c"]);
});

test("[A9] there are so many and no more, and one may take its own place, not that of another issuer's", () => {
  const all = new Revocations(Array.from({ length: MAX_REVOCATIONS }, (_, i) => made({ id: `${i}` })));
  expect(all.hasRoomFor(made({ id: "more" }))).toBe(false);
  const again = made({ id: "0", meant: { ...ALL, before: 500 } });
  expect(all.hasRoomFor(again)).toBe(true);
  all.add(again);
  expect(all.of({ ...TOKEN, issuedAt: 400 }, 0)?.id).toBe("0");
  expect(all.size).toBe(MAX_REVOCATIONS);
});

test("[A9] an issuer that takes all the room leaves every other one room of its own", () => {
  const all = new Revocations(Array.from({ length: MAX_REVOCATIONS }, (_, i) => made({ id: `${i}` })));
  const theirs = (issuer: string, i: number) => made({ id: `${i}`, meant: { ...ALL, issuer } });

  for (const issuer of ["j", "k"]) {
    for (let i = 0; i < OWN_REVOCATIONS; i++) {
      expect(all.hasRoomFor(theirs(issuer, i))).toBe(true);
      all.add(theirs(issuer, i));
    }
    expect(all.hasRoomFor(theirs(issuer, OWN_REVOCATIONS))).toBe(false);
    expect(all.hasRoomFor(theirs(issuer, 0))).toBe(true);
  }
  expect(all.hasRoomFor(made({ id: "more" }))).toBe(false);
});

test("[A9] looking up finds what looking through all would find, and of several that which leaves the least time", () => {
  const name = fc.constantFrom("a", "b", "alice");
  const time = fc.integer({ min: 0, max: 4 });
  const meant = fc.oneof(
    fc.record({ of: fc.constant("all" as const), issuer: name, before: time }),
    fc.record({ of: fc.constant("subject" as const), issuer: name, subject: name, before: time }),
    fc.record({ of: fc.constant("token" as const), issuer: name, token: name }),
  );
  const revocation = fc.record({ id: name, meant, graceMs: time, madeAt: time, until: time });
  const token = fc.record({
    issuer: name,
    subject: name,
    tokenId: fc.option(name, { nil: undefined }),
    issuedAt: time,
  });
  // What was asked before, at another time too, changes no answer.
  const question = fc.record({ asked: token, now: time });
  fc.assert(
    fc.property(
      fc.array(revocation),
      fc.array(question),
      token,
      time,
      fc.boolean(),
      (list, earlier, asked, now, lapses) => {
        const byName = new Map(list.map((one) => [`${one.meant.issuer} ${one.id}`, one]));
        const meaning = [...byName.values()].filter((one) => one.until > now && means(one.meant, asked));
        const all = new Revocations([]);
        for (const one of list) {
          all.add(one);
          for (const { asked, now } of earlier) all.of(asked, now);
        }
        if (lapses) all.lapse(now);
        const found = all.of(asked, now);
        expect(found && endOf(found)).toBe(
          meaning.length === 0 ? undefined : Math.min(...meaning.map(endOf)),
        );
        if (found !== undefined) expect(meaning).toContain(found);
        if (lapses) expect(all.size).toBe([...byName.values()].filter(({ until }) => until > now).length);
      },
    ),
  );
});

test("[A9] looking up looks at no more of them because one subject, or all, were revoked thousands of times", () => {
  let looks = 0;
  const all = new Revocations([]);
  for (let i = 0; i < MAX_REVOCATIONS; i++) {
    const before = 1_000 + i;
    const meant: Meant =
      i % 2 ? { ...ALL, before } : { of: "subject", issuer: "i", subject: "alice", before };
    const one = made({ id: `${i}`, meant, graceMs: i });
    Object.defineProperty(one, "madeAt", {
      get: () => {
        looks++;
        return 100_000;
      },
    });
    all.add(one);
  }
  expect(all.of(TOKEN, 150_000)?.id).toBe("0");
  looks = 0;

  for (let issuedAt = 0; issuedAt < 20_000; issuedAt += 13) {
    const found = all.of({ ...TOKEN, issuedAt }, 150_000);
    const wanted = issuedAt < 1_000 ? 0 : issuedAt - 999;
    expect(found?.id).toBe(wanted < MAX_REVOCATIONS ? `${wanted}` : undefined);
  }
  expect(looks).toBeLessThan(20_000);
});
