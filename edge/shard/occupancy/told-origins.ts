/**
 * The origins that want to know how many subscribers this edge has, so that they can tell other edges: D6 of INTERNALS.md. Each is
 * told once it has asked, and whenever the number has changed, until it has had enough, its uplink has ended, or it hasn't asked
 * again for a while. Pure.
 */
import { Spaced } from "../../../shared/core/spaced.ts";
import { encodeCounted } from "../../../shared/protocol/counting.ts";
import { LIMITS } from "../../../shared/protocol/limits.ts";
import { TIME_LIMITS } from "../../time-limits.ts";
import { Linger, type LingerPorts } from "../links/linger.ts";

export interface ToldOriginsPorts<Uplink> extends LingerPorts {
  tell(uplink: Uplink, frames: readonly string[]): void;
  /** How many this edge has. It is counted as long as an origin wants to know it. */
  here(path: string): Promise<number>;
  /** No origin wants to know it any more. */
  released(path: string): void;
}

export class ToldOrigins<Uplink> {
  readonly #ports: ToldOriginsPorts<Uplink>;
  readonly #told = new Map<string, Map<Uplink, Spaced>>();
  /** How many endpoints each wants to know it of. */
  readonly #sizes = new Map<Uplink, number>();
  readonly #linger: Linger<string>;

  constructor(ports: ToldOriginsPorts<Uplink>) {
    this.#ports = ports;
    this.#linger = new Linger(ports, TIME_LIMITS.countWantedMs, (path) => this.#forget(path));
  }

  wants(path: string): boolean {
    return this.#told.has(path);
  }

  /** An origin asks, for the first time or again. What is too much for it isn't told. */
  count(uplink: Uplink, path: string): void {
    const spaced = this.#told.get(path)?.get(uplink) ?? this.#add(uplink, path);
    if (spaced === undefined) return;
    this.#linger.end(path);
    this.#linger.start(path);
    spaced.again();
    void this.#ports.here(path).then((subscribers) => {
      if (this.#told.get(path)?.get(uplink) === spaced) spaced.set(subscribers);
    });
  }

  /** So many there are here now. */
  changed(path: string, subscribers: number): void {
    for (const spaced of this.#told.get(path)?.values() ?? []) spaced.set(subscribers);
  }

  enough(uplink: Uplink, path: string): void {
    const told = this.#told.get(path);
    const spaced = told?.get(uplink);
    if (told === undefined || spaced === undefined) return;
    this.#remove(told, uplink, spaced);
    if (told.size === 0) this.#forget(path);
  }

  /** An uplink is over. */
  ended(uplink: Uplink): void {
    if (this.#sizes.has(uplink)) for (const path of [...this.#told.keys()]) this.enough(uplink, path);
  }

  #add(uplink: Uplink, path: string): Spaced | undefined {
    const size = this.#sizes.get(uplink) ?? 0;
    if (size >= LIMITS.countsForOrigin) return undefined;
    this.#sizes.set(uplink, size + 1);
    const told = this.#told.get(path) ?? new Map<Uplink, Spaced>();
    this.#told.set(path, told);
    const spaced = new Spaced(this.#ports, TIME_LIMITS.countForOriginMs, (subscribers) =>
      this.#ports.tell(uplink, [encodeCounted(path, subscribers)]),
    );
    told.set(uplink, spaced);
    return spaced;
  }

  #forget(path: string): void {
    const told = this.#told.get(path);
    for (const [uplink, spaced] of told ?? []) this.#remove(told, uplink, spaced);
    this.#told.delete(path);
    this.#linger.end(path);
    this.#ports.released(path);
  }

  #remove(told: Map<Uplink, Spaced> | undefined, uplink: Uplink, spaced: Spaced): void {
    spaced.end();
    told?.delete(uplink);
    const left = (this.#sizes.get(uplink) ?? 1) - 1;
    if (left > 0) this.#sizes.set(uplink, left);
    else this.#sizes.delete(uplink);
  }
}
