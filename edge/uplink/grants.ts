/**
 * Who is a shard's active uplink, from grant to grant: U2 and U11–U15 of PROTOCOL.md. Each grant has a generation
 * of its own, which is stored before anyone hears of it.
 */
import type { CloseName } from "../../shared/protocol/codes.ts";
import { LIMITS } from "../../shared/protocol/limits.ts";
import { packMessages } from "../../shared/protocol/message.ts";
import { encodeActive, encodeHello, type OriginHello, type Role } from "../../shared/protocol/uplink.ts";
import { VERSION } from "../../shared/protocol/version.ts";
import { type HibernatingPeer, sendQuietly } from "../peer.ts";
import { type Uplink, Uplinks, type UplinksPorts } from "./uplinks.ts";

export interface GrantsPorts extends UplinksPorts {
  /** Must outlive the shard's memory. */
  setGeneration(generation: number): void;
}

export interface ShardConfig {
  readonly shard: number;
  readonly shards: number;
}

/** What the shard asks of an origin that has just become active. */
export interface Takeover {
  /** Attaches that go out with the grant, in one go. */
  attaches(): readonly string[];
  /** The grant has gone out. */
  granted(): void;
}

export class Grants {
  readonly uplinks: Uplinks;
  readonly #ports: GrantsPorts;
  readonly #config: ShardConfig;
  readonly #takeover: Takeover;
  #generation: number;
  /** Whether this life of the shard has a generation of its own, so that its dials are newer than all before. */
  #begun = false;

  constructor(
    ports: GrantsPorts,
    config: ShardConfig,
    survivors: { readonly generation: number; readonly uplinks: readonly HibernatingPeer[] },
    takeover: Takeover,
  ) {
    this.#ports = ports;
    this.#config = config;
    this.#takeover = takeover;
    this.#generation = survivors.generation;
    this.uplinks = new Uplinks(ports, survivors.uplinks);
  }

  get active(): Uplink | undefined {
    return this.uplinks.active;
  }

  /** Of the last grant, or of this life of the shard. */
  get generation(): number {
    return this.#generation;
  }

  /** Gives this life of the shard a generation of its own, if it has none. */
  begin(): void {
    if (!this.#begun) this.#advance();
  }

  /** Any arrival checks whether a standby must take over, so that the shard needs no timer for it (U13). */
  arrived(from?: HibernatingPeer): void {
    this.uplinks.arrived(from);
    this.#elect();
  }

  /** U2, U11, U12. Returns why the socket must be closed, if it must. */
  welcome(socket: HibernatingPeer, { version, origin }: OriginHello): CloseName | undefined {
    if (version !== VERSION) return "unsupported_version";
    if (!this.uplinks.join(socket, origin)) return "overloaded";
    const next = this.uplinks.successor();
    if (next !== undefined) this.#promote(next, next.socket === socket);
    if (next?.socket !== socket) sendQuietly(socket, this.#hello("standby"));
    return undefined;
  }

  /** Whether the shard is without an active uplink now, and was not before. */
  closed(socket: HibernatingPeer): boolean {
    return this.uplinks.closed(socket) && !this.#elect();
  }

  /** To the active one; lost where there is none. */
  send(frames: readonly string[]): void {
    const { active } = this.uplinks;
    if (active === undefined) return;
    for (const message of packMessages(frames, LIMITS.batchBytes)) sendQuietly(active.socket, message);
  }

  /** Whether another uplink is active from now on. */
  #elect(): boolean {
    const next = this.uplinks.successor();
    if (next !== undefined) this.#promote(next, false);
    return next !== undefined;
  }

  /** U14: it is told where every link is, and goes on where the last one's frames ended (L7). */
  #promote(uplink: Uplink, isNew: boolean): void {
    this.#advance();
    this.uplinks.grant(uplink, this.#generation);
    const grant = isNew ? this.#hello("active") : encodeActive(this.#generation);
    this.send([grant, ...this.#takeover.attaches()]);
    this.#takeover.granted();
  }

  #advance(): void {
    this.#generation++;
    this.#begun = true;
    this.#ports.setGeneration(this.#generation);
  }

  #hello(role: Role): string {
    const { shard, shards } = this.#config;
    return encodeHello({ version: VERSION, shard, shards, generation: this.#generation, role });
  }
}
