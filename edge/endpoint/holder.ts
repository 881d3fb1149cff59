/**
 * By whose token a socket is there, as far as its object must know: the names of it only to compare them, and when it ends.
 * What the token allows was looked at before. S17 and S19 of PROTOCOL.md.
 */
import type { TokenNames } from "../../shared/protocol/revocation.ts";
import { tokenNamesOf } from "../access/token-names.ts";
import type { KnownPrincipal } from "../principal.ts";
import { TIME_LIMITS } from "../time-limits.ts";

export interface Holder extends TokenNames {
  /** When it came, which is a sign of life of its socket: milliseconds since 1970, as all times here. */
  readonly cameAt: number;
  /** When it ends. */
  readonly until: number;
  /** When its socket is to be told that this is near; undefined once that is done. */
  readonly noticeAt: number | undefined;
  /** It was revoked: its socket is closed then, unless it is renewed before. */
  readonly revokedAt?: number | undefined;
}

/** Before a token ends, if half of what was left of it is longer. */
const NOTICE_MS = TIME_LIMITS.tokenNoticeMs;

/** `now`: milliseconds since 1970, when the token came. */
export async function holderOf(principal: KnownPrincipal, now: number): Promise<Holder> {
  const { until } = principal;
  return { ...(await tokenNamesOf(principal)), cameAt: now, until, noticeAt: noticeOf(until, now) };
}

/** When its socket is closed. */
export function endOfHolder({ until, revokedAt = until }: Holder): number {
  return Math.min(until, revokedAt);
}

/** One whose socket has so long to be renewed; it is told so at once. Of two such ends the earlier one counts. */
export function revoked(holder: Holder, at: number): Holder {
  return { ...holder, noticeAt: undefined, revokedAt: Math.min(at, holder.revokedAt ?? at) };
}

/** The revocation was lifted: of its own end it will be told anew. */
export function restored({ revokedAt: _, ...holder }: Holder, now: number): Holder {
  return { ...holder, noticeAt: noticeOf(holder.until, now) };
}

/** Tokens end at whole seconds, so what is due is looked for no more often than once in a second. */
function noticeOf(until: number, now: number): number {
  const before = Math.min(NOTICE_MS, (until - now) / 2);
  return Math.floor((until - before) / 1_000) * 1_000;
}

export function isSamePrincipal(one: Holder, other: Holder): boolean {
  return one.issuer === other.issuer && one.subject === other.subject;
}

/** Whether it is the token that was there before: of that one was told already, or will be. */
export function isSameToken(one: Holder, other: Holder): boolean {
  return (
    isSamePrincipal(one, other) &&
    one.tokenId === other.tokenId &&
    one.issuedAt === other.issuedAt &&
    one.until === other.until
  );
}
