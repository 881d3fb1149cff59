import { createHmac, generateKeyPairSync, type KeyObject, sign as signature } from "node:crypto";
import { describe, expect, it, test } from "vitest";
import { type KeySet, keyOf, readKeySet, secretKeySet } from "../../../edge/access/key-set.ts";
import { type Issuer, TOKEN_LIMITS, type TokenFault, verifyToken } from "../../../edge/access/token.ts";

const NOW = 1_760_000_000;
const ISSUER = "https://issuer.example";
const SHARED = "https://shared.example";
const SECRET = "a secret of 32 bytes and some more";

const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
const ec384 = generateKeyPairSync("ec", { namedCurve: "P-384" });
const ed = generateKeyPairSync("ed25519");
const rsa = generateKeyPairSync("rsa", { modulusLength: 2_048 });
const stranger = generateKeyPairSync("ec", { namedCurve: "P-256" });

const jwk = (key: KeyObject, more: object) => ({ ...key.export({ format: "jwk" }), ...more });
const SET = {
  keys: [
    jwk(ec.publicKey, { kid: "ec" }),
    jwk(ec384.publicKey, { kid: "ec384" }),
    jwk(ed.publicKey, { kid: "ed" }),
    jwk(rsa.publicKey, { kid: "rsa" }),
    jwk(rsa.publicKey, { kid: "pss", alg: "PS256" }),
  ],
};

async function issuers(): Promise<{ list: readonly Issuer[]; asked: (string | undefined)[] }> {
  const asked: (string | undefined)[] = [];
  const set = await readKeySet(SET);
  if (set === undefined) throw new Error("no keys");
  const of = (name: string, keys: KeySet): Issuer => ({
    name,
    audience: ["distributary", "other"],
    lifetimeSeconds: 3_600,
    key: async (kid) => {
      asked.push(kid);
      const key = keyOf(keys, kid);
      return key === undefined ? { kind: "unknown" } : { kind: "key", key };
    },
  });
  return { list: [of(ISSUER, set), of(SHARED, secretKeySet(new TextEncoder().encode(SECRET)))], asked };
}

const CLAIMS = { iss: ISSUER, aud: "distributary", sub: "alice", jti: "1", iat: NOW, exp: NOW + 600 };

type Signer = (input: string) => Buffer;

const es: (key: KeyObject, hash?: string) => Signer =
  (key, hash = "sha256") =>
  (input) =>
    signature(hash, Buffer.from(input), { key, dsaEncoding: "ieee-p1363" });
const hs =
  (secret: string | Buffer): Signer =>
  (input) =>
    createHmac("sha256", secret).update(input).digest();

interface Token {
  readonly header?: object | string;
  readonly claims?: object | string;
  readonly sign?: Signer;
}

const encoded = (part: object | string) =>
  Buffer.from(typeof part === "string" ? part : JSON.stringify(part)).toString("base64url");

function make({
  header = { alg: "ES256", kid: "ec" },
  claims = CLAIMS,
  sign = es(ec.privateKey),
}: Token): string {
  const input = `${encoded(header)}.${encoded(claims)}`;
  return `${input}.${sign(input).toString("base64url")}`;
}

const withClaims = (more: object): Token => ({ claims: { ...CLAIMS, ...more } });
const withHeader = (more: object): Token => ({ header: { alg: "ES256", kid: "ec", ...more } });
const granting = (distributary: unknown, more: object = {}): Token => withClaims({ distributary, ...more });
const deep = (levels: number): unknown => (levels === 0 ? 1 : [deep(levels - 1)]);

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

/** Without asking its issuer for a key, in the second group. */
const publicPem = rsa.publicKey.export({ type: "spki", format: "pem" }).toString();
const publicDer = rsa.publicKey.export({ type: "spki", format: "der" });
const spki = ec.publicKey.export({ type: "spki", format: "pem" }).toString();
const raw = (claims: string): Token => ({ claims });

const AFTER_A_KEY: readonly [string, Token, TokenFault][] = [
  ["is signed by another key", { sign: es(stranger.privateKey) }, "invalid_token"],
  [
    "is signed with the public RSA key as a secret",
    { header: { alg: "HS256", kid: "rsa" }, sign: hs(publicPem) },
    "invalid_token",
  ],
  [
    "is signed with the public RSA key's bytes as a secret",
    { header: { alg: "HS256", kid: "rsa" }, sign: hs(publicDer) },
    "invalid_token",
  ],
  [
    "is signed with the public EC key as a secret",
    { header: { alg: "HS256", kid: "ec" }, sign: hs(spki) },
    "invalid_token",
  ],
  ["says none", { header: { alg: "none", kid: "ec" }, sign: () => Buffer.from("x") }, "invalid_token"],
  ["says None", { header: { alg: "None", kid: "ec" }, sign: () => Buffer.from("x") }, "invalid_token"],
  ["says no algorithm", { header: { kid: "ec" } }, "invalid_token"],
  ["says a list of algorithms", { header: { kid: "ec", alg: ["ES256"] } }, "invalid_token"],
  ["says es256 in lower case", withHeader({ alg: "es256" }), "invalid_token"],
  ["says ES512", withHeader({ alg: "ES512" }), "invalid_token"],
  ["says ES256K", withHeader({ alg: "ES256K" }), "invalid_token"],
  [
    "says HS512 for a secret",
    {
      header: { alg: "HS512" },
      claims: { ...CLAIMS, iss: SHARED },
      sign: (input) => createHmac("sha512", SECRET).update(input).digest(),
    },
    "invalid_token",
  ],
  ["says RS256 for a key that is for PS256", { header: { alg: "RS256", kid: "pss" } }, "invalid_token"],
  ["says ES256 for a key on P-384", { header: { alg: "ES256", kid: "ec384" } }, "invalid_token"],
  ["has a signature of nothing but zeros", { sign: () => Buffer.alloc(64) }, "invalid_token"],
  [
    "has a signature in DER",
    { sign: (input) => signature("sha256", Buffer.from(input), ec.privateKey) },
    "invalid_token",
  ],
  [
    "has a signature that was cut",
    { sign: (input) => es(ec.privateKey)(input).subarray(0, 63) },
    "invalid_token",
  ],
  [
    "is signed with an empty secret",
    { header: { alg: "HS256" }, claims: { ...CLAIMS, iss: SHARED }, sign: hs("") },
    "invalid_token",
  ],
  [
    "names another issuer's key",
    { header: { alg: "ES256", kid: "ec" }, claims: { ...CLAIMS, iss: SHARED } },
    "invalid_token",
  ],
  ["names a key that there isn't", withHeader({ kid: "no" }), "unknown_signer"],
  ["names no key of several", { header: { alg: "ES256" } }, "unknown_signer"],
  ["names a path as its key", withHeader({ kid: "../../../../dev/null" }), "unknown_signer"],
  ["names SQL as its key", withHeader({ kid: "x' UNION SELECT 'secret'--" }), "unknown_signer"],
  ["names __proto__ as its key", withHeader({ kid: "__proto__" }), "unknown_signer"],
  ["has no subject", withClaims({ sub: undefined }), "invalid_token"],
  ["has an empty subject", withClaims({ sub: "" }), "invalid_token"],
  ["has a number as its subject", withClaims({ sub: 7 }), "invalid_token"],
  ["has a subject of 257 characters", withClaims({ sub: "a".repeat(257) }), "invalid_token"],
  [
    "has half of a character as its subject",
    raw(JSON.stringify({ ...CLAIMS, sub: "S" }).replace('"S"', '"\\ud800"')),
    "invalid_token",
  ],
  ["has a list as its id", withClaims({ jti: ["1"] }), "invalid_token"],
  ["grants by a text", granting("/quotes/*"), "invalid_token"],
  ["grants by a list", granting(["/quotes/*"]), "invalid_token"],
  ["grants by null", granting(null), "invalid_token"],
  ["grants a text as patterns", granting({ subscribe: "/quotes/*" }), "invalid_token"],
  ["grants numbers as patterns", granting({ subscribe: [1] }), "invalid_token"],
  ["grants what there isn't", granting({ read: ["/quotes/*"] }), "invalid_token"],
  ["is an admin by a text", granting({ admin: "true" }), "invalid_token"],
  [
    "grants by 51 patterns",
    granting({ subscribe: Array.from({ length: 51 }, (_, i) => `/q/${i}`) }),
    "invalid_token",
  ],
  ["grants a pattern without /", granting({ subscribe: ["quotes/*"] }), "invalid_token"],
  ["grants *", granting({ subscribe: ["*"] }), "invalid_token"],
  ["grants two stars", granting({ subscribe: ["/*/*"] }), "invalid_token"],
  ["grants a star in the middle", granting({ subscribe: ["/q/*a"] }), "invalid_token"],
  ["grants a star after a claim", granting({ subscribe: ["/users/{sub}*"] }), "invalid_token"],
  ["grants a claim of a claim", granting({ subscribe: ["/users/{a.b}"] }), "invalid_token"],
  ["grants an open brace", granting({ subscribe: ["/users/{sub"] }), "invalid_token"],
  ["grants a path up", granting({ subscribe: ["/quotes/.."] }), "invalid_token"],
  ["grants a path of three parts", granting({ subscribe: ["/users/{sub}/inbox"] }), "invalid_token"],
  ["grants a path in another spelling", granting({ subscribe: ["/quotes/%41"] }), "invalid_token"],
  ["grants a path with escapes in lower case", granting({ subscribe: ["/quotes/%c3%a4"] }), "invalid_token"],
  ["grants a malformed escape", granting({ subscribe: ["/quotes/%4"] }), "invalid_token"],
];

const BEFORE_A_KEY: readonly [string, string | Token, TokenFault][] = [
  ["is empty", "", "invalid_token"],
  ["is one part", "abc", "invalid_token"],
  ["has no signature", `${make({}).split(".").slice(0, 2).join(".")}.`, "invalid_token"],
  ["has two signatures", `${make({})}.abc`, "invalid_token"],
  ["is encrypted (JWE)", "a.b.c.d.e", "invalid_token"],
  ["is padded", `${make({})}=`, "invalid_token"],
  ["holds a line break", `${make({})}\n`, "invalid_token"],
  ["is too large", withClaims({ x: "x".repeat(4_096) }), "invalid_token"],
  ["carries its key (jwk)", withHeader({ jwk: jwk(stranger.publicKey, {}) }), "invalid_token"],
  ["carries where its key is (jku)", withHeader({ jku: "http://127.0.0.1/keys" }), "invalid_token"],
  ["carries where its certificate is (x5u)", withHeader({ x5u: "http://127.0.0.1/cert" }), "invalid_token"],
  ["carries its certificate (x5c)", withHeader({ x5c: ["MIIB"] }), "invalid_token"],
  ["has something critical", withHeader({ crit: ["exp"], exp: 1 }), "invalid_token"],
  ["isn't encoded (b64)", withHeader({ crit: ["b64"], b64: false }), "invalid_token"],
  ["is compressed (zip)", withHeader({ zip: "DEF" }), "invalid_token"],
  ["holds a token (cty)", withHeader({ cty: "JWT" }), "invalid_token"],
  ["has a kid that is a number", withHeader({ kid: 1 }), "invalid_token"],
  ["has a kid of 20 KB", withHeader({ kid: "k".repeat(2_000) }), "invalid_token"],
  ["is something else by its typ", withHeader({ typ: "dpop+jwt" }), "invalid_token"],
  ["has a typ that is a list", withHeader({ typ: ["JWT"] }), "invalid_token"],
  ["has a header that isn't JSON", { header: "{alg:ES256}" }, "invalid_token"],
  ["has a header that is a list", { header: "[]" }, "invalid_token"],
  ["has claims that aren't JSON", raw("{"), "invalid_token"],
  ["has claims that are null", raw("null"), "invalid_token"],
  ["has two subjects", raw(JSON.stringify(CLAIMS).replace("{", '{"sub":"root",')), "invalid_token"],
  [
    "has two subjects, one escaped",
    raw(JSON.stringify(CLAIMS).replace("{", '{"su\\u0062":"root",')),
    "invalid_token",
  ],
  ["has two algorithms", { header: '{"alg":"none","alg":"ES256","kid":"ec"}' }, "invalid_token"],
  ["is nested a thousand deep", withClaims({ x: deep(1_000) }), "invalid_token"],
  ["is nested 9 deep", withClaims({ x: deep(8) }), "invalid_token"],
  [
    "is no UTF-8",
    `${make({}).split(".")[0]}.${Buffer.from([0xff, 0xfe]).toString("base64url")}.abc`,
    "invalid_token",
  ],
  ["is of nobody", withClaims({ iss: undefined }), "unknown_signer"],
  ["is of somebody else", withClaims({ iss: "https://evil.example" }), "unknown_signer"],
  ["is of an issuer that looks alike", withClaims({ iss: "https://issuer.exаmple" }), "unknown_signer"],
  ["is of the issuer with a slash more", withClaims({ iss: `${ISSUER}/` }), "unknown_signer"],
  ["is of a list of issuers", withClaims({ iss: [ISSUER] }), "unknown_signer"],
  ["has no end", withClaims({ exp: undefined }), "invalid_token"],
  ["ends by a text", withClaims({ exp: `${NOW + 600}` }), "invalid_token"],
  ["ends in milliseconds", withClaims({ exp: (NOW + 600) * 1_000 }), "invalid_token"],
  ["never ends", raw(JSON.stringify(CLAIMS).replace(`${NOW + 600}`, "1e400")), "invalid_token"],
  ["ends before time began", withClaims({ exp: -1 }), "invalid_token"],
  ["has no beginning", withClaims({ iat: undefined }), "invalid_token"],
  ["begins by a text", withClaims({ iat: "now" }), "invalid_token"],
  ["has an nbf that is null", withClaims({ nbf: null }), "invalid_token"],
  ["has expired", withClaims({ iat: NOW - 600, exp: NOW }), "expired"],
  ["was issued in the future", withClaims({ iat: NOW + 31 }), "not_yet_valid"],
  ["isn't valid yet", withClaims({ nbf: NOW + 31 }), "not_yet_valid"],
  ["is valid for ten years", withClaims({ exp: NOW + 10 * 365 * 86_400 }), "invalid_token"],
  ["is valid for a second too long", withClaims({ exp: NOW + 3_601 }), "invalid_token"],
  ["is for nobody", withClaims({ aud: undefined }), "wrong_audience"],
  ["is for somebody else", withClaims({ aud: "somebody" }), "wrong_audience"],
  ["is for an empty list", withClaims({ aud: [] }), "wrong_audience"],
  ["is for a list in a list", withClaims({ aud: [["distributary"]] }), "wrong_audience"],
];

describe("a token is refused, and its issuer isn't asked for a key, if it", () => {
  test.each(BEFORE_A_KEY)("%s", async (_, token, fault) => {
    const { list, asked } = await issuers();
    const text = typeof token === "string" ? token : make(token);
    expect(await verifyToken(text, list, NOW * 1_000, () => {})).toMatchObject({ ok: false, fault });
    expect(asked).toEqual([]);
  });
});

describe("a token is refused if it", () => {
  test.each(AFTER_A_KEY)("%s", async (_, token, fault) => {
    const { list, asked } = await issuers();
    expect(await verifyToken(make(token), list, NOW * 1_000, () => {})).toMatchObject({ ok: false, fault });
    expect(asked).toHaveLength(1);
  });
});

test("what is said of a token repeats nothing of it", async () => {
  const { list } = await issuers();
  for (const [, token] of [...BEFORE_A_KEY, ...AFTER_A_KEY]) {
    const text = typeof token === "string" ? token : make(token);
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
