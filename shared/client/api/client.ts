/**
 * What an application uses: one client for an edge, whatever it follows and publishes there.
 *
 *   const client = new Client("https://example.org", { token: () => fetchToken() });
 *   for await (const update of client.subscribe<Quote>("/quotes/AAPL")) show(update.value);
 *   const position = await client.publish("/orders/42", { qty: 1 });
 */
import type { ErrorBody } from "../../protocol/error-body.ts";
import { parseStart } from "../../protocol/position.ts";
import { loadRequests, withFallback } from "../choosing.ts";
import type { ConnectionChange } from "../connection-terms.ts";
import { endpointUrl, resolveEdge, SubscribeError } from "../endpoint-url.ts";
import { Emitter } from "../events.ts";
import type { PublishedValue, PublishOptions as PublishTerms } from "../publisher.ts";
import type { Latest } from "../requests/latest.ts";
import { type ConnectOptions, settingsOf } from "../settings.ts";
import { webSocketTransport } from "../websocket.ts";
import { type Codec, decoderOf, encoded, type Reading } from "./codec.ts";
import { canonicalPath, type Endpoint } from "./endpoint.ts";
import { ClientError } from "./error.ts";
import { type ManyOptions, type Membership, SubscriptionGroup } from "./group.ts";
import { Lanes } from "./lanes.ts";
import { type SubscribeOptions, Subscription } from "./subscription.ts";
import { Tokens } from "./tokens.ts";

export interface ClientOptions extends ConnectOptions {
  /** A connection that nothing has needed for so long is closed; milliseconds. A second, unless said otherwise. */
  readonly idleMs?: number | undefined;
}

export interface GetOptions<T = unknown> extends Reading<T> {
  readonly signal?: AbortSignal | undefined;
}

export interface PublishOptions<T = unknown> extends PublishTerms {
  /** Whose `encode` makes the value; by default it is JSON, or bytes as they are. */
  readonly codec?: Codec<T> | undefined;
}

export interface ClientEvents {
  /** The connection is being made, is open, broke (and when the next follows), or is closed. */
  connection: ConnectionChange;
  /** The edge refused the connection, or something that is no subscription's. */
  error: ErrorBody;
}

const IDLE_MS = 1_000;

export class Client {
  readonly #edge: URL;
  readonly #tokens: Tokens;
  readonly #lanes: Lanes;
  readonly #emitter = new Emitter<ClientEvents>();
  readonly #open = new Set<{ close(): void }>();
  #isClosed = false;

  /**
   * Dials nothing yet. `url` is the edge's: `https:`, `http:`, `wss:` or `ws:`, in a page also relative to it. Throws SubscribeError
   * with `bad_address`, `not_found` (the URL has a path that doesn't end with a slash) or `invalid_token`.
   */
  constructor(url: string | URL, options: ClientOptions = {}) {
    this.#edge = resolveEdge(String(url));
    const transport = options.transport ?? withFallback(webSocketTransport, options.clock);
    const settings = settingsOf({ ...options, transport });
    this.#tokens = new Tokens(settings.token, settings.clock, settings.limits.sourceMs);
    this.#lanes = new Lanes(this.#edge, settings, this.#tokens, options.idleMs ?? IDLE_MS, {
      connection: (change) => this.#emitter.emit("connection", change),
      error: (error) => this.#emitter.emit("error", error),
    });
  }

  /** undefined as long as nothing needs one. */
  get connection(): ConnectionChange | undefined {
    return this.#lanes.connection;
  }

  /** Calls the listener for every event of this name; returns what ends that. */
  on<K extends keyof ClientEvents>(name: K, listener: (event: ClientEvents[K]) => void): () => void {
    return this.#emitter.on(name, listener);
  }

  /** The canonical path of an endpoint, by which updates, subscriptions and positions name it. Throws SubscribeError. */
  pathOf(endpoint: Endpoint): string {
    return canonicalPath(endpoint, this.#edge);
  }

  /**
   * Begins at once, with the latest update or after `from`, and goes on until it is closed, or until the edge says that it will never
   * do. No event comes before this returns. Throws SubscribeError (`bad_address`, `not_found`, `key_too_long`, `bad_position`,
   * `closed`), RangeError (`buffer`), and the reason of a signal that has aborted.
   */
  subscribe<T = unknown>(endpoint: Endpoint, options: SubscribeOptions<T> = {}): Subscription<T> {
    return this.#keep(this.#begin(this.pathOf(endpoint), options));
  }

  /** Several endpoints as one; more may be added later. Throws as subscribe(). */
  subscribeMany<T = unknown>(
    endpoints: Iterable<Endpoint>,
    options: ManyOptions<T> = {},
  ): SubscriptionGroup<T> {
    this.#requireOpen();
    const { schema, codec, occupancy } = options;
    const group: SubscriptionGroup<T> = new SubscriptionGroup<T>(
      Array.from(endpoints, (endpoint) => this.pathOf(endpoint)),
      options,
      {
        canonical: (path) => this.pathOf(path),
        begin: (path, from, membership) => this.#begin(path, { schema, codec, occupancy, from }, membership),
        closed: () => this.#open.delete(group),
      },
    );
    return this.#keep(group);
  }

  /**
   * The latest record; undefined if the key has none, or was deleted. Rejects with a ClientError (`unreachable`, or the edge's code),
   * with a SubscribeError for what is no endpoint, with the reason of the signal, and with what the source of tokens threw.
   */
  async get<T = unknown>(endpoint: Endpoint, options: GetOptions<T> = {}): Promise<Latest<T> | undefined> {
    this.#requireOpen();
    const path = this.pathOf(endpoint);
    const failure = (error: ErrorBody) => new ClientError(error, path);
    const { latestOf } = await loadRequests().catch(() => {
      throw failure({ code: "unreachable", message: "the client isn't all there", retry: true });
    });
    return latestOf({
      endpoint: path,
      url: endpointUrl(this.#edge, path),
      tokens: this.#tokens,
      decode: decoderOf(options),
      signal: options.signal,
      failure,
    });
  }

  /**
   * Makes a record of the endpoint, as JSON; resolves with its position, at which subscribers see it. Records of an endpoint are in
   * the order of the calls. Over connections that break it is sent again with its key, so that it is one record. Rejects with a
   * PublishError: `unknown_outcome` if nobody knows whether it was published, `overloaded` if too much waits already.
   */
  async publish<T = unknown>(
    endpoint: Endpoint,
    value: T,
    { codec, ...options }: PublishOptions<T> = {},
  ): Promise<string> {
    return this.#publish(endpoint, encoded(value, codec), options);
  }

  /** Publishes a tombstone: the key is deleted. */
  async delete(endpoint: Endpoint, options: PublishTerms = {}): Promise<string> {
    return this.#publish(endpoint, null, options);
  }

  /**
   * Sees at once whether the connection is good, and dials at once if there is none. In a page that happens by itself: when it is shown
   * or thawed, when the network comes or goes, and when the machine wakes. Elsewhere call it when you know of such a thing.
   */
  look(): void {
    this.#lanes.look();
  }

  /** For good: all subscriptions end, and what is being published fails. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const open of [...this.#open]) open.close();
    this.#lanes.close();
  }

  #begin<T>(path: string, options: SubscribeOptions<T>, membership?: Membership<T>): Subscription<T> {
    this.#requireOpen();
    const { from } = options;
    if (from !== undefined && parseStart(from) === undefined)
      throw new SubscribeError("bad_position", `not a position: ${from}`);
    return new Subscription<T>(path, options, {
      join: (options, member) => this.#lanes.join(path, options, member),
      closed: (subscription, error) => {
        this.#open.delete(subscription);
        membership?.closed(subscription, error);
      },
      unread: membership?.unread,
    });
  }

  #keep<S extends { close(): void }>(opened: S): S {
    this.#open.add(opened);
    return opened;
  }

  #publish(endpoint: Endpoint, value: PublishedValue, options: PublishTerms): Promise<string> {
    this.#requireOpen();
    return this.#lanes.publish(this.pathOf(endpoint), value, options);
  }

  #requireOpen(): void {
    if (this.#isClosed)
      throw new ClientError({ code: "closed", message: "the client is closed", retry: false });
  }
}
