/**
 * Where a request carries its token: `Authorization: Bearer`, an entry of `Sec-WebSocket-Protocol` (all that a page can set on
 * a WebSocket), or a cookie if the deployment names one. Never its URL: those are logged and shared (RFC 9700 §2.3).
 *
 * A browser sends cookies along whichever page asks. So one counts on an upgrade only from a page of WEB_ORIGINS; on a read
 * also without an `Origin`, which pages of the same origin don't send, unless the browser says that another site asks.
 */

export const TOKEN_PROTOCOL = "distributary.bearer.";

export interface CredentialRules {
  /** The cookie's name; undefined: none counts. */
  readonly cookie: string | undefined;
  /** Origins of web pages that may use cookies, and be answered if the list is set; undefined: it isn't. */
  readonly webOrigins: ReadonlySet<string> | undefined;
}

export type Credentials =
  | { readonly kind: "none" }
  | { readonly kind: "token"; readonly token: string }
  /** What is there is no token, or there are several that differ. */
  | { readonly kind: "malformed" };

export interface Asked {
  readonly headers: Headers;
  readonly upgrade: boolean;
}

export function credentialsOf({ headers, upgrade }: Asked, rules: CredentialRules): Credentials {
  const authorization = headers.get("Authorization");
  const bearer = authorization === null ? undefined : bearerOf(authorization);
  if (bearer === "malformed") return { kind: "malformed" };
  const protocols = upgrade ? protocolTokens(headers.get("Sec-WebSocket-Protocol")) : [];
  const said = new Set(bearer === undefined ? protocols : [bearer, ...protocols]);
  // A cookie comes by itself, so a token that is said outright is the one that is meant.
  if (said.size === 0 && cookieCounts({ headers, upgrade }, rules))
    for (const token of cookiesOf(headers.get("Cookie"), rules.cookie)) said.add(token);
  const [token, ...others] = said;
  if (token === undefined) return { kind: "none" };
  return others.length > 0 || token === "" ? { kind: "malformed" } : { kind: "token", token };
}

/**
 * Whether a page may be answered at all. A request without `Origin` is of no page, or of one that is served here; so is one
 * from the origin that it goes to, since pages name theirs when they dial a WebSocket.
 */
export function pageAllowed({ headers, url }: Request, { webOrigins }: CredentialRules): boolean {
  const origin = headers.get("Origin");
  if (origin === null || webOrigins === undefined || webOrigins.has(origin)) return true;
  return origin === new URL(url).origin;
}

/** `WEB_ORIGINS`: as browsers write them, with commas between; undefined if it is unset. */
export function readWebOrigins(
  text: string | undefined,
):
  | { readonly ok: true; readonly origins: ReadonlySet<string> | undefined }
  | { readonly ok: false; readonly problem: string } {
  if (text === undefined || text.trim() === "") return { ok: true, origins: undefined };
  const origins = text.split(",").map((one) => one.trim());
  const wrong = origins.find((one) => !URL.canParse(one) || new URL(one).origin !== one);
  if (wrong !== undefined)
    return { ok: false, problem: `WEB_ORIGINS: ${wrong} is no origin, such as https://app.example.com` };
  return { ok: true, origins: new Set(origins) };
}

function bearerOf(authorization: string): string | undefined | "malformed" {
  const [scheme = "", ...rest] = authorization.trim().split(/ +/);
  if (scheme.toLowerCase() !== "bearer") return undefined;
  const [token] = rest;
  return token === undefined || rest.length > 1 ? "malformed" : token;
}

function entriesOf(offered: string | null): string[] {
  return (offered ?? "")
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "");
}

function protocolTokens(offered: string | null): string[] {
  return entriesOf(offered)
    .filter((entry) => entry.startsWith(TOKEN_PROTOCOL))
    .map((entry) => entry.slice(TOKEN_PROTOCOL.length));
}

function cookieCounts({ headers, upgrade }: Asked, { cookie, webOrigins }: CredentialRules): boolean {
  if (cookie === undefined) return false;
  const origin = headers.get("Origin");
  if (origin !== null) return webOrigins?.has(origin) === true;
  return !upgrade && headers.get("Sec-Fetch-Site") !== "cross-site";
}

function cookiesOf(header: string | null, name: string | undefined): string[] {
  return (header ?? "").split(";").flatMap((pair) => {
    const at = pair.indexOf("=");
    const value = pair.slice(at + 1).trim();
    // One that was cleared is what is left of somebody who has signed out.
    const isCleared = value === "" || value === '""';
    return at > 0 && pair.slice(0, at).trim() === name && !isCleared ? [value] : [];
  });
}
