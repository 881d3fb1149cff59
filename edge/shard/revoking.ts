/**
 * What a shard knows of tokens that count no more: A9, D4, L10 and L11 of INTERNALS.md. Every shard has all revocations, each in
 * a row that is written before any object is told. Of one that was lifted the row says that, until it would have lapsed.
 */
import { type Checked, encodeRevocations, encodeRevoke } from "../../shared/protocol/link.ts";
import { isNewer, type Revocation, type TokenNames } from "../../shared/protocol/revocation.ts";
import { MAX_REVOCATIONS, Revocations } from "../access/revocations.ts";
import { endOf } from "../access/same-meaning.ts";
import { tokenNamesOf } from "../access/token-names.ts";
import type { KnownPrincipal } from "../principal.ts";

/** With those of other edges, of which each may have as many as a shard takes by itself. */
export const MAX_HEARD = 3 * MAX_REVOCATIONS;

export interface RevokingPorts {
  /** Milliseconds since 1970, as the machine has it. */
  wall(): number;
  /** Rows that outlive the shard's memory. In place of the one of that issuer and id. */
  keepRevocation(revocation: Revocation): void;
  dropRevocation(issuer: string, id: string): void;
  log(problem: string): void;
}

export class Revoking {
  readonly #ports: RevokingPorts;
  readonly #all: Revocations;
  readonly #tell: (frame: string) => void;
  /** By issuer and id, in the order in which they were lifted. */
  readonly #lifted = new Map<string, Revocation>();
  /** None of these lapses before. */
  #liftedLapse = 0;

  /** @param tell Tells the object on every link. */
  constructor(ports: RevokingPorts, kept: Iterable<Revocation>, tell: (frame: string) => void) {
    this.#ports = ports;
    this.#all = new Revocations([]);
    for (const one of kept)
      if (one.lifted) this.#lifted.set(nameOf(one.meant.issuer, one.id), one);
      else this.#all.add(one);
    this.#tell = tell;
  }

  /** Those that haven't lapsed. */
  get count(): number {
    this.#lapse();
    return this.#all.size;
  }

  /** Those of one issuer, which is a hash, or all. */
  list(issuer?: string): readonly Revocation[] {
    this.#lapse();
    return this.#all.all(issuer);
  }

  /** All, and those that were lifted. */
  known(): readonly Revocation[] {
    return [...this.list(), ...this.#lifted.values()];
  }

  /** The one of that issuer and id, lifted or not. */
  named(issuer: string, id: string): Revocation | undefined {
    this.#lapse();
    return this.#all.get(issuer, id) ?? this.#lifted.get(nameOf(issuer, id));
  }

  /** It is stored when this returns. False if there are too many. */
  revoke(revocation: Revocation): boolean {
    this.#lapse();
    if (!this.#all.hasRoomFor(revocation)) return false;
    const before = this.named(revocation.meant.issuer, revocation.id);
    // Clocks differ: others must see that it is the newer one.
    const madeAt = Math.max(revocation.madeAt, before === undefined ? 0 : before.madeAt + 1);
    this.#keep(isNewer(revocation, before) ? revocation : { ...revocation, madeAt });
    this.#tell(encodeRevoke(revocation.meant, revocation.graceMs));
    return true;
  }

  /** Whether there was one. */
  lift(issuer: string, id: string): boolean {
    this.#lapse();
    const own = this.#all.get(issuer, id);
    // Asked again, so that it is told to who didn't hear it.
    if (own === undefined) return this.#lifted.has(nameOf(issuer, id));
    this.#putAside({ ...own, lifted: true, madeAt: Math.max(this.#ports.wall(), own.madeAt + 1) });
    this.#tell(encodeRevocations(this.count));
    return true;
  }

  /**
   * Takes over what another shard, or another edge, has and this one, which may be new or may have been away, hasn't. Part of a
   * revocation's grace may be over by now. The other one had room for them, so there is no bound here: one that is forgotten would let
   * its tokens in again. A shard that was left out, when there were fewer, keeps no others than these.
   */
  learn(others: readonly Revocation[], wasLeftOut = false): void {
    if (wasLeftOut) this.#dropOthers(others);
    const news = this.#missing(others);
    for (const one of news)
      if (one.lifted) this.#putAside(one);
      else {
        this.#keep(one);
        this.#tell(encodeRevoke(one.meant, this.#leftMs(one)));
      }
    if (news.some(({ lifted }) => lifted)) this.#tell(encodeRevocations(this.count));
  }

  /** The same of what an origin tells of other edges. False if that is too much: nothing of it is kept then. */
  hear(others: readonly Revocation[]): boolean {
    if (this.#all.size + this.#missing(others).length > MAX_HEARD) return false;
    this.learn(others);
    return true;
  }

  /** While there are no revocations no names are hashed. */
  async isRevoked(principal: KnownPrincipal): Promise<boolean> {
    return this.count > 0 && this.means(await tokenNamesOf(principal));
  }

  /** Whether a revocation means this token. */
  means(token: TokenNames): boolean {
    return this.#all.of(token, this.#ports.wall()) !== undefined;
  }

  /** The answer to an object that asks about tokens. */
  check(id: number, tokens: readonly TokenNames[]): Checked {
    const now = this.#ports.wall();
    const revoked: [number, number][] = [];
    for (const [place, token] of tokens.entries()) {
      const found = this.#all.of(token, now);
      if (found !== undefined) revoked.push([place, this.#leftMs(found)]);
    }
    return { id, revoked, revocations: this.count };
  }

  /** Those of another shard that this one hasn't, or has as they were before they were made again. */
  #missing(others: readonly Revocation[]): Revocation[] {
    const now = this.#ports.wall();
    return others.filter(
      (other) => other.until > now && isNewer(other, this.named(other.meant.issuer, other.id)),
    );
  }

  /** Of its own those go that another shard hasn't: they were lifted while this one was left out. */
  #dropOthers(than: readonly Revocation[]): void {
    const kept = new Revocations(than.filter(({ lifted }) => !lifted));
    for (const { meant, id } of this.#all.all())
      if (!kept.has(meant.issuer, id)) {
        this.#ports.dropRevocation(meant.issuer, id);
        this.#all.remove(meant.issuer, id);
      }
  }

  #keep(revocation: Revocation): void {
    this.#ports.keepRevocation(revocation);
    this.#all.add(revocation);
    this.#lifted.delete(nameOf(revocation.meant.issuer, revocation.id));
  }

  /** One that is lifted. Past the bound the one that was lifted first is forgotten. */
  #putAside(lifted: Revocation): void {
    const { meant, id } = lifted;
    const name = nameOf(meant.issuer, id);
    const [oldest] = this.#lifted.values();
    const isFull = this.#lifted.size >= MAX_REVOCATIONS && !this.#lifted.has(name);
    if (oldest !== undefined && isFull) this.#forgetLifted(oldest);
    this.#ports.keepRevocation(lifted);
    this.#all.remove(meant.issuer, id);
    this.#lifted.set(name, lifted);
    this.#liftedLapse = Math.min(this.#liftedLapse, lifted.until);
  }

  #lapsedLifted(now: number): readonly Revocation[] {
    if (now < this.#liftedLapse) return [];
    const all = [...this.#lifted.values()];
    this.#liftedLapse = Math.min(...all.map(({ until }) => until).filter((until) => until > now));
    return all.filter(({ until }) => until <= now);
  }

  #forgetLifted({ meant, id }: Revocation): void {
    this.#ports.dropRevocation(meant.issuer, id);
    this.#lifted.delete(nameOf(meant.issuer, id));
  }

  /** How long sockets that a revocation means may still be renewed. It may have been made by a clock that is ahead of this one. */
  #leftMs(revocation: Revocation): number {
    const leftMs = Math.ceil(endOf(revocation) - this.#ports.wall());
    return Math.min(Math.max(0, leftMs), revocation.graceMs);
  }

  /** Rows that can't be deleted lapse again when they are read again. */
  #lapse(): void {
    const now = this.#ports.wall();
    for (const { meant, id } of [...this.#all.lapse(now), ...this.#lapsedLifted(now)])
      try {
        this.#lifted.delete(nameOf(meant.issuer, id));
        this.#ports.dropRevocation(meant.issuer, id);
      } catch (error) {
        this.#ports.log(
          `a revocation that has lapsed stays: ${error instanceof Error ? error.message : error}`,
        );
      }
  }
}

const nameOf = (issuer: string, id: string) => `${issuer} ${id}`;
