/**
 * What becomes of sockets that are there by a token: they are told that it ends, they end with it, and they renew it. S17–S19
 * of PROTOCOL.md. Of a token that was revoked the shard tells (L10, L11 of INTERNALS.md). While everybody is public nothing is
 * done here.
 */
import type { CloseName, ErrorCode } from "../../shared/protocol/codes.ts";
import type { Checked } from "../../shared/protocol/link.ts";
import { type Meant, means } from "../../shared/protocol/revocation.ts";
import {
  encodeError,
  encodeExpires,
  encodeRateLimited,
  encodeRenewed,
} from "../../shared/protocol/subscriber.ts";
import { OVER } from "../principal.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import type { RevocationFacts } from "./attachment.ts";
import { Bearers } from "./bearers.ts";
import { Clearance, type Clearing } from "./clearance.ts";
import { endOfHolder, type Holder, isSameToken, restored, revoked } from "./holder.ts";
import { type GoodToken, judge, Renewals, type RenewalsPorts, type Verified } from "./renewals.ts";

/** `M`: what else the object must know of a token that renews one. */
export interface TokensPorts<S, M extends object = object> extends RenewalsPorts<M> {
  /** Milliseconds since 1970, as the machine has it: tokens name dates. It may be set back. */
  wall(): number;
  /** When a socket's client last sent a ping, by the same clock; undefined if never. */
  pingedAt(socket: S): number | undefined;
  /** Another token counts on a socket: ends what it doesn't allow. Returns whether the socket is still there. */
  renewed(socket: S, token: GoodToken & M): boolean;
  send(socket: S, frame: string): void;
  /** By whose token a socket is there has changed, or that it was told. */
  keep(socket: S): void;
  /** Closes a socket and ends all that it has subscribed to, `remove` among it. */
  close(socket: S, name: CloseName): void;
  /** Whether a socket's verdict is due. */
  awaits(socket: S): boolean;
  /** Says something to the shard. */
  say(frame: string): void;
  /** Something has come of a renewal, which is an event of its own. */
  settle(): void;
}

/** Whether a socket counts against the bound of its principal (S20), where an object has others, too. */
export type Beside<S> = (socket: S) => boolean;

/** A renewal sent while another is being verified is told to come back after this long. */
const RENEW_AGAIN_MS = TIME_LIMITS.renewalMs;
const SILENT_MS = TIME_LIMITS.subscriberSilentMs;
const TOO_MANY = {
  code: "overloaded",
  message: "the token's subject has as many subscribers here as it may",
} as const;

export class Tokens<S, M extends object = object> {
  readonly #perPrincipal: number;
  readonly #ports: TokensPorts<S, M>;
  readonly #bearers = new Bearers<S>();
  readonly #renewals: Renewals<S, M>;
  readonly #clearance: Clearance;
  /** Those of which the shard has yet to say whether their tokens count. */
  readonly #held = new Set<S>();

  constructor(perPrincipal: number, ports: TokensPorts<S, M>) {
    this.#perPrincipal = perPrincipal;
    this.#ports = ports;
    this.#clearance = new Clearance((frame) => ports.say(frame));
    const clear = (holder: Holder, done: (clearing: Clearing) => void) => {
      this.#clearance.ask([{ token: holder, done }]);
      ports.settle();
    };
    this.#renewals = new Renewals(ports, clear, (socket, id, verified) =>
      this.#renewed(socket, id, verified),
    );
  }

  /** Nothing is due before; undefined while everybody is public. */
  get next(): number | undefined {
    const { next } = this.#bearers;
    return next === Number.POSITIVE_INFINITY ? undefined : next;
  }

  /** By whose token a socket is there; undefined for "public". */
  of(socket: S): Holder | undefined {
    return this.#bearers.of(socket);
  }

  /** Why one more socket can't be accepted. */
  refusalOf(
    holder: Holder,
    isBeside?: Beside<S>,
  ): { readonly code: ErrorCode; readonly message: string } | undefined {
    const now = this.#ports.wall();
    if (now >= holder.until) return OVER;
    const like = this.#like(holder, isBeside);
    return this.#isFull(like) && this.#silentOf(like, now) === undefined ? TOO_MANY : undefined;
  }

  /** Sockets of the same principal. */
  #like(holder: Holder, isBeside: Beside<S> = () => true): readonly S[] {
    return [...this.#bearers.like(holder)].filter(isBeside);
  }

  /** Whether a principal has as many sockets as it may. */
  #isFull(like: readonly S[]): boolean {
    return like.length >= this.#perPrincipal;
  }

  /**
   * Of a principal's sockets the one of which nothing was heard for longest, if its client may well have gone without a
   * word: else a phone that loses its network often would lock itself out. A client that hears updates needn't ping, so it
   * may be there all the same.
   */
  #silentOf(like: readonly S[], now: number): S | undefined {
    let silent: S | undefined;
    let before = now - SILENT_MS;
    for (const socket of like) {
      const cameAt = this.#bearers.of(socket)?.cameAt ?? 0;
      const heardAt = Math.max(cameAt, this.#ports.pingedAt(socket) ?? cameAt);
      if (heardAt < before) [silent, before] = [socket, heardAt];
    }
    return silent;
  }

  /** One that outlived the memory. */
  restore(socket: S, holder: Holder): void {
    this.#bearers.set(socket, holder);
  }

  /** One that was accepted. It may take the place of one that is silent: that comes back by its position if it is there. */
  admit(socket: S, holder: Holder, isBeside?: Beside<S>): void {
    const like = this.#like(holder, isBeside);
    const silent = this.#isFull(like) ? this.#silentOf(like, this.#ports.wall()) : undefined;
    if (silent !== undefined) this.#ports.close(silent, "overloaded");
    this.#bearers.set(socket, holder);
    if (this.#clearance.count !== undefined) this.#check([[socket, holder]]);
  }

  remove(socket: S): void {
    this.#bearers.remove(socket);
    this.#renewals.forget(socket);
    this.#held.delete(socket);
  }

  /** Whether a socket's verdict must wait for what the shard says of its token. Never for "public". */
  isHeld(socket: S): boolean {
    if (this.#bearers.of(socket) === undefined) return false;
    return this.#clearance.count === undefined || this.#held.has(socket);
  }

  /** What must outlive the memory, and whether it has changed since it was last asked for. */
  revocations(): RevocationFacts {
    return this.#clearance.facts();
  }

  get hasChanged(): boolean {
    return this.#clearance.isChanged;
  }

  /** The link of before a hibernation is there: its shard has told of all that it revoked meanwhile. */
  woken(facts: RevocationFacts): void {
    this.#clearance.linked(facts);
    this.#check(
      [...this.#bearers.entries()].filter(([socket]) => facts.isOpen || this.#ports.awaits(socket)),
    );
  }

  /**
   * There is a new link: its shard may have revoked anything while there was none.
   * @param lastId Of the last question, if an answer to one with the same id could be under way on it.
   */
  linked(count: number, lastId = 0): void {
    this.#clearance.linked({ count, lastId, isOpen: false });
    this.#check([...this.#bearers.entries()]);
  }

  unlinked(): void {
    this.#clearance.unlinked();
  }

  checked(checked: Checked): void {
    this.#clearance.checked(checked);
  }

  /** From now on these tokens count no more. */
  revoke(meant: Meant, graceMs: number): void {
    this.#clearance.told(Math.max(1, this.#clearance.count ?? 0));
    for (const [socket, holder] of [...this.#bearers.entries()])
      if (means(meant, holder)) this.#revoke(socket, holder, graceMs);
  }

  /** One was lifted: sockets that had some time left by it may stay. */
  lifted(count: number): void {
    this.#clearance.told(count);
    this.#check([...this.#bearers.entries()].filter(([, { revokedAt }]) => revokedAt !== undefined));
  }

  #check(bearers: readonly (readonly [S, Holder])[]): void {
    for (const [socket] of bearers) this.#held.add(socket);
    this.#clearance.ask(
      bearers.map(([socket, holder]) => ({
        token: holder,
        done: (clearing) => this.#cleared(socket, holder, clearing),
      })),
    );
  }

  #cleared(socket: S, asked: Holder, clearing: Clearing): void {
    // Another link will have to tell.
    if (clearing === "lost") return;
    this.#held.delete(socket);
    const holder = this.#bearers.of(socket);
    // It has gone, or was renewed by a token that was asked about itself.
    if (holder === undefined || !isSameToken(holder, asked)) return;
    if (clearing !== "clear") this.#revoke(socket, holder, clearing.leftMs);
    else if (holder.revokedAt !== undefined) {
      this.#bearers.set(socket, restored(holder, this.#ports.wall()));
      this.#ports.keep(socket);
    }
  }

  #revoke(socket: S, holder: Holder, leftMs: number): void {
    if (leftMs <= 0 || this.#ports.awaits(socket)) {
      this.#ports.close(socket, "revoked");
      return;
    }
    const at = Math.floor(this.#ports.wall()) + leftMs;
    if (at >= endOfHolder(holder)) return;
    this.#bearers.set(socket, revoked(holder, at));
    // It can still be renewed, and its client renews when it hears this (S17).
    if (holder.revokedAt === undefined) this.#ports.send(socket, encodeExpires(leftMs));
    this.#ports.keep(socket);
  }

  /**
   * Runs first at every event: a socket whose token has ended is sent nothing more (S19); one whose token is about to end
   * is told (S17).
   */
  keepTime(): void {
    const { next } = this.#bearers;
    // While everybody is public not even the clock is read.
    if (next === Number.POSITIVE_INFINITY) return;
    const now = this.#ports.wall();
    if (now < next) return;
    const { over, near } = this.#bearers.due(now);
    for (const { socket, why } of over) this.#ports.close(socket, why);
    for (const { socket, until } of near) {
      this.#ports.send(socket, encodeExpires(until - now));
      this.#ports.keep(socket);
    }
  }

  /** The id of a renewal that is under way on a socket. */
  renewing(socket: S): number | undefined {
    return this.#renewals.idOn(socket);
  }

  /** Begins to verify a token that is to follow the socket's present one (S18). */
  renew(socket: S, id: number, token: string): void {
    if (this.#bearers.of(socket) === undefined)
      this.#ports.send(socket, encodeError(id, "unsupported", "this socket has no token; dial with one"));
    else if (this.#renewals.idOn(socket) !== undefined)
      this.#ports.send(socket, encodeRateLimited(id, RENEW_AGAIN_MS));
    else this.#renewals.begin(socket, id, token);
  }

  #renewed(socket: S, id: number, verified: Verified<M>): void {
    this.keepTime();
    const before = this.#bearers.of(socket);
    if (before !== undefined) this.#take(socket, id, before, verified);
    this.#ports.settle();
  }

  #take(socket: S, id: number, before: Holder, verified: Verified<M>): void {
    const judged = judge(before, verified, this.#ports.wall());
    switch (judged.kind) {
      case "refused":
        this.#ports.send(socket, encodeError(id, judged.code, judged.message, judged.retryAfterMs));
        return;
      case "taken": {
        const { token } = judged;
        if (!this.#ports.renewed(socket, token)) return;
        if (!isSameToken(before, token.holder)) {
          this.#bearers.set(socket, token.holder);
          this.#ports.keep(socket);
        }
        this.#ports.send(socket, encodeRenewed(id, token.holder.until));
      }
    }
  }
}
