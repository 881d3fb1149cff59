/**
 * Who may do what with an endpoint: what its stream says, and what the token does. Pure.
 *
 * Names of topics must not be found out by trying. So if there are issuers, and streams that not all may know of, an
 * anonymous request is told the same of a topic that isn't exposed as of one that is for tokens. So is a token that may not
 * know of a topic.
 */
import type { Stream, Streams } from "../../shared/config/streams.ts";
import type { Address } from "../../shared/protocol/address.ts";
import type { ErrorCode } from "../../shared/protocol/codes.ts";
import { type Grants, may } from "./grants.ts";

/** What is known of whoever asks. */
export interface Asker {
  /** undefined: nothing was brought. */
  readonly grants: Grants | undefined;
  /** Whether there is anybody whose tokens count. */
  readonly tokensCount: boolean;
}

type DecisionCode = Extract<ErrorCode, "no_token" | "forbidden" | "unknown_topic">;

export type Decision =
  | { readonly ok: true }
  | { readonly ok: false; readonly code: DecisionCode; readonly message: string };

/** Reading: a GET, or a subscribe. */
export function mayRead(streams: Streams, address: Address, asker: Asker): Decision {
  const stream = streams.get(address.topic);
  if (stream?.subscribe === "public") return { ok: true };
  const { grants } = asker;
  if (grants === undefined) {
    const isSecret = (asker.tokensCount && streams.hidesSome) || stream?.subscribe === "token";
    return isSecret
      ? refused("no_token", "no such topic is public: without a token nothing more is told")
      : UNKNOWN;
  }
  if (stream === undefined) return UNKNOWN;
  if (stream.subscribe === "token" && may(grants, "subscribe", address)) return { ok: true };
  return mayDiscover(stream, asker, address)
    ? refused("forbidden", "the token doesn't allow to read this")
    : UNKNOWN;
}

/** Publishing. Whoever may publish may know that the stream is there. */
export function mayPublish(streams: Streams, address: Address, asker: Asker): Decision {
  const stream = streams.get(address.topic);
  if (stream?.publish === "public") return { ok: true };
  const { grants } = asker;
  if (stream?.publish === "token" && grants !== undefined && may(grants, "publish", address))
    return { ok: true };
  const isKnown =
    stream !== undefined && (mayRead(streams, address, asker).ok || mayDiscover(stream, asker, address));
  if (grants === undefined) {
    const isSecret = asker.tokensCount && streams.hidesSome && !isKnown;
    if (isSecret || stream?.publish === "token")
      return refused("no_token", "without a token nothing can be published here");
  }
  if (!isKnown) return UNKNOWN;
  const why =
    stream.publish === "nobody"
      ? "nobody may publish to this topic"
      : "the token doesn't allow to publish this";
  return refused("forbidden", why);
}

/** Whether one may know that a stream is there; of a token, if it may know of this address, or of any of the topic. */
export function mayDiscover(
  stream: Stream,
  { grants }: Asker,
  address: Pick<Address, "topic" | "key"> | undefined,
): boolean {
  if (stream.discover === "public") return true;
  if (stream.discover === "nobody" || grants === undefined) return false;
  if (address !== undefined) return may(grants, "discover", address);
  return grants.matchers.discover.some(
    (matcher) =>
      (matcher.kind === "topics" && stream.topic.startsWith(matcher.prefix)) ||
      (matcher.kind === "keys" && matcher.topic === stream.topic),
  );
}

const UNKNOWN = refused("unknown_topic", "no such topic is exposed");

function refused(code: DecisionCode, message: string): Extract<Decision, { ok: false }> {
  return { ok: false, code, message };
}
