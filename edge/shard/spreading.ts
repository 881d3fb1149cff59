/**
 * Brings what was revoked or lifted here to all other edges: D4 of INTERNALS.md. Origins keep it and tell every shard of every
 * edge that they dial, at once and whenever one connects. This waits until each origin has said where it is stored.
 */
import type { Revocation } from "../../shared/protocol/revocation.ts";
import { encodeSpread, type SpreadOut } from "../../shared/protocol/uplink.ts";
import { TIME_LIMITS } from "../time-limits.ts";

export interface SpreadingPorts<Uplink> {
  /** In [0, 1). */
  random(): number;
  after(ms: number, run: () => void): void;
  /** Those whose key has no bounds, whether they lead or stand by, by the name of the origin. */
  uplinks(): readonly (readonly [Uplink, string])[];
  send(uplink: Uplink, frame: string): void;
}

/** Who hasn't stored it, as far as is known. */
export interface Unspread {
  /** How many origins were told. */
  readonly told: number;
  /** As origins name them. */
  readonly edges: readonly string[];
  readonly origins: readonly string[];
}

export const NOBODY_TOLD: Unspread = { told: 0, edges: [], origins: [] };

interface Spread<Uplink> {
  readonly told: number;
  /** Origins that haven't answered yet. */
  readonly waiting: Map<Uplink, string>;
  readonly failed: Set<string>;
  readonly stored: Set<string>;
  readonly missing: Set<string>;
  readonly done: (unspread: Unspread) => void;
}

export class Spreading<Uplink> {
  readonly #ports: SpreadingPorts<Uplink>;
  readonly #open = new Map<number, Spread<Uplink>>();
  #last: number;

  constructor(ports: SpreadingPorts<Uplink>) {
    this.#ports = ports;
    // What is late for a life of the shard that is over answers nothing of the next.
    this.#last = Math.floor(ports.random() * 2 ** 40);
  }

  /** Never rejects. */
  spread(revocation: Revocation): Promise<Unspread> {
    const uplinks = this.#ports.uplinks();
    if (uplinks.length === 0) return Promise.resolve(NOBODY_TOLD);
    const { promise, resolve } = Promise.withResolvers<Unspread>();
    const id = ++this.#last;
    this.#open.set(id, {
      told: uplinks.length,
      waiting: new Map(uplinks),
      failed: new Set(),
      stored: new Set(),
      missing: new Set(),
      done: resolve,
    });
    for (const [uplink] of uplinks) this.#ports.send(uplink, encodeSpread(id, revocation));
    this.#ports.after(TIME_LIMITS.shardSpreadMs, () => this.#end(id));
    return promise;
  }

  /** An origin has told all edges that it could. */
  answered(from: Uplink, id: number, { isKept, stored, missing }: SpreadOut): void {
    const spread = this.#open.get(id);
    const origin = spread?.waiting.get(from);
    if (spread === undefined || origin === undefined) return;
    spread.waiting.delete(from);
    if (!isKept) spread.failed.add(origin);
    for (const edge of stored) spread.stored.add(edge);
    for (const edge of missing) spread.missing.add(edge);
    this.#look(id);
  }

  /** It won't answer any more. What it was told it may have kept all the same. */
  lost(uplink: Uplink): void {
    for (const [id, { waiting, failed }] of this.#open) {
      const origin = waiting.get(uplink);
      if (origin === undefined) continue;
      waiting.delete(uplink);
      failed.add(origin);
      this.#look(id);
    }
  }

  #look(id: number): void {
    if (this.#open.get(id)?.waiting.size === 0) this.#end(id);
  }

  /** An edge is missing only if no origin could bring it there. */
  #end(id: number): void {
    const spread = this.#open.get(id);
    this.#open.delete(id);
    if (spread === undefined) return;
    const { told, waiting, failed, stored, missing, done } = spread;
    done({
      told,
      edges: [...missing].filter((edge) => !stored.has(edge)).sort(),
      origins: [...new Set([...failed, ...waiting.values()])].sort(),
    });
  }
}
