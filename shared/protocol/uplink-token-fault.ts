/**
 * Why the edge refuses an origin's token (U1), so that people can tell a wrong clock from a wrong key. It is the
 * `error_description` of the answer's `WWW-Authenticate`.
 */
export const TOKEN_FAULTS = {
  no_token: "there is no token",
  unknown_key: "the edge has no key with this id",
  bad_signature: "the edge's key with this id has another secret",
  other_name: "the edge's key with this id is that of an origin of another name",
  bad_time: "by the edge's clock the token has expired, or was issued in the future",
  malformed: "it is no token of an origin",
} as const;

export type UplinkTokenFault = keyof typeof TOKEN_FAULTS;

/** The value of a `WWW-Authenticate` header. */
export function challengeOf(fault: UplinkTokenFault): string {
  const refused = fault === "no_token" ? "" : `, error="invalid_token", error_description="${fault}"`;
  return `Bearer realm="distributary-uplink"${refused}`;
}

/** undefined if the header says none that this version knows. */
export function readChallenge(header: string | null | undefined): UplinkTokenFault | undefined {
  if (header === challengeOf("no_token")) return "no_token";
  const fault = /error_description="(\w+)"/.exec(header ?? "")?.[1];
  return Object.keys(TOKEN_FAULTS).find((known): known is UplinkTokenFault => known === fault);
}
