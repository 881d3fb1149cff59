/**
 * `/$/uplink`, where origins come in: U1 and V1.
 */
import { challengeOf, TOKEN_FAULTS } from "../../shared/protocol/uplink-token-fault.ts";
import { UPLINK_PROTOCOL, VERSION } from "../../shared/protocol/version.ts";
import { errorResponse, internalError } from "../answers.ts";
import type { Env } from "../env.ts";
import { requireShards, shardStub, uplinkRequest } from "../routing.ts";
import { tellRefused } from "./refused-origins.ts";
import { badUpgrade, chooseProtocol, isWebSocketUpgrade } from "./upgrades.ts";
import { readUplinkKeys, verifyUplinkToken } from "./uplink-auth.ts";

export async function uplinkRoute(request: Request, env: Env): Promise<Response> {
  const read = readUplinkKeys(env.UPLINK_KEYS);
  if (!read.ok) return internalError("an uplink", read.problem);
  const now = new Date();
  // By which an origin sees that its clock is wrong; workerd by itself says no time.
  const date = { Date: now.toUTCString() };
  const token = await verifyUplinkToken(request.headers.get("Authorization"), read.keys, now);
  if (!token.ok) {
    tellRefused(token.problem);
    const challenge = { ...date, "WWW-Authenticate": challengeOf(token.fault) };
    return errorResponse("unauthorized", TOKEN_FAULTS[token.fault], challenge);
  }
  const shards = requireShards(env);
  const shard = new URL(request.url).searchParams.get("shard");
  if (shard === null && !isWebSocketUpgrade(request))
    return Response.json({ version: VERSION, shards }, { headers: { ...date, "Cache-Control": "no-store" } });
  if (shard === null || !isWebSocketUpgrade(request)) return badUpgrade();
  const index = /^\d{1,2}$/.test(shard) ? Number(shard) : shards;
  if (index >= shards) return errorResponse("not_found", `there are the shards 0 to ${shards - 1}`);
  if (chooseProtocol(request, UPLINK_PROTOCOL) !== UPLINK_PROTOCOL)
    return errorResponse("unsupported_version", `this edge speaks ${UPLINK_PROTOCOL}`);
  return shardStub(env, index).fetch(uplinkRequest({ name: token.origin, scope: token.scope?.text }));
}
