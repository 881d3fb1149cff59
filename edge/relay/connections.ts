/** The connections that a relay has, by their sockets, and those of them of which nothing was heard yet (M1 of PROTOCOL.md). */
import type { SubscriptionFacts } from "../endpoint/subscription-states.ts";
import type { HibernatingPeer } from "../peer.ts";
import type { Connection } from "./connection.ts";
import { Newcomers } from "./newcomers.ts";

export class Connections {
  readonly #bySocket = new Map<HibernatingPeer, Connection>();
  readonly #newcomers = new Newcomers<Connection>();

  get size(): number {
    return this.#bySocket.size;
  }

  on(socket: HibernatingPeer): Connection | undefined {
    return this.#bySocket.get(socket);
  }

  all(): Iterable<Connection> {
    return this.#bySocket.values();
  }

  /** What they follow by now: what only seeks its beginning isn't among it. */
  *following(): Iterable<readonly [path: string, Connection, SubscriptionFacts]> {
    for (const connection of this.all())
      for (const [path, facts] of connection.follows) if (!facts.seeks) yield [path, connection, facts];
  }

  /** One that was accepted just now, or in a life before. */
  add(connection: Connection, now: number): void {
    const { socket, only, lastId, follows } = connection;
    this.#bySocket.set(socket, connection);
    if (only === undefined && lastId === 0 && follows.size === 0) this.#newcomers.came(connection, now);
  }

  /** It has said something. */
  heard(connection: Connection): void {
    this.#newcomers.remove(connection);
  }

  remove(connection: Connection): void {
    this.#bySocket.delete(connection.socket);
    this.#newcomers.remove(connection);
  }

  /** Those that have been silent for too long, each once. `pingedAt`: when one last sent a ping. */
  silent(now: number, pingedAt: (socket: HibernatingPeer) => number | undefined): readonly Connection[] {
    return this.#newcomers.late(now, pingedAt);
  }
}
