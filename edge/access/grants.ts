/** What a token lets its bearer do: the claim `distributary`, read once, strictly. */
import * as v from "valibot";
import type { Address } from "../../shared/protocol/address.ts";
import { type Claims, type Matcher, matches, patternText, readPattern } from "./pattern.ts";

const ACTIONS = ["subscribe", "publish", "discover"] as const;

export type Action = (typeof ACTIONS)[number];

/** Patterns of one action. */
const PATTERNS = 50;

const patterns = v.optional(v.pipe(v.array(v.string()), v.maxLength(PATTERNS)), []);

const Claim = v.strictObject({
  subscribe: patterns,
  publish: patterns,
  discover: patterns,
  admin: v.optional(v.boolean(), false),
});

export interface Grants {
  /** As they would be written without claims; those that name nothing are left out. */
  readonly patterns: Readonly<Record<Action, readonly string[]>>;
  readonly matchers: Readonly<Record<Action, readonly Matcher[]>>;
  /** Whether its bearer may revoke tokens of its issuer (A9). */
  readonly admin: boolean;
}

export type GrantsResult =
  | { readonly ok: true; readonly grants: Grants }
  | { readonly ok: false; readonly problem: string };

/** `claims`: all that the token has. Without the claim a token lets its bearer do what everybody may. */
export function readGrants(claims: Claims): GrantsResult {
  const parsed = v.safeParse(Claim, claims.distributary === undefined ? {} : claims.distributary);
  if (!parsed.success) {
    const [issue] = parsed.issues;
    const at = v.getDotPath(issue);
    return { ok: false, problem: `distributary${at === null ? "" : `.${at}`}: ${expectedOf(issue)}` };
  }
  const { admin, ...written } = parsed.output;
  const matchers: Record<Action, Matcher[]> = { subscribe: [], publish: [], discover: [] };
  for (const action of ACTIONS)
    for (const [i, text] of written[action].entries()) {
      const read = readPattern(text, claims);
      if (!read.ok) return { ok: false, problem: `distributary.${action}.${i}: ${read.problem}` };
      matchers[action].push(read.matcher);
    }
  const textsOf = (action: Action) => matchers[action].flatMap((matcher) => patternText(matcher) ?? []);
  const patterns = {
    subscribe: textsOf("subscribe"),
    publish: textsOf("publish"),
    discover: textsOf("discover"),
  };
  return { ok: true, grants: { patterns, matchers, admin } };
}

export function may({ matchers }: Grants, action: Action, address: Pick<Address, "topic" | "key">): boolean {
  return matchers[action].some((matcher) => matches(matcher, address));
}

/** What should be there; what is there is the bearer's. */
function expectedOf({ expected, message }: v.BaseIssue<unknown>): string {
  return expected === null ? message.replace(/ but received .*$/s, "") : `must be ${expected}`;
}
