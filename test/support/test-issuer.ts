/** An issuer of tokens that shares a secret with an edge of a test. */
import { SignJWT } from "jose";

const ISSUER = {
  issuer: "https://issuer.example",
  audience: "edge",
  secret: "a secret of 32 bytes, or of some more",
};

/** The edge's AUTH_ISSUERS. */
export const AUTH_ISSUERS = JSON.stringify([ISSUER]);

/** Seconds since 1970. */
export const secondsFromNow = (seconds: number) => Math.floor(Date.now() / 1_000) + seconds;

/** `exp`: seconds since 1970. `subscribe`: patterns. */
export function newToken(
  exp: number,
  { subject = "alice", subscribe }: { subject?: string; subscribe?: readonly string[] } = {},
): Promise<string> {
  const claims = {
    iss: ISSUER.issuer,
    aud: ISSUER.audience,
    sub: subject,
    jti: `${exp}`,
    iat: exp - 3_600,
    exp,
  };
  return new SignJWT({ ...claims, ...(subscribe && { distributary: { subscribe } }) })
    .setProtectedHeader({ alg: "HS256" })
    .sign(new TextEncoder().encode(ISSUER.secret));
}

export const bearing = (token: string) => ({ Authorization: `Bearer ${token}` });
