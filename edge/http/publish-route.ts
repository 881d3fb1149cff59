/**
 * Publishing over HTTP: W1–W5 of PROTOCOL.md. The body is the value byte for byte, and the answer is the log's own, with the
 * position that subscribers see. It goes through the endpoint's shard; the endpoint's object isn't touched.
 */
import { ERRORS } from "../../shared/protocol/codes.ts";
import type { Publish } from "../../shared/protocol/publish.ts";
import { PUBLISH_HEADERS } from "../../shared/protocol/version.ts";
import type { Known } from "../access/access.ts";
import { mayPublish } from "../access/decision.ts";
import { tokenNamesOf } from "../access/token-names.ts";
import type { Env } from "../env.ts";
import { encodePrincipal } from "../principal.ts";
import { shardStubOf } from "../routing.ts";
import { type PublishOutcome, UNKNOWN_OUTCOME } from "../shard/publishing/outcome.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import { errorResponse, logProblem, refusedToken } from "./answers.ts";
import { elsewhere, targetOf } from "./endpoint-route.ts";
import { readBody } from "./publish-body.ts";
import { publishMaxBytes, readPublishHeaders } from "./publish-request.ts";

const PUBLIC_NAMES = { issuer: "", subject: "" };
const BODY_MS = TIME_LIMITS.publishBodyMs;
const TOO_SLOW = `the body took longer than ${BODY_MS / 1_000} s to come; it was not published`;

export async function publishRoute(request: Request, env: Env, known: Known): Promise<Response> {
  const { principal } = known;
  const url = new URL(request.url);
  const target = targetOf(url, known, mayPublish);
  if (target.kind !== "endpoint") return elsewhere(target, url);
  const said = readPublishHeaders(request.headers);
  if (!said.ok) return errorResponse("bad_request", said.problem);
  const { headers, key = crypto.randomUUID(), minimal } = said.read;
  const maxBytes = publishMaxBytes(env);
  const signal = AbortSignal.timeout(BODY_MS);
  const value = request.method === "DELETE" ? null : await readBody(request, maxBytes, signal);
  if (value === "tooLarge") return errorResponse("too_large", `a value may have ${maxBytes} bytes here`);
  if (value === "tooSlow") return errorResponse("overloaded", TOO_SLOW);
  const { issuer, subject } = principal.kind === "known" ? await tokenNamesOf(principal) : PUBLIC_NAMES;
  const by = said.read.key === undefined ? "edge" : "client";
  const publish = { endpoint: target.path, issuer, subject, key, by, headers, value } as const;
  const outcome = await outcomeOf(publish, env, encodePrincipal(principal));
  return answerOf(outcome, key, minimal);
}

/** A shard that is gone before it has answered may have passed it on. */
async function outcomeOf(publish: Publish, env: Env, principal: string | undefined): Promise<PublishOutcome> {
  try {
    return await shardStubOf(env, publish.endpoint).publish(publish, principal);
  } catch (error) {
    logProblem("a publish", error);
    return UNKNOWN_OUTCOME;
  }
}

function answerOf(outcome: PublishOutcome, key: string, minimal: boolean): Response {
  if (outcome.kind === "error") {
    const { code, message } = outcome;
    // Its token ended, or was revoked, on the way.
    if (ERRORS[code].status === 401) return refusedToken(code, message);
    // With it the request can be sent again, whoever made it.
    return errorResponse(code, message, code === "unknown_outcome" ? { [PUBLISH_HEADERS.key]: key } : {});
  }
  const { position, guarantee } = outcome;
  const headers = { ETag: `"${position}"`, "Cache-Control": "no-store" };
  // What is promised less than otherwise is said in any case.
  return minimal && guarantee === undefined
    ? new Response(null, { status: 201, headers: { ...headers, "Preference-Applied": "return=minimal" } })
    : Response.json({ position, guarantee }, { status: 201, headers });
}
