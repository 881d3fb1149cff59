/**
 * Error codes and close codes: rules C1–C5 of PROTOCOL.md. One table drives edge, origin, client and docs.
 *
 * `status` is the HTTP status if the error answers a request; `retry` says whether the same request can
 * succeed later without being changed.
 */
export const ERRORS = {
  bad_address: { status: 400, retry: false },
  bad_position: { status: 400, retry: false },
  bad_frame: { status: 400, retry: false },
  bad_request: { status: 400, retry: false },
  key_too_long: { status: 414, retry: false },
  unknown_topic: { status: 404, retry: false },
  unknown_key: { status: 404, retry: false },
  deleted: { status: 404, retry: false },
  not_found: { status: 404, retry: false },
  method_not_allowed: { status: 405, retry: false },
  bad_upgrade: { status: 400, retry: false },
  unsupported: { status: 400, retry: false },
  unsupported_version: { status: 400, retry: false },
  unauthorized: { status: 401, retry: false },
  no_token: { status: 401, retry: false },
  invalid_token: { status: 401, retry: false },
  expired: { status: 401, retry: false },
  not_yet_valid: { status: 401, retry: false },
  unknown_signer: { status: 401, retry: false },
  wrong_audience: { status: 401, retry: false },
  revoked: { status: 401, retry: false },
  forbidden: { status: 403, retry: false },
  forbidden_origin: { status: 403, retry: false },
  in_flight: { status: 409, retry: true },
  too_large: { status: 413, retry: false },
  id_reused: { status: 422, retry: false },
  id_not_kept: { status: 422, retry: false },
  wrong_host: { status: 421, retry: false },
  rate_limited: { status: 429, retry: true },
  superseded: { status: 410, retry: false },
  too_many_subscriptions: { status: 403, retry: false },
  value_too_large: { status: 502, retry: false },
  unavailable: { status: 503, retry: true },
  not_writable: { status: 503, retry: true },
  overloaded: { status: 503, retry: true },
  internal: { status: 500, retry: true },
  unknown_outcome: { status: 504, retry: true },
} as const satisfies Record<string, { status: number; retry: boolean }>;

export type ErrorCode = keyof typeof ERRORS;

/** Two that a client knows by number: apart from the others, since every page that subscribes loads these. */
export const OVERLOADED = 4_005;
const FIRST_OF_TOKENS = 4_513;

/**
 * 4000–4499: reconnect and resume. 4500–4999: don't, the same thing would happen again; after one of a token's
 * (TOKEN_CLOSES), not with the same token.
 */
export const CLOSE = {
  going_away: 4000,
  slow_consumer: 4001,
  unavailable: 4002,
  replaced: 4003,
  detached: 4004,
  overloaded: OVERLOADED,
  internal: 4006,
  rate_limited: 4007,
  bad_frame: 4500,
  frame_too_large: 4501,
  unsupported_version: 4502,
  unauthorized: 4503,
  stale_generation: 4506,
  unknown_topic: 4507,
  bad_address: 4508,
  bad_position: 4509,
  key_too_long: 4510,
  not_canonical: 4511,
  bad_upgrade: 4512,
  no_token: FIRST_OF_TOKENS,
  invalid_token: 4514,
  expired: 4515,
  not_yet_valid: 4516,
  unknown_signer: 4517,
  wrong_audience: 4518,
  revoked: 4519,
  forbidden: 4520,
  forbidden_origin: 4521,
  wrong_host: 4522,
} as const;

export type CloseName = keyof typeof CLOSE;

/** Closes after which another token may do, in the order of their codes. */
export const TOKEN_CLOSES: readonly CloseName[] = [
  "no_token",
  "invalid_token",
  "expired",
  "not_yet_valid",
  "unknown_signer",
  "wrong_audience",
  "revoked",
  "forbidden",
];

/** The name of a close that is about the token; undefined if another token would change nothing. */
export function tokenClose(closeCode: number): CloseName | undefined {
  return TOKEN_CLOSES[closeCode - FIRST_OF_TOKENS];
}

/** Of a close frame, in bytes of UTF-8: what RFC 6455 leaves beside the code. */
const REASON_BYTES = 123;

/**
 * The reason of a close: the name of its code and, if there is room, a sentence (C4). A sentence that doesn't fit is left
 * out, since the name is what counts.
 */
export function closeReason(name: CloseName, sentence: string): string {
  const reason = `${name}: ${sentence}`;
  return new TextEncoder().encode(reason).length <= REASON_BYTES ? reason : name;
}

/** Codes of the WebSocket protocol itself (1000–1015) mean reconnect too: nothing was said against it. */
export function mayReconnect(closeCode: number): boolean {
  return closeCode < 4500 || closeCode > 4999;
}

/** What such a reason says; it may also be of a later version, or of something that stands before the edge. */
export function readCloseReason(reason: string): { readonly name: string; readonly sentence: string } {
  const [, name = "refused", sentence = reason] = /^([a-z_]+)(?:: (.*))?$/s.exec(reason) ?? [];
  return { name, sentence };
}

/** Why continuity could not be proved: see R4 of PROTOCOL.md. */
export const RESET_CAUSES = ["horizon", "epoch", "ahead"] as const;

export type ResetCause = (typeof RESET_CAUSES)[number];
