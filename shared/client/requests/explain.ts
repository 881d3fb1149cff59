/** Why a dial failed, in words: a page isn't told the status of a handshake that was refused, so it is asked for by a request. */
import { type ErrorBody, readErrorAnswer } from "../../protocol/error-body.ts";
import type { Explanation } from "../transport.ts";
import { retryAfterMs } from "./http-socket.ts";

/** What takes longer to say why is asked again some time later. */
const EXPLANATION_MS = 10_000;

/** Answers that don't speak against a subscribe: a key may get a record yet (H3), and a connection wants a WebSocket (M1). */
const HARMLESS: readonly string[] = ["unknown_key", "deleted", "value_too_large", "bad_upgrade"];

const NO_WEBSOCKET: ErrorBody = {
  code: "websocket_blocked",
  message: "the edge answers by HTTP, but something on the way lets no WebSocket pass",
  retry: true,
};

/** What a page has, and nothing else. */
interface Surroundings {
  readonly location?: { readonly protocol: string; readonly origin: string };
  readonly navigator?: { readonly onLine?: boolean };
}

export async function explain(url: string, token: string): Promise<Explanation> {
  const address = new URL(url.replace(/^ws/, "http"));
  const headers: Record<string, string> = token === "" ? {} : { Authorization: `Bearer ${token}` };
  try {
    const response = await fetch(address, {
      cache: "no-store",
      headers,
      signal: AbortSignal.timeout(EXPLANATION_MS),
    });
    const text = await response.text();
    const isLatest = response.ok && response.headers.has("ETag");
    const said = response.ok ? undefined : readErrorAnswer(text);
    if (isLatest || (said !== undefined && HARMLESS.includes(said.code)))
      return { error: NO_WEBSOCKET, retryAfterMs: retryAfterMs(response) };
    return { error: said ?? notAnEdge(address, response), retryAfterMs: retryAfterMs(response) };
  } catch (problem) {
    return { error: await noAnswer(address, problem), retryAfterMs: undefined };
  }
}

function notAnEdge({ origin, pathname }: URL, { status, statusText }: Response): ErrorBody {
  const answer = `${status} ${statusText}`.trim();
  const who = GATEWAYS.includes(status)
    ? "a proxy there reaches no edge"
    : "what is there is no edge, or a proxy that doesn't lead to one";
  return problem("not_an_edge", `${origin}${pathname} answers ${answer}, and not as an edge does: ${who}`);
}

/** What proxies say of a server behind them. */
const GATEWAYS: readonly number[] = [502, 503, 504];

async function noAnswer({ origin, protocol }: URL, reason: unknown): Promise<ErrorBody> {
  const { location, navigator } = globalThis as Surroundings;
  if (location?.protocol === "https:" && protocol === "http:")
    return problem("blocked", `a page that came by https: may not connect to ${origin}, which is http:`);
  if (navigator?.onLine === false) return problem("unreachable", "this device says that it is offline");
  if (location !== undefined && location.origin !== origin && (await isThere(origin)))
    return problem(
      "blocked",
      `something answers at ${origin}, but lets no page of ${location.origin} read it`,
    );
  const { cause } = reason as { readonly cause?: { readonly message?: string } };
  const why = cause?.message === undefined ? "" : ` (${cause.message})`;
  return problem(
    "unreachable",
    `nothing answers at ${origin}${why}: no network, no such name, nobody there, or a certificate that isn't trusted`,
  );
}

/** Whether anything answers, whatever it may be. */
async function isThere(origin: string): Promise<boolean> {
  try {
    await fetch(origin, { mode: "no-cors", cache: "no-store", signal: AbortSignal.timeout(EXPLANATION_MS) });
    return true;
  } catch {
    return false;
  }
}

const problem = (code: string, message: string): ErrorBody => ({ code, message, retry: true });
