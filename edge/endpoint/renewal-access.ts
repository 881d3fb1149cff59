/** Looks at a token that is renewed on a socket, with what the isolate has of its issuers: S18 of PROTOCOL.md. */
import { parseAddress } from "../../shared/protocol/address.ts";
import { accessOf } from "../access/access.ts";
import { mayPublish, mayRead } from "../access/decision.ts";
import type { KeepAlive } from "../access/remote-keys.ts";
import { principalOf } from "../access/token.ts";
import type { Env } from "../env.ts";
import { requireStreams } from "../exposed.ts";
import { holderOf } from "./holder.ts";
import type { Granted, Verified } from "./renewals.ts";

export async function verifyRenewal(
  env: Env,
  token: string,
  keepAlive: KeepAlive,
): Promise<Verified<Granted>> {
  const access = await accessOf(env);
  const result = await access.verify(token, keepAlive);
  if (!result.ok) {
    const retryAfterMs = result.fault === "unavailable" ? result.retryMs : undefined;
    return { ok: false, code: result.fault, message: result.problem, retryAfterMs };
  }
  const { bearer } = result;
  const streams = requireStreams();
  const asker = { grants: bearer.grants, tokensCount: access.tokensCount };
  const principal = principalOf(bearer);
  return {
    ok: true,
    holder: await holderOf(principal, Date.now()),
    grants: principal.grants,
    mayRead(path) {
      const parsed = parseAddress(path);
      return parsed.ok && mayRead(streams, parsed.address, asker).ok;
    },
    mayPublish(path) {
      const parsed = parseAddress(path);
      return parsed.ok && mayPublish(streams, parsed.address, asker).ok;
    },
  };
}
