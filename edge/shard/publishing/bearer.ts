/**
 * Whether whoever publishes may still do so: W7 and A9 of INTERNALS.md. It is asked when a publish comes, and again when it
 * is sent, which may be seconds later. While nothing is revoked no names are hashed.
 */
import type { TokenNames } from "../../../shared/protocol/revocation.ts";
import { tokenNamesOf } from "../../access/token-names.ts";
import { isOver, OVER, type Principal, REVOKED } from "../../principal.ts";
import type { PublishOutcome } from "./outcome.ts";

/** `unknown` until names that are being hashed are. */
export type Refusal = PublishOutcome | "unknown" | undefined;

export interface BearerPorts {
  /** Milliseconds since 1970. */
  wall(): number;
  /** How many there are. */
  revocations(): number;
  isRevoked(token: TokenNames): boolean;
}

export class Bearer {
  readonly #principal: Principal;
  readonly #ports: BearerPorts;
  #names: TokenNames | undefined;
  #learning: Promise<void> | undefined;

  constructor(principal: Principal, ports: BearerPorts) {
    this.#principal = principal;
    this.#ports = ports;
  }

  /** Undefined if it may publish now. */
  refusal(): Refusal {
    const { wall, revocations, isRevoked } = this.#ports;
    if (isOver(this.#principal, wall())) return { kind: "error", ...OVER };
    if (this.#principal.kind === "public" || revocations() === 0) return undefined;
    if (this.#names === undefined) {
      void this.learn();
      return "unknown";
    }
    return isRevoked(this.#names) ? { kind: "error", ...REVOKED } : undefined;
  }

  /** The names are known when this resolves. */
  learn(): Promise<void> {
    this.#learning ??= this.#learn();
    return this.#learning;
  }

  async #learn(): Promise<void> {
    if (this.#principal.kind === "known") this.#names = await tokenNamesOf(this.#principal);
  }
}
