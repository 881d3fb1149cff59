/** What a proxy before the edge does to paths and upgrades, from what came through it. Pure. */
import { type Finding, hint, ok, wrong } from "./finding.ts";

/** Paths that a key may have, and what is lost if they don't arrive as they were sent. */
export const PROBES = [
  { sent: "/a%3Ab", of: "special characters" },
  { sent: "/a%2Fb", of: "a slash" },
  { sent: "/a%2F%2Fb", of: "two slashes" },
  { sent: "/a//b", of: "an empty segment" },
  { sent: "/a%00b", of: "a zero byte" },
  { sent: "/a%25b", of: "a percent sign" },
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
    const of = PROBES.find((probe) => probe.sent === sent)?.of ?? sent;
    return wrong(what, `keys with ${of} can't be reached by their URL: ${sent} ${inWords(came)}`, RECIPES);
  });
  return found.length > 0 ? found : [ok(what, "paths arrive as they are sent")];
}

function inWords(came: Probed["came"]): string {
  if (typeof came === "string") return `arrives as ${came}`;
  return typeof came === "number"
    ? `is answered with status ${came} before it gets there`
    : `fails: ${came.message}`;
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
