/** All the subscribers of a run, and what they were told, as it is told. */

import type { Connection } from "../../shared/client/client.ts";
import type { TcpProxy } from "../support/tcp-proxy.ts";
import { FollowedEndpoint } from "./followed.ts";
import type { Happening, PositionText, Written } from "./history.ts";
import { connectionTo, ProductSubscriber } from "./product-subscriber.ts";
import { between, type Random } from "./random.ts";
import { ResumingConnection } from "./resuming-connection.ts";
import type { Patience } from "./scale.ts";
import { RawResuming, type Subscriber } from "./subscriber.ts";
import { followable, keysOf, TOPIC_NAMES, TOPICS } from "./topics.ts";

/**
 * Connections of many endpoints. The first follows all that they follow together, as far as one may (M10), but for the busiest
 * topic: what it follows is more than its relay keeps on a socket.
 */
export interface ConnectionsPlan {
  readonly count: number;
  /** How many endpoints each of the others follows. */
  readonly each: number;
  /** How many they follow together. */
  readonly over: number;
}

const MOST_OF_ONE = 1_000;
/** Between two connections that dial first: thousands of subscribes at once are no fault that is meant. */
const DIAL_MS = 30;
/** Of so many endpoints of a connection one comes and goes. */
const WANDERS = 5;

/** How long a wanderer is there, and how long it stays away. */
const STAY_MS = [1_500, 6_000] as const;
const AWAY_MS = [3_000, 25_000] as const;

export class Population {
  readonly #random: Random;
  readonly #patience: Patience;
  readonly #written: () => Written;
  readonly #steady: Subscriber[] = [];
  readonly #wanderers: RawResuming[] = [];
  /** Those of connections that come and go. */
  readonly #strollers: Subscriber[] = [];
  readonly #visitors: RawResuming[] = [];
  readonly #bulky: RawResuming[] = [];
  readonly #connections: ResumingConnection[] = [];
  readonly #walks = new Map<RawResuming, NodeJS.Timeout>();
  /** By port: every second of the product's own clients there is on one. */
  readonly #shared = new Map<number, Connection>();
  /** Where each that is always there dials. */
  readonly #dialled = new Map<Subscriber, number>();
  #edgePort = 0;
  #products = 0;
  /** Hears all that any of those is told that are always there. */
  heard: (happening: Happening) => void = () => {};
  /** What the edge said on connections that it must not, in words. */
  readonly wrong: string[] = [];

  constructor(random: Random, patience: Patience, written: () => Written) {
    this.#random = random;
    this.#patience = patience;
    this.#written = written;
  }

  get all(): readonly Subscriber[] {
    return [...this.#steady, ...this.#wanderers, ...this.#strollers, ...this.#visitors];
  }

  /** Endpoints that somebody has, or had, a socket of its own to. */
  get endpoints(): readonly string[] {
    const own = this.all.filter((one) => !(one instanceof FollowedEndpoint));
    return [...new Set(own.map(({ endpoint }) => endpoint))];
  }

  /** Those that are always there, so that what they lack is late. */
  get steady(): readonly Subscriber[] {
    return this.#steady;
  }

  /** Of those that are always there: where it dials. */
  portOf(subscriber: Subscriber): number | undefined {
    return this.#dialled.get(subscriber);
  }

  /** How many there are that follow many endpoints, by PROTOCOL.md alone. */
  get connections(): number {
    return this.#connections.length;
  }

  /** Those of the endpoint with large values. No proxy's buffers stand between them and the edge. */
  get bulky(): readonly RawResuming[] {
    return this.#bulky;
  }

  /** Makes them, spread over the proxies. */
  settle(proxies: readonly TcpProxy[], edgePort: number, plan: ConnectionsPlan): void {
    this.#edgePort = edgePort;
    this.#connect(proxies, plan);
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
        const subscriber = this.#resident(i < raw ? "raw" : "product", port, endpoint);
        this.#steady.push(subscriber);
        this.#dialled.set(subscriber, port);
        if (topic === "bulky" && subscriber instanceof RawResuming) this.#bulky.push(subscriber);
      }
    }
  }

  #connect(proxies: readonly TcpProxy[], { count, each, over }: ConnectionsPlan): void {
    const all = followable(over);
    const quiet = all.filter((path) => !path.startsWith("/load/")).slice(0, MOST_OF_ONE);
    for (let i = 0; i < count; i++) {
      const own = Array.from({ length: each }, (_, j) => all[(i * each + j) % all.length] ?? "");
      const connection = new ResumingConnection({
        name: `connection-${i}`,
        edge: edgeAt(proxies[i % proxies.length]?.port),
        endpoints: i === 0 && quiet.length > each ? quiet : own,
        random: this.#random,
        patience: this.#patience,
        firstAfterMs: i * DIAL_MS,
        wanders: WANDERS,
        heard: (happening) => this.heard(happening),
        written: this.#written,
        wrong: (problem) => this.wrong.push(problem),
      });
      this.#connections.push(connection);
      for (const one of connection.endpoints) {
        (one.isWanderer ? this.#strollers : this.#steady).push(one);
        this.#dialled.set(one, proxies[i % proxies.length]?.port ?? 0);
      }
    }
  }

  #resident(kind: "raw" | "product", port: number, endpoint: string): Subscriber {
    const isShared = kind === "product" && this.#products++ % 2 === 1;
    const heard = (happening: Happening) => this.heard(happening);
    const settings = this.#settings(isShared ? "sharing" : kind, port, endpoint, heard);
    if (kind === "raw") return new RawResuming(settings);
    return new ProductSubscriber(settings, isShared ? this.#sharedAt(port, settings.edge) : undefined);
  }

  #sharedAt(port: number, edge: string): Connection {
    const connection = this.#shared.get(port) ?? connectionTo(edge, this.#random, this.#patience);
    this.#shared.set(port, connection);
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
    for (const connection of this.#connections) connection.recall();
  }

  async close(): Promise<void> {
    this.recall();
    await Promise.all([...this.all, ...this.#connections].map((one) => one.close()));
    for (const connection of this.#shared.values()) connection.close();
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
      edge: edgeAt(port),
      endpoint,
      random: this.#random,
      patience: this.#patience,
      heard,
      written: this.#written,
    };
  }
}

const edgeAt = (port = 0) => `ws://127.0.0.1:${port}`;
