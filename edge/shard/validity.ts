/**
 * Whether a principal's token still counts at a shard: W7 and A9 of INTERNALS.md. It is asked when a request comes, and again
 * before a publish is sent or an answer is given, which may be seconds later. While nothing is revoked no names are hashed.
 */
import type { ErrorCode } from "../../shared/protocol/codes.ts";
import type { TokenNames } from "../../shared/protocol/revocation.ts";
import { tokenNamesOf } from "../access/token-names.ts";
import { isOver, OVER, type Principal, REVOKED } from "../principal.ts";
import type { Revoking } from "./revoking.ts";

/** A token that an object has looked at, and that it knows by its names alone. */
export interface Vouched {
  readonly kind: "vouched";
  readonly names: TokenNames;
  /** Milliseconds since 1970. */
  readonly until: number;
}

/** It travels between objects. */
export interface Refused {
  readonly kind: "error";
  readonly code: ErrorCode;
  readonly message: string;
}

/** Why a token doesn't count; `unknown` while the names that decide it are being hashed; undefined if it counts. */
export type Refusal = Refused | "unknown" | undefined;

export class Validity {
  readonly #principal: Principal | Vouched;
  readonly #revoking: Pick<Revoking, "count" | "means">;
  readonly #wall: () => number;
  #names: TokenNames | undefined;
  #learning: Promise<void> | undefined;

  /** @param wall Milliseconds since 1970. */
  constructor(
    principal: Principal | Vouched,
    revoking: Pick<Revoking, "count" | "means">,
    wall: () => number,
  ) {
    this.#principal = principal;
    if (principal.kind === "vouched") this.#names = principal.names;
    this.#revoking = revoking;
    this.#wall = wall;
  }

  /** As far as it is known at once. */
  refusal(): Refusal {
    if (isOver(this.#principal, this.#wall())) return { kind: "error", ...OVER };
    if (this.#principal.kind === "public" || this.#revoking.count === 0) return undefined;
    if (this.#names === undefined) {
      void this.#learn();
      return "unknown";
    }
    return this.#revoking.means(this.#names) ? { kind: "error", ...REVOKED } : undefined;
  }

  /** The same, once it is known. */
  async learned(): Promise<Refused | undefined> {
    if (this.refusal() === "unknown") await this.#learn();
    const refusal = this.refusal();
    return refusal === "unknown" ? undefined : refusal;
  }

  /** The names are known when this resolves. */
  #learn(): Promise<void> {
    this.#learning ??= this.#hash();
    return this.#learning;
  }

  async #hash(): Promise<void> {
    if (this.#principal.kind === "known") this.#names = await tokenNamesOf(this.#principal);
  }
}
