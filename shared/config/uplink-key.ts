/**
 * An uplink key as people write it, the same on both sides: one of the edge's `UPLINK_KEYS`, and an origin's
 * `UPLINK_KEY`. It gives the origin its name, so that whoever holds it can be no other origin (U1); and it may bound what that
 * may speak for (U16).
 */
import { readUplinkScope, type UplinkScope } from "./uplink-scope.ts";

export interface UplinkKey {
  /** Which key it is: a name can have several, so that they can be changed one side after the other. */
  readonly kid: string;
  /** The origin's. */
  readonly name: string;
  /** undefined: it may speak for all. */
  readonly scope?: UplinkScope;
  /** The bytes of its text. */
  readonly secret: Uint8Array;
}

export type UplinkKeyResult =
  | { readonly ok: true; readonly key: UplinkKey }
  /** What is wrong with it, to be read after the name of the setting. Never shows a secret. */
  | { readonly ok: false; readonly problem: string };

export const UPLINK_KEY_FORM = "kid:name:secret";

const MIN_SECRET_BYTES = 32;
/** Too little of a secret to be of use. */
const SHOWN = 11;
/** A comma separates keys. */
const ENTRY = /^([A-Za-z0-9._-]{1,64}):([A-Za-z0-9._-]{1,64})(?:\(([^(),]*)\))?:([^,]+)$/;
const WITHOUT_NAME = /^([A-Za-z0-9._-]{1,64}):[^:]+$/;

/** Reads `kid:name:secret` or `kid:name(bounds):secret`. The secret may hold colons, and no comma. */
export function readUplinkKey(entry: string): UplinkKeyResult {
  const [, kid, name, bounds, text] = ENTRY.exec(entry.trim()) ?? [];
  if (kid === undefined || name === undefined || text === undefined)
    return { ok: false, problem: `is not of the form ${UPLINK_KEY_FORM}${hintAt(entry.trim())}` };
  const scope = bounds === undefined ? undefined : readUplinkScope(bounds);
  if (bounds !== undefined && scope === undefined)
    return {
      ok: false,
      problem: `has bounds that can't be read, that of ${shown(kid)}: write (slices=1/2|2/2 topics=flights|orders.*), or one of both`,
    };
  const secret = new TextEncoder().encode(text);
  if (secret.length < MIN_SECRET_BYTES)
    return {
      ok: false,
      problem: `has a secret of less than ${MIN_SECRET_BYTES} bytes, that of ${shown(kid)}`,
    };
  return { ok: true, key: { kid, name, secret, ...(scope && { scope }) } };
}

/** Whoever mistakes the order has a secret, or a part of one, where the name of the key stands: what is long is shown in part. */
function shown(kid: string): string {
  return kid.length <= SHOWN ? kid : `${kid.slice(0, 8)}…`;
}

function hintAt(entry: string): string {
  if (entry.includes(",")) return ": no key, and no secret, holds a comma";
  const kid = WITHOUT_NAME.exec(entry)?.[1];
  if (kid !== undefined)
    return `: that of ${shown(kid)} lacks the origin's name, as in ${shown(kid)}:origin-1:…`;
  return ", where kid and name are letters, digits, '.', '_' and '-', 64 of each at most";
}
