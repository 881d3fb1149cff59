/**
 * Which uplink leads for a slice of the partitions at a shard, that is, is active: U2, U11–U15 and N2 of INTERNALS.md.
 * Each change of leadership has a generation of its own, which is stored before anyone hears of it.
 */
import type { CloseName } from "../../../shared/protocol/codes.ts";
import { LIMITS } from "../../../shared/protocol/limits.ts";
import { packMessages } from "../../../shared/protocol/message.ts";
import { isWhole, type Slice } from "../../../shared/protocol/slice.ts";
import { encodeActive, encodeHello, type OriginHello, type Role } from "../../../shared/protocol/uplink.ts";
import { VERSION } from "../../../shared/protocol/version.ts";
import { type HibernatingPeer, sendQuietly } from "../../peer.ts";
import type { SliceUplinks, Uplink } from "./slice-uplinks.ts";

export interface ShardConfig {
  readonly shard: number;
  readonly shards: number;
  /** For how long updates for a relay are gathered (L15); at once if it isn't said. */
  readonly gatherMs?: number;
}

/** What the shard asks of an origin that has just become active for a slice. */
export interface Failover {
  /** Attaches that go out with the news that it is active, in one go. `slice` is its number. */
  attaches(slice: number): readonly string[];
  /** The news has gone out. */
  activated(slice: number): void;
}

/** Counts a shard's changes of leadership, whichever slice they are in. */
export class Generations {
  readonly #store: (generation: number) => void;
  #current: number;
  /** Whether this life of the shard has a generation of its own, so that its dials are newer than all before. */
  #begun = false;

  /** @param store Must outlive the shard's memory. */
  constructor(current: number, store: (generation: number) => void) {
    this.#current = current;
    this.#store = store;
  }

  /** Of the last change of leadership, or of this life of the shard. */
  get current(): number {
    return this.#current;
  }

  /** Gives this life of the shard a generation of its own, if it has none. */
  begin(): void {
    if (!this.#begun) this.advance();
  }

  /** Throws, and stays where it is, if that can't be stored: a generation that the next life didn't know would be used again. */
  advance(): number {
    const next = this.#current + 1;
    this.#store(next);
    this.#current = next;
    this.#begun = true;
    return next;
  }
}

export class Leadership {
  readonly uplinks: SliceUplinks;
  readonly slice: Slice;
  readonly #config: ShardConfig;
  readonly #generations: Generations;
  readonly #failover: Failover;
  /** Whether one of its uplinks should be active. */
  #serves = false;
  /** What is being batched. */
  #batch: string[] | undefined;

  constructor(uplinks: SliceUplinks, config: ShardConfig, generations: Generations, failover: Failover) {
    this.uplinks = uplinks;
    this.slice = uplinks.slice;
    this.#config = config;
    this.#generations = generations;
    this.#failover = failover;
  }

  get active(): Uplink | undefined {
    return this.uplinks.active;
  }

  /** Whether from now on one of its uplinks is active, or none is. */
  serve(serves: boolean): void {
    this.#serves = serves;
    if (serves) this.#elect();
    else this.uplinks.demote();
  }

  /** Any arrival checks whether a standby must take over, so that the shard needs no timer for it (U13). */
  arrived(from: HibernatingPeer | undefined, contested: boolean): void {
    this.uplinks.arrived(from, contested);
    this.#elect();
  }

  /** Takes the uplink of a hello as active or standby (U2, U11, U12). Returns why the socket must be closed, if it must. */
  welcome(socket: HibernatingPeer, { version, origin }: OriginHello): CloseName | undefined {
    if (version !== VERSION) return "unsupported_version";
    if (!this.uplinks.join(socket, origin)) return "overloaded";
    const next = this.#serves ? this.uplinks.nextActive() : undefined;
    if (next !== undefined) this.#promote(next, next.socket === socket);
    if (next?.socket !== socket) sendQuietly(socket, this.#hello("standby"));
    return undefined;
  }

  closed(socket: HibernatingPeer): void {
    this.uplinks.closed(socket);
    this.#elect();
  }

  /** From now on what is sent waits for `sendBatch`. */
  beginBatch(): void {
    this.#batch ??= [];
  }

  sendBatch(): void {
    const batch = this.#batch ?? [];
    this.#batch = undefined;
    if (batch.length > 0) this.send(batch);
  }

  /** To the active one; lost if there is none. */
  send(frames: readonly string[]): void {
    if (this.#batch !== undefined) {
      this.#batch.push(...frames);
      return;
    }
    const { active } = this.uplinks;
    if (active === undefined) return;
    for (const message of packMessages(frames, LIMITS.batchBytes)) sendQuietly(active.socket, message);
  }

  #elect(): void {
    const next = this.#serves ? this.uplinks.nextActive() : undefined;
    if (next !== undefined) this.#promote(next, false);
  }

  /** U14: it is told where every link is, and goes on where the last one's frames ended (L7). */
  #promote(uplink: Uplink, isNew: boolean): void {
    const generation = this.#generations.advance();
    this.uplinks.promote(uplink, generation);
    const news = isNew ? this.#hello("active") : encodeActive(generation);
    const { number } = this.slice;
    this.send([news, ...this.#failover.attaches(number)]);
    this.#failover.activated(number);
  }

  #hello(role: Role): string {
    const { shard, shards } = this.#config;
    const slice = isWhole(this.slice) ? undefined : this.slice;
    const generation = this.#generations.current;
    return encodeHello({ version: VERSION, shard, shards, generation, role, slice });
  }
}
