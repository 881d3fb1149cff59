/**
 * Which sockets are there by a token, and when the next of these is to be told of its end, or has come to it: S17 and S19 of
 * PROTOCOL.md. Pure. Public sockets are not among them, and cost nothing.
 */
import { endOfHolder, type Holder } from "./holder.ts";

export interface Due<S> {
  /** Their tokens have ended, or were revoked and not renewed. */
  readonly over: readonly { readonly socket: S; readonly why: "expired" | "revoked" }[];
  /** They are to be told now that theirs will; that is noted here as done. */
  readonly near: readonly { readonly socket: S; readonly until: number }[];
}

export class Bearers<S> {
  readonly #bySocket = new Map<S, Holder>();
  readonly #byPrincipal = new Map<string, Set<S>>();
  #next = Number.POSITIVE_INFINITY;

  /**
   * Nothing is due before: one comparison tells that, however many there are. It may be too early, since one that leaves
   * changes nothing here. Infinite while there is none.
   */
  get next(): number {
    return this.#next;
  }

  of(socket: S): Holder | undefined {
    return this.#bySocket.get(socket);
  }

  entries(): Iterable<readonly [S, Holder]> {
    return this.#bySocket;
  }

  /** Sockets of the same principal. */
  like(holder: Holder): ReadonlySet<S> {
    return this.#byPrincipal.get(principalOf(holder)) ?? new Set();
  }

  /** In place of the token by which the socket was there before. */
  set(socket: S, holder: Holder): void {
    if (!this.#bySocket.has(socket)) {
      const principal = principalOf(holder);
      this.#byPrincipal.set(principal, (this.#byPrincipal.get(principal) ?? new Set()).add(socket));
    }
    this.#bySocket.set(socket, holder);
    this.#next = Math.min(this.#next, momentOf(holder));
  }

  remove(socket: S): void {
    const holder = this.#bySocket.get(socket);
    if (holder === undefined) return;
    this.#bySocket.delete(socket);
    const principal = principalOf(holder);
    const others = this.#byPrincipal.get(principal);
    others?.delete(socket);
    if (others?.size === 0) this.#byPrincipal.delete(principal);
    if (this.#bySocket.size === 0) this.#next = Number.POSITIVE_INFINITY;
  }

  /** What has become due; those that are over are still here. */
  due(now: number): Due<S> {
    const over: { socket: S; why: "expired" | "revoked" }[] = [];
    const near: { socket: S; until: number }[] = [];
    let next = Number.POSITIVE_INFINITY;
    for (const [socket, holder] of this.#bySocket) {
      const until = endOfHolder(holder);
      if (now >= until) over.push({ socket, why: until < holder.until ? "revoked" : "expired" });
      else if (now >= momentOf(holder)) {
        near.push({ socket, until });
        this.#bySocket.set(socket, { ...holder, noticeAt: undefined });
        next = Math.min(next, until);
      } else next = Math.min(next, momentOf(holder));
    }
    this.#next = next;
    return { over, near };
  }
}

function momentOf(holder: Holder): number {
  return holder.noticeAt ?? endOfHolder(holder);
}

function principalOf({ issuer, subject }: Holder): string {
  return `${issuer} ${subject}`;
}
