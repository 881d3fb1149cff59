import { describe, expect, test } from "vitest";
import { readRevocation } from "../../../edge/access/revocation-request.ts";

const NOW = 1_000_000;
const HOUR = 3_600;
const read = (body: unknown) => readRevocation(JSON.stringify(body), HOUR, NOW);

describe("an administrator may revoke", () => {
  test.each([
    ["a token", { tokenId: "1" }, { kind: "token", tokenId: "1" }],
    [
      "a subject: what it was issued by now, by an issuer's clock that is ahead too",
      { subject: "alice" },
      { kind: "subject", subject: "alice", before: NOW + 30 },
    ],
    [
      "what a subject was issued before a time",
      { subject: "alice", issuedBefore: 5 },
      { kind: "subject", subject: "alice", before: 5 },
    ],
    [
      "a subject for some time to come",
      { subject: "alice", issuedBefore: NOW + 500 },
      { kind: "subject", subject: "alice", before: NOW + 500 },
    ],
    ["all that was issued before a time", { issuedBefore: NOW }, { kind: "all", before: NOW }],
  ])("[A9] %s", (_, body, of) =>
    expect(read(body)).toMatchObject({ ok: true, request: { of, graceSeconds: 0 } }),
  );

  test("[A9] until no token that is meant can be valid any more, unless it says until when", () => {
    const untilOf = (body: object) => {
      const result = read(body);
      return result.ok && result.request.until - NOW;
    };
    expect(untilOf({ tokenId: "1" })).toBe(HOUR + 30);
    expect(untilOf({ subject: "a" })).toBe(HOUR + 30);
    expect(untilOf({ subject: "a", issuedBefore: NOW + 1_000 })).toBe(HOUR + 1_000);
    expect(untilOf({ tokenId: "1", until: NOW + 5 })).toBe(5);
  });

  test("[A9] under an id of its own, and with some time to renew", () => {
    expect(read({ id: "logout_7-a", tokenId: "1", graceSeconds: 60 })).toMatchObject({
      ok: true,
      request: { id: "logout_7-a", graceSeconds: 60 },
    });
  });
});

describe("a body that is wrong", () => {
  test.each<[string, unknown, RegExp]>([
    ["says nothing", {}, /one of tokenId, subject and issuedBefore/],
    ["is a list", [], /JSON object/],
    ["is null", null, /JSON object/],
    ["names a token and its subject", { tokenId: "1", subject: "a" }, /goes with neither/],
    ["names a token and a time", { tokenId: "1", issuedBefore: 5 }, /goes with neither/],
    ["names another issuer", { subject: "a", issuer: "https://other" }, /^issuer/],
    ["has an empty name", { subject: "" }, /^subject/],
    ["has a name that is too long", { subject: "a".repeat(257) }, /^subject/],
    ["has a name that is no text", { tokenId: "\ud800" }, /^tokenId/],
    ["has a number for a name", { tokenId: 7 }, /^tokenId/],
    ["has a text for a time", { issuedBefore: "now" }, /^issuedBefore/],
    ["has milliseconds for seconds", { issuedBefore: 1.7e12 }, /^issuedBefore/],
    ["would lock everybody out", { issuedBefore: NOW + 31 }, /can't lie ahead/],
    ["has lapsed", { tokenId: "1", until: NOW }, /until must lie ahead/],
    ["would stay for ever", { tokenId: "1", until: NOW + 400 * 86_400 }, /by a year at most/],
    ["has a margin that is too long", { tokenId: "1", graceSeconds: 3_601 }, /^graceSeconds/],
    ["has a margin below zero", { tokenId: "1", graceSeconds: -1 }, /^graceSeconds/],
    ["has an id that isn't one", { id: "a/b", tokenId: "1" }, /^id/],
    ["has an id that is too long", { id: "a".repeat(65), tokenId: "1" }, /^id/],
  ])("[A9] because it %s is refused in words", (_, body, problem) => {
    const result = read(body);
    expect(result).toMatchObject({ ok: false, problem: expect.stringMatching(problem) });
  });

  test("[A9] isn't repeated, whatever stood in it", () => {
    for (const body of [
      { subject: 5, tokenId: "secret" },
      { id: "sec/ret", subject: "a" },
      { until: "secret" },
    ])
      expect(JSON.stringify(read(body))).not.toMatch(/secret|sec\/ret/);
    expect(readRevocation('{"subject":"secret', HOUR, NOW)).toEqual({
      ok: false,
      problem: "the body must be a JSON object",
    });
  });
});
