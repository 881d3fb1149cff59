/**
 * Who asks, and what it may do: one with every request inside the edge. It is made in one place, in the Worker, and
 * what comes from outside can't pass for one, since requests inside the edge are made anew (routing.ts). Objects and
 * shards compare, and never parse what a client brought.
 */
import * as v from "valibot";
import { parseObject } from "../shared/protocol/json-object.ts";

/** Whoever brings nothing: it may do what is public. */
export const PUBLIC = { kind: "public" } as const;

const Identifier = v.pipe(v.string(), v.minLength(1));
/** Canonical paths, and beginnings of them that end in `*`. */
const Patterns = v.array(v.string());

const KnownSchema = v.object({
  kind: v.literal("known"),
  /** Who vouches for it. */
  issuer: Identifier,
  /** Its name, which means something with its issuer only. */
  subject: Identifier,
  /** Of the token that it brought, if that has one. */
  id: v.optional(Identifier),
  /** Seconds since 1970. */
  issuedAt: v.pipe(v.number(), v.minValue(0)),
  grants: v.object({
    subscribe: Patterns,
    publish: Patterns,
    discover: Patterns,
    admin: v.boolean(),
  }),
  /** It ends then: milliseconds since 1970. */
  until: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
});

export type KnownPrincipal = v.InferOutput<typeof KnownSchema>;
export type Principal = typeof PUBLIC | KnownPrincipal;

/** As it travels: ASCII, so that a character is a byte. */
const MAX_CHARACTERS = 4_096;

/** Nothing for "public", so that it costs nothing. Throws if it would be too long. */
export function encodePrincipal(principal: Principal): string | undefined {
  if (principal.kind === "public") return undefined;
  const text = JSON.stringify(principal).replace(/[\x7f-\uffff]/g, escaped);
  if (text.length > MAX_CHARACTERS)
    throw new Error(`a principal has ${text.length} characters, ${MAX_CHARACTERS} at most`);
  return text;
}

/** Throws if it can't be read: what isn't known may do nothing, not even what is public. */
export function readPrincipal(text: string | null | undefined): Principal {
  if (text === null || text === undefined) return PUBLIC;
  const read = v.safeParse(KnownSchema, text.length > MAX_CHARACTERS ? undefined : parseObject(text));
  if (!read.success) throw new Error("a principal can't be read");
  return read.output;
}

export function isOver(
  principal: { readonly kind: "public" } | { readonly kind: string; readonly until: number },
  now: number,
): boolean {
  return "until" in principal && now >= principal.until;
}

/** The answer to a principal whose token has expired. */
export const OVER = { code: "expired", message: "the token has expired" } as const;

/** The answer to one whose token was revoked. */
export const REVOKED = { code: "revoked", message: "the token was revoked" } as const;

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
