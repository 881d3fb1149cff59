/**
 * `/$/connect`: many endpoints on one WebSocket, M1 of PROTOCOL.md. The Worker says who asks, and picks a relay near the client;
 * what it may follow is judged there, subscription by subscription.
 */
import type { Stream } from "../../shared/config/streams.ts";
import { SUBSCRIBER_PROTOCOL } from "../../shared/protocol/version.ts";
import type { Known } from "../access/access.ts";
import { errorResponse, refusedToken } from "../answers.ts";
import type { Env } from "../env.ts";
import { requireStreams } from "../exposed.ts";
import { readClient, relayCount, relayOf } from "../relay/place.ts";
import { openConnection } from "../routing.ts";
import { type Refusal, refusalOf } from "./refusal.ts";
import { regionOfClient } from "./region.ts";
import { senderOf } from "./sender.ts";
import { countedSender } from "./sender-limits.ts";
import { chooseProtocol } from "./upgrades.ts";

export async function connect(request: Request, env: Env, known: Known): Promise<Response | Refusal> {
  const refused = refusalFor(known);
  if (refused !== undefined) return refused;
  const protocol = chooseProtocol(request, SUBSCRIBER_PROTOCOL);
  if (protocol === "none")
    return { code: "unsupported_version", message: `this edge speaks ${SUBSCRIBER_PROTOCOL}` };
  const { principal, tokensCount } = known;
  const answer = await openConnection(env, await relayFor(request, env), protocol, {
    principal,
    tokensCount,
    sender: await countedSender(senderOf(request, principal, env), env),
  });
  return answer.status === 101 ? answer : refusalOf(answer);
}

/** To a GET, by which a client learns what is against it where its dial failed without a word. */
export function connectAnswer(known: Known): Response {
  const refused = refusalFor(known);
  return refused === undefined
    ? errorResponse("bad_upgrade", "only a WebSocket is served here")
    : refusedToken(refused.code, refused.message);
}

/** Nothing is named, made or woken for a client to which no stream is open, to be followed or published to. */
function refusalFor({ principal, tokensCount }: Known) {
  if (principal.kind === "known" || !tokensCount) return undefined;
  const isOpen = ({ subscribe, publish }: Stream) => subscribe === "public" || publish === "public";
  if (requireStreams().all.some(isOpen)) return undefined;
  return {
    code: "no_token",
    message: "no topic is public: without a token nothing can be followed, or published",
  } as const;
}

async function relayFor(request: Request, env: Env) {
  const region = regionOfClient(request);
  const client = readClient(new URL(request.url).searchParams.get("client"));
  const hash = await hashOf(client ?? crypto.randomUUID(), env.UPLINK_KEYS ?? "");
  return { name: relayOf(region, hash, relayCount(env.RELAYS)), hint: region };
}

/** Whatever the edge's secret is: what follows from it tells nothing of it. */
async function hashOf(client: string, secret: string): Promise<Uint8Array> {
  const bytes = new TextEncoder().encode(`relay\n${secret}\n${client}`);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}
