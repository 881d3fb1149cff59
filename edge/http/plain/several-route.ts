/** Several endpoints as one event stream: `GET /$/connect?sub=PATH&sub=PATH`, E7 and E8 of PROTOCOL.md. */

import type { ErrorBody } from "../../../shared/protocol/error-body.ts";
import { LIMITS } from "../../../shared/protocol/limits.ts";
import { OLDEST, type Position } from "../../../shared/protocol/position.ts";
import { OCCUPANCY, WAIT } from "../../../shared/protocol/version.ts";
import type { Known } from "../../access/access.ts";
import { errorResponse } from "../../answers.ts";
import type { Env } from "../../env.ts";
import { requireStreams } from "../../exposed.ts";
import { judgePath } from "../../relay/right.ts";
import { TIME_LIMITS } from "../../time-limits.ts";
import { clientOf } from "../opening.ts";
import type { Refusal } from "../refusal.ts";
import { startOf } from "../subscribe-route.ts";
import { eventStream, type Streamed, startsFrom } from "./event-stream.ts";
import { parsePlaces } from "./event-text.ts";
import { refused } from "./read-route.ts";

/** The paths that a request names, as far as there may be. */
export function pathsOf(request: Request): readonly string[] {
  return new URL(request.url).searchParams.getAll("sub").slice(0, LIMITS.streamEndpoints + 1);
}

export async function severalRoute(request: Request, env: Env, known: Known): Promise<Response> {
  const { principal, tokensCount } = known;
  const paths = pathsOf(request);
  if (paths.length === 0 || paths.length > LIMITS.streamEndpoints || new Set(paths).size < paths.length)
    return errorResponse(
      "bad_request",
      `sub is the path of an endpoint, each once, and of at most ${LIMITS.streamEndpoints}`,
    );
  const right = { grants: principal.kind === "public" ? undefined : principal.grants, tokensCount };
  for (const path of paths) {
    const judgement = judgePath(requireStreams(), path, right);
    if (!judgement.ok) return of(path, refused(judgement.code, `${path}: ${judgement.message}`));
  }
  const from = startsFrom(request);
  const places =
    from === null || from === OLDEST ? paths.map(() => undefined) : parsePlaces(from, paths.length);
  if (places === undefined)
    return refused("bad_position", "from is a position for each endpoint, with ; between them");
  const waitMs = waitOf(request);
  if (waitMs === "malformed") return errorResponse("bad_request", "wait is a number of seconds");
  const client = clientOf(request, principal, env);
  const occupancy = new URL(request.url).searchParams.has(OCCUPANCY) || undefined;
  const starts: Streamed[] = [];
  for (const [i, path] of paths.entries()) {
    const start = await placeOf(from, places[i], path);
    if (start !== undefined && "code" in start)
      return of(path, refused(start.code, `${path}: ${start.message}`));
    starts.push({ endpoint: { path, principal, client, occupancy }, from: start });
  }
  const answer = await eventStream(request, env, starts, { isOfSeveral: true, waitMs });
  return answer instanceof Response ? answer : of(answer.endpoint, refused(answer.code, answer.message));

  async function placeOf(
    text: string | null,
    place: Position | undefined,
    path: string,
  ): Promise<Position | Refusal | undefined> {
    return text === OLDEST ? startOf(OLDEST, path, env, principal) : place;
  }
}

/** The same answer, which says of which of them it is. */
async function of(path: string, answer: Response): Promise<Response> {
  const { error } = await answer.json<{ error: ErrorBody }>();
  const { status, headers } = answer;
  return new Response(JSON.stringify({ error: { e: path, ...error } }), { status, headers });
}

/** After how long the stream is to end by itself; undefined if it isn't. */
function waitOf(request: Request): number | undefined | "malformed" {
  const seconds = new URL(request.url).searchParams.get(WAIT);
  if (seconds === null) return undefined;
  if (!/^\d{1,9}$/.test(seconds)) return "malformed";
  return Math.min(Number(seconds) * 1_000, TIME_LIMITS.pollLongestMs);
}
