/** What a proxy before the edge does to paths and upgrades, from what came through it. Pure. */
import { ROUTES } from "../../shared/protocol/version.ts";
import { type Finding, hint, ok, wrong } from "./finding.ts";

/** Paths that a key may have, and which are lost if they don't arrive as they were sent. */
export const PROBES = [
  { sent: "/a/b", lost: "keys of any kind" },
  { sent: "/a%3Ab", lost: "keys with special characters" },
  { sent: "/a%2Fb", lost: "keys with a slash" },
  { sent: "/a%2F%2Fb", lost: "keys with two slashes" },
  { sent: "/a//b", lost: "keys with an empty segment" },
  { sent: "/a%5Cb", lost: "keys with a backslash" },
  { sent: "/a%00b", lost: "keys with a zero byte" },
  { sent: "/a%25b", lost: "keys with a percent sign" },
] as const;

export interface Probed {
  readonly sent: string;
  /** How the path came to the edge, or else the status with which something else answered, or what went wrong. */
  readonly came: string | number | Error;
}

const RECIPES =
  "examples/proxies has configurations that leave paths alone; or use the spelling /{topic}/$b64.…";

export function pathFindings(what: string, probed: readonly Probed[]): Finding[] {
  const changed = probed.filter(({ sent, came }) => came !== sent);
  if (probed.length > 0 && changed.length === probed.length && changed.every(({ came }) => came === 404))
    return [
      hint(what, "it answers 404: no edge of this version is there", "correct PUBLIC_URL, path and all"),
    ];
  const found = changed.map(({ sent, came }) => {
    const lost = PROBES.find((probe) => probe.sent === sent)?.lost ?? sent;
    return wrong(what, `${lost} can't be reached by their URL: ${sent} ${inWords(came)}`, RECIPES);
  });
  return found.length > 0 ? found : [ok(what, "paths arrive as they are sent")];
}

function inWords(came: Probed["came"]): string {
  if (typeof came === "string") return `arrives as ${came}`;
  return typeof came === "number"
    ? `is answered with status ${came} before it gets there`
    : `fails: ${came.message}`;
}

/** Below which path of the same host a redirect from the root to the page has the edge; undefined if it leads elsewhere. */
export function ledBelow(publicUrl: URL, location: string): string | undefined {
  if (!URL.canParse(location, publicUrl.href)) return undefined;
  const { origin, pathname } = new URL(location, publicUrl);
  const isHome = origin === publicUrl.origin && pathname.endsWith(ROUTES.home);
  return isHome ? pathname.slice(0, -ROUTES.home.length) : undefined;
}

/** Of that redirect: those of keys that are spelled in another way lead where it does. @param arrives Whether the edge is there. */
export function redirectFinding(what: string, publicUrl: URL, location: string, arrives: boolean): Finding {
  if (arrives) return ok(what, "redirects lead to the edge");
  const base = publicUrl.pathname.replace(/\/$/, "");
  const todo =
    base === "" || ledBelow(publicUrl, location) === undefined
      ? "have the proxy leave Location alone, or translate it back"
      : `set BASE_PATH=${base} at the edge`;
  return wrong(what, `redirects lead astray: ${base}/ leads to ${location}`, todo);
}

/** Of an upgrade: 101, another status, or what went wrong. */
export function upgradeFinding(what: string, found: number | string): Finding {
  if (found === 101) return ok(what, "lets WebSockets through");
  const says = typeof found === "number" ? `an upgrade is answered with status ${found}` : found;
  return wrong(
    what,
    `WebSockets don't get through: ${says}`,
    "have the proxy pass Upgrade and Connection on, over HTTP/1.1: see examples/proxies",
  );
}
