/** What a principal's token is known by when names are only compared. */
import type { TokenNames } from "../../shared/protocol/revocation.ts";
import type { KnownPrincipal } from "../principal.ts";
import { hashOfName } from "./name-hash.ts";

export async function tokenNamesOf(principal: KnownPrincipal): Promise<TokenNames> {
  const { id, issuedAt } = principal;
  const [issuer, subject, tokenId] = await Promise.all([
    hashOfName(principal.issuer),
    hashOfName(principal.subject),
    id === undefined ? undefined : hashOfName(id),
  ]);
  return { issuer, subject, tokenId, issuedAt };
}
