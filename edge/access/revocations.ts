/**
 * Which tokens count no more, though their time isn't over. A revocation names an issuer, and of its tokens one (by `jti`),
 * those of one subject, or all; of these it means those that were issued until a time, so that who is let in again gets in
 * with a new token. It is kept until no token that it means can be valid any more.
 */

/** What a token is known by to those that don't verify it. */
export interface TokenFacts {
  readonly issuer: string;
  readonly subject: string;
  readonly id: string | undefined;
  /** Seconds since 1970. */
  readonly issuedAt: number;
}

export interface Revocation {
  /** Its own name, by which it can be lifted. */
  readonly name: string;
  readonly issuer: string;
  readonly of:
    | { readonly kind: "token"; readonly id: string }
    | { readonly kind: "subject"; readonly subject: string }
    | { readonly kind: "all" };
  /** Tokens that were issued later are not meant. Seconds since 1970. */
  readonly issuedUntil: number;
  /** For how long those who are there may still renew. Milliseconds, from when it was made. */
  readonly graceMs: number;
  /** When it was made, and when it lapses. Milliseconds since 1970. */
  readonly madeAt: number;
  readonly until: number;
}

/** As many as an edge keeps. A subject's takes the place of many of its tokens. */
export const MAX_REVOCATIONS = 10_000;

export function means(revocation: Revocation, token: TokenFacts): boolean {
  const { issuer, of, issuedUntil } = revocation;
  if (issuer !== token.issuer || token.issuedAt > issuedUntil) return false;
  switch (of.kind) {
    case "all":
      return true;
    case "subject":
      return of.subject === token.subject;
    case "token":
      return of.id === token.id;
  }
}

/** All that stand. A token is looked up in three places at most, however many there are. */
export class Revocations {
  readonly #byName = new Map<string, Revocation>();
  /** By whom they mean; of several that mean the same, all. */
  readonly #byMeant = new Map<string, Set<Revocation>>();

  constructor(all: Iterable<Revocation>) {
    for (const revocation of all) this.add(revocation);
  }

  get size(): number {
    return this.#byName.size;
  }

  all(): IterableIterator<Revocation> {
    return this.#byName.values();
  }

  /** In place of the one of that name. False if there are too many. */
  add(revocation: Revocation): boolean {
    if (!this.#byName.has(revocation.name) && this.size >= MAX_REVOCATIONS) return false;
    this.remove(revocation.name);
    this.#byName.set(revocation.name, revocation);
    const meant = keyOf(revocation.issuer, revocation.of);
    const others = this.#byMeant.get(meant) ?? new Set();
    this.#byMeant.set(meant, others.add(revocation));
    return true;
  }

  /** Whether there was one of that name. */
  remove(name: string): boolean {
    const revocation = this.#byName.get(name);
    if (revocation === undefined) return false;
    this.#byName.delete(name);
    const meant = keyOf(revocation.issuer, revocation.of);
    const others = this.#byMeant.get(meant);
    others?.delete(revocation);
    if (others?.size === 0) this.#byMeant.delete(meant);
    return true;
  }

  /** Names of those that have lapsed, which are gone from here then. */
  lapse(now: number): string[] {
    const lapsed = [...this.#byName.values()].filter(({ until }) => until <= now).map(({ name }) => name);
    for (const name of lapsed) this.remove(name);
    return lapsed;
  }

  /** The one by which a token counts no more; of several that which gives it the least time. */
  of(token: TokenFacts, now: number): Revocation | undefined {
    const places: Revocation["of"][] = [{ kind: "all" }, { kind: "subject", subject: token.subject }];
    if (token.id !== undefined) places.push({ kind: "token", id: token.id });
    return places
      .flatMap((place) => [...(this.#byMeant.get(keyOf(token.issuer, place)) ?? [])])
      .filter((revocation) => revocation.until > now && means(revocation, token))
      .toSorted((one, other) => endOf(one) - endOf(other))[0];
  }
}

/** When a socket that it means is closed. */
export function endOf({ madeAt, graceMs }: Revocation): number {
  return madeAt + graceMs;
}

function keyOf(issuer: string, of: Revocation["of"]): string {
  return JSON.stringify([
    issuer,
    of.kind,
    of.kind === "token" ? of.id : of.kind === "subject" ? of.subject : "",
  ]);
}
