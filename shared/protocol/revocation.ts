/**
 * Which tokens count no more, though their time isn't over: A9, L10 and L11 of INTERNALS.md. Names are hashed wherever a
 * revocation is kept or sent: comparing them is enough.
 */
import * as v from "valibot";

/** What a token is known by to those that don't verify it. */
export interface TokenNames {
  /** Hashes. */
  readonly issuer: string;
  readonly subject: string;
  readonly tokenId: string | undefined;
  /** Seconds since 1970. */
  readonly issuedAt: number;
}

const Name = v.pipe(v.string(), v.minLength(1), v.maxLength(64));
const Seconds = v.pipe(v.number(), v.minValue(0));
const Ms = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

/** Of one issuer's tokens one, or those of a subject or all, as far as they were issued before a time. */
export const MeantSchema = v.variant("of", [
  v.object({ of: v.literal("token"), issuer: Name, token: Name }),
  v.object({ of: v.literal("subject"), issuer: Name, subject: Name, before: Seconds }),
  v.object({ of: v.literal("all"), issuer: Name, before: Seconds }),
]);
export type Meant = v.InferOutput<typeof MeantSchema>;

export const RevocationSchema = v.object({
  /** Its own name, by which its issuer can lift it. */
  id: Name,
  meant: MeantSchema,
  /** For how long sockets that are there may still be renewed. */
  graceMs: Ms,
  /** When it was made, and when it lapses: milliseconds since 1970. */
  madeAt: Ms,
  until: Ms,
  /**
   * It was lifted at `madeAt`, and means nobody any more. That is kept until it would have lapsed, so that whoever was away
   * meanwhile doesn't bring it back.
   */
  lifted: v.optional(v.literal(true)),
});
export type Revocation = v.InferOutput<typeof RevocationSchema>;

/** Whether one of two of the same issuer and id takes the other's place. */
export function isNewer(one: Revocation, than: Revocation | undefined): boolean {
  if (than === undefined || one.madeAt !== than.madeAt) return one.madeAt > (than?.madeAt ?? -1);
  return one.lifted === true && than.lifted !== true;
}

export function means(meant: Meant, token: TokenNames): boolean {
  if (meant.issuer !== token.issuer) return false;
  if (meant.of === "token") return meant.token === token.tokenId;
  return token.issuedAt < meant.before && (meant.of === "all" || meant.subject === token.subject);
}

/** As it travels: a list, since many are asked about at once. */
export const TokenNamesSchema = v.pipe(
  v.tuple([Name, Name, Seconds, v.nullable(Name)]),
  v.transform(
    ([issuer, subject, issuedAt, tokenId]): TokenNames => ({
      issuer,
      subject,
      issuedAt,
      tokenId: tokenId ?? undefined,
    }),
  ),
);

export function writeNames({ issuer, subject, issuedAt, tokenId }: TokenNames) {
  return [issuer, subject, issuedAt, tokenId ?? null] as const;
}
