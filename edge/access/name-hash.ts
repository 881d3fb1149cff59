/**
 * Names that tokens bring (issuer, subject, id), as they are kept where comparing them is enough: on sockets, in rows and on
 * links. They can't be read back, but whoever sees one can try names on it that are easy to guess.
 */
import { base64url } from "jose";

/** As many that two names of one deployment never have the same. */
const BYTES = 12;

export async function hashOfName(name: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(name));
  return base64url.encode(new Uint8Array(digest, 0, BYTES));
}
