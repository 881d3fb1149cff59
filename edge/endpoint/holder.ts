/**
 * By whose token a socket is there, as far as its object must know: the names of it only to compare them, and when it ends.
 * What the token allows was looked at before. S17 and S19 of PROTOCOL.md.
 */
import { hashOfName } from "../access/name-hash.ts";
import type { KnownPrincipal } from "../principal.ts";
import { TIME_LIMITS } from "../time-limits.ts";

export interface Holder {
  /** Hashes of names. */
  readonly issuer: string;
  readonly subject: string;
  readonly tokenId: string | undefined;
  /** Seconds since 1970. */
  readonly issuedAt: number;
  /** When it ends: milliseconds since 1970. */
  readonly until: number;
  /** When its socket is to be told that this is near; undefined once that is done. */
  readonly noticeAt: number | undefined;
}

/** Before a token ends, if half of what was left of it is longer. */
const NOTICE_MS = TIME_LIMITS.tokenNoticeMs;

/** `now`: milliseconds since 1970, when the token came. */
export async function holderOf(principal: KnownPrincipal, now: number): Promise<Holder> {
  const { id, issuedAt, until } = principal;
  const [issuer, subject, tokenId] = await Promise.all([
    hashOfName(principal.issuer),
    hashOfName(principal.subject),
    id === undefined ? undefined : hashOfName(id),
  ]);
  return { issuer, subject, tokenId, issuedAt, until, noticeAt: noticeOf(until, now) };
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
