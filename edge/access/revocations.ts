/** The revocations that stand, as a shard looks tokens up in them: A9 of INTERNALS.md. Pure. */
import type { Meant, Revocation, TokenNames } from "../../shared/protocol/revocation.ts";
import { endOf, SameMeaning } from "./same-meaning.ts";

/** As many as a shard keeps. One of a subject takes the place of many of its tokens. */
export const MAX_REVOCATIONS = 10_000;
/** Each issuer has room for so many, whatever those of the others take: these needn't trust one another. */
export const OWN_REVOCATIONS = 500;

export class Revocations {
  readonly #byName = new Map<string, Revocation>();
  /** By whom they mean. A token is looked up in three places, in each by halving, however many there are. */
  readonly #byMeant = new Map<string, SameMeaning>();
  /** None lapses before. */
  #firstLapse = Number.POSITIVE_INFINITY;

  constructor(all: Iterable<Revocation>) {
    for (const revocation of all) this.add(revocation);
  }

  get size(): number {
    return this.#byName.size;
  }

  /** Those of one issuer, or all. */
  all(issuer?: string): Revocation[] {
    return [...this.#byName.values()].filter(({ meant }) => issuer === undefined || meant.issuer === issuer);
  }

  has(issuer: string, id: string): boolean {
    return this.get(issuer, id) !== undefined;
  }

  get(issuer: string, id: string): Revocation | undefined {
    return this.#byName.get(nameOf(issuer, id));
  }

  /** Whether it may be added. */
  hasRoomFor({ meant: { issuer }, id }: Revocation): boolean {
    if (this.size < MAX_REVOCATIONS || this.has(issuer, id)) return true;
    return this.all(issuer).length < OWN_REVOCATIONS;
  }

  /** In place of its issuer's of the same id. */
  add(revocation: Revocation): void {
    const name = nameOf(revocation.meant.issuer, revocation.id);
    this.remove(revocation.meant.issuer, revocation.id);
    this.#byName.set(name, revocation);
    const place = placeOf(revocation.meant);
    const others = this.#byMeant.get(place) ?? new SameMeaning();
    others.add(revocation);
    this.#byMeant.set(place, others);
    this.#firstLapse = Math.min(this.#firstLapse, revocation.until);
  }

  /** Whether there was one. */
  remove(issuer: string, id: string): boolean {
    const name = nameOf(issuer, id);
    const revocation = this.#byName.get(name);
    if (revocation === undefined) return false;
    this.#byName.delete(name);
    const place = placeOf(revocation.meant);
    const others = this.#byMeant.get(place);
    others?.remove(revocation);
    if (others?.isEmpty) this.#byMeant.delete(place);
    return true;
  }

  /** Takes away those that have lapsed, and returns them. `now`: milliseconds since 1970. */
  lapse(now: number): readonly Revocation[] {
    if (now < this.#firstLapse) return [];
    const all = [...this.#byName.values()];
    const lapsed = all.filter(({ until }) => until <= now);
    for (const { meant, id } of lapsed) this.remove(meant.issuer, id);
    this.#firstLapse = Math.min(...[...this.#byName.values()].map(({ until }) => until));
    return lapsed;
  }

  /** By which a token counts no more; of several that which leaves its sockets the least time. */
  of(token: TokenNames, now: number): Revocation | undefined {
    const { issuer, subject, tokenId } = token;
    const places = [
      placeOf({ of: "all", issuer, before: 0 }),
      placeOf({ of: "subject", issuer, subject, before: 0 }),
    ];
    if (tokenId !== undefined) places.push(placeOf({ of: "token", issuer, token: tokenId }));
    let found: Revocation | undefined;
    for (const place of places) {
      const one = this.#byMeant.get(place)?.of(token.issuedAt, now);
      if (one !== undefined && (found === undefined || endOf(one) < endOf(found))) found = one;
    }
    return found;
  }
}

function nameOf(issuer: string, id: string): string {
  return `${issuer} ${id}`;
}

function placeOf(meant: Meant): string {
  const whom = meant.of === "token" ? meant.token : meant.of === "subject" ? meant.subject : "";
  return `${meant.issuer} ${meant.of} ${whom}`;
}
