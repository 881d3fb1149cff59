/**
 * Endpoints over HTTP and WebSocket: A3–A5, H1–H7, S1 and V1 of PROTOCOL.md. A GET is one question through the
 * shard; a subscribe is passed on to the endpoint's object, which nothing but an exposed, canonical path reaches.
 */
import { base64Path, parseAddress } from "../../shared/protocol/address.ts";
import { ERRORS } from "../../shared/protocol/codes.ts";
import { OLDEST, type Position, parsePosition } from "../../shared/protocol/position.ts";
import { OCCUPANCY, ROUTES, SUBSCRIBER_PROTOCOL } from "../../shared/protocol/version.ts";
import type { Identified, Known } from "../access/access.ts";
import { type Asker, type Decision, mayPublish, mayRead } from "../access/decision.ts";
import type { KeepAlive } from "../access/remote-keys.ts";
import { errorResponse, logProblem, refusedToken, tooMuchMessage } from "../answers.ts";
import { connectionLimits } from "../endpoint/connection-limits.ts";
import type { Env } from "../env.ts";
import { requireStreams } from "../exposed.ts";
import { oldestOf } from "../oldest.ts";
import { encodePrincipal, type Principal, PUBLIC } from "../principal.ts";
import { shardStubOf } from "../routing.ts";
import type { LatestResult } from "../shard/answering/latest.ts";
import { SteadyClock } from "../surroundings.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import { AnswerBudget } from "./answer-budget.ts";
import { connect } from "./connect-route.ts";
import { isBrief, latestResponse, noRoom } from "./latest.ts";
import type { Aged, LatestCache } from "./latest-cache.ts";
import { clientOf, openWhereRoom } from "./opening.ts";
import { quotaWait } from "./quotas.ts";
import { type Refusal, refusal, refusalOf } from "./refusal.ts";
import { isBehind, type Reuse, withAge } from "./reuse.ts";
import { senderOf } from "./sender.ts";
import { type Handing, hasRoom } from "./unread.ts";
import { badUpgrade, chooseProtocol, refuseUpgrade } from "./upgrades.ts";

/** To a request for what is no endpoint, or none for its sender. */
export function elsewhere(target: Exclude<Target, { kind: "endpoint" }>, url: URL): Response {
  if (target.kind === "otherSpelling") return redirect(target, url);
  const { code, message } = target;
  return code === "no_token" ? refusedToken(code, message) : errorResponse(code, message);
}

/** In the query of a request that was led to a canonical path. */
const LED = "respelled";

/**
 * To the canonical path. If it comes from there, something on its way spells paths anew, and would do so for ever: then to the
 * path that has nothing to spell.
 */
function redirect({ path, base64 }: Extract<Target, { kind: "otherSpelling" }>, url: URL): Response {
  const query = url.search.slice(1).split("&");
  const kept = query.filter((part) => part !== "" && part !== LED);
  const wasLed = query.includes(LED);
  const search = [...kept, ...(wasLed ? [] : [LED])].join("&");
  const location = wasLed ? base64 : path;
  return new Response(null, {
    status: 308,
    headers: { Location: search === "" ? location : `${location}?${search}` },
  });
}

export interface LatestAnswer {
  readonly latest: LatestResult;
  readonly answer: Response;
}

/** Where answers may be found that others got. */
export interface Reusing {
  readonly cache: LatestCache;
  readonly reuse: Reuse;
}

/** H1: the latest record, and the answer to a request for it. */
export async function latestOf(
  request: Request,
  env: Env,
  path: string,
  principal: Principal,
  keepAlive: KeepAlive,
  reusing?: Reusing,
): Promise<LatestAnswer> {
  const handing = handingOf(env, keepAlive);
  const asked = { ifNoneMatch: request.headers.get("If-None-Match"), isHead: request.method === "HEAD" };
  const question = (brief: boolean) => shardStubOf(env, path).latest(path, encodePrincipal(principal), brief);
  const answerWith = ({ latest, ageMs }: Aged) => {
    // Its token ended, or was revoked, on the way.
    if (latest.kind === "error" && ERRORS[latest.code].status === 401)
      return { latest, answer: refusedToken(latest.code, latest.message) };
    const answer = latestResponse(latest, asked, handing);
    if (typeof answer !== "object") return answer;
    return { latest, answer: reusing?.cache.isThere ? withAge(answer, reusing.reuse, ageMs) : answer };
  };
  const ask = async (brief: boolean) => {
    if (reusing === undefined) return answerWith({ latest: await question(brief), ageMs: 0 });
    const { cache, reuse } = reusing;
    const key = cacheUrl(request, path);
    const said = await cache.ask(key, reuse.wantedMs, brief, () => question(brief), keepAlive);
    if (!isBehind(said.latest, asked.ifNoneMatch) || said.ageMs === 0) return answerWith(said);
    return answerWith(await cache.ask(key, 0, brief, () => question(brief), keepAlive));
  };
  const before = await reusing?.cache.find(cacheUrl(request, path), reusing.reuse.wantedMs);
  if (before !== undefined && !isBehind(before.latest, asked.ifNoneMatch)) {
    const answer = answerWith(before);
    if (typeof answer === "object") return answer;
  }
  let found = await ask(isBrief(asked) || handing.budget.refuses(handing.now()));
  // While there is room for a value others may be faster.
  while (found === undefined || found === "no room") {
    if (!(await hasRoom(handing))) return noRoom();
    found = await ask(false);
    if (found === undefined) throw new Error("an origin kept back a value that was asked for");
  }
  return found;
}

/** Under what has no endpoints, so that nobody's request can be for it. */
function cacheUrl({ url }: Request, path: string): string {
  return `${new URL(url).origin}${ROUTES.home}latest${path}`;
}

const clock = new SteadyClock(() => Date.now());
let budget: AnswerBudget | undefined;

/** How a large answer of this isolate is handed over. */
export function handingOf(env: Env, keepAlive: KeepAlive): Handing {
  budget ??= new AnswerBudget(connectionLimits(env).unsentBytes / 2);
  return { budget, now: () => clock.now(), keepAlive, until: clock.now() + TIME_LIMITS.answerRoomMs };
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
    const sender = senderOf(request, identified.ok ? identified.known.principal : PUBLIC, env);
    const url = new URL(request.url);
    const isReplay = url.searchParams.has("from");
    const seconds = await quotaWait(env, sender, "subscribe", ...(isReplay ? ["replay" as const] : []));
    if (seconds > 0) {
      const refusal = { code: "rate_limited", message: tooMuchMessage(seconds) } as const;
      return refuseUpgrade(request, SUBSCRIBER_PROTOCOL, refusal);
    }
    const answer = identified.ok ? await subscribe(request, url, env, identified.known) : identified;
    return answer instanceof Response ? answer : refuseUpgrade(request, SUBSCRIBER_PROTOCOL, answer);
  } catch (error) {
    logProblem("a subscribe", error);
    const refusal = { code: "internal", message: "something went wrong here; try again" } as const;
    return refuseUpgrade(request, SUBSCRIBER_PROTOCOL, refusal);
  }
}

async function subscribe(request: Request, url: URL, env: Env, known: Known): Promise<Response | Refusal> {
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
  const from = await startOf(url.searchParams.get("from"), target.path, env, principal);
  if (from !== undefined && "code" in from) return from;
  const occupancy = url.searchParams.has(OCCUPANCY) || undefined;
  // What everybody may is known where the socket is.
  const publishes = principal.kind === "known" && targetOf(url, known, mayPublish).kind === "endpoint";
  const answer = await openWhereRoom(
    env,
    target.path,
    clientOf(request, principal, env),
    from,
    protocol,
    principal,
    {
      publishes,
      occupancy,
    },
  );
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

export type Target =
  /** The canonical path of an endpoint that may be read. */
  | { readonly kind: "endpoint"; readonly path: string }
  /** The path was another spelling of this one. `base64`: the one of these that is served. */
  | { readonly kind: "otherSpelling"; readonly path: string; readonly base64: string }
  | { readonly kind: "refused"; readonly code: RefusedCode; readonly message: string };

type RefusedCode =
  | "bad_address"
  | "key_too_long"
  | "not_found"
  | Extract<Decision, { readonly ok: false }>["code"];

/** @param decide What its sender wants to do there. */
export function targetOf(url: URL, asker: Asker, decide = mayRead): Target {
  const parsed = parseAddress(url.pathname);
  if (!parsed.ok) return { kind: "refused", code: parsed.code, message: PROBLEMS[parsed.code] };
  const { path } = parsed.address;
  if (!parsed.canonical && !parsed.isBase64)
    return { kind: "otherSpelling", path, base64: base64Path(parsed.address) };
  const decision = decide(requireStreams(), parsed.address, asker);
  return decision.ok ? { kind: "endpoint", path } : { ...decision, kind: "refused" };
}

const PROBLEMS = {
  bad_address: "the path holds no topic name, or a malformed %",
  key_too_long: "the key has more than 1,024 bytes",
  not_found: "nothing lives here",
} as const;
