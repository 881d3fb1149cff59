/**
 * Tells each edge how many subscribers the others have: D6 of INTERNALS.md. While a shard wants to know it of an endpoint, the
 * shards that have the endpoint at other edges are asked how many they have themselves, and the sum is passed on. Nothing is held
 * of an endpoint that no shard asks about, nor while there is one edge only. Pure.
 */
import { Spaced, type SpacedPorts } from "../../shared/core/spaced.ts";
import { shardOf } from "../../shared/protocol/address.ts";
import { encodeAlone, encodeCount, encodeElsewhere, encodeEnough } from "../../shared/protocol/counting.ts";
import { LIMITS } from "../../shared/protocol/limits.ts";
import type { ShardHello } from "../../shared/protocol/uplink.ts";
import { TIME_LIMITS } from "../time-limits.ts";

/** The uplink to a shard; another one to the same shard is another port. */
export interface CountPort {
  say(frame: string): void;
}

export interface OccupancyExchangePorts extends SpacedPorts {
  /** Whether it may be told how many subscribers an endpoint has. */
  tells(path: string): boolean;
  /** Edges whose uplinks are about to open, as far as is known. */
  opening(): Iterable<string>;
}

interface Uplink {
  readonly edge: string;
  readonly shard: number;
  /** Of how many endpoints it wants to know. */
  asks: number;
}

/** What is known of an edge. */
interface Edge {
  shards: number;
  /** By shard. */
  readonly ports: Map<number, CountPort>;
}

interface Counted {
  readonly askers: Map<CountPort, Asker>;
  /** What shards have said that have the endpoint; undefined until they have. */
  readonly parts: Map<CountPort, number | undefined>;
}

interface Asker {
  readonly spaced: Spaced;
  /** If it doesn't ask again before. */
  until: number;
  /** Nobody is waited for any more. */
  isDue: boolean;
}

export class OccupancyExchange {
  /** For metrics. `refused`: one shard wanted to know it of too many endpoints, or of one that tells nobody. */
  readonly counts = { refused: 0 };
  readonly #ports: OccupancyExchangePorts;
  readonly #uplinks = new Map<CountPort, Uplink>();
  readonly #edges = new Map<string, Edge>();
  /** By path. */
  readonly #counted = new Map<string, Counted>();
  #isAlone = true;
  #isLooking = false;

  constructor(ports: OccupancyExchangePorts) {
    this.#ports = ports;
  }

  /** Endpoints of which it is wanted. */
  get size(): number {
    return this.#counted.size;
  }

  /** Whether only one edge is dialled: shards are told in the hello, so that they needn't ask. */
  get isAlone(): boolean {
    return this.#isAlone;
  }

  set isAlone(isAlone: boolean) {
    if (isAlone === this.#isAlone) return;
    this.#isAlone = isAlone;
    for (const port of this.#uplinks.keys()) port.say(encodeAlone(isAlone));
    if (isAlone) for (const path of [...this.#counted.keys()]) this.#forget(path);
  }

  /** A shard has said hello. */
  connected(port: CountPort, edge: string, { shard, shards }: Pick<ShardHello, "shard" | "shards">): void {
    const known = this.#edges.get(edge) ?? { shards, ports: new Map<number, CountPort>() };
    this.#edges.set(edge, known);
    const before = known.ports.get(shard);
    if (before !== undefined) this.ended(before);
    this.#edges.set(edge, known);
    known.shards = shards;
    known.ports.set(shard, port);
    this.#uplinks.set(port, { edge, shard, asks: 0 });
    for (const [path, counted] of this.#counted) this.#reconcile(path, counted);
  }

  /** Its uplink is over, and with it what it has said and wanted. */
  ended(port: CountPort): void {
    const uplink = this.#uplinks.get(port);
    if (uplink === undefined) return;
    this.#uplinks.delete(port);
    const edge = this.#edges.get(uplink.edge);
    edge?.ports.delete(uplink.shard);
    if (edge?.ports.size === 0) this.#edges.delete(uplink.edge);
    for (const [path, counted] of [...this.#counted]) {
      this.#removeAsker(counted, port);
      counted.parts.delete(port);
      this.#reconcile(path, counted);
      this.#tell(counted);
    }
  }

  /** A shard wants to know how many other edges have, for the first time or still. */
  count(port: CountPort, path: string): void {
    const uplink = this.#uplinks.get(port);
    if (uplink === undefined) return;
    const known = this.#counted.get(path);
    // A shard that asks may have forgotten that.
    if (this.#isAlone) port.say(encodeAlone(true));
    else if (known?.askers.has(port)) this.#renew(path, known, port);
    else if (uplink.asks < LIMITS.countsElsewhere && this.#ports.tells(path)) this.#begin(path, port, uplink);
    else {
      this.counts.refused++;
      port.say(encodeElsewhere(path, 0));
    }
  }

  /** It doesn't any more. */
  enough(port: CountPort, path: string): void {
    const counted = this.#counted.get(path);
    if (counted === undefined) return;
    this.#removeAsker(counted, port);
    this.#reconcile(path, counted);
  }

  /** A shard says how many it has itself. */
  counted(port: CountPort, path: string, subscribers: number): void {
    const counted = this.#counted.get(path);
    if (counted?.parts.has(port)) {
      counted.parts.set(port, subscribers);
      this.#tell(counted);
    } else if (this.#uplinks.has(port)) port.say(encodeEnough(path));
  }

  #begin(path: string, port: CountPort, uplink: Uplink): void {
    const counted = this.#counted.get(path) ?? { askers: new Map<CountPort, Asker>(), parts: new Map() };
    this.#counted.set(path, counted);
    this.#addAsker(path, counted, port, uplink);
    this.#reconcile(path, counted);
    this.#tell(counted);
    this.#lookLater();
  }

  #renew(path: string, counted: Counted, port: CountPort): void {
    const asker = counted.askers.get(port);
    if (asker === undefined) return;
    asker.until = this.#ports.now() + TIME_LIMITS.countWantedMs;
    asker.spaced.again();
    for (const part of counted.parts.keys()) if (!this.#isOfSameEdge(part, port)) part.say(encodeCount(path));
    this.#tell(counted);
  }

  #addAsker(path: string, counted: Counted, port: CountPort, uplink: Uplink): void {
    const say = (subscribers: number) => port.say(encodeElsewhere(path, subscribers));
    const spaced = new Spaced(this.#ports, TIME_LIMITS.countSpacingMs, say);
    const asker = { spaced, until: this.#ports.now() + TIME_LIMITS.countWantedMs, isDue: false };
    counted.askers.set(port, asker);
    uplink.asks++;
    this.#ports.after(TIME_LIMITS.countAnswerMs, () => {
      if (counted.askers.get(port) !== asker) return;
      asker.isDue = true;
      this.#tell(counted);
    });
  }

  #removeAsker({ askers }: Counted, port: CountPort): void {
    const asker = askers.get(port);
    if (asker === undefined) return;
    asker.spaced.end();
    askers.delete(port);
    const uplink = this.#uplinks.get(port);
    if (uplink !== undefined) uplink.asks--;
  }

  #forget(path: string): void {
    const counted = this.#counted.get(path);
    if (counted === undefined) return;
    for (const port of [...counted.askers.keys()]) this.#removeAsker(counted, port);
    this.#reconcile(path, counted);
  }

  /** Shards are asked that have the endpoint at an edge other than an asker's, and no others. */
  #reconcile(path: string, { askers, parts }: Counted): void {
    const edges = new Set(Array.from(askers.keys(), (port) => this.#uplinks.get(port)?.edge));
    const needed = new Set<CountPort>();
    for (const [name, { shards, ports }] of this.#edges) {
      const port = ports.get(shardOf(path, shards));
      const isAskedFor = edges.size > 1 || (edges.size === 1 && !edges.has(name));
      if (port !== undefined && isAskedFor) needed.add(port);
    }
    for (const port of [...parts.keys()]) {
      if (needed.has(port)) continue;
      parts.delete(port);
      if (this.#uplinks.has(port)) port.say(encodeEnough(path));
    }
    for (const port of needed) {
      if (parts.has(port)) continue;
      parts.set(port, undefined);
      port.say(encodeCount(path));
    }
    if (askers.size === 0) this.#counted.delete(path);
  }

  /** Each asker what all edges but its own have: once all have said it, or when they have had their time. */
  #tell({ askers, parts }: Counted): void {
    for (const [port, asker] of askers) {
      let sum = 0;
      let isWhole = true;
      for (const [part, subscribers] of parts) {
        if (this.#isOfSameEdge(part, port)) continue;
        sum += subscribers ?? 0;
        isWhole &&= subscribers !== undefined;
      }
      asker.isDue ||= isWhole && !this.#isOpeningBesides(port);
      if (asker.isDue) asker.spaced.set(sum);
    }
  }

  #isOfSameEdge(port: CountPort, other: CountPort): boolean {
    return this.#uplinks.get(port)?.edge === this.#uplinks.get(other)?.edge;
  }

  #isOpeningBesides(port: CountPort): boolean {
    const own = this.#uplinks.get(port)?.edge;
    for (const edge of this.#ports.opening()) if (edge !== own) return true;
    return false;
  }

  /** For shards that want to know it no longer, and haven't said so. */
  #lookLater(): void {
    if (this.#isLooking) return;
    this.#isLooking = true;
    this.#ports.after(TIME_LIMITS.countLookMs, () => {
      this.#isLooking = false;
      const now = this.#ports.now();
      for (const [path, counted] of [...this.#counted])
        for (const [port, { until }] of [...counted.askers]) if (until <= now) this.enough(port, path);
      if (this.#counted.size > 0) this.#lookLater();
    });
  }
}
