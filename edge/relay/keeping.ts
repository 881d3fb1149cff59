/**
 * What an object of many endpoints keeps over a hibernation, and when it is written: L14 of INTERNALS.md.
 *
 * What a connection follows stands in its socket's attachment, written when the event ends that changed it. What doesn't fit
 * is a row for that connection, and how far the endpoints are is rows for all of them: these are written when the object has
 * been quiet for some seconds, since an object that is busy doesn't sleep. No timer of its own says when: the shard's clock
 * does (L9). Attachments say which version of a row is the present one: one that is missing, or is of an earlier version, ends
 * the connections that need it, and their clients come back by position.
 */
import type { Holder } from "../endpoint/holder.ts";
import type { StateFacts } from "../endpoint/state-facts.ts";
import type { HibernatingPeer } from "../peer.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import { type Connection, endSocket, type Followed, type Row } from "./connection.ts";
import {
  type KeptConnection,
  readConnection,
  readFollows,
  readStates,
  roomFor,
  writeConnection,
  writeFollows,
  writeStates,
} from "./kept.ts";

/** Rows of the object's own database. */
export interface RelayRows {
  /** Those of a version. */
  states(version: number): readonly string[];
  saveStates(version: number, chunks: readonly string[]): void;
  /** What each follows, of whatever length, by the id of its row. */
  connections(): ReadonlyMap<string, { readonly version: number; readonly follows: string }>;
  saveConnection(id: string, version: number, follows: string): void;
  dropConnection(id: string): void;
  /** Nothing of it is of use any more. */
  clear(): void;
}

export interface KeepingPorts {
  /** Milliseconds since 1970, as the machine has it. */
  wall(): number;
  /** In [0, 1). */
  random(): number;
  readonly rows: RelayRows;
  /** By whose token a connection is there; undefined for "public". */
  holderOf(connection: Connection): Holder | undefined;
  /** By which answers to what it has published find it. */
  tagOf(connection: Connection): number | undefined;
  /** How far the endpoints are. */
  facts(): Iterable<readonly [path: string, StateFacts]>;
}

export type Survivor = Omit<KeptConnection, "follows"> & {
  readonly socket: HibernatingPeer;
  readonly follows: Map<string, Followed>;
  readonly row: Row | undefined;
};

const QUIET_MS = TIME_LIMITS.relayQuietMs;
/** What a subscription takes at least, in characters: more of them than fit needn't be written to see that. */
const SHORTEST = 12;

export class Keeping {
  readonly #ports: KeepingPorts;
  /** Those whose attachment is due. */
  readonly #changed = new Set<Connection>();
  /** Those whose row is. */
  readonly #rowsDue = new Set<Connection>();
  /** Ids of rows that nobody needs. */
  readonly #left = new Set<string>();
  #areStatesDue = false;
  /** Of how far the endpoints are; grows with each event that may have changed that. */
  #version = 0;
  /** When something changed last that is for rows. */
  #changedAt = 0;

  constructor(ports: KeepingPorts) {
    this.#ports = ports;
  }

  get version(): number {
    return this.#version;
  }

  /**
   * What outlived the memory. Whoever can't be served on from it is closed.
   * @param version Of how far the endpoints were last.
   * @returns Whether all could be, too. If not, shards may watch endpoints of which nobody here knows any more.
   */
  load(
    sockets: readonly HibernatingPeer[],
    version: number,
  ): {
    readonly connections: readonly Survivor[];
    readonly facts: ReadonlyMap<string, StateFacts>;
    readonly isWhole: boolean;
  } {
    const { rows } = this.#ports;
    this.#version = version;
    // One that was ended stays until its peer has heard so: it follows nothing (`end`).
    const present = sockets.filter((socket) => socket.deserializeAttachment() !== null);
    if (present.length === 0) {
      rows.clear();
      return { connections: [], facts: new Map(), isWhole: true };
    }
    const facts = readStates(rows.states(version));
    const kept = rows.connections();
    const connections: Survivor[] = [];
    const used = new Set<string>();
    for (const socket of present) {
      const survivor = survivorOf(socket, kept);
      if (survivor !== undefined && isKnown(survivor, facts)) connections.push(survivor);
      else endSocket(socket, "going_away");
      if (survivor?.row !== undefined) used.add(survivor.row.id);
    }
    for (const id of kept.keys()) if (!used.has(id)) this.#left.add(id);
    return { connections, facts, isWhole: connections.length === present.length };
  }

  /** What must outlive the memory has changed. Of one that was closed meanwhile nothing is to. */
  changed(connection: Connection): void {
    if (connection.isOpen) this.#changed.add(connection);
  }

  statesChanged(): void {
    this.#areStatesDue = true;
    this.#version++;
    this.#changedAt = this.#ports.wall();
  }

  gone(connection: Connection): void {
    this.#changed.delete(connection);
    this.#rowsDue.delete(connection);
    if (connection.row !== undefined) this.#left.add(connection.row.id);
  }

  /** At the end of an event. Returns those of which more would have to be kept than can be. */
  save(): readonly Connection[] {
    const changed = [...this.#changed];
    this.#changed.clear();
    return changed.filter((connection) => !this.#attach(connection));
  }

  /** When rows are to be written, if nothing changes before; undefined if none are. */
  get due(): number | undefined {
    const isDue = this.#areStatesDue || this.#rowsDue.size > 0;
    return isDue ? this.#changedAt + QUIET_MS : undefined;
  }

  /** Writes rows, if it has been quiet for long enough. */
  look(): void {
    const { due } = this;
    if (due === undefined || this.#ports.wall() < due) return;
    const { rows } = this.#ports;
    if (this.#areStatesDue) rows.saveStates(this.#version, writeStates(this.#ports.facts()));
    for (const { row, follows } of this.#rowsDue)
      if (row !== undefined) rows.saveConnection(row.id, row.version, writeFollows(follows));
    for (const id of this.#left) rows.dropConnection(id);
    this.#areStatesDue = false;
    this.#rowsDue.clear();
    this.#left.clear();
  }

  /** Whether it could be written. */
  #attach(connection: Connection): boolean {
    const { right, only, sender, lastId, follows } = connection;
    const holder = this.#ports.holderOf(connection);
    const tag = this.#ports.tagOf(connection);
    const room = roomFor(right, only);
    const text = follows.size * SHORTEST <= room ? writeFollows(follows) : undefined;
    const fits = text !== undefined && text.length <= room;
    if (!fits) {
      const { id = this.#newId(), version = 0 } = connection.row ?? {};
      connection.row = { id, version: version + 1 };
      this.#rowsDue.add(connection);
      this.#changedAt = this.#ports.wall();
    } else if (connection.row !== undefined) {
      this.#left.add(connection.row.id);
      connection.row = undefined;
      this.#rowsDue.delete(connection);
    }
    const kept = writeConnection(
      { right, holder, only, sender, lastId, tag },
      fits ? text : (connection.row ?? ""),
    );
    try {
      connection.socket.serializeAttachment(kept);
      return true;
    } catch {
      return false;
    }
  }

  #newId(): string {
    return `${this.#ports.random()}${this.#ports.random()}`;
  }
}

function survivorOf(
  socket: HibernatingPeer,
  rows: ReturnType<RelayRows["connections"]>,
): Survivor | undefined {
  const kept = readConnection(socket.deserializeAttachment());
  if (kept === undefined) return undefined;
  const { follows, ...rest } = kept;
  if (!("version" in follows)) return { ...rest, socket, follows: new Map(follows), row: undefined };
  const row = rows.get(follows.id);
  const read = row?.version === follows.version ? readFollows(row.follows) : undefined;
  return read && { ...rest, socket, follows: read, row: follows };
}

/** Whether it is known how far each endpoint is that it hears of. Of one who waits the position is its own. */
function isKnown({ follows }: Survivor, facts: ReadonlyMap<string, StateFacts>): boolean {
  for (const [path, { subscription }] of follows)
    if (subscription.kind === "live" && facts.get(path)?.position === undefined) return false;
  return true;
}
