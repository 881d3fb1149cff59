/** Asks the edge what an origin needs of it. Dials no uplink: that would take over from an origin that runs. */
import { once } from "node:events";
import { WebSocket } from "ws";
import type { Streams } from "../../shared/config/streams.ts";
import type { UplinkKey } from "../../shared/config/uplink-key.ts";
import { ROUTES, SUBSCRIBER_PROTOCOL, UPLINK_PROTOCOL } from "../../shared/protocol/version.ts";

import { TIME_LIMITS } from "../time-limits.ts";

import { bearerToken } from "../uplink/token.ts";
import { type EdgeFacts, exposureFindings, uplinkFindings, webSocketFinding } from "./edge-findings.ts";
import { type Finding, ok, wrong } from "./finding.ts";
import { reach, wordsOf } from "./reach.ts";

export interface EdgeQuestion {
  readonly edgeUrl: URL;
  readonly key: UplinkKey | undefined;
  readonly streams: Streams | undefined;
}

const BLAME = { address: "its address", authorities: "NODE_EXTRA_CA_CERTS", tls: "use http://" };
/** There is no such shard, so that an upgrade that reaches the edge is answered with 404, and takes nothing over. */
const NO_SHARD = 99;

/** Each finding names the edge: there may be several. */
export async function* examineEdge(question: EdgeQuestion): AsyncGenerator<Finding, void> {
  for await (const finding of findingsOf(question))
    yield { ...finding, what: `${finding.what}, ${question.edgeUrl.origin}` };
}

async function* findingsOf({ edgeUrl, key, streams }: EdgeQuestion): AsyncGenerator<Finding, void> {
  const what = "edge";
  const isSecure = edgeUrl.protocol === "https:";
  const port = Number(edgeUrl.port) || (isSecure ? 443 : 80);
  const host = edgeUrl.hostname.replace(/^\[|\]$/g, "");
  const reached = await reach({ host, port }, isSecure ? {} : undefined);
  if (!reached.ok) {
    const { says, todo } = wordsOf(reached, BLAME);
    return yield wrong(what, says, todo);
  }
  yield ok(what, "can be reached");
  if (key !== undefined) {
    const authorization = await bearerToken(key);
    const asked = await ask(new URL(ROUTES.uplink, edgeUrl), { authorization });
    const findings = uplinkFindings(asked, key);
    yield* findings;
    if (findings.some(({ verdict }) => verdict === "wrong")) return;
    const dialled = new URL(`${ROUTES.uplink}?shard=${NO_SHARD}`, edgeUrl);
    const again = { authorization: await bearerToken(key) };
    yield webSocketFinding(await upgradeStatus(dialled, again, UPLINK_PROTOCOL));
  }
  if (streams !== undefined)
    yield* exposureFindings(await ask(new URL(ROUTES.streams, edgeUrl), {}), streams);
}

/** Never rejects. */
async function ask(url: URL, headers: Record<string, string>): Promise<EdgeFacts> {
  const before = Date.now();
  try {
    const answer = await fetch(url, {
      headers,
      redirect: "manual",
      signal: AbortSignal.timeout(TIME_LIMITS.doctorEdgeMs),
    });
    const body: unknown = await answer.json().catch(() => undefined);
    return {
      status: answer.status,
      challenge: answer.headers.get("www-authenticate"),
      date: Date.parse(answer.headers.get("date") ?? ""),
      now: (before + Date.now()) / 2,
      body,
    };
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return { failed: cause instanceof Error ? cause.message : String(cause) };
  }
}

/** The status with which an upgrade is answered, or what went wrong instead. */
export async function upgradeStatus(
  url: URL,
  headers: Record<string, string>,
  protocol: string = SUBSCRIBER_PROTOCOL,
): Promise<number | string> {
  url.protocol = url.protocol.replace("http", "ws");
  const socket = new WebSocket(url, protocol, {
    headers,
    handshakeTimeout: TIME_LIMITS.doctorEdgeMs,
    followRedirects: false,
  });
  const status = new Promise<number | string>((resolve) => {
    socket.on("unexpected-response", (request, response) => {
      request.destroy();
      resolve(response.statusCode ?? 0);
    });
    socket.on("error", (error) => resolve(error.message));
    socket.on("open", () => resolve(101));
  });
  const found = await status;
  if (socket.readyState !== WebSocket.CLOSED) {
    socket.terminate();
    if (found === 101) await once(socket, "close");
  }
  return found;
}
