/** What a connection may subscribe and publish to, as far as its object must know: M3, M9 and W22 of PROTOCOL.md. */
import type { Streams } from "../../shared/config/streams.ts";
import { type Address, parseAddress } from "../../shared/protocol/address.ts";
import type { ErrorCode } from "../../shared/protocol/codes.ts";
import { type Asker, type Decision, mayPublish, mayRead } from "../access/decision.ts";
import { type Grants, readGrants } from "../access/grants.ts";
import type { KnownPrincipal } from "../principal.ts";

export interface Right {
  /** As the principal has them; undefined for "public". */
  readonly grants: KnownPrincipal["grants"] | undefined;
  /** Whether there is anybody whose tokens count. */
  readonly tokensCount: boolean;
}

export type Judgement =
  | { readonly ok: true }
  | { readonly ok: false; readonly code: ErrorCode; readonly message: string };

const PROBLEMS = {
  bad_address: "the path holds no topic name, or a malformed %",
  key_too_long: "the key has more than 1,024 bytes",
  not_found: "an endpoint's path is /topic/key",
} as const;

/** What patterns mean is found out once for all that a connection asks. */
const compiled = new WeakMap<object, Grants>();

/** Whether a path may be subscribed to: as a GET of it would be told. */
export function judgePath(streams: Streams, path: string, right: Right): Judgement {
  return judge(mayRead, streams, path, right);
}

/** Whether it may be published to: as a POST would be told. */
export function judgePublish(streams: Streams, path: string, right: Right): Judgement {
  return judge(mayPublish, streams, path, right);
}

/** Whether there may be any path that can be published to. */
export function mayPublishSomewhere(streams: Streams, { grants }: Right): boolean {
  const hasPatterns = grants !== undefined && grants.publish.length > 0;
  return streams.all.some(({ publish }) => publish === "public" || (publish === "token" && hasPatterns));
}

function judge(
  decide: (streams: Streams, address: Address, asker: Asker) => Decision,
  streams: Streams,
  path: string,
  right: Right,
): Judgement {
  const parsed = parseAddress(path);
  if (!parsed.ok) return { ok: false, code: parsed.code, message: PROBLEMS[parsed.code] };
  if (!parsed.canonical)
    return { ok: false, code: "bad_address", message: `another spelling of ${parsed.address.path}` };
  return decide(streams, parsed.address, askerOf(right));
}

function askerOf({ grants, tokensCount }: Right): Asker {
  return { grants: grants && compiledOf(grants), tokensCount };
}

/** Throws if they are none that an edge has made. */
function compiledOf(grants: NonNullable<Right["grants"]>): Grants {
  const known = compiled.get(grants);
  if (known !== undefined) return known;
  const read = readGrants({ distributary: grants });
  if (!read.ok) throw new Error(`a principal's grants: ${read.problem}`);
  compiled.set(grants, read.grants);
  return read.grants;
}
