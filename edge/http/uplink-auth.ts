/**
 * Who may be an origin: U1 of INTERNALS.md. A short-lived JWT, signed with a secret that origin and edge share;
 * its key id says with which, so that secrets can be changed one side after the other.
 */
import { errors, jwtVerify } from "jose";
import type { TokenFault } from "../../shared/protocol/token-fault.ts";
import { UPLINK_AUDIENCE } from "../../shared/protocol/version.ts";

/** The bytes of each secret by its key id. */
export type UplinkKeys = ReadonlyMap<string, Uint8Array>;

export type UplinkKeysResult =
  | { readonly ok: true; readonly keys: UplinkKeys }
  | { readonly ok: false; readonly problem: string };

export type TokenResult =
  /** `origin` is the name that the token gives it. */
  | { readonly ok: true; readonly origin: string }
  /** `problem` is for the edge's log, `fault` for the origin. */
  | { readonly ok: false; readonly problem: string; readonly fault: TokenFault };

const MIN_SECRET_BYTES = 32;
const MAX_LIFE_SECONDS = 300;
/** How far the clocks of origin and edge may be apart. */
const TOLERANCE_SECONDS = 10;

const encoder = new TextEncoder();

/** Reads `kid:secret[,kid:secret…]`; the bytes of a secret are those of its text. Shows no secret in a problem. */
export function readUplinkKeys(text: string | undefined): UplinkKeysResult {
  const keys = new Map<string, Uint8Array>();
  for (const entry of (text ?? "").split(",")) {
    const match = /^([A-Za-z0-9._-]{1,64}):(.+)$/.exec(entry.trim());
    const [, kid, secret] = match ?? [];
    if (kid === undefined || secret === undefined)
      return {
        ok: false,
        problem: "UPLINK_KEYS must be kid:secret, or several of these with commas between",
      };
    const bytes = encoder.encode(secret);
    if (bytes.length < MIN_SECRET_BYTES)
      return {
        ok: false,
        problem: `UPLINK_KEYS: the secret of ${kid} has less than ${MIN_SECRET_BYTES} bytes`,
      };
    if (keys.has(kid)) return { ok: false, problem: `UPLINK_KEYS: there are two secrets for ${kid}` };
    keys.set(kid, bytes);
  }
  return { ok: true, keys };
}

/** Checks the value of an Authorization header. `now` is the time of the edge. */
export async function verifyUplinkToken(
  authorization: string | null,
  keys: UplinkKeys,
  now: Date,
): Promise<TokenResult> {
  const token = /^Bearer +([^ ]+)$/i.exec(authorization ?? "")?.[1];
  if (token === undefined) return refused("there is no bearer token", "no_token");
  try {
    const { payload } = await jwtVerify(
      token,
      ({ kid }) => {
        const key = kid === undefined ? undefined : keys.get(kid);
        if (key === undefined) throw new UnknownKey(`no key is called ${JSON.stringify(kid)}`);
        return key;
      },
      {
        algorithms: ["HS256"],
        audience: UPLINK_AUDIENCE,
        requiredClaims: ["exp", "iat", "sub"],
        // With this, a token that was issued in the future is refused, too.
        maxTokenAge: MAX_LIFE_SECONDS,
        clockTolerance: TOLERANCE_SECONDS,
        currentDate: now,
      },
    );
    const { exp = 0, iat = 0, sub = "" } = payload;
    if (exp - iat > MAX_LIFE_SECONDS)
      return refused(`the token is valid for more than ${MAX_LIFE_SECONDS} s`, "malformed");
    if (sub === "" || sub.length > 64) return refused("the token's sub must name the origin", "malformed");
    return { ok: true, origin: sub };
  } catch (error) {
    return refused(error instanceof Error ? error.message : "the token can't be read", faultOf(error));
  }
}

class UnknownKey extends Error {}

function refused(problem: string, fault: TokenFault): TokenResult {
  return { ok: false, problem, fault };
}

function faultOf(error: unknown): TokenFault {
  if (error instanceof UnknownKey) return "unknown_key";
  if (error instanceof errors.JWSSignatureVerificationFailed) return "bad_signature";
  if (error instanceof errors.JWTExpired) return "bad_time";
  // A claim that is there, but isn't as it must be: the time it was issued at lies in the future.
  const { claim, reason } = error instanceof errors.JWTClaimValidationFailed ? error : {};
  return claim === "iat" && reason === "check_failed" ? "bad_time" : "malformed";
}
