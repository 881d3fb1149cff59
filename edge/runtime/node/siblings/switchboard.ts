/**
 * Between edges that share an address, in the process that started them: carries what one says to another, and accepts
 * connections for them if the system can't spread those over processes. It decides nothing.
 */
import type { ChildProcess } from "node:child_process";
import { createServer, type Server, type Socket } from "node:net";
import { BACKLOG } from "../backlog.ts";
import type { Accepted, Answer, Listening, Passed } from "./passed.ts";
import { stopReading } from "./stop-reading.ts";

/** As long as an edge isn't there. */
const AWAY = 503;

export class Switchboard {
  /** By number, those that can be reached. */
  readonly #edges = new Map<number, ChildProcess>();
  #accepting: Promise<Server> | undefined;
  #turn = 0;

  /** Hears what an edge says from now on, in place of one that had its number before. */
  join(number: number, edge: ChildProcess): void {
    edge.on("message", (message, handle) => {
      const said = message as Passed | Listening;
      if (handle !== undefined) stopReading(handle as Socket);
      if (said.kind === "listening") this.#edges.set(number, edge);
      else this.#carry(said, handle as Socket | undefined);
    });
    edge.once("exit", () => {
      if (this.#edges.get(number) === edge) this.#edges.delete(number);
    });
  }

  /** Accepts connections for all edges, by turns. Resolves when it listens; asked again it does nothing. */
  async accept(host: string, port: number): Promise<void> {
    this.#accepting ??= new Promise((resolve, reject) => {
      const server = createServer(
        { pauseOnConnect: true, noDelay: true, allowHalfOpen: true },
        (connection) => {
          const edges = [...this.#edges.values()];
          const edge = edges[this.#turn++ % edges.length];
          send(edge, { kind: "accepted" }, connection);
        },
      );
      server.once("error", reject);
      server.listen({ host, port, backlog: BACKLOG }, () => resolve(server));
    });
    await this.#accepting;
  }

  #carry(said: Passed, connection: Socket | undefined): void {
    const to = this.#edges.get(said.to);
    if (said.kind === "connection") {
      if (connection !== undefined) send(to, said, connection);
    } else if (to !== undefined) send(to, said);
    else if (said.kind === "question") {
      const { from, to: away, id } = said;
      const answer: Answer = {
        kind: "answer",
        from: away,
        to: from,
        id,
        status: AWAY,
        headers: [],
        body: "",
      };
      send(this.#edges.get(from), answer);
    }
  }
}

/** One that ends meanwhile hears nothing, and a connection for it breaks. */
function send(to: ChildProcess | undefined, message: Passed | Accepted, connection?: Socket): void {
  connection?.on("error", () => connection.destroy());
  if (to?.connected !== true) return void connection?.destroy();
  to.send(message, connection, {}, (error) => {
    // Nothing is left of one that was carried, and so the edge that passed it on has let it go.
    if (error !== null || message.kind === "connection") connection?.destroy();
  });
}
