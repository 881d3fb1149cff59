/** Brings what was revoked or lifted at one edge to all: D4 of INTERNALS.md. */
import type { Revocation } from "../../shared/protocol/revocation.ts";
import type { SpreadOut } from "../../shared/protocol/uplink.ts";
import type { KeptRevocations } from "./kept.ts";

export interface SpreadingPorts {
  readonly kept: Pick<KeptRevocations, "all" | "keep">;
  /** Resolves with whether every shard of an edge has stored it, for each edge by its name. Never rejects. */
  readonly tell: (revocation: Revocation) => Promise<ReadonlyMap<string, boolean>>;
}

export class RevocationSpreading {
  readonly #ports: SpreadingPorts;

  constructor(ports: SpreadingPorts) {
    this.#ports = ports;
  }

  /** For a shard that has just been greeted. */
  known(): readonly Revocation[] {
    return this.#ports.kept.all();
  }

  /** Never rejects. It is kept before any edge is told, so that one that is away hears of it when it comes. */
  async spread(revocation: Revocation): Promise<SpreadOut> {
    const isKept = this.#ports.kept.keep(revocation);
    const edges = [...(await this.#ports.tell(revocation))];
    const named = (isStored: boolean) =>
      edges.filter(([, stored]) => stored === isStored).map(([edge]) => edge);
    return { isKept, stored: named(true), missing: named(false) };
  }
}
