/**
 * What becomes of sockets that are there by a token: they are told that it ends, they end with it, and they renew it. S17–S19
 * of PROTOCOL.md. While everybody is public nothing is done here.
 */
import type { CloseName, ErrorCode } from "../../shared/protocol/codes.ts";
import {
  encodeEnd,
  encodeError,
  encodeExpires,
  encodeRateLimited,
  encodeRenewed,
} from "../../shared/protocol/subscriber.ts";
import { OVER } from "../principal.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import { Bearers } from "./bearers.ts";
import { type Holder, isSameToken } from "./holder.ts";
import { judge, Renewals, type RenewalsPorts, type Verified } from "./renewals.ts";

export interface TokensPorts<S> extends RenewalsPorts {
  /** Milliseconds since 1970, as the machine has it: tokens name dates. It may be set back. */
  wall(): number;
  /** The paths that a socket follows. */
  follows(socket: S): readonly string[];
  send(socket: S, frame: string): void;
  /** By whose token a socket is there has changed, or that it was told. */
  keep(socket: S): void;
  /** Closes a socket and ends all that it has subscribed to, `remove` among it. */
  close(socket: S, name: CloseName): void;
  /** A renewal has ended, which is an event of its own. */
  settle(): void;
}

/** A renewal sent while another is being verified is told to come back after this long. */
const RENEW_AGAIN_MS = TIME_LIMITS.renewalMs;
const TOO_MANY = {
  code: "overloaded",
  message: "the token's subject has as many subscribers here as it may",
} as const;

export class Tokens<S> {
  readonly #perPrincipal: number;
  readonly #ports: TokensPorts<S>;
  readonly #bearers = new Bearers<S>();
  readonly #renewals: Renewals<S>;

  constructor(perPrincipal: number, ports: TokensPorts<S>) {
    this.#perPrincipal = perPrincipal;
    this.#ports = ports;
    this.#renewals = new Renewals(ports, (socket, id, verified) => this.#renewed(socket, id, verified));
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
  refusalOf(holder: Holder): { readonly code: ErrorCode; readonly message: string } | undefined {
    if (this.#ports.wall() >= holder.until) return OVER;
    return this.#bearers.like(holder) >= this.#perPrincipal ? TOO_MANY : undefined;
  }

  /** One that was accepted, or that outlived the memory. */
  add(socket: S, holder: Holder): void {
    this.#bearers.set(socket, holder);
  }

  remove(socket: S): void {
    this.#bearers.remove(socket);
    this.#renewals.forget(socket);
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
    for (const socket of over) this.#ports.close(socket, "expired");
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

  #renewed(socket: S, id: number, verified: Verified): void {
    this.keepTime();
    const before = this.#bearers.of(socket);
    if (before !== undefined) this.#take(socket, id, before, verified);
    this.#ports.settle();
  }

  #take(socket: S, id: number, before: Holder, verified: Verified): void {
    const judged = judge(before, verified, this.#ports.follows(socket), this.#ports.wall());
    switch (judged.kind) {
      case "refused":
        this.#ports.send(socket, encodeError(id, judged.code, judged.message));
        return;
      case "ends":
        this.#ports.send(
          socket,
          encodeEnd(judged.path, "forbidden", "the new token doesn't allow this path"),
        );
        this.#ports.close(socket, "forbidden");
        return;
      case "taken":
        if (!isSameToken(before, judged.holder)) {
          this.#bearers.set(socket, judged.holder);
          this.#ports.keep(socket);
        }
        this.#ports.send(socket, encodeRenewed(id, judged.holder.until));
    }
  }
}
