/**
 * Senders that publish on sockets by the product's client, each to a key of its own, many at once and in order, whatever
 * becomes of the server.
 */
import { type Subscription, subscribe } from "../../shared/client/client.ts";
import type { Acknowledged, Sender } from "./publishing-load.ts";

/** Publishes that a sender has handed over and that aren't acknowledged. */
const AHEAD = 20;

export class SocketLoad {
  readonly senders: readonly Sender[];
  readonly #subscriptions: readonly Subscription[];
  readonly #done: Promise<unknown>;
  #ending = false;

  constructor(url: string, paths: readonly string[]) {
    this.senders = paths.map((path) => ({ path, acknowledged: [] }));
    this.#subscriptions = paths.map((path) =>
      subscribe(`${url}${path}`, { backoff: { baseMs: 100, maxMs: 1_000 } }),
    );
    this.#done = Promise.all(this.senders.map((sender, i) => this.#send(sender, i)));
  }

  get count(): number {
    return this.senders.reduce((sum, { acknowledged }) => sum + acknowledged.length, 0);
  }

  /** Resolves when what is under way has been acknowledged; rejects if something never was. */
  async end(): Promise<void> {
    this.#ending = true;
    await this.#done;
    for (const subscription of this.#subscriptions) subscription.close();
  }

  async #send({ acknowledged }: Sender, number: number): Promise<void> {
    const subscription = this.#subscriptions[number];
    const open: Promise<Acknowledged>[] = [];
    const settle = async () => {
      const first = await open.shift();
      if (first !== undefined) acknowledged.push(first);
    };
    for (let i = 0; !this.#ending; i++) {
      const value = `${number}:${i}`;
      const published = subscription?.publish(value).then((position) => ({ value, position }));
      if (published !== undefined) open.push(published);
      if (open.length >= AHEAD) await settle();
    }
    while (open.length > 0) await settle();
  }
}
