/**
 * Who may be an origin, and which: U1 of INTERNALS.md. A short-lived JWT, signed with a secret that origin and edge
 * share; its key id says with which, so that secrets can be changed one side after the other. The key, and not the
 * token, says what the origin is called: whoever holds a secret can sign any name.
 */
import { errors, jwtVerify } from "jose";
import { readUplinkKey, UPLINK_KEY_FORM, type UplinkKey } from "../../shared/config/uplink-key.ts";
import type { UplinkScope } from "../../shared/config/uplink-scope.ts";
import type { UplinkTokenFault } from "../../shared/protocol/uplink-token-fault.ts";
import { UPLINK_AUDIENCE } from "../../shared/protocol/version.ts";

/** By key id. Several may bear one name. */
export type UplinkKeys = ReadonlyMap<string, UplinkKey>;

export type UplinkKeysResult =
  | { readonly ok: true; readonly keys: UplinkKeys }
  | { readonly ok: false; readonly problem: string };

export type UplinkTokenResult =
  /** `origin` is the name that the key gives it, and the token says; `scope` what it may speak for, if not for all. */
  | { readonly ok: true; readonly origin: string; readonly scope: UplinkScope | undefined }
  /** `problem` is for the edge's log, `fault` for the origin. */
  | { readonly ok: false; readonly problem: string; readonly fault: UplinkTokenFault };

const MAX_LIFE_SECONDS = 300;
/** How far the clocks of origin and edge may be apart. */
const TOLERANCE_SECONDS = 10;

/** What comes from outside is logged no further. */
const SHOWN_CHARACTERS = 64;
const PROBLEM_CHARACTERS = 200;

/** Reads `kid:name:secret[,kid:name:secret…]`. Shows no secret in a problem. */
export function readUplinkKeys(text: string | undefined): UplinkKeysResult {
  const keys = new Map<string, UplinkKey>();
  const bySecret = new Map<string, UplinkKey>();
  if (text === undefined || text.trim() === "")
    return { ok: false, problem: `UPLINK_KEYS must be ${UPLINK_KEY_FORM}, or several with commas between` };
  for (const entry of text.split(",")) {
    const read = readUplinkKey(entry);
    if (!read.ok) return { ok: false, problem: `UPLINK_KEYS: one ${read.problem}` };
    const { key } = read;
    if (keys.has(key.kid)) return { ok: false, problem: `UPLINK_KEYS: there are two keys ${key.kid}` };
    // Whoever has it could be either.
    const other = bySecret.get(String(key.secret));
    if (other !== undefined && (other.name !== key.name || other.scope?.text !== key.scope?.text)) {
      const problem = `UPLINK_KEYS: ${other.kid} and ${key.kid} have the same secret, and different names or bounds`;
      return { ok: false, problem };
    }
    bySecret.set(String(key.secret), key);
    keys.set(key.kid, key);
  }
  return { ok: true, keys };
}

/** Checks the value of an Authorization header. `now` is the time of the edge. */
export async function verifyUplinkToken(
  authorization: string | null,
  keys: UplinkKeys,
  now: Date,
): Promise<UplinkTokenResult> {
  const token = /^Bearer +([^ ]+)$/i.exec(authorization ?? "")?.[1];
  if (token === undefined) return refused("there is no bearer token", "no_token");
  let used: UplinkKey | undefined;
  try {
    const { payload } = await jwtVerify(
      token,
      ({ kid }) => {
        const key = kid === undefined ? undefined : keys.get(kid);
        if (key === undefined) throw new UnknownKey(`no key is called ${quoted(kid)}`);
        used = key;
        return key.secret;
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
    if (used === undefined || typeof sub !== "string" || sub === "")
      return refused("the token's sub must name the origin", "malformed");
    const { kid, name, scope } = used;
    if (sub !== name)
      return refused(`the key ${kid} is that of ${name}, and the token says ${quoted(sub)}`, "other_name");
    return { ok: true, origin: name, scope };
  } catch (error) {
    return refused(error instanceof Error ? error.message : "the token can't be read", faultOf(error));
  }
}

class UnknownKey extends Error {}

/** Of a library's words, too, some may be the token's own. */
function refused(problem: string, fault: UplinkTokenFault): UplinkTokenResult {
  return { ok: false, problem: problem.replace(/[^ -~]/g, "?").slice(0, PROBLEM_CHARACTERS), fault };
}

function quoted(text: unknown): string {
  const shown = String(text);
  return JSON.stringify(shown.length > SHOWN_CHARACTERS ? `${shown.slice(0, SHOWN_CHARACTERS)}…` : shown);
}

function faultOf(error: unknown): UplinkTokenFault {
  if (error instanceof UnknownKey) return "unknown_key";
  if (error instanceof errors.JWSSignatureVerificationFailed) return "bad_signature";
  if (error instanceof errors.JWTExpired) return "bad_time";
  // A claim that is there, but isn't as it must be: the time it was issued at lies in the future.
  const { claim, reason } = error instanceof errors.JWTClaimValidationFailed ? error : {};
  return claim === "iat" && reason === "check_failed" ? "bad_time" : "malformed";
}
