/** Many endpoints as one: a single iteration over the updates of all, and each of them by itself beside it. */
import { Emitter } from "../events.ts";
import type { Endpoint } from "./endpoint.ts";
import { ClientError } from "./error.ts";
import type { Events, SubscribeOptions, Subscription } from "./subscription.ts";
import { iteratorOf, Unread } from "./unread.ts";
import type { DecodedUpdate } from "./update.ts";

export interface ManyOptions<T = unknown> extends Omit<SubscribeOptions<T>, "from"> {
  /** Positions to resume from, by canonical path: what `positions` said before. */
  readonly from?: Readonly<Record<string, string>> | undefined;
}

/** What happened to which of them. */
export type GroupEvents<T> = {
  [K in keyof Events<T>]: { readonly subscription: Subscription<T>; readonly event: Events<T>[K] };
};

export interface GroupPorts<T> {
  canonical(endpoint: Endpoint): string;
  begin(path: string, from: string | undefined, group: Membership<T>): Subscription<T>;
  closed(): void;
}

/** What a subscription has of the group that it is in. */
export interface Membership<T> {
  readonly unread: Unread<T>;
  closed(subscription: Subscription<T>, error: ClientError | undefined): void;
}

const NAMES = [
  "update",
  "gap",
  "recovered",
  "live",
  "occupancy",
  "connection",
  "wait",
  "error",
  "closed",
] as const;

/** Made by subscribeMany() of a Client. */
export class SubscriptionGroup<T = unknown> implements AsyncIterable<DecodedUpdate<T>> {
  readonly #subscriptions = new Map<string, Subscription<T>>();
  readonly #from: Readonly<Record<string, string>>;
  readonly #ports: GroupPorts<T>;
  readonly #emitter = new Emitter<GroupEvents<T>>();
  readonly #unread: Unread<T>;
  #isIterated = false;
  #isClosed = false;
  /** When all were closed. */
  #lastPositions: Readonly<Record<string, string>> | undefined;
  #forgetSignal = () => {};

  constructor(endpoints: Iterable<Endpoint>, options: ManyOptions<T>, ports: GroupPorts<T>) {
    const { signal, buffer = {}, from = {} } = options;
    signal?.throwIfAborted();
    this.#from = from;
    this.#ports = ports;
    this.#unread = new Unread<T>(buffer, {
      // Only those that go on: many that are quiet needn't leave for one that isn't.
      pause: (endpoint) => this.#subscriptions.get(endpoint)?.holdBack(true),
      resume: () => {
        for (const subscription of this.#subscriptions.values()) subscription.holdBack(false);
      },
      failed: () => this.#end(() => {}),
    });
    try {
      // All or none.
      for (const path of Array.from(endpoints, ports.canonical)) this.add(path);
    } catch (error) {
      this.close();
      throw error;
    }
    if (signal === undefined) return;
    const abort = () => this.#end(() => this.#unread.fail(signal.reason));
    signal.addEventListener("abort", abort, { once: true });
    this.#forgetSignal = () => signal.removeEventListener("abort", abort);
  }

  /** By canonical path. */
  get subscriptions(): ReadonlyMap<string, Subscription<T>> {
    return this.#subscriptions;
  }

  /** Where each of them is, by canonical path, as far as it has anything to resume from: give it to `from`. */
  get positions(): Readonly<Record<string, string>> {
    if (this.#lastPositions !== undefined) return this.#lastPositions;
    const known = [...this.#subscriptions].flatMap(([path, { position }]) =>
      position === undefined ? [] : [[path, position] as const],
    );
    return Object.fromEntries(known);
  }

  /**
   * Nothing happens if it is there already. `from` is looked at before that of the group. Throws SubscribeError, and ClientError if the
   * group is closed.
   */
  add(endpoint: Endpoint, from?: string): Subscription<T> {
    const path = this.#ports.canonical(endpoint);
    const known = this.#subscriptions.get(path);
    if (known !== undefined) return known;
    if (this.#isClosed)
      throw new ClientError({ code: "closed", message: "the group is closed", retry: false }, path);
    const subscription = this.#ports.begin(path, from ?? this.#from[path], {
      unread: this.#unread,
      closed: (subscription, error) => this.#left(subscription, error),
    });
    this.#subscriptions.set(path, subscription);
    for (const name of NAMES) this.#passOn(name, subscription);
    return subscription;
  }

  /** Ends that of one endpoint. */
  delete(endpoint: Endpoint): void {
    this.#subscriptions.get(this.#ports.canonical(endpoint))?.close();
  }

  /** As that of a subscription; the event comes with whose it is. */
  on<K extends keyof Events<T>>(name: K, listener: (event: GroupEvents<T>[K]) => void): () => void {
    if (name === "update" && !this.#isIterated) this.#unread.ignore(true);
    return this.#emitter.on(name, listener);
  }

  /**
   * The updates of all, as they come. Who leaves the loop closes all. If the edge refuses one of them for good, the iteration
   * ends with that error, and all are closed; without an iteration the others go on.
   */
  [Symbol.asyncIterator](): AsyncIterator<DecodedUpdate<T>, undefined> {
    this.#isIterated = true;
    this.#unread.ignore(false);
    return iteratorOf(this.#unread, () => this.close());
  }

  /** All of them, for good. */
  close(): void {
    this.#end(() => this.#unread.end());
  }

  #passOn<K extends keyof Events<T>>(name: K, subscription: Subscription<T>): void {
    subscription.on(name, (event) => this.#emitter.emit(name, { subscription, event } as GroupEvents<T>[K]));
  }

  #left({ endpoint }: Subscription<T>, error: ClientError | undefined): void {
    this.#subscriptions.delete(endpoint);
    if (error !== undefined && this.#isIterated) this.#end(() => this.#unread.fail(error));
  }

  #end(tell: () => void): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#lastPositions = this.positions;
    this.#forgetSignal();
    tell();
    for (const subscription of [...this.#subscriptions.values()]) subscription.close();
    this.#ports.closed();
  }
}
