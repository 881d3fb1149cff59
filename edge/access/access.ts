/**
 * Who sends a request: the one place where a principal is made. It is made once for each isolate from the deployment's
 * settings, since an issuer's keys are kept with it.
 */
import type { ErrorCode } from "../../shared/protocol/codes.ts";
import { logProblem } from "../answers.ts";
import type { Env } from "../env.ts";
import { type Principal, PUBLIC } from "../principal.ts";
import { type CredentialRules, credentialsOf } from "./credentials.ts";
import type { Asker } from "./decision.ts";
import { issuerOf } from "./issuer.ts";
import type { KeepAlive, RemoteKeysPorts } from "./remote-keys.ts";
import { readAccess } from "./settings.ts";
import { type Issuer, principalOf, type TokenFault, type TokenResult, verifyToken } from "./token.ts";

/** What is known of whoever sends a request. */
export interface Known extends Asker {
  readonly principal: Principal;
  /** How long tokens of its issuer may be valid; absent for "public". */
  readonly lifetimeSeconds?: number | undefined;
}

export type Identified =
  | { readonly ok: true; readonly known: Known }
  | {
      readonly ok: false;
      readonly code: Extract<ErrorCode, TokenFault | "unavailable">;
      readonly message: string;
      /** Sooner the same token would be told the same. */
      readonly retryMs?: number | undefined;
    };

const NONE = { kind: "none" } as const;

export class Access {
  readonly rules: CredentialRules;
  readonly #issuers: readonly Issuer[];

  constructor(issuers: readonly Issuer[], rules: CredentialRules) {
    this.#issuers = issuers;
    this.rules = rules;
  }

  /** Whether there is anybody whose tokens count. */
  get tokensCount(): boolean {
    return this.#issuers.length > 0;
  }

  async identify(headers: Headers, upgrade: boolean, keepAlive: KeepAlive): Promise<Identified> {
    const { tokensCount } = this;
    // If there are no issuers, a token is meant for somebody else, such as a proxy in front of the edge.
    const credentials = tokensCount ? credentialsOf({ headers, upgrade }, this.rules) : NONE;
    if (credentials.kind === "none")
      return { ok: true, known: { principal: PUBLIC, grants: undefined, tokensCount } };
    if (credentials.kind === "malformed")
      return { ok: false, code: "invalid_token", message: "it must be one token, and nothing else" };
    const result = await this.verify(credentials.token, keepAlive);
    if (!result.ok) {
      const { fault, problem } = result;
      const retryMs = result.fault === "unavailable" ? result.retryMs : undefined;
      return { ok: false, code: fault, message: problem, retryMs };
    }
    const { bearer } = result;
    const principal = principalOf(bearer);
    const lifetimeSeconds = this.#issuers.find(({ name }) => name === bearer.issuer)?.lifetimeSeconds;
    return { ok: true, known: { principal, grants: bearer.grants, tokensCount, lifetimeSeconds } };
  }

  verify(token: string, keepAlive: KeepAlive): Promise<TokenResult> {
    return verifyToken(token, this.#issuers, Date.now(), keepAlive);
  }
}

/** Who sends requests, and whose pages are answered. */
export type Door = Pick<Access, "identify" | "rules">;

let made: { readonly env: Env; readonly from: string; readonly access: Promise<Access> } | undefined;

/** Throws if a setting is wrong: nothing is served then but health and uplinks. */
export function accessOf(env: Env): Promise<Access> {
  // Nearly always it is the same, and to write its settings down for each request takes time.
  if (made?.env === env) return made.access;
  const from = JSON.stringify([env.AUTH_ISSUERS, env.WEB_ORIGINS, env.AUTH_COOKIE]);
  made = { env, from, access: made?.from === from ? made.access : makeAccess(env) };
  return made.access;
}

async function makeAccess(env: Env): Promise<Access> {
  const { issuers, rules } = await readAccess({ ...env, AUTH_ISSUERS: env.AUTH_ISSUERS ?? undefined });
  const ports: RemoteKeysPorts = {
    fetch: (url, init) => fetch(url, init),
    now: () => Date.now(),
    problem: (words) => logProblem("access", words),
  };
  return new Access(
    issuers.map((one) => issuerOf(one, ports)),
    rules,
  );
}
