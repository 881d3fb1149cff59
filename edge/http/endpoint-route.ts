/**
 * Endpoints over HTTP: A3–A5 and H1–H6 of PROTOCOL.md. A GET is one question through the shard. Subscribes are in
 * subscribe-route.ts.
 */
import { base64Path, parseAddress } from "../../shared/protocol/address.ts";
import { ERRORS } from "../../shared/protocol/codes.ts";
import { ROUTES } from "../../shared/protocol/version.ts";
import { type Asker, type Decision, mayRead } from "../access/decision.ts";
import type { KeepAlive } from "../access/remote-keys.ts";
import { errorResponse, refusedToken } from "../answers.ts";
import { connectionLimits } from "../endpoint/connection-limits.ts";
import type { Env } from "../env.ts";
import { requireStreams } from "../exposed.ts";
import { encodePrincipal, type Principal } from "../principal.ts";
import { shardStubOf } from "../routing.ts";
import type { LatestResult } from "../shard/answering/latest.ts";
import { SteadyClock } from "../surroundings.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import { AnswerBudget } from "./answer-budget.ts";
import { isBrief, latestResponse, noRoom } from "./latest.ts";
import type { Aged, LatestCache } from "./latest-cache.ts";
import { isBehind, type Reuse, withAge } from "./reuse.ts";
import { type Handing, hasRoom } from "./unread.ts";

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
