/** The origin's credential (U1): short-lived, and signed anew for each request. */
import { SignJWT } from "jose";
import { UPLINK_AUDIENCE } from "../../shared/protocol/version.ts";
import type { UplinkKey } from "../settings/config.ts";

const LIFE = "60s";

/** The value of an Authorization header. */
export async function bearerToken({ kid, secret }: UplinkKey, origin: string): Promise<string> {
  const token = await new SignJWT()
    .setProtectedHeader({ alg: "HS256", kid })
    .setAudience(UPLINK_AUDIENCE)
    .setSubject(origin)
    .setIssuedAt()
    .setExpirationTime(LIFE)
    .sign(secret);
  return `Bearer ${token}`;
}
