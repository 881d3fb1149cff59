/** An issuer's keys, each with the one algorithm that it may verify: never the token says which (RFC 8725 §3.1). */
import { type CryptoKey, importJWK, type JWK } from "jose";
import * as v from "valibot";

const ALGORITHMS = ["ES256", "ES384", "EdDSA", "RS256", "PS256", "HS256"] as const;

export type Algorithm = (typeof ALGORITHMS)[number];

export interface VerificationKey {
  readonly algorithm: Algorithm;
  readonly key: CryptoKey | Uint8Array;
}

/** By their names; the key that has none is called "". */
export type KeySet = ReadonlyMap<string, VerificationKey>;

/** As many as a careless issuer has who never takes one away. */
const KEYS = 100;
const NAME = v.optional(v.pipe(v.string(), v.minLength(1), v.maxLength(256)));
const NUMBER = v.pipe(v.string(), v.maxLength(2_048));

/** What is public of a key; anything else of it is left behind, also a private half that got here by mistake. */
const Jwk = v.variant("kty", [
  v.object({
    kty: v.literal("EC"),
    crv: v.picklist(["P-256", "P-384"]),
    x: NUMBER,
    y: NUMBER,
    kid: NAME,
    alg: v.optional(v.picklist(["ES256", "ES384"])),
  }),
  v.object({
    kty: v.literal("OKP"),
    crv: v.literal("Ed25519"),
    x: NUMBER,
    kid: NAME,
    alg: v.optional(v.picklist(["EdDSA", "Ed25519"])),
  }),
  v.object({
    kty: v.literal("RSA"),
    n: NUMBER,
    e: NUMBER,
    kid: NAME,
    alg: v.optional(v.picklist(["RS256", "PS256"])),
  }),
]);

const Purpose = v.object({
  use: v.optional(v.literal("sig")),
  key_ops: v.optional(v.pipe(v.array(v.string()), v.includes("verify"))),
});

const JwkSet = v.object({ keys: v.pipe(v.array(v.unknown()), v.maxLength(KEYS)) });

/**
 * The keys of a JWK Set (RFC 7517) that can verify tokens here. Others are left out, as §5 says; undefined if it is no set,
 * or none of its keys is of use. Of two keys of one name the first counts.
 */
export async function readKeySet(json: unknown): Promise<KeySet | undefined> {
  const set = v.safeParse(JwkSet, json);
  if (!set.success) return undefined;
  const keys = new Map<string, VerificationKey>();
  for (const one of set.output.keys) {
    const jwk = v.safeParse(Jwk, one);
    if (!jwk.success || !v.is(Purpose, one)) continue;
    const { kid = "" } = jwk.output;
    const algorithm = algorithmOf(jwk.output);
    if (algorithm === undefined || keys.has(kid)) continue;
    try {
      keys.set(kid, { algorithm, key: await importJWK(jwk.output as JWK, algorithm) });
    } catch {
      // Its numbers are no key: as one of a kind that isn't known here.
    }
  }
  return keys.size === 0 ? undefined : keys;
}

/** For an issuer that shares a secret with the edge. */
export function secretKeySet(secret: Uint8Array): KeySet {
  return new Map([["", { algorithm: "HS256", key: secret }]]);
}

/** The key that a token names, or the only one if it names none. A set of one nameless key has it under any name. */
export function keyOf(keys: KeySet, kid: string | undefined): VerificationKey | undefined {
  const named = kid === undefined ? undefined : keys.get(kid);
  if (named !== undefined) return named;
  const [first, ...others] = keys;
  if (first === undefined || others.length > 0) return undefined;
  return kid === undefined || first[0] === "" ? first[1] : undefined;
}

function algorithmOf(jwk: v.InferOutput<typeof Jwk>): Algorithm | undefined {
  switch (jwk.kty) {
    case "EC": {
      const algorithm = jwk.crv === "P-256" ? "ES256" : "ES384";
      return jwk.alg === undefined || jwk.alg === algorithm ? algorithm : undefined;
    }
    case "OKP":
      return "EdDSA";
    case "RSA":
      return jwk.alg ?? "RS256";
  }
}
