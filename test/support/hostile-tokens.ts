/**
 * Tokens as attackers send them, each with the code that it is refused with, and the keys of the two issuers that they are
 * aimed at: one has a JWK Set, the other shares a secret with the edge.
 */
import { createHmac, generateKeyPairSync, type KeyObject, sign as signature } from "node:crypto";
import type { TokenFault } from "../../edge/access/token.ts";

export const ISSUER = "https://issuer.example";
export const SHARED = "https://shared.example";
export const SECRET = "a secret of 32 bytes and some more";
export const AUDIENCES = ["distributary", "other"];
/** The longest that either's tokens may be valid. */
export const LIFETIME_SECONDS = 3_600;

export const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
export const ec384 = generateKeyPairSync("ec", { namedCurve: "P-384" });
export const ed = generateKeyPairSync("ed25519");
export const rsa = generateKeyPairSync("rsa", { modulusLength: 2_048 });
const stranger = generateKeyPairSync("ec", { namedCurve: "P-256" });

const jwk = (key: KeyObject, more: object) => ({ ...key.export({ format: "jwk" }), ...more });
export const SET = {
  keys: [
    jwk(ec.publicKey, { kid: "ec" }),
    jwk(ec384.publicKey, { kid: "ec384" }),
    jwk(ed.publicKey, { kid: "ed" }),
    jwk(rsa.publicKey, { kid: "rsa" }),
    jwk(rsa.publicKey, { kid: "pss", alg: "PS256" }),
  ],
};
export type Signer = (input: string) => Buffer;

export const es: (key: KeyObject, hash?: string) => Signer =
  (key, hash = "sha256") =>
  (input) =>
    signature(hash, Buffer.from(input), { key, dsaEncoding: "ieee-p1363" });
export const hs =
  (secret: string | Buffer): Signer =>
  (input) =>
    createHmac("sha256", secret).update(input).digest();

export interface Token {
  readonly header?: object | string;
  readonly claims?: object | string;
  readonly sign?: Signer;
}

const encoded = (part: object | string) =>
  Buffer.from(typeof part === "string" ? part : JSON.stringify(part)).toString("base64url");

const deep = (levels: number): unknown => (levels === 0 ? 1 : [deep(levels - 1)]);
const publicPem = rsa.publicKey.export({ type: "spki", format: "pem" }).toString();
const publicDer = rsa.publicKey.export({ type: "spki", format: "der" });
const spki = ec.publicKey.export({ type: "spki", format: "pem" }).toString();
const raw = (claims: string): Token => ({ claims });
export type Hostile = readonly [what: string, token: string | Token, fault: TokenFault];

/** Those of a moment, in seconds since 1970. `elsewhere`: where some of them say that their key is. */
export function tokensAt(now: number, elsewhere = "http://127.0.0.1") {
  const claims = { iss: ISSUER, aud: "distributary", sub: "alice", jti: "1", iat: now, exp: now + 600 };

  function make(token: string | Token): string {
    if (typeof token === "string") return token;
    const { header = { alg: "ES256", kid: "ec" }, claims: said = claims, sign = es(ec.privateKey) } = token;
    const input = `${encoded(header)}.${encoded(said)}`;
    return `${input}.${sign(input).toString("base64url")}`;
  }

  const withClaims = (more: object): Token => ({ claims: { ...claims, ...more } });
  const withHeader = (more: object): Token => ({ header: { alg: "ES256", kid: "ec", ...more } });
  const granting = (distributary: unknown, more: object = {}): Token => withClaims({ distributary, ...more });

  /** Their issuer is asked for a key. */
  const afterAKey: readonly Hostile[] = [
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
        claims: { ...claims, iss: SHARED },
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
      { header: { alg: "HS256" }, claims: { ...claims, iss: SHARED }, sign: hs("") },
      "invalid_token",
    ],
    [
      "names another issuer's key",
      { header: { alg: "ES256", kid: "ec" }, claims: { ...claims, iss: SHARED } },
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
      raw(JSON.stringify({ ...claims, sub: "S" }).replace('"S"', '"\\ud800"')),
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
    [
      "grants what is too long with its claims put in",
      granting(
        { subscribe: Array.from({ length: 50 }, (_, i) => `/q/{sub}${i}`) },
        { sub: "\u00e4".repeat(200) },
      ),
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
    [
      "grants a path with escapes in lower case",
      granting({ subscribe: ["/quotes/%c3%a4"] }),
      "invalid_token",
    ],
    ["grants a malformed escape", granting({ subscribe: ["/quotes/%4"] }), "invalid_token"],
  ];

  /** Their issuer isn't asked for a key. */
  const beforeAKey: readonly Hostile[] = [
    ["is empty", "", "invalid_token"],
    ["is one part", "abc", "invalid_token"],
    ["has no signature", `${make({}).split(".").slice(0, 2).join(".")}.`, "invalid_token"],
    ["has two signatures", `${make({})}.abc`, "invalid_token"],
    ["is encrypted (JWE)", "a.b.c.d.e", "invalid_token"],
    ["is padded", `${make({})}=`, "invalid_token"],
    ["holds a line break", `${make({})}\n`, "invalid_token"],
    ["is too large", withClaims({ x: "x".repeat(4_096) }), "invalid_token"],
    ["carries its key (jwk)", withHeader({ jwk: jwk(stranger.publicKey, {}) }), "invalid_token"],
    ["carries where its key is (jku)", withHeader({ jku: `${elsewhere}/keys` }), "invalid_token"],
    ["carries where its certificate is (x5u)", withHeader({ x5u: `${elsewhere}/cert` }), "invalid_token"],
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
    ["has two subjects", raw(JSON.stringify(claims).replace("{", '{"sub":"root",')), "invalid_token"],
    [
      "has two subjects, one escaped",
      raw(JSON.stringify(claims).replace("{", '{"su\\u0062":"root",')),
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
    ["ends by a text", withClaims({ exp: `${now + 600}` }), "invalid_token"],
    ["ends in milliseconds", withClaims({ exp: (now + 600) * 1_000 }), "invalid_token"],
    ["never ends", raw(JSON.stringify(claims).replace(`${now + 600}`, "1e400")), "invalid_token"],
    ["ends before time began", withClaims({ exp: -1 }), "invalid_token"],
    ["has no beginning", withClaims({ iat: undefined }), "invalid_token"],
    ["begins by a text", withClaims({ iat: "now" }), "invalid_token"],
    ["has an nbf that is null", withClaims({ nbf: null }), "invalid_token"],
    ["has expired", withClaims({ iat: now - 600, exp: now }), "expired"],
    ["was issued in the future", withClaims({ iat: now + 90 }), "not_yet_valid"],
    ["isn't valid yet", withClaims({ nbf: now + 90 }), "not_yet_valid"],
    ["is valid for ten years", withClaims({ exp: now + 10 * 365 * 86_400 }), "invalid_token"],
    ["is valid for a second too long", withClaims({ exp: now + 3_601 }), "invalid_token"],
    ["is for nobody", withClaims({ aud: undefined }), "wrong_audience"],
    ["is for somebody else", withClaims({ aud: "somebody" }), "wrong_audience"],
    ["is for an empty list", withClaims({ aud: [] }), "wrong_audience"],
    ["is for a list in a list", withClaims({ aud: [["distributary"]] }), "wrong_audience"],
  ];

  return { make, withClaims, withHeader, granting, claims, afterAKey, beforeAKey };
}
