/**
 * The uplinks to all edges. Each edge is complete in itself, and has its own: its shards, what it watches, when it is dialled
 * again. So one that is away or slow holds up no other. What they share are the index, the watch list and the writers. Edges
 * may come and go, those too that share one address (D5).
 */

import type { Writing } from "../../shared/protocol/publish.ts";
import type { Revocation } from "../../shared/protocol/revocation.ts";
import type { Log } from "../operate/log.ts";
import { type Edge, edgeName } from "../settings/edges.ts";
import { type UplinkFacts, Uplinks, type UplinksOptions } from "./uplinks.ts";

export interface EdgesOptions
  extends Omit<UplinksOptions, "edgeUrl" | "name" | "number" | "learned" | "key" | "currentKey"> {
  /** The edges with their keys, for a request that is about to be made, if they may have changed. Never rejects. */
  readonly current?: () => Promise<readonly Edge[]>;
}

/** What was told of an edge's uplinks. */
const COUNTED = {
  uplink_congested: "congested",
  uplink_closed: "closed",
  uplink_refused: "refused",
} as const;

type Counts = Record<(typeof COUNTED)[keyof typeof COUNTED], number>;

export interface EdgeFacts {
  readonly edge: string;
  /** In order of the shards; as long as none was learnt of, only the first. */
  readonly uplinks: readonly UplinkFacts[];
  /** On all its uplinks since they were first dialled, as bytes on the wire. */
  readonly sentBytes: number;
  /** How often forwarding on one of its uplinks paused, and one was closed or refused. */
  readonly counts: Readonly<Counts>;
}

interface Dialled {
  /** What the first edge at its address is called. */
  readonly address: string;
  /** Which it is of those at its address. */
  readonly number: number;
  readonly uplinks: Uplinks;
  readonly counts: Counts;
}

export class Edges {
  readonly #options: EdgesOptions;
  /** By name, in the order in which they came. */
  readonly #edges = new Map<string, Dialled>();
  /** Those that have been taken away, as long as they are let go. */
  readonly #leaving = new Set<Promise<void>>();
  #ready = false;
  #isOver = false;

  /** Nothing is dialled before `start`. */
  constructor(edges: readonly Edge[], options: EdgesOptions) {
    this.#options = options;
    for (const edge of edges) this.#add({ edge, number: 0 });
    this.#tellAlone();
  }

  start(): void {
    for (const { uplinks } of this.#edges.values()) uplinks.start();
  }

  /** Dials those that are new, and lets those go that are no more: they hand over first, as when the origin stops (U15). */
  change(edges: readonly Edge[]): void {
    if (this.#isOver) return;
    const addresses = new Set(edges.map(edgeName));
    const added = edges.filter((edge) => !this.#edges.has(edgeName(edge)));
    this.#replace(
      ({ address }) => !addresses.has(address),
      added.map((edge) => ({ edge, number: 0 })),
    );
  }

  /** So many edges share the address of one. */
  #adapt(edge: Edge, count: number): void {
    const address = edgeName(edge);
    // What is being let go says nothing any more.
    if (this.#isOver || !this.#edges.has(address)) return;
    const added: Numbered[] = [];
    for (let number = 1; number < count; number++)
      if (!this.#edges.has(nameOf({ edge, number }))) added.push({ edge, number });
    this.#replace((one) => one.address === address && one.number >= count, added);
  }

  #replace(isRemoved: (edge: Dialled) => boolean, added: readonly Numbered[]): void {
    const removed = [...this.#edges].filter(([, dialled]) => isRemoved(dialled));
    if (removed.length === 0 && added.length === 0) return;
    this.#options.log("edges_changed", {
      added: added.map(nameOf),
      removed: removed.map(([name]) => name),
    });
    for (const [name, { uplinks }] of removed) {
      this.#edges.delete(name);
      const gone = letGo(uplinks).finally(() => this.#leaving.delete(gone));
      this.#leaving.add(gone);
    }
    for (const one of added) this.#add(one).start();
    this.#tellAlone();
  }

  /** Those of which the first dial is still under way. */
  *opening(): Iterable<string> {
    for (const [name, { uplinks }] of this.#edges) if (uplinks.isOpening) yield name;
  }

  /** Tells every shard, now and when it connects (U9). Returns whether that is new. */
  setReady(ready: boolean): boolean {
    if (ready === this.#ready) return false;
    this.#ready = ready;
    for (const { uplinks } of this.#edges.values()) uplinks.setReady(ready);
    return true;
  }

  /** Tells every shard of every edge, so that each partition has one writer for all; one that connects later is told then (W8). */
  tellWriting(writing: Writing): void {
    for (const { uplinks } of this.#edges.values()) uplinks.tellWriting(writing);
  }

  /** Resolves with whether every shard of an edge has stored it, for each edge by its name (D4). Never rejects. */
  async tellRevocation(revocation: Revocation): Promise<ReadonlyMap<string, boolean>> {
    const told = Array.from(this.#edges, async ([edge, { uplinks }]) => {
      return [edge, await uplinks.tellRevocation(revocation)] as const;
    });
    return new Map(await Promise.all(told));
  }

  facts(): readonly EdgeFacts[] {
    return Array.from(this.#edges, ([edge, { uplinks, counts }]) => {
      return { edge, uplinks: uplinks.facts(), sentBytes: uplinks.sentBytes, counts: { ...counts } };
    });
  }

  /** Hands over to who stands by at each edge (U15). No uplink is dialled again. */
  async leave(): Promise<void> {
    this.#isOver = true;
    await Promise.all([...this.#edges.values()].map(({ uplinks }) => uplinks.leave()));
  }

  /** Resolves when all are closed. */
  async stop(): Promise<void> {
    this.#isOver = true;
    const open = [...this.#edges.values()].map(({ uplinks }) => uplinks.stop());
    await Promise.all([...open, ...this.#leaving]);
  }

  /** With one edge there is nobody elsewhere (D6). */
  #tellAlone(): void {
    if (this.#options.occupancy !== undefined) this.#options.occupancy.isAlone = this.#edges.size < 2;
  }

  #add(one: Numbered): Uplinks {
    const { current, log, ...shared } = this.#options;
    const { edge, number } = one;
    const address = edgeName(edge);
    const name = nameOf(one);
    const counts = { congested: 0, closed: 0, refused: 0 };
    const uplinks = new Uplinks({
      ...shared,
      edgeUrl: edge.url,
      name,
      number,
      learned: (edges) => this.#adapt(edge, edges),
      key: edge.key,
      ...(current && { currentKey: keyOf(address, edge, current) }),
      log: counting(counts, (event, fields) => log(event, { edge: name, ...fields })),
    });
    uplinks.setReady(this.#ready);
    this.#edges.set(name, { address, number, uplinks, counts });
    return uplinks;
  }
}

interface Numbered {
  readonly edge: Edge;
  /** Which it is of those at its address. */
  readonly number: number;
}

/** The first at an address is called like one that has it to itself. */
const nameOf = ({ edge, number }: Numbered) => `${edgeName(edge)}${number === 0 ? "" : `#${number}`}`;

/** The key of one edge, as it is now; of one that is about to be let go the last one that it had. */
function keyOf(address: string, edge: Edge, current: () => Promise<readonly Edge[]>) {
  let { key } = edge;
  return async () => {
    key = (await current()).find((other) => edgeName(other) === address)?.key ?? key;
    return key;
  };
}

async function letGo(uplinks: Uplinks): Promise<void> {
  await uplinks.leave();
  await uplinks.stop();
}

function counting(counts: Counts, log: Log): Log {
  const counted: Partial<Record<string, keyof Counts>> = COUNTED;
  return (event, fields) => {
    const name = counted[event];
    if (name !== undefined) counts[name]++;
    log(event, fields);
  };
}
