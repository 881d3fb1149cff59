/** All the subscribers of a run, and what they were told, as it is told. */

import type { Connection } from "../../shared/client/client.ts";
import type { TcpProxy } from "../support/tcp-proxy.ts";
import type { Happening, PositionText, Written } from "./history.ts";
import { connectionTo, ProductSubscriber } from "./product-subscriber.ts";
import { between, type Random } from "./random.ts";
import { type Heard, RawResuming, type Subscriber } from "./subscriber.ts";
import { keysOf, TOPIC_NAMES, TOPICS } from "./topics.ts";

/** How long a wanderer is there, and how long it stays away. */
const STAY_MS = [1_500, 6_000] as const;
const AWAY_MS = [3_000, 25_000] as const;

export class Population {
  readonly #random: Random;
  readonly #written: () => Written;
  readonly #steady: Subscriber[] = [];
  readonly #wanderers: RawResuming[] = [];
  readonly #visitors: RawResuming[] = [];
  readonly #bulky: RawResuming[] = [];
  readonly #walks = new Map<RawResuming, NodeJS.Timeout>();
  /** By port: every second of the product's own clients there is on one. */
  readonly #connections = new Map<number, Connection>();
  #edgePort = 0;
  #products = 0;
  /** Hears all that any of those is told that are always there. */
  heard: (happening: Happening) => void = () => {};

  constructor(random: Random, written: () => Written) {
    this.#random = random;
    this.#written = written;
  }

  get all(): readonly Subscriber[] {
    return [...this.#steady, ...this.#wanderers, ...this.#visitors];
  }

  /** Those that are always there, so that what they lack is late. */
  get steady(): readonly Subscriber[] {
    return this.#steady;
  }

  /** Those of the endpoint with large values. No proxy's buffers stand between them and the edge. */
  get bulky(): readonly RawResuming[] {
    return this.#bulky;
  }

  /** Makes them, spread over the proxies. */
  settle(proxies: readonly TcpProxy[], edgePort: number): void {
    this.#edgePort = edgePort;
    for (const topic of TOPIC_NAMES) {
      const { raw, product, wanderers } = TOPICS[topic];
      const keys = keysOf(topic);
      for (let i = 0; i < raw + product + wanderers; i++) {
        const port = topic === "bulky" ? edgePort : (proxies[this.all.length % proxies.length]?.port ?? 0);
        const endpoint = `/${topic}/${keys[i % keys.length]}`;
        if (i >= raw + product) {
          this.#wander(this.#raw("wanderer", port, endpoint));
          continue;
        }
        const heard = (happening: Happening) => this.heard(happening);
        const subscriber = this.#resident(i < raw ? "raw" : "product", port, endpoint, heard);
        this.#steady.push(subscriber);
        if (topic === "bulky" && subscriber instanceof RawResuming) this.#bulky.push(subscriber);
      }
    }
  }

  #resident(kind: "raw" | "product", port: number, endpoint: string, heard: Heard): Subscriber {
    const isShared = kind === "product" && this.#products++ % 2 === 1;
    const settings = this.#settings(isShared ? "sharing" : kind, port, endpoint, heard);
    if (kind === "raw") return new RawResuming(settings);
    return new ProductSubscriber(settings, isShared ? this.#connection(port, settings.edge) : undefined);
  }

  #connection(port: number, edge: string): Connection {
    const connection = this.#connections.get(port) ?? connectionTo(edge, this.#random);
    this.#connections.set(port, connection);
    return connection;
  }

  /** One more, up to the end of the run: a new one, or one that comes back to where somebody once was. */
  visit(endpoint: string, from?: PositionText): RawResuming {
    const visitor = this.#raw("visitor", this.#edgePort, endpoint, from);
    this.#visitors.push(visitor);
    return visitor;
  }

  /** Those who are away come back, and stay. */
  recall(): void {
    for (const timer of this.#walks.values()) clearTimeout(timer);
    this.#walks.clear();
    for (const wanderer of this.#wanderers) wanderer.stayAway(false);
  }

  async close(): Promise<void> {
    this.recall();
    await Promise.all(this.all.map((subscriber) => subscriber.close()));
    for (const connection of this.#connections.values()) connection.close();
  }

  #wander(wanderer: RawResuming): void {
    this.#wanderers.push(wanderer);
    const walk = (away: boolean) => {
      const [least, most] = away ? STAY_MS : AWAY_MS;
      const timer = setTimeout(
        () => {
          // Without a position there is nothing to come back to.
          const leaves = away && wanderer.position !== undefined;
          wanderer.stayAway(leaves);
          walk(!leaves);
        },
        between(this.#random, least, most),
      );
      this.#walks.set(wanderer, timer);
    };
    walk(true);
  }

  #raw(kind: string, port: number, endpoint: string, from?: PositionText): RawResuming {
    // What one that was away is told is late by itself.
    return new RawResuming({ ...this.#settings(kind, port, endpoint, () => {}), from });
  }

  #settings(kind: string, port: number, endpoint: string, heard: (happening: Happening) => void) {
    return {
      name: `${kind}-${this.all.length}`,
      edge: `ws://127.0.0.1:${port}`,
      endpoint,
      random: this.#random,
      heard,
      written: this.#written,
    };
  }
}
