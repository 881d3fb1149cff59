/**
 * What a shard knows of tokens that count no more: A9, L10 and L11 of INTERNALS.md. Every shard has all revocations, each in a
 * row that is written before any object is told.
 */
import { type Checked, encodeRevocations, encodeRevoke } from "../../shared/protocol/link.ts";
import type { Revocation, TokenNames } from "../../shared/protocol/revocation.ts";
import { Revocations } from "../access/revocations.ts";
import { endOf } from "../access/same-meaning.ts";
import { tokenNamesOf } from "../access/token-names.ts";
import type { KnownPrincipal } from "../principal.ts";

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

  /** @param tell Tells the object on every link. */
  constructor(ports: RevokingPorts, kept: Iterable<Revocation>, tell: (frame: string) => void) {
    this.#ports = ports;
    this.#all = new Revocations(kept);
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

  /** It is stored when this returns. False if there are too many. */
  revoke(revocation: Revocation): boolean {
    this.#lapse();
    if (!this.#all.hasRoomFor(revocation)) return false;
    this.#keep(revocation);
    this.#tell(encodeRevoke(revocation.meant, revocation.graceMs));
    return true;
  }

  /** Whether there was one. */
  lift(issuer: string, id: string): boolean {
    this.#lapse();
    if (!this.#all.has(issuer, id)) return false;
    this.#ports.dropRevocation(issuer, id);
    this.#all.remove(issuer, id);
    this.#tell(encodeRevocations(this.count));
    return true;
  }

  /**
   * Takes over what another shard has and this one, which may be new or may have been away, hasn't. Part of a revocation's
   * grace may be over by now. The other shard had room for them, so there is no bound here: one that is forgotten would let
   * its tokens in again. A shard that was left out, when there were fewer, keeps no others than these.
   */
  learn(others: readonly Revocation[], wasLeftOut = false): void {
    if (wasLeftOut) this.#dropOthers(others);
    for (const one of this.#missing(others)) {
      this.#keep(one);
      this.#tell(encodeRevoke(one.meant, this.#leftMs(one)));
    }
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
    return others.filter(({ meant, id, until, madeAt }) => {
      const own = this.#all.get(meant.issuer, id);
      return until > now && (own === undefined || own.madeAt < madeAt);
    });
  }

  /** Of its own those go that another shard hasn't: they were lifted while this one was left out. */
  #dropOthers(than: readonly Revocation[]): void {
    const kept = new Revocations(than);
    for (const { meant, id } of this.#all.all())
      if (!kept.has(meant.issuer, id)) {
        this.#ports.dropRevocation(meant.issuer, id);
        this.#all.remove(meant.issuer, id);
      }
  }

  #keep(revocation: Revocation): void {
    this.#ports.keepRevocation(revocation);
    this.#all.add(revocation);
  }

  /** How long sockets that a revocation means may still be renewed. */
  #leftMs(revocation: Revocation): number {
    return Math.max(0, Math.ceil(endOf(revocation) - this.#ports.wall()));
  }

  /** Rows that can't be deleted lapse again when they are read again. */
  #lapse(): void {
    for (const { meant, id } of this.#all.lapse(this.#ports.wall()))
      try {
        this.#ports.dropRevocation(meant.issuer, id);
      } catch (error) {
        this.#ports.log(
          `a revocation that has lapsed stays: ${error instanceof Error ? error.message : error}`,
        );
      }
  }
}
