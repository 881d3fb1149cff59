/**
 * `/$/uplink`, where origins come in: U1 and V1.
 */
import { challengeOf, TOKEN_FAULTS } from "../../shared/protocol/uplink-token-fault.ts";
import { UPLINK_PROTOCOL, VERSION } from "../../shared/protocol/version.ts";
import { errorResponse, internalError } from "../answers.ts";
import type { Env } from "../env.ts";
import { requireShards, shardStub, uplinkRequest } from "../routing.ts";
import { tellRefused } from "./refused-origins.ts";
import { siblingsOf } from "./siblings.ts";
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
  const asked = new URL(request.url).searchParams;
  const { number, count, others } = siblingsOf(env);
  const edge = numberIn(asked.get("edge") ?? "0", count);
  if (edge === undefined) return errorResponse("not_found", `there are the edges 0 to ${count - 1}`);
  if (edge !== number) {
    const sibling = others.get(edge);
    if (sibling === undefined) return internalError("an uplink", `edge ${edge} has come to edge ${number}`);
    return sibling.fetch(request);
  }
  const shard = asked.get("shard");
  if (shard === null && !isWebSocketUpgrade(request))
    return Response.json(
      { version: VERSION, shards, ...(count > 1 && { edges: count }) },
      { headers: { ...date, "Cache-Control": "no-store" } },
    );
  if (shard === null || !isWebSocketUpgrade(request)) return badUpgrade();
  const index = numberIn(shard, shards);
  if (index === undefined) return errorResponse("not_found", `there are the shards 0 to ${shards - 1}`);
  if (chooseProtocol(request, UPLINK_PROTOCOL) !== UPLINK_PROTOCOL)
    return errorResponse("unsupported_version", `this edge speaks ${UPLINK_PROTOCOL}`);
  return shardStub(env, index).fetch(uplinkRequest({ name: token.origin, scope: token.scope?.text }));
}

/** undefined if it is none from 0 to below `count`. */
function numberIn(text: string, count: number): number | undefined {
  const number = /^\d{1,2}$/.test(text) ? Number(text) : count;
  return number < count ? number : undefined;
}
