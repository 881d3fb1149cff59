/**
 * GETs of an endpoint in their forms: its latest record (H1), as it is or when it changes (H13), what followed a position
 * (H12), or all that follows as events (E1).
 */

import { CLOSE, ERRORS, type ErrorCode } from "../../../shared/protocol/codes.ts";
import { tagsIn } from "../../../shared/protocol/entity-tags.ts";
import { decodeTrusted } from "../../../shared/protocol/frame.ts";
import { type Position, parseLongPosition } from "../../../shared/protocol/position.ts";
import { OCCUPANCY } from "../../../shared/protocol/version.ts";
import type { Known } from "../../access/access.ts";
import type { KeepAlive } from "../../access/remote-keys.ts";
import { errorResponse, refusedToken, tooMuch } from "../../answers.ts";
import type { Env } from "../../env.ts";
import { streamOf } from "../../exposed.ts";
import { encodePrincipal, isOver, OVER, REVOKED } from "../../principal.ts";
import { shardStubOf } from "../../routing.ts";
import type { LatestResult } from "../../shard/answering/latest.ts";
import { TIME_LIMITS } from "../../time-limits.ts";
import { elsewhere, handingOf, latestOf, targetOf } from "../endpoint-route.ts";
import { latestResponse } from "../latest.ts";
import type { LatestCache } from "../latest-cache.ts";
import { occupancyOf } from "../occupancy.ts";
import { clientOf } from "../opening.ts";
import { reuseOf } from "../reuse.ts";
import { startOf } from "../subscribe-route.ts";
import { isNamed } from "../tags.ts";
import { eventStream, startsFrom, wantsEvents } from "./event-stream.ts";
import { follow } from "./follow.ts";
import type { Endpoint } from "./joining.ts";
import { News } from "./news.ts";
import { Page } from "./page.ts";
import { endingOf } from "./streaming.ts";

export async function readRoute(
  request: Request,
  env: Env,
  known: Known,
  keepAlive: KeepAlive,
  cache: LatestCache | undefined,
): Promise<Response> {
  const url = new URL(request.url);
  const target = targetOf(url, known);
  if (target.kind !== "endpoint") return elsewhere(target, url);
  const { principal } = known;
  const endpoint = { path: target.path, principal, client: clientOf(request, principal, env) };
  const occupancy = url.searchParams.has(OCCUPANCY) || undefined;
  const from = url.searchParams.get("from");
  if (wantsEvents(request)) return eventsOf(request, env, { ...endpoint, occupancy }, startsFrom(request));
  if (occupancy) return occupancyOf(request, env, endpoint);
  const wait = request.method === "GET" ? waitOf(request.headers.get("Prefer")) : undefined;
  if (from !== null && request.method === "GET") return pageOf(env, endpoint, from, wait);
  if (wait !== undefined && request.headers.has("If-None-Match"))
    return newsOf(request, env, endpoint, wait, keepAlive);
  const reuse = cache && reuseOf(request.headers, streamOf(endpoint.path), endpoint.principal);
  const reusing = cache && reuse && { cache, reuse };
  return (await latestOf(request, env, endpoint.path, endpoint.principal, keepAlive, reusing)).answer;
}

/** How long a client wants to wait, in seconds; undefined if it doesn't. */
function waitOf(prefer: string | null): number | undefined {
  const [, seconds] = /(?:^|[,;])\s*wait\s*=\s*"?(\d{1,9})"?\s*(?:[,;]|$)/i.exec(prefer ?? "") ?? [];
  if (seconds === undefined || Number(seconds) === 0) return undefined;
  return Math.min(Number(seconds), TIME_LIMITS.pollLongestMs / 1_000);
}

async function eventsOf(
  request: Request,
  env: Env,
  endpoint: Endpoint,
  from: string | null,
): Promise<Response> {
  const start = await startOf(from, endpoint.path, env, endpoint.principal);
  const answer =
    start !== undefined && "code" in start
      ? start
      : await eventStream(request, env, [{ endpoint, from: start }]);
  return answer instanceof Response ? answer : refused(answer.code, answer.message);
}

/** H12. */
async function pageOf(
  env: Env,
  endpoint: Endpoint,
  from: string,
  wait: number | undefined,
): Promise<Response> {
  const start = await startOf(from, endpoint.path, env, endpoint.principal);
  if (start === undefined || "code" in start)
    return refused(start?.code ?? "bad_position", start?.message ?? "");
  const page = new Page(endpoint.path, start, wait !== undefined);
  const patience = wait === undefined ? TIME_LIMITS.pollPageMs : wait * 1_000;
  const end = await follow(env, endpoint, start, patience, page);
  const { error } = page;
  if (error?.retryAfterMs !== undefined) return tooMuch(Math.ceil(error.retryAfterMs / 1_000));
  if (error !== undefined) return refused(error.code, error.message);
  if (end.kind === "closed" && end.code >= CLOSE.bad_frame) return closed(end.code, end.reason);
  if (!page.canTell())
    return end.kind === "closed" ? closed(end.code, end.reason) : refused("unavailable", SILENT);
  const over = await overMeanwhile(env, endpoint);
  if (over !== undefined) return over;
  return new Response(page.text(), {
    headers: { "Content-Type": "application/json", "Cache-Control": "no-store", ...applied(wait) },
  });
}

/** H13. */
async function newsOf(
  request: Request,
  env: Env,
  endpoint: Endpoint,
  wait: number,
  keepAlive: KeepAlive,
): Promise<Response> {
  const { path, principal } = endpoint;
  const { latest, answer } = await latestOf(request, env, path, principal, keepAlive);
  const ifNoneMatch = request.headers.get("If-None-Match") ?? "";
  const known = knownBy(ifNoneMatch, latest);
  if (known === undefined) return withPreference(answer, wait);
  const from = known === "none" ? undefined : known;
  const news = new News(path, from);
  const end = await follow(env, endpoint, from, wait * 1_000, news);
  // What only went away had said nothing new.
  if (end.kind === "closed") return end.code > CLOSE.going_away ? closed(end.code, end.reason) : answer;
  const over = await overMeanwhile(env, endpoint);
  if (over !== undefined) return over;
  const { found } = news;
  if (found === "nothing") return withPreference(answer, wait);
  const asked = { ifNoneMatch: null, isHead: false };
  const told = found === "ask" ? undefined : latestResponse(found, asked, handingOf(env, keepAlive));
  if (typeof told === "object") return withPreference(told, wait);
  return withPreference((await latestOf(request, env, path, principal, keepAlive)).answer, wait);
}

/**
 * A token may have ended while its bearer waited. The object closes sockets of tokens that are called back, but it may take a
 * moment until it hears of that, or leave them time to renew; a GET can't.
 */
async function overMeanwhile(env: Env, { path, principal }: Endpoint): Promise<Response | undefined> {
  if (principal.kind === "public") return undefined;
  if (isOver(principal, Date.now())) return refusedToken(OVER.code, OVER.message);
  const isRevoked = await shardStubOf(env, path).isRevoked(encodePrincipal(principal) ?? "");
  return isRevoked ? refusedToken(REVOKED.code, REVOKED.message) : undefined;
}

/** Where a client stands that has the latest record; undefined if it has not. */
function knownBy(ifNoneMatch: string, latest: LatestResult): Position | "none" | undefined {
  if (latest.kind === "error") return undefined;
  if (latest.kind === "none") return tagsIn(ifNoneMatch).includes("-") ? "none" : undefined;
  const decoded = decodeTrusted(latest.frame);
  if (!decoded.ok || !isNamed(ifNoneMatch, decoded.value)) return undefined;
  return parseLongPosition(latest.position);
}

function withPreference(answer: Response, wait: number): Response {
  answer.headers.set("Preference-Applied", `wait=${wait}`);
  return answer;
}

function applied(wait: number | undefined): Record<string, string> {
  return wait === undefined ? {} : { "Preference-Applied": `wait=${wait}` };
}

const SILENT = "this endpoint doesn't answer just now";

function closed(code: number, reason: string): Response {
  const { code: name, message } = endingOf(code, reason);
  return refused(name, message);
}

/** What isn't an error of HTTP, but says that something went away, can be had again. */
export function refused(code: string, message: string): Response {
  const known = isErrorCode(code) ? code : "unavailable";
  return ERRORS[known].status === 401 ? refusedToken(known, message) : errorResponse(known, message);
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}
