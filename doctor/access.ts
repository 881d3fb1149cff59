/** Whether tokens can be verified with these settings, and what an edge that has them would say of one. */
import { issuerOf } from "../edge/access/issuer.ts";
import { type AccessRules, type AccessSettings, readAccess } from "../edge/access/settings.ts";
import { type Issuer, type TokenFault, type TokenResult, verifyToken } from "../edge/access/token.ts";
import { isLoopback } from "../edge/http/browsers.ts";
import { hasLocalIssuer, localIssuer } from "../edge/local/issuer.ts";
import { type Finding, hint, ok, wrong } from "../origin/doctor/finding.ts";
import { TIME_LIMITS } from "../origin/time-limits.ts";
import { typed } from "../shared/node/commands.ts";

export interface AccessQuestion extends AccessSettings {
  /** Where `npm start` may have made an issuer. */
  readonly dataDir?: string | undefined;
  readonly token?: string | undefined;
}

const SETTING = "AUTH_ISSUERS";

export async function* examineAccess(question: AccessQuestion): AsyncGenerator<Finding, void> {
  const { dataDir, token, ...given } = question;
  let settings: AccessSettings = given;
  if (given.AUTH_ISSUERS === undefined && dataDir !== undefined && hasLocalIssuer(dataDir)) {
    const local = localIssuer(dataDir);
    if (!local.ok) return yield wrong(SETTING, local.problem, "or set AUTH_ISSUERS");
    settings = { ...given, AUTH_ISSUERS: local.value.settings };
    yield ok(SETTING, `is not set: the issuer that ${typed("start")} made in the data folder counts`);
  }
  let access: AccessRules;
  try {
    access = await readAccess(settings);
  } catch (error) {
    const problems = error instanceof Error ? error.message.split("\n") : [String(error)];
    for (const problem of problems) yield wrong("access", problem, "correct it; docs/access.md has examples");
    return;
  }
  const { cookie, webOrigins } = access.rules;
  if (cookie !== undefined && webOrigins === undefined)
    yield hint(
      "AUTH_COOKIE",
      "without WEB_ORIGINS it counts for no WebSocket, and for no page of another origin",
      "set WEB_ORIGINS to the origins of your pages",
    );
  const issuers: Issuer[] = [];
  for (const one of access.issuers) {
    if ("jwksUrl" in one.settings && isOpenToChange(one.settings.jwksUrl))
      yield hint(
        `issuer ${one.settings.issuer}`,
        "its keys come by http: whoever is between can put keys of their own in the place of them",
        "use https",
      );
    const heard: Heard = { problem: undefined, aheadMs: Number.NaN };
    const issuer = issuerOf(one, portsOf(heard));
    issuers.push(issuer);
    yield* issuerFindings(issuer, heard);
  }
  if (token !== undefined)
    yield tokenFinding(await verifyToken(token, issuers, Date.now(), toTheEnd), issuers, Date.now());
}

function isOpenToChange(url: string): boolean {
  const { protocol, hostname } = new URL(url);
  return protocol === "http:" && !isLoopback(hostname);
}

interface Heard {
  problem: string | undefined;
  /** By how much this machine's clock is ahead of the issuer's; NaN if that isn't known. */
  aheadMs: number;
}

/** Nothing here ends before what it has begun. */
const toTheEnd = () => {};

function portsOf(heard: Heard): Parameters<typeof issuerOf>[1] {
  const now = Date.now();
  return {
    // What it has heard of an issuer's keys holds to its end.
    now: () => now,
    problem: (words) => {
      heard.problem = words;
    },
    fetch: async (url, init) => {
      const before = Date.now();
      const response = await fetch(url, init);
      heard.aheadMs = (before + Date.now()) / 2 - Date.parse(response.headers.get("date") ?? "");
      return response;
    },
  };
}

async function* issuerFindings({ name, key }: Issuer, heard: Heard): AsyncGenerator<Finding, void> {
  const what = `issuer ${name}`;
  // Of no name: the answer says whether there are any.
  const found = await key(undefined, toTheEnd);
  if (found.kind === "unavailable")
    return yield wrong(
      what,
      heard.problem ?? "its keys can't be had",
      "correct its jwksUrl, which must answer with a JWK Set itself, without a redirect",
    );
  yield ok(what, "has keys that can verify tokens");
  const seconds = Math.round(Math.abs(heard.aheadMs) / 1_000);
  if (Math.abs(heard.aheadMs) >= TIME_LIMITS.doctorClockMs)
    yield hint(
      "clock",
      `this machine's clock is ${seconds} s ${heard.aheadMs > 0 ? "ahead of" : "behind"} that of ${name}; past 30 s its tokens are refused early or late`,
      "set the clock that is wrong (NTP)",
    );
}

const WHAT_TO_DO: Record<TokenFault | "unavailable", string> = {
  invalid_token: "have its issuer correct this: docs/access.md says what a token holds",
  expired: "have a new one issued; if it is new, compare the clocks of issuer and edge",
  not_yet_valid: "wait, or compare the clocks of issuer and edge",
  unknown_signer: "correct iss and kid, or add the issuer to AUTH_ISSUERS",
  wrong_audience: "have it issued for the audience of its issuer in AUTH_ISSUERS",
  unavailable: "see what is wrong with its issuer, above",
};

function tokenFinding(result: TokenResult, issuers: readonly Issuer[], now: number): Finding {
  const what = "token";
  if (!result.ok) {
    const { fault, problem } = result;
    if (issuers.length === 0)
      return wrong(
        what,
        "there are no issuers, so every token is refused (unknown_signer)",
        "set AUTH_ISSUERS",
      );
    return wrong(what, `the edge would refuse it with ${fault}: ${problem}`, WHAT_TO_DO[fault]);
  }
  const { issuer, subject, expiresAt, grants } = result.bearer;
  const { subscribe, publish, discover } = grants.patterns;
  const minutes = Math.max(0, Math.floor((expiresAt - now / 1_000) / 60));
  const rights = [
    subscribe.length === 0 ? "reads only what is public" : `reads ${subscribe.join(", ")}`,
    ...(publish.length === 0 ? [] : [`publishes ${publish.join(", ")}`]),
    ...(discover.length === 0 ? [] : [`may know of ${discover.join(", ")}`]),
    ...(grants.admin ? ["may revoke tokens of its issuer"] : []),
  ];
  return ok(what, `is accepted: ${subject} of ${issuer}, for ${minutes} min more; ${rights.join("; ")}`);
}
