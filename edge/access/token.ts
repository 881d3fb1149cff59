/**
 * Tokens: JWTs signed by an issuer that the deployment trusts (RFC 7519, RFC 8725). Verified here and nowhere else, in the
 * Worker, or in an object when one is renewed in band.
 */
import { base64url, errors, jwtVerify } from "jose";
import { encodePrincipal, type KnownPrincipal, type Principal } from "../principal.ts";
import { type Grants, readGrants } from "./grants.ts";
import type { Algorithm, VerificationKey } from "./key-set.ts";
import type { KeepAlive, KeyResult } from "./remote-keys.ts";
import { readObject } from "./strict-json.ts";

/** One that the deployment trusts. */
export interface Issuer {
  /** The claim `iss`, compared as it stands. */
  readonly name: string;
  /** One of these must be among the claim `aud`. */
  readonly audience: readonly string[];
  /** The longest that its tokens may be valid. */
  readonly lifetimeSeconds: number;
  key(kid: string | undefined, keepAlive: KeepAlive): Promise<KeyResult>;
}

/** Whose token it was, and what it allows. Times are in seconds since 1970. */
export interface Bearer {
  readonly issuer: string;
  readonly subject: string;
  /** The claim `jti`. */
  readonly tokenId: string | undefined;
  readonly issuedAt: number;
  readonly expiresAt: number;
  readonly grants: Grants;
}

/** What a client is told of its token, and nothing else. */
export type TokenFault = "invalid_token" | "expired" | "not_yet_valid" | "unknown_signer" | "wrong_audience";

export type TokenResult =
  | { readonly ok: true; readonly bearer: Bearer }
  /** `problem` says more, for people who have the token: it repeats nothing of it. */
  | { readonly ok: false; readonly fault: TokenFault; readonly problem: string }
  /** The issuer's keys can't be had: later the same token may do. */
  | {
      readonly ok: false;
      readonly fault: "unavailable";
      readonly problem: string;
      readonly retryMs: number;
    };

export const TOKEN_LIMITS = {
  bytes: 4_096,
  /** How far an issuer's clock may be ahead of the edge's: for the time from which a token is valid. */
  toleranceSeconds: 30,
  /** How deep objects and lists of a token may be in one another. */
  depth: 8,
  /** Characters of a subject or a token's id. */
  identifier: 256,
} as const;

const TYPES = ["jwt", "at+jwt"];

/** Members of the header that are known, and those that change nothing here. A key travels by no token. */
const HEADER = new Set(["alg", "kid", "typ", "x5t", "x5t#S256"]);

/** Names of one algorithm: EdDSA of RFC 8037 is with this key what RFC 9864 calls Ed25519. */
const SPELLINGS: Readonly<Record<Algorithm, readonly string[]>> = {
  ES256: ["ES256"],
  ES384: ["ES384"],
  EdDSA: ["EdDSA", "Ed25519"],
  RS256: ["RS256"],
  PS256: ["PS256"],
  HS256: ["HS256"],
};

/** `now`: milliseconds since 1970. */
export async function verifyToken(
  token: string,
  issuers: readonly Issuer[],
  now: number,
  keepAlive: KeepAlive,
): Promise<TokenResult> {
  if (token.length > TOKEN_LIMITS.bytes) return invalid(`it has more than ${TOKEN_LIMITS.bytes} bytes`);
  const parts = token.split(".");
  if (parts.length !== 3 || !parts.every((part) => /^[A-Za-z0-9_-]+$/.test(part)))
    return invalid("it isn't a signed JWT");
  const header = readPart(parts[0]);
  const claims = readPart(parts[1]);
  if (typeof header === "string") return invalid(`its header: ${header}`);
  if (typeof claims === "string") return invalid(`its claims: ${claims}`);
  const stranger = Object.keys(header).find((name) => !HEADER.has(name));
  if (stranger !== undefined) return invalid("its header says more than alg, kid and typ");
  const { alg, kid, typ } = header;
  if (kid !== undefined && (typeof kid !== "string" || kid.length > 256))
    return invalid("its kid is no name");
  if (typ !== undefined && (typeof typ !== "string" || !TYPES.includes(typ.toLowerCase())))
    return invalid("its typ is neither JWT nor at+jwt");
  const issuer = issuers.find(({ name }) => name === claims.iss);
  if (issuer === undefined) return refused("unknown_signer", "its iss is none of the issuers here");
  // What its times say is checked before a key is looked for, since that may take a question.
  const untimely = timesOf(claims, issuer, now / 1_000);
  if (untimely !== undefined) return untimely;
  if (!isAudience(claims.aud, issuer.audience)) return refused("wrong_audience", "its aud is another one");
  const found = await issuer.key(kid, keepAlive);
  if (found.kind === "unavailable") {
    const problem = "its issuer's keys can't be had just now, or not be asked for again yet";
    return { ok: false, fault: "unavailable", problem, retryMs: found.retryMs };
  }
  if (found.kind === "unknown") return refused("unknown_signer", "its issuer has no key with its kid");
  if (typeof alg !== "string" || !SPELLINGS[found.key.algorithm].includes(alg))
    return invalid(`its key is for ${found.key.algorithm}, which isn't its alg`);
  const forged = await signatureProblem(token, found.key, alg, now);
  if (forged !== undefined) return invalid(forged);
  return bearerOf(claims, issuer.name);
}

function readPart(part = ""): Readonly<Record<string, unknown>> | string {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(base64url.decode(part));
  } catch {
    return "it isn't text in base64url";
  }
  const read = readObject(text, TOKEN_LIMITS.depth);
  return read.ok ? read.value : read.problem;
}

function timesOf(
  { exp, iat, nbf }: Readonly<Record<string, unknown>>,
  { lifetimeSeconds }: Issuer,
  now: number,
): TokenResult | undefined {
  if (!isTime(exp)) return invalid("it has no exp, which is a number of seconds");
  if (!isTime(iat)) return invalid("it has no iat, which is a number of seconds");
  if (nbf !== undefined && !isTime(nbf)) return invalid("its nbf is no number of seconds");
  // A token's end is one moment, for all that look at it later too.
  if (exp <= now) return refused("expired", "it has expired");
  if (Math.max(iat, nbf ?? iat) > now + TOKEN_LIMITS.toleranceSeconds)
    return refused("not_yet_valid", "it isn't valid yet");
  if (exp - iat > lifetimeSeconds) return invalid(`it is valid for longer than ${lifetimeSeconds} s`);
  return undefined;
}

const isTime = (value: unknown): value is number =>
  typeof value === "number" && Number.isFinite(value) && value >= 0 && value <= 1e11;

function isAudience(aud: unknown, wanted: readonly string[]): boolean {
  const given = Array.isArray(aud) ? aud : [aud];
  return given.some((one) => wanted.includes(one));
}

async function signatureProblem(
  token: string,
  { key }: VerificationKey,
  alg: string,
  now: number,
): Promise<string | undefined> {
  try {
    await jwtVerify(token, key, {
      algorithms: [alg],
      clockTolerance: TOKEN_LIMITS.toleranceSeconds,
      currentDate: new Date(now),
    });
    return undefined;
  } catch (error) {
    return error instanceof errors.JWSSignatureVerificationFailed
      ? "its signature isn't its issuer's"
      : "its signature can't be verified";
  }
}

function bearerOf(claims: Readonly<Record<string, unknown>>, issuer: string): TokenResult {
  const { sub, jti, iat, exp } = claims;
  if (!isIdentifier(sub)) return invalid("it has no sub, or one that is no name");
  if (jti !== undefined && !isIdentifier(jti)) return invalid("its jti is no name");
  const read = readGrants(claims);
  if (!read.ok) return invalid(read.problem);
  const times = { issuedAt: Number(iat), expiresAt: Number(exp) };
  const bearer: Bearer = { issuer, subject: sub, tokenId: jti, ...times, grants: read.grants };
  // Claims that are put in make patterns longer than they were in the token.
  return fits(principalOf(bearer))
    ? { ok: true, bearer }
    : invalid("its patterns are too long with its claims put in");
}

export function principalOf({
  issuer,
  subject,
  tokenId,
  issuedAt,
  expiresAt,
  grants,
}: Bearer): KnownPrincipal {
  return {
    kind: "known",
    issuer,
    subject,
    ...(tokenId !== undefined && { id: tokenId }),
    issuedAt,
    grants: {
      subscribe: [...grants.patterns.subscribe],
      publish: [...grants.patterns.publish],
      discover: [...grants.patterns.discover],
      admin: grants.admin,
    },
    until: Math.floor(expiresAt * 1_000),
  };
}

function fits(principal: Principal): boolean {
  try {
    encodePrincipal(principal);
    return true;
  } catch {
    return false;
  }
}

const isIdentifier = (value: unknown): value is string =>
  typeof value === "string" &&
  value !== "" &&
  value.length <= TOKEN_LIMITS.identifier &&
  value.isWellFormed();

const invalid = (problem: string): TokenResult => ({ ok: false, fault: "invalid_token", problem });

function refused(fault: TokenFault, problem: string): TokenResult {
  return { ok: false, fault, problem };
}
