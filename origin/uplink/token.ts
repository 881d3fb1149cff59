/** The origin's credential (U1): short-lived, and signed anew for each request. */
import { SignJWT } from "jose";
import type { UplinkKey } from "../../shared/config/uplink-key.ts";
import { UPLINK_AUDIENCE } from "../../shared/protocol/version.ts";

const LIFE = "60s";

/** The value of an Authorization header. */
export async function bearerToken({ kid, name, secret }: UplinkKey): Promise<string> {
  const token = await new SignJWT()
    .setProtectedHeader({ alg: "HS256", kid })
    .setAudience(UPLINK_AUDIENCE)
    .setSubject(name)
    .setIssuedAt()
    .setExpirationTime(LIFE)
    .sign(secret);
  return `Bearer ${token}`;
}
