/**
 * Answers over HTTP that are errors: rules C1, C2 and H6 of PROTOCOL.md.
 */
import { ERRORS, type ErrorCode } from "../shared/protocol/codes.ts";
import { errorBody } from "../shared/protocol/schemas.ts";
import { BoundedLog } from "./bounded-log.ts";
import { SteadyClock } from "./surroundings.ts";

const RETRY_AFTER_SECONDS = "1";

export function errorResponse(
  code: ErrorCode,
  message: string,
  headers: Record<string, string> = {},
): Response {
  const { status, retry } = ERRORS[code];
  return Response.json(
    { error: errorBody(code, message) },
    {
      status,
      headers: {
        "Cache-Control": "no-store",
        ...(retry ? { "Retry-After": RETRY_AFTER_SECONDS } : {}),
        ...headers,
      },
    },
  );
}

/** To one that asks too much. */
export function tooMuch(seconds: number): Response {
  return errorResponse("rate_limited", tooMuchMessage(seconds), { "Retry-After": String(seconds) });
}

export function tooMuchMessage(seconds: number): string {
  return `too much is asked from here; try again in ${seconds} s`;
}

/** To a request whose token doesn't count, or that has none and needs one (RFC 6750 §3). */
export function refusedToken(code: ErrorCode, message: string, retryMs?: number): Response {
  const invalid = code === "no_token" ? "" : `, error="invalid_token", error_description="${code}"`;
  const challenge = { "WWW-Authenticate": `Bearer realm="distributary"${invalid}` };
  const retryAfter = retryMs === undefined ? {} : { "Retry-After": String(Math.ceil(retryMs / 1_000)) };
  return privately(errorResponse(code, message, ERRORS[code].status === 401 ? challenge : retryAfter));
}

/** Such an answer is for nobody else. */
export function privately(answer: Response): Response {
  const { headers } = answer;
  if (headers.get("Cache-Control") === "no-cache") headers.set("Cache-Control", "private, no-cache");
  headers.set("Vary", "Authorization, Cookie, Origin");
  return answer;
}

/**
 * What happened stays in the log; a client hears a code (C1).
 */
export function internalError(where: string, problem: unknown): Response {
  logProblem(where, problem);
  return errorResponse("internal", "something went wrong here; try again");
}

/** Of an isolate: far more than go wrong where nobody makes them. */
const PROBLEMS_TOLD = { perSecond: 10, burst: 100 } as const;

const clock = new SteadyClock(() => Date.now());
const problems = new BoundedLog(PROBLEMS_TOLD);

export function logProblem(where: string, problem: unknown): void {
  const words = problem instanceof Error ? (problem.stack ?? problem.message) : String(problem);
  const line = problems.line(`${where}: ${words}`, clock.now());
  if (line !== undefined) console.error(line);
}
