/** What an object needs for tokens, in tests that are about other things, and tokens for those that are not. */
import type { ConnectionLimits } from "../../edge/endpoint/connection-limits.ts";
import type { Holder } from "../../edge/endpoint/holder.ts";
import type { Verified } from "../../edge/endpoint/renewals.ts";
import type { SenderLimits } from "../../edge/endpoint/sender-spending.ts";

/** No client of a test is too fast. */
export const UNLIMITED: ConnectionLimits = {
  messages: { perSecond: 1_000_000, burst: 1_000_000 },
  asks: { perSecond: 1_000_000, burst: 1_000_000 },
  publishes: { perSecond: 1_000_000, burst: 1_000_000 },
  perPrincipal: 1_000_000,
  unsentBytes: 1e9,
};

/** Nor are all of them together. */
export const BY_SENDER: SenderLimits = {
  messages: UNLIMITED.messages,
  asks: UNLIMITED.asks,
  publishes: UNLIMITED.publishes,
  replayed: UNLIMITED.messages,
};

/** Everybody may. */
export const PUBLISHING = { by: "public", maxBytes: 1024 * 1024 } as const;

/** No token is good. */
export async function noTokens(): Promise<Verified> {
  return { ok: false, code: "invalid_token", message: "a test takes none" };
}

/** By alice's token, which came long before its end unless told. */
export function holder(until: number, more: Partial<Holder> = {}): Holder {
  return {
    issuer: "issuer",
    subject: "alice",
    tokenId: "1",
    issuedAt: 1_700_000_000,
    cameAt: until - 600_000,
    until,
    noticeAt: until - 60_000,
    ...more,
  };
}
