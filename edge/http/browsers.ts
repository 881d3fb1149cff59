/**
 * What keeps other websites in somebody's browser from the edge: H8, H10 and H11 of PROTOCOL.md.
 *
 * An edge on a developer's machine is reached by no stranger, but by any page that this machine's browser has open. Such a
 * page may ask as itself, and is told apart by its `Origin`; or its name may suddenly lead to 127.0.0.1 (DNS rebinding), and
 * is told apart by its `Host`. On a platform that routes by name no other Host gets here.
 */
import { ROUTES } from "../../shared/protocol/version.ts";
import { type CredentialRules, pageAllowed } from "../access/credentials.ts";

export interface BrowserSettings {
  /** "on": the edge listens on a loopback address, and answers as such. */
  readonly LOOPBACK?: string;
  /** Names that requests may be addressed to, with commas between, beside those of this machine. */
  readonly HOSTS?: string;
}

/** Of the edge's own page: nothing from elsewhere, and nowhere in a frame. */
export const PAGE_HEADERS = {
  "Content-Security-Policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'unsafe-inline'",
    "connect-src 'self'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; "),
  "X-Frame-Options": "DENY",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
} as const;

/** As URLs have it: lower case, an IPv6 address in brackets. */
export function isLoopback(hostname: string): boolean {
  return /^(?:(?:[^.]+\.)*localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(hostname);
}

/** Throws if one is no name of a host. */
export function readHosts(text: string | undefined): ReadonlySet<string> {
  const hosts = (text ?? "").split(",").map((host) => host.trim());
  const named = hosts.filter((host) => host !== "");
  for (const host of named)
    if (!URL.canParse(`http://${host}`) || new URL(`http://${host}`).hostname !== host)
      throw new Error(`HOSTS: ${host} is no name of a host, such as edge.example.com, without a port`);
  return new Set(named);
}

/** Whether a request may be addressed to this host. */
export function hostAllowed({ hostname }: URL, { LOOPBACK, HOSTS }: BrowserSettings): boolean {
  if (LOOPBACK !== "on" && !HOSTS) return true;
  return isLoopback(hostname) || readHosts(HOSTS).has(hostname);
}

/** Whether a page of another origin is answered where nothing says which are: on a loopback address those of this machine. */
export function unlistedAllowed(request: Request, settings: BrowserSettings): boolean {
  const origin = request.headers.get("Origin");
  if (origin === null || settings.LOOPBACK !== "on") return true;
  if (!URL.canParse(origin)) return false;
  return isLoopback(new URL(origin).hostname) || origin === new URL(request.url).origin;
}

/** Whether a page is answered; what is no page's always is. */
export function mayAsk(request: Request, rules: CredentialRules, settings: BrowserSettings): boolean {
  return (
    pageAllowed(request, rules) && (rules.webOrigins !== undefined || unlistedAllowed(request, settings))
  );
}

/**
 * Whether any page may read an answer (CORS). What lives under `/$/` is for the edge's own, and for those that are listed; but the
 * client says the same to everybody, and is for them all (H16), and so are endpoints, several in one stream, too (E7).
 */
export function isForAnyPage(path: string, { webOrigins }: CredentialRules): boolean {
  return webOrigins !== undefined || !path.startsWith("/$/") || FOR_ALL.includes(path);
}

const FOR_ALL: readonly string[] = [ROUTES.client, ROUTES.connect];

export const OTHER_PAGE = {
  code: "forbidden_origin",
  message: "pages of this origin aren't answered here",
} as const;
export const WRONG_HOST = {
  code: "wrong_host",
  message: "requests for this host aren't answered here; HOSTS names those that are",
} as const;
