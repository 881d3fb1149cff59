import { sign as signature } from "node:crypto";
import { describe, expect, it, test } from "vitest";
import { type KeySet, keyOf, readKeySet, secretKeySet } from "../../../edge/access/key-set.ts";
import { type Issuer, TOKEN_LIMITS, verifyToken } from "../../../edge/access/token.ts";
import {
  AUDIENCES,
  ec384,
  ed,
  es,
  hs,
  ISSUER,
  LIFETIME_SECONDS,
  rsa,
  SECRET,
  SET,
  SHARED,
  type Signer,
  type Token,
  tokensAt,
} from "../../support/hostile-tokens.ts";

const NOW = 1_760_000_000;
const { make, withClaims, withHeader, granting, claims: CLAIMS, afterAKey, beforeAKey } = tokensAt(NOW);

async function issuers(): Promise<{ list: readonly Issuer[]; asked: (string | undefined)[] }> {
  const asked: (string | undefined)[] = [];
  const set = await readKeySet(SET);
  if (set === undefined) throw new Error("no keys");
  const of = (name: string, keys: KeySet): Issuer => ({
    name,
    audience: AUDIENCES,
    lifetimeSeconds: LIFETIME_SECONDS,
    key: async (kid) => {
      asked.push(kid);
      const key = keyOf(keys, kid);
      return key === undefined ? { kind: "unknown" } : { kind: "key", key };
    },
  });
  return { list: [of(ISSUER, set), of(SHARED, secretKeySet(new TextEncoder().encode(SECRET)))], asked };
}

describe("a token of an issuer", () => {
  const rsaSign: Signer = (input) => signature("sha256", Buffer.from(input), rsa.privateKey);
  const pssSign: Signer = (input) =>
    signature("sha256", Buffer.from(input), { key: rsa.privateKey, padding: 6, saltLength: 32 });
  const edSign: Signer = (input) => signature(null, Buffer.from(input), ed.privateKey);

  test.each<[string, Token]>([
    ["ES256", {}],
    ["ES384", { header: { alg: "ES384", kid: "ec384" }, sign: es(ec384.privateKey, "sha384") }],
    ["EdDSA", { header: { alg: "EdDSA", kid: "ed" }, sign: edSign }],
    ["RS256", { header: { alg: "RS256", kid: "rsa" }, sign: rsaSign }],
    ["PS256", { header: { alg: "PS256", kid: "pss" }, sign: pssSign }],
    ["HS256", { header: { alg: "HS256" }, claims: { ...CLAIMS, iss: SHARED }, sign: hs(SECRET) }],
    [
      "HS256 under any name",
      { header: { alg: "HS256", kid: "x" }, claims: { ...CLAIMS, iss: SHARED }, sign: hs(SECRET) },
    ],
    ["a typ", withHeader({ typ: "at+JWT" })],
    ["several audiences", withClaims({ aud: ["somebody", "other"] })],
    ["clocks 30 s apart, before", withClaims({ iat: NOW + 30, nbf: NOW + 30 })],
    ["a second to go", withClaims({ iat: NOW - 600, exp: NOW + 1 })],
    ["claims that nobody here knows", withClaims({ email: "a@b", roles: ["x"], address: { city: "y" } })],
  ])("is accepted with %s", async (_, token) => {
    const { list } = await issuers();
    expect(await verifyToken(make(token), list, NOW * 1_000, () => {})).toMatchObject({
      ok: true,
      bearer: { subject: "alice" },
    });
  });

  it("says whose it is, until when, and what it allows", async () => {
    const { list } = await issuers();
    const token = granting({ subscribe: ["/quotes/*"], admin: true });
    expect(await verifyToken(make(token), list, NOW * 1_000, () => {})).toMatchObject({
      ok: true,
      bearer: {
        issuer: ISSUER,
        subject: "alice",
        tokenId: "1",
        issuedAt: NOW,
        expiresAt: NOW + 600,
        grants: { patterns: { subscribe: ["/quotes/*"], publish: [], discover: [] }, admin: true },
      },
    });
  });
});

test.each(["iat", "nbf"])("a token whose %s lies 31 s ahead isn't valid yet", async (claim) => {
  const { list } = await issuers();
  const token = make(withClaims({ [claim]: NOW + 31 }));
  expect(await verifyToken(token, list, NOW * 1_000, () => {})).toMatchObject({ fault: "not_yet_valid" });
});

describe("a token is refused, and its issuer isn't asked for a key, if it", () => {
  test.each(beforeAKey)("%s", async (_, token, fault) => {
    const { list, asked } = await issuers();
    const text = make(token);
    expect(await verifyToken(text, list, NOW * 1_000, () => {})).toMatchObject({ ok: false, fault });
    expect(asked).toEqual([]);
  });
});

describe("a token is refused if it", () => {
  test.each(afterAKey)("%s", async (_, token, fault) => {
    const { list, asked } = await issuers();
    expect(await verifyToken(make(token), list, NOW * 1_000, () => {})).toMatchObject({ ok: false, fault });
    expect(asked).toHaveLength(1);
  });
});

test("what is said of a token repeats nothing of it", async () => {
  const { list } = await issuers();
  for (const [, token] of [...beforeAKey, ...afterAKey]) {
    const text = make(token);
    const result = await verifyToken(text, list, NOW * 1_000, () => {});
    const problem = result.ok ? "" : result.problem;
    for (const secret of ["alice", "evil", "root", "dev/null", "UNION", "users", "quotes"])
      expect(problem).not.toContain(secret);
  }
});

test("a token that can be too large to be looked at isn't", async () => {
  const { list } = await issuers();
  const problem = `it has more than ${TOKEN_LIMITS.bytes} bytes`;
  expect(await verifyToken("a".repeat(10_000_000), list, 0, () => {})).toEqual({
    ok: false,
    fault: "invalid_token",
    problem,
  });
});
