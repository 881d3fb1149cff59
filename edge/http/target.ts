/** Which endpoint a request is for, and whether its sender may do that there: A3–A5 and T2 of PROTOCOL.md. */
import type { Streams } from "../../shared/config/streams.ts";
import { type Address, parseAddress } from "../../shared/protocol/address.ts";
import type { Asker, Decision } from "../access/decision.ts";
import { requireStreams } from "../exposed.ts";
import { errorResponse, refusedToken } from "./answers.ts";

export type Target =
  /** The canonical path of an endpoint that may be read, or written. */
  | { readonly kind: "endpoint"; readonly path: string }
  /** The path was another spelling of this one. */
  | { readonly kind: "otherSpelling"; readonly path: string }
  | Refused;

interface Refused {
  readonly kind: "refused";
  readonly code: RefusedCode;
  readonly message: string;
}

type RefusedCode =
  | "bad_address"
  | "key_too_long"
  | "not_found"
  | Extract<Decision, { readonly ok: false }>["code"];

export function targetOf(
  url: URL,
  asker: Asker,
  decide: (streams: Streams, address: Address, asker: Asker) => Decision,
): Target {
  const parsed = parseAddress(url.pathname);
  if (!parsed.ok) return { kind: "refused", code: parsed.code, message: PROBLEMS[parsed.code] };
  const { path } = parsed.address;
  if (!parsed.canonical) return { kind: "otherSpelling", path };
  const decision = decide(requireStreams(), parsed.address, asker);
  return decision.ok ? { kind: "endpoint", path } : { ...decision, kind: "refused" };
}

/** To a request over HTTP that isn't for an endpoint as it stands. */
export function elsewhere(target: Exclude<Target, { readonly kind: "endpoint" }>, url: URL): Response {
  if (target.kind === "otherSpelling")
    return new Response(null, { status: 308, headers: { Location: target.path + url.search } });
  const { code, message } = target;
  return code === "no_token" ? refusedToken(code, message) : errorResponse(code, message);
}

const PROBLEMS = {
  bad_address: "the path holds no topic name, or a malformed %",
  key_too_long: "the key has more than 1,024 bytes",
  not_found: "nothing lives here",
} as const;
