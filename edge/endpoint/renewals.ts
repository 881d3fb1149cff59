/**
 * Tokens that are renewed on their sockets (S18 of PROTOCOL.md): one at a time on each, and none for long. While one is looked
 * at, which may take a question to its issuer, the object goes on with all else.
 */
import type { ErrorCode } from "../../shared/protocol/codes.ts";
import type { TokenFault } from "../access/token.ts";
import { type KnownPrincipal, OVER, REVOKED } from "../principal.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import type { Clearing } from "./clearance.ts";
import { type Holder, isSamePrincipal } from "./holder.ts";

/** A token that counts. */
export interface GoodToken {
  readonly ok: true;
  readonly holder: Holder;
  /** Whether it allows to read a canonical path. */
  mayRead(path: string): boolean;
  /** Whether it allows to publish to one. */
  mayPublish(path: string): boolean;
}

/** What it allows, as a principal has it. */
export interface Granted {
  readonly grants: KnownPrincipal["grants"];
}

/** `M`: what else an object must know of a token that counts. */
export type Verified<M extends object = object> =
  | (GoodToken & M)
  | {
      readonly ok: false;
      readonly code: Extract<ErrorCode, TokenFault | "revoked" | "unavailable">;
      readonly message: string;
      readonly retryAfterMs?: number | undefined;
    };

export interface RenewalsPorts<M extends object = object> {
  verify(token: string): Promise<Verified<M>>;
  after(ms: number, run: () => void): () => void;
  log(problem: string): void;
}

/** Longer than an issuer has for its keys. */
const VERIFY_MS = TIME_LIMITS.renewalMs;

/** Asks the shard whether a token that is good was revoked; answers at once if nothing needs to be asked. */
export type Clear = (holder: Holder, done: (clearing: Clearing) => void) => void;

interface Renewal {
  readonly id: number;
}

export class Renewals<S, M extends object = object> {
  readonly #ports: RenewalsPorts<M>;
  readonly #clear: Clear;
  readonly #done: (socket: S, id: number, verified: Verified<M>) => void;
  readonly #underWay = new Map<S, Renewal>();

  /** `done`: it was looked at, and its socket is still there. */
  constructor(
    ports: RenewalsPorts<M>,
    clear: Clear,
    done: (socket: S, id: number, verified: Verified<M>) => void,
  ) {
    this.#ports = ports;
    this.#clear = clear;
    this.#done = done;
  }

  /** The id of the one that is under way. */
  idOn(socket: S): number | undefined {
    return this.#underWay.get(socket)?.id;
  }

  begin(socket: S, id: number, token: string): void {
    const renewal = { id };
    this.#underWay.set(socket, renewal);
    // The socket may have gone, or its time may have been over.
    const isOver = () => this.#underWay.get(socket) !== renewal;
    const end = (verified: Verified<M>) => {
      cancel();
      if (isOver()) return;
      this.#underWay.delete(socket);
      this.#done(socket, id, verified);
    };
    const cancel = this.#ports.after(VERIFY_MS, () => end(LATE));
    const looked = (verified: Verified<M>) => {
      if (!verified.ok || isOver()) end(verified);
      else this.#clear(verified.holder, (clearing) => end(cleared(verified, clearing)));
    };
    this.#ports.verify(token).then(looked, (error: unknown) => {
      this.#ports.log(`a token can't be looked at: ${error instanceof Error ? error.message : error}`);
      end(LATE);
    });
  }

  /** A socket has gone. */
  forget(socket: S): void {
    this.#underWay.delete(socket);
  }
}

function cleared<M extends object>(verified: Verified<M>, clearing: Clearing): Verified<M> {
  if (clearing === "clear") return verified;
  return clearing === "lost" ? LATE : { ok: false, ...REVOKED };
}

const LATE = {
  ok: false,
  code: "unavailable",
  message: "the token can't be looked at just now; the one before counts as long as it did",
} as const;

export type Judged<M extends object = object> =
  | {
      readonly kind: "refused";
      readonly code: ErrorCode;
      readonly message: string;
      readonly retryAfterMs?: number | undefined;
    }
  | { readonly kind: "taken"; readonly token: GoodToken & M };

/** What becomes of a token that is to follow `before` on a socket. One that is refused changes nothing. */
export function judge<M extends object>(before: Holder, verified: Verified<M>, now: number): Judged<M> {
  if (!verified.ok) {
    const { code, message, retryAfterMs } = verified;
    return { kind: "refused", code, message, retryAfterMs };
  }
  const { holder } = verified;
  if (!isSamePrincipal(before, holder)) {
    const message = "the token is of another issuer or subject; dial with it";
    return { kind: "refused", code: "forbidden", message };
  }
  if (now >= holder.until) return { kind: "refused", ...OVER };
  return { kind: "taken", token: verified };
}
