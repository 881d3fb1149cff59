/** An issuer of the tests' own: its keys, its tokens, and what AUTH_ISSUERS says of it. */
import { generateKeyPairSync } from "node:crypto";
import { SignJWT } from "jose";

const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });

export const ISSUER = "https://issuer.example";

export const AUTH_ISSUERS = JSON.stringify([
  {
    issuer: ISSUER,
    audience: "distributary",
    jwks: { keys: [{ ...publicKey.export({ format: "jwk" }), kid: "k" }] },
  },
]);

export interface TokenOf {
  readonly issuer?: string;
  readonly kid?: string;
  readonly subject?: string;
  readonly id?: string;
  readonly subscribe?: readonly string[];
  readonly publish?: readonly string[];
  readonly discover?: readonly string[];
  readonly admin?: boolean;
  readonly audience?: string;
  /** Seconds from now. */
  readonly from?: number;
  readonly until?: number;
}

export async function tokenOf({
  issuer = ISSUER,
  kid = "k",
  subject = "alice",
  id,
  subscribe,
  publish,
  discover,
  admin,
  audience = "distributary",
  from = 0,
  until = 600,
}: TokenOf = {}): Promise<string> {
  const now = Math.floor(Date.now() / 1_000);
  const jwt = new SignJWT({ distributary: { subscribe, publish, discover, admin } })
    .setProtectedHeader({ alg: "ES256", kid })
    .setIssuer(issuer)
    .setAudience(audience)
    .setSubject(subject)
    .setIssuedAt(now + from)
    .setExpirationTime(now + until);
  if (id !== undefined) jwt.setJti(id);
  return jwt.sign(privateKey);
}
