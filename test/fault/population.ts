/** All the subscribers of a run, and what they were told, as it is told. */
import type { TcpProxy } from "../support/tcp-proxy.ts";
import type { Happening } from "./history.ts";
import { ProductSubscriber } from "./product-subscriber.ts";
import type { Random } from "./random.ts";
import { RawResuming, type Subscriber } from "./subscriber.ts";
import { keysOf, TOPIC_NAMES, TOPICS } from "./topics.ts";

export class Population {
  readonly #random: Random;
  readonly #all: Subscriber[] = [];
  readonly #bulky: RawResuming[] = [];
  /** Hears all that any of them is told. */
  heard: (happening: Happening) => void = () => {};

  constructor(random: Random) {
    this.#random = random;
  }

  get all(): readonly Subscriber[] {
    return this.#all;
  }

  /** Those of the endpoint with large values. No proxy's buffers stand between them and the edge. */
  get bulky(): readonly RawResuming[] {
    return this.#bulky;
  }

  /** Makes them, spread over the proxies. */
  settle(proxies: readonly TcpProxy[], edgePort: number): void {
    for (const topic of TOPIC_NAMES) {
      const { raw, product } = TOPICS[topic];
      const keys = keysOf(topic);
      for (let i = 0; i < raw + product; i++) {
        const port = topic === "bulky" ? edgePort : proxies[this.#all.length % proxies.length]?.port;
        const settings = {
          name: `${i < raw ? "raw" : "product"}-${this.#all.length}`,
          edge: `ws://127.0.0.1:${port}`,
          endpoint: `/${topic}/${keys[i % keys.length]}`,
          random: this.#random,
          heard: (happening: Happening) => this.heard(happening),
        };
        const subscriber = i < raw ? new RawResuming(settings) : new ProductSubscriber(settings);
        this.#all.push(subscriber);
        if (topic === "bulky" && subscriber instanceof RawResuming) this.#bulky.push(subscriber);
      }
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#all.map((subscriber) => subscriber.close()));
  }
}
