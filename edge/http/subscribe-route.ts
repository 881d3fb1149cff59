/**
 * A GET that wants to be a WebSocket, and no uplink: a subscribe, or refused (S1, H7, H9 of PROTOCOL.md). It is passed on to the
 * endpoint's object, which nothing but an exposed, canonical path reaches.
 */
import { OLDEST, type Position, parsePosition } from "../../shared/protocol/position.ts";
import { OCCUPANCY, ROUTES, SUBSCRIBER_PROTOCOL } from "../../shared/protocol/version.ts";
import type { Door, Known } from "../access/access.ts";
import { mayPublish } from "../access/decision.ts";
import type { KeepAlive } from "../access/remote-keys.ts";
import { logProblem, tooMuchMessage } from "../answers.ts";
import type { Env } from "../env.ts";
import { oldestOf } from "../oldest.ts";
import { count } from "../operations.ts";
import { type Principal, PUBLIC } from "../principal.ts";
import { queryOf } from "../query.ts";
import { hostAllowed, mayAsk, OTHER_PAGE, WRONG_HOST } from "./browsers.ts";
import { connect } from "./connect-route.ts";
import { targetOf } from "./endpoint-route.ts";
import { openWhereRoom } from "./opening.ts";
import { quotaWait } from "./quotas.ts";
import { type Refusal, refusal, refusalOf } from "./refusal.ts";
import { regionOfClient } from "./region.ts";
import { type Sender, senderOf } from "./sender.ts";
import { isSiblingAsking } from "./siblings.ts";
import { chooseProtocol, refuseUpgrade } from "./upgrades.ts";

/** `doorOf`: as of the routes. */
export async function subscribeRoute(
  request: Request,
  url: URL,
  env: Env,
  doorOf: (env: Env) => Promise<Door>,
  keepAlive: KeepAlive,
): Promise<Response> {
  if (!isSiblingAsking(env)) count("worker_request");
  try {
    if (!hostAllowed(url, env)) return refuseUpgrade(request, SUBSCRIBER_PROTOCOL, WRONG_HOST);
    const door = await doorOf(env);
    const identified = mayAsk(request, door.rules, env)
      ? await door.identify(request.headers, true, keepAlive)
      : ({ ok: false, ...OTHER_PAGE } as const);
    const sender = senderOf(request, identified.ok ? identified.known.principal : PUBLIC, env);
    const isReplay = queryOf(url).has("from");
    const seconds = await quotaWait(env, sender, "subscribe", ...(isReplay ? ["replay" as const] : []));
    if (seconds > 0) {
      const refusal = { code: "rate_limited", message: tooMuchMessage(seconds) } as const;
      return refuseUpgrade(request, SUBSCRIBER_PROTOCOL, refusal);
    }
    const answer = identified.ok ? await subscribe(request, url, env, identified.known, sender) : identified;
    return answer instanceof Response ? answer : refuseUpgrade(request, SUBSCRIBER_PROTOCOL, answer);
  } catch (error) {
    logProblem("a subscribe", error);
    const refusal = { code: "internal", message: "something went wrong here; try again" } as const;
    return refuseUpgrade(request, SUBSCRIBER_PROTOCOL, refusal);
  }
}

async function subscribe(
  request: Request,
  url: URL,
  env: Env,
  known: Known,
  sender: Sender | undefined,
): Promise<Response | Refusal> {
  const { principal } = known;
  if (url.pathname === ROUTES.connect) return connect(request, env, known);
  const target = targetOf(url, known);
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
  const query = queryOf(url);
  const from = await startOf(query.get("from"), target.path, env, principal);
  if (from !== undefined && "code" in from) return from;
  const occupancy = query.has(OCCUPANCY) || undefined;
  // What everybody may is known where the socket is.
  const publishes = principal.kind === "known" && targetOf(url, known, mayPublish).kind === "endpoint";
  const client = { region: regionOfClient(request), sender };
  const more = { publishes, occupancy };
  const answer = await openWhereRoom(env, target.path, client, from, protocol, principal, more);
  return answer.status === 101 ? answer : refusalOf(answer);
}

/** Where a subscribe begins. For the oldest (S16) the source is asked, as for a GET; from there it is a resume like any other. */
export async function startOf(
  from: string | null,
  path: string,
  env: Env,
  principal: Principal,
): Promise<Position | Refusal | undefined> {
  if (from === null) return undefined;
  const position = parsePosition(from);
  if (position !== undefined) return position;
  if (from !== OLDEST) return { code: "bad_position", message: "from is not a position" };
  const oldest = await oldestOf(env, path, principal);
  return "code" in oldest ? refusal(oldest.code, oldest.message) : oldest;
}
