/**
 * Endpoints over HTTP and WebSocket: A3–A5, H1–H7, S1 and V1 of PROTOCOL.md. A GET is one question through the
 * shard; a subscribe is passed on to the endpoint's object, which nothing but an exposed, canonical path reaches.
 */
import { ERRORS } from "../../shared/protocol/codes.ts";
import { OLDEST, type Position, parseLongPosition, parsePosition } from "../../shared/protocol/position.ts";
import { SUBSCRIBER_PROTOCOL } from "../../shared/protocol/version.ts";
import type { Identified, Known } from "../access/access.ts";
import { mayRead } from "../access/decision.ts";
import type { Env } from "../env.ts";
import { encodePrincipal, type Principal } from "../principal.ts";
import { objectName, shardStubOf, subscribeRequest } from "../routing.ts";
import { internalError, logProblem, refusedToken } from "./answers.ts";
import { isBrief, latestResponse } from "./latest.ts";
import { type Refusal, refusal, refusalOf } from "./refusal.ts";
import { elsewhere, targetOf } from "./target.ts";
import { badUpgrade, chooseProtocol, refuseUpgrade } from "./upgrades.ts";

/** H1: the latest record. */
export async function latestRoute(request: Request, env: Env, known: Known): Promise<Response> {
  const { principal } = known;
  const url = new URL(request.url);
  const target = targetOf(url, known, mayRead);
  if (target.kind !== "endpoint") return elsewhere(target, url);
  const asked = { ifNoneMatch: request.headers.get("If-None-Match"), isHead: request.method === "HEAD" };
  const ask = async (brief: boolean) => {
    const latest = await shardStubOf(env, target.path).latest(target.path, encodePrincipal(principal), brief);
    // Its token ended, or was revoked, on the way.
    if (latest.kind === "error" && ERRORS[latest.code].status === 401)
      return refusedToken(latest.code, latest.message);
    return latestResponse(latest, asked);
  };
  const answer = (await ask(isBrief(asked))) ?? (await ask(false));
  return answer ?? internalError("the latest record", "an origin kept back a value that was asked for");
}

/** A request that wants to be a WebSocket: a subscribe, or refused (H7, H9). */
export async function upgradeRoute(
  request: Request,
  env: Env,
  identify: () => Promise<Identified | ({ readonly ok: false } & Refusal)>,
): Promise<Response> {
  // Only a GET can become one.
  if (request.method !== "GET") return badUpgrade();
  try {
    const identified = await identify();
    const answer = identified.ok ? await subscribe(request, env, identified.known) : identified;
    return answer instanceof Response ? answer : refuseUpgrade(request, SUBSCRIBER_PROTOCOL, answer);
  } catch (error) {
    logProblem("a subscribe", error);
    const refusal = { code: "internal", message: "something went wrong here; try again" } as const;
    return refuseUpgrade(request, SUBSCRIBER_PROTOCOL, refusal);
  }
}

async function subscribe(request: Request, env: Env, known: Known): Promise<Response | Refusal> {
  const { principal } = known;
  const url = new URL(request.url);
  const target = targetOf(url, known, mayRead);
  if (target.kind === "otherSpelling") return { code: "not_canonical", message: `dial ${target.path}` };
  if (target.kind === "refused") {
    const { code, message } = target;
    return code === "not_found"
      ? { code: "bad_upgrade", message: "no WebSocket is served here" }
      : { code, message };
  }
  const protocol = chooseProtocol(request, SUBSCRIBER_PROTOCOL);
  if (protocol === "none")
    return { code: "unsupported_version", message: `this edge speaks ${SUBSCRIBER_PROTOCOL}` };
  const from = await startOf(url.searchParams.get("from"), target.path, env, principal);
  if (from !== undefined && "code" in from) return from;
  const id = env.ENDPOINT.idFromName(await objectName(target.path));
  const answer = await env.ENDPOINT.get(id).fetch(subscribeRequest(target.path, from, protocol, principal));
  return answer.status === 101 ? answer : refusalOf(answer);
}

/** Where a subscribe begins. For the oldest (S16) the source is asked, as for a GET; from there it is a resume like any other. */
async function startOf(
  from: string | null,
  path: string,
  env: Env,
  principal: Principal,
): Promise<Position | Refusal | undefined> {
  if (from === null) return undefined;
  const position = parsePosition(from);
  if (position !== undefined) return position;
  if (from !== OLDEST) return { code: "bad_position", message: "from is not a position" };
  const latest = await shardStubOf(env, path).latest(path, encodePrincipal(principal), true);
  if (latest.kind === "error") return refusal(latest.code, latest.message);
  if (latest.oldest !== undefined) return parseLongPosition(latest.oldest);
  return { code: "unavailable", message: "the source of this endpoint can't say where its history begins" };
}
