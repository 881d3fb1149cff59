/**
 * Senders that publish on sockets by the product's client, each to a key of its own, many at once and in order, whatever
 * becomes of the server: each on a socket of its own, or all on one connection.
 */
import { connect, subscribe } from "../../shared/client/client.ts";
import type { Acknowledged, Sender } from "./publishing-load.ts";

/** Publishes that a sender has handed over and that aren't acknowledged. */
const AHEAD = 20;

interface Publishing {
  publish(value: string): Promise<string>;
  close(): void;
}

const BACKOFF = { backoff: { baseMs: 100, maxMs: 1_000 } };

function onOwnSockets(url: string, paths: readonly string[]): Publishing[] {
  return paths.map((path) => subscribe(`${url}${path}`, BACKOFF));
}

function onOneConnection(url: string, paths: readonly string[]): Publishing[] {
  const connection = connect(url, BACKOFF);
  return paths.map((path) => ({
    publish: (value) => connection.publish(path, value),
    close: () => connection.close(),
  }));
}

export class SocketLoad {
  readonly senders: readonly Sender[];
  readonly #publishing: readonly Publishing[];
  readonly #done: Promise<unknown>;
  #ending = false;

  constructor(url: string, paths: readonly string[], open = onOwnSockets) {
    this.senders = paths.map((path) => ({ path, acknowledged: [] }));
    this.#publishing = open(url, paths);
    this.#done = Promise.all(this.senders.map((sender, i) => this.#send(sender, i)));
  }

  get count(): number {
    return this.senders.reduce((sum, { acknowledged }) => sum + acknowledged.length, 0);
  }

  /** Resolves when what is under way has been acknowledged; rejects if something never was. */
  async end(): Promise<void> {
    this.#ending = true;
    await this.#done;
    for (const publishing of this.#publishing) publishing.close();
  }

  async #send({ acknowledged }: Sender, number: number): Promise<void> {
    const publishing = this.#publishing[number];
    const open: Promise<Acknowledged>[] = [];
    const settle = async () => {
      const first = await open.shift();
      if (first !== undefined) acknowledged.push(first);
    };
    for (let i = 0; !this.#ending; i++) {
      const value = `${number}:${i}`;
      const published = publishing?.publish(value).then((position) => ({ value, position }));
      if (published !== undefined) open.push(published);
      if (open.length >= AHEAD) await settle();
    }
    while (open.length > 0) await settle();
  }
}

/** None of its senders follows anything. */
export class ConnectionLoad extends SocketLoad {
  constructor(url: string, paths: readonly string[]) {
    super(url, paths, onOneConnection);
  }
}
