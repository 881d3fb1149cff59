/** What an administrator says to revoke tokens: the body of `POST /$/revocations`. Pure. */
import * as v from "valibot";
import { parseObject } from "../../shared/protocol/json-object.ts";
import { TOKEN_LIMITS } from "./token.ts";

export const REVOCATION_LIMITS = {
  bodyBytes: 4_096,
  graceSeconds: 3_600,
  /** How far ahead one may lapse. */
  aheadSeconds: 366 * 86_400,
} as const;

/** Times are in seconds since 1970. */
export interface RevocationRequest {
  readonly id: string | undefined;
  /** `before`: tokens that were issued later are not meant. */
  readonly of:
    | { readonly kind: "token"; readonly tokenId: string }
    | { readonly kind: "subject"; readonly subject: string; readonly before: number }
    | { readonly kind: "all"; readonly before: number };
  readonly until: number;
  readonly graceSeconds: number;
}

export type RevocationRequestResult =
  | { readonly ok: true; readonly request: RevocationRequest }
  | { readonly ok: false; readonly problem: string };

const Name = v.pipe(
  v.string(),
  v.minLength(1),
  v.maxLength(TOKEN_LIMITS.identifier),
  v.check((text) => text.isWellFormed(), "must be text"),
);
const Time = v.pipe(v.number(), v.minValue(0), v.maxValue(1e11));

const Body = v.strictObject({
  id: v.optional(v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{1,64}$/, "must be 1 to 64 of A-Z a-z 0-9 _ -"))),
  tokenId: v.optional(Name),
  subject: v.optional(Name),
  issuedBefore: v.optional(Time),
  until: v.optional(Time),
  graceSeconds: v.optional(
    v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(REVOCATION_LIMITS.graceSeconds)),
    0,
  ),
  issuer: v.optional(v.never("is always that of the administrator's token")),
});

/** `lifetimeSeconds`: how long tokens of the issuer may be valid. `now`: seconds since 1970. */
export function readRevocation(text: string, lifetimeSeconds: number, now: number): RevocationRequestResult {
  const json = parseObject(text);
  if (json === undefined) return wrong("the body must be a JSON object");
  const parsed = v.safeParse(Body, json);
  if (!parsed.success) {
    const [issue] = parsed.issues;
    const at = v.getDotPath(issue);
    // What was received may be anything, a token too, and stand where a name should.
    if (at !== null && !Object.hasOwn(Body.entries, at))
      return wrong(
        "the body may say id, tokenId, subject, issuedBefore, until and graceSeconds, and nothing else",
      );
    return wrong(`${at === null ? "the body" : at}: ${issue.message.replace(/ but received .*$/s, "")}`);
  }
  const { id, tokenId, subject, issuedBefore, graceSeconds } = parsed.output;
  if (tokenId !== undefined && (subject !== undefined || issuedBefore !== undefined))
    return wrong("tokenId names one token, and goes with neither subject nor issuedBefore");
  if (tokenId === undefined && subject === undefined && issuedBefore === undefined)
    return wrong("one of tokenId, subject and issuedBefore must say which tokens are meant");
  // An issuer's clock may be ahead: what it has issued by now can say that it was issued so much later.
  const latest = now + TOKEN_LIMITS.toleranceSeconds;
  if (subject === undefined && issuedBefore !== undefined && issuedBefore > latest)
    return wrong("issuedBefore of all tokens can't lie ahead: nobody could lift that");
  const before = issuedBefore ?? latest;
  const { until = Math.max(before, latest) + lifetimeSeconds } = parsed.output;
  if (until <= now || until > now + REVOCATION_LIMITS.aheadSeconds + lifetimeSeconds)
    return wrong("until must lie ahead, by a year at most");
  const of =
    tokenId !== undefined
      ? ({ kind: "token", tokenId } as const)
      : subject !== undefined
        ? ({ kind: "subject", subject, before } as const)
        : ({ kind: "all", before } as const);
  return { ok: true, request: { id, of, until, graceSeconds } };
}

function wrong(problem: string): RevocationRequestResult {
  return { ok: false, problem };
}
