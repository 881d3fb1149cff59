/**
 * Subscribes to an endpoint, for browsers and Node from 22 on. It reconnects with full jitter, resumes by
 * position, drops duplicates, and says so when something is missing.
 *
 *   const subscription = subscribe("wss://example.org/quotes/AAPL");
 *   subscription.on("update", (update) => show(update.json()));
 *   subscription.on("gap", ({ cause }) => startOver(cause));
 *   const position = await subscription.publish(JSON.stringify({ bid: 229.1 }));
 *
 * A shell: connection.ts, subscription.ts, token.ts and publishing.ts decide, this performs.
 */
import type { BackoffBounds } from "../core/backoff.ts";
import type { ErrorCode } from "../protocol/codes.ts";
import type { Update } from "../protocol/frame.ts";
import { LIMITS } from "../protocol/limits.ts";
import type { Message } from "../protocol/message.ts";
import { formatPosition, OLDEST, type Position, parsePosition } from "../protocol/position.ts";
import type { ErrorBody } from "../protocol/schemas.ts";
import { encodeRenew, encodeSubscribe, PING } from "../protocol/subscriber.ts";
import { type Clock, systemClock, Timer } from "./clock.ts";
import { INITIAL_CONNECTION, stepConnection } from "./connection.ts";
import type {
  ConnectionChange,
  ConnectionEffect,
  ConnectionEvent,
  ConnectionLimits,
  ConnectionState,
} from "./connection-terms.ts";
import { type EndpointUrl, resolveEndpoint, SubscribeError } from "./endpoint-url.ts";
import { Emitter, type Listener, type SubscriptionEvents } from "./events.ts";
import { hear } from "./hear.ts";
import {
  PublishError,
  type PublishedValue,
  Publisher,
  type PublisherLimits,
  type PublishOptions,
} from "./publisher.ts";
import type { PublishOrder } from "./publishing.ts";
import {
  initialSubscription,
  nextId,
  type Statistics,
  type SubscriptionEffect,
  type SubscriptionEvent,
  type SubscriptionLimits,
  type SubscriptionPhase,
  type SubscriptionState,
  stepSubscription,
  takeId,
} from "./subscription.ts";
import { isToken, TokenKeeper, type TokenSource } from "./token-keeper.ts";
import type { TokenLimits } from "./token-terms.ts";
import type { Socket, SocketEvents, Transport } from "./transport.ts";
import { ReceivedUpdate } from "./update.ts";
import { webSocketTransport } from "./websocket.ts";

export type {
  Clock,
  ConnectionChange,
  Listener,
  PublishedValue,
  PublisherLimits,
  PublishOptions,
  PublishOrder,
  ReceivedUpdate,
  Socket,
  SocketEvents,
  Statistics,
  SubscriptionEvents,
  SubscriptionPhase,
  TokenSource,
  Transport,
};
export { PublishError, SubscribeError, webSocketTransport };

export interface SubscribeOptions {
  /**
   * Resume from here: what `position` said before, perhaps in an earlier page load. `oldest`: begin with as much history as
   * there is; the `verdict` says where that is. The URL's `from` does the same.
   */
  readonly from?: string | undefined;
  /**
   * For streams that aren't public: a token, or what fetches one. It is called when a token is needed: before the first dial,
   * in time before the present one expires, and when the edge refused that. Never twice at once, and not for every reconnect.
   * If it fails, it is called again with growing delays, up to 200 times in a row. `""`: go without.
   */
  readonly token?: TokenSource | undefined;
  /** Delays between attempts to reconnect: by default up to 0.5 s at first and up to 30 s in the end. */
  readonly backoff?: BackoffBounds;
  readonly timeouts?: Partial<Timeouts>;
  /** How much is published at once, and for how long each of it is tried. */
  readonly publishing?: Partial<PublisherLimits>;
  readonly transport?: Transport;
  readonly clock?: Clock;
}

export type Timeouts = Omit<ConnectionLimits, "backoff"> & SubscriptionLimits & TokenLimits;

const BACKOFF: BackoffBounds = { baseMs: 500, maxMs: 30_000 };

const TIMEOUTS: Timeouts = {
  connectMs: 10_000,
  quietMs: 15_000,
  silenceMs: 10_000,
  steadyMs: 5_000,
  explainMs: 60_000,
  answerMs: 30_000,
  sourceMs: 30_000,
  renewalMs: 15_000,
};

const PUBLISHING: PublisherLimits = {
  maxPublishes: 1_000,
  maxBytes: 16 * 1024 * 1024,
  atOnce: 32,
  again: { baseMs: 100, maxMs: 5_000 },
  publishAnswerMs: 20_000,
  publishMs: 300_000,
  // What an edge takes unless it was told otherwise.
  frameBytes: 1024 * 1024 + LIMITS.publicationRoomBytes,
};

/**
 * Begins at once, and goes on until close() or until the edge says that it will never do.
 *
 * `url` is an endpoint's, `ws:`, `wss:`, `http:` or `https:`, in a page also relative to it; another spelling
 * than the canonical one is put right. No event comes before this returns. Throws SubscribeError with
 * `bad_address`, `not_found`, `key_too_long` (the URL is no endpoint's) or `bad_position` (`from`), or
 * `invalid_token` (`token`).
 */
export function subscribe(url: string, options: SubscribeOptions = {}): Subscription {
  const endpoint = resolveEndpoint(url);
  const given = options.from ?? endpoint.url.searchParams.get("from");
  const from = given === null || given === OLDEST ? undefined : parsePosition(given);
  if (given !== null && given !== OLDEST && from === undefined)
    throw new SubscribeError("bad_position", `not a position: ${given}`);
  if (typeof options.token === "string" && !isToken(options.token))
    throw new SubscribeError("invalid_token", "the token has characters that none has, or too many");
  // From now on the subscription knows where it is.
  endpoint.url.searchParams.delete("from");
  return new Subscription(endpoint, given === OLDEST ? OLDEST : from, options);
}

/** Answers to a GET that don't speak against a subscribe: the key may get a record yet (H3). */
const NO_REFUSAL: readonly string[] = ["unknown_key", "deleted", "value_too_large"] satisfies ErrorCode[];

/** Made by subscribe(). */
export class Subscription {
  /** Canonical path of the endpoint. */
  readonly endpoint: string;
  readonly #url: URL;
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #limits: ConnectionLimits & SubscriptionLimits;
  readonly #keeper: TokenKeeper;
  readonly #publisher: Publisher;
  readonly #emitter = new Emitter();
  readonly #connectionTimer: Timer;
  readonly #answerTimer: Timer;
  #connection: ConnectionState = INITIAL_CONNECTION;
  #change: ConnectionChange = { state: "connecting" };
  #state: SubscriptionState;
  /** What stands for a position as long as there is none. */
  #start: typeof OLDEST | undefined;
  #socket: Socket | undefined;
  /** Counts sockets, to tell events of the present one from those of one that was hung up. */
  #dials = 0;
  #over = false;

  constructor(
    { url, path }: EndpointUrl,
    from: Position | typeof OLDEST | undefined,
    options: SubscribeOptions,
  ) {
    this.endpoint = path;
    this.#url = url;
    this.#transport = options.transport ?? webSocketTransport;
    this.#clock = options.clock ?? systemClock;
    const limits = { ...TIMEOUTS, ...options.timeouts, backoff: options.backoff ?? BACKOFF };
    this.#limits = limits;
    this.#connectionTimer = new Timer(this.#clock, () => this.#connect({ kind: "timer" }));
    this.#answerTimer = new Timer(this.#clock, () => this.#follow({ kind: "timer" }));
    this.#start = from === OLDEST ? OLDEST : undefined;
    this.#state = initialSubscription(from === OLDEST ? undefined : from);
    this.#keeper = new TokenKeeper(options.token ?? "", this.#clock, limits, {
      ready: () => this.#connect({ kind: "start" }),
      nextId: () => nextId(this.#state),
      send: (id, token) => {
        this.#state = takeId(this.#state);
        this.#socket?.send(encodeRenew(id, token));
      },
      error: (error) => this.#emit("error", error),
      end: (error) => this.#connect({ kind: "noToken", error }),
    });
    this.#publisher = new Publisher(
      this.#clock,
      { ...PUBLISHING, ...options.publishing },
      {
        nextId: () => nextId(this.#state),
        send: (frame) => {
          this.#state = takeId(this.#state);
          this.#socket?.send(frame);
        },
      },
    );
    this.#keeper.step({ kind: "start" });
  }

  /**
   * Everything up to here has been received, or was announced as lost: give it to `from` to resume, also in
   * another page load. undefined as long as there is nothing to resume from.
   */
  get position(): string | undefined {
    return text(this.#state.position);
  }

  /** `live`: caught up, and what follows comes as it happens. `away`: not connected, see `connection`. */
  get phase(): SubscriptionPhase {
    return this.#state.phase;
  }

  /** The last `connection`; the first is `connecting`, also while the first token is waited for. */
  get connection(): ConnectionChange {
    return this.#change;
  }

  get statistics(): Statistics {
    return this.#state.statistics;
  }

  /** Calls the listener for every event of this name; returns what ends that. */
  on<K extends keyof SubscriptionEvents>(name: K, listener: Listener<K>): () => void {
    return this.#emitter.on(name, listener);
  }

  /**
   * Makes a record of the endpoint; resolves with its position, at which subscribers see it. Over connections that break it is
   * sent again with its key, so that it is one record. Rejects with a PublishError: `unknown_outcome` if nobody knows
   * whether it was published, `unavailable` if it wasn't within 5 minutes.
   */
  publish(value: PublishedValue, options?: PublishOptions): Promise<string> {
    return this.#publisher.publish(this.endpoint, value, options);
  }

  /** For good. `position` stays readable. */
  close(): void {
    this.#connect({ kind: "close", reason: "closed by the subscriber" });
  }

  #emit<K extends keyof SubscriptionEvents>(name: K, event: SubscriptionEvents[K]): void {
    if (!this.#over) this.#emitter.emit(name, event);
  }

  #connect(event: ConnectionEvent): void {
    const context = { now: this.#clock.now(), random: this.#clock.random(), limits: this.#limits };
    const { state, effects } = stepConnection(this.#connection, event, context);
    this.#connection = state;
    for (const effect of effects) this.#performConnection(effect);
  }

  #performConnection(effect: ConnectionEffect): void {
    switch (effect.kind) {
      case "dial":
        this.#dial();
        break;
      case "hangUp":
        this.#hangUp();
        break;
      case "ping":
        this.#socket?.send(PING);
        break;
      case "schedule":
        this.#connectionTimer.set(effect.afterMs);
        break;
      case "cancel":
        this.#connectionTimer.cancel();
        break;
      case "explain":
        void this.#explain();
        break;
      case "tokenRefused":
        this.#keeper.step({ kind: "refused", error: effect.error });
        break;
      case "error":
        this.#emit("error", effect.error);
        break;
      case "changed": {
        const { kind: _, ...change } = effect;
        this.#change = change;
        this.#tell(change.state);
        this.#emit("connection", change);
        if (change.state === "closed") this.#over = true;
      }
    }
  }

  #tell(state: ConnectionChange["state"]): void {
    if (state === "connecting") return;
    const kind = ({ open: "connected", backingOff: "lost", closed: "close" } as const)[state];
    this.#follow({ kind });
    if (kind === "lost") this.#publisher.lost();
    if (kind === "close") this.#publisher.end(CLOSED);
    // That a socket was lost because of its token is told as such, after this.
    if (this.#connection.phase !== "barred") this.#keeper.step({ kind });
  }

  #dial(): void {
    const dial = ++this.#dials;
    const current = () => dial === this.#dials;
    const url = new URL(this.#url);
    const from = this.position ?? this.#start;
    if (from !== undefined) url.searchParams.set("from", from);
    const events: SocketEvents = {
      opened: () => {
        if (current()) this.#connect({ kind: "opened" });
      },
      message: (message) => {
        if (!current()) return;
        this.#connect({ kind: "heard" });
        this.#receive(message);
      },
      closed: (code, reason) => {
        if (current()) this.#connect({ kind: "dropped", code, reason });
      },
    };
    this.#socket = this.#transport.dial(url.href, events, this.#keeper.token);
  }

  #hangUp(): void {
    this.#dials++;
    this.#socket?.close();
    this.#socket = undefined;
  }

  async #explain(): Promise<void> {
    const { token } = this.#keeper;
    const { error, retryAfterMs } = (await this.#transport.explain(this.#url.href, token)) ?? {};
    // What was said of another token says nothing of this one.
    if (token !== this.#keeper.token) return;
    if (error !== undefined && !error.retry && !NO_REFUSAL.includes(error.code))
      this.#connect({ kind: "refused", error });
    else if (retryAfterMs !== undefined) this.#connect({ kind: "putOff", afterMs: retryAfterMs });
  }

  #receive(message: Message): void {
    for (const heard of hear(message, this.endpoint)) {
      if (heard.kind === "expires" || heard.kind === "renewed") this.#keeper.step(heard);
      else if (heard.kind === "published") this.#published(heard.id, heard.position);
      else if (heard.kind !== "refused" || !this.#publisher.refused(heard.id, heard.error))
        this.#hearSubscription(heard);
    }
  }

  /** With the id of the subscribe it is a verdict that lacks something. */
  #published(id: number, position: string): void {
    if (id === this.#state.id) this.#follow({ kind: "unreadable" });
    else this.#publisher.taken(id, position);
  }

  #hearSubscription(heard: SubscriptionEvent<Update>): void {
    if (heard.kind === "verdict") this.#keeper.step({ kind: "accepted" });
    if (heard.kind === "refused") {
      this.#emit("error", heard.error);
      this.#keeper.step({ kind: "rejected", id: heard.id, error: heard.error });
    }
    this.#follow(heard);
    if (heard.kind === "verdict") this.#publisher.opened();
    if (heard.kind === "refused" && heard.error.retryAfterMs !== undefined)
      this.#connect({ kind: "putOff", afterMs: heard.error.retryAfterMs });
  }

  #follow(event: SubscriptionEvent<Update>): void {
    const { state, effects } = stepSubscription(this.#state, event, this.#limits);
    this.#state = state;
    for (const effect of effects) this.#perform(effect);
  }

  #perform(effect: SubscriptionEffect<Update>): void {
    switch (effect.kind) {
      case "subscribe":
        this.#socket?.send(encodeSubscribe(effect.id, this.endpoint, effect.from));
        break;
      case "deliver":
        this.#emit("update", new ReceivedUpdate(effect.update, effect.position));
        break;
      case "verdict": {
        this.#start = undefined;
        const { position, head, recovered, cause } = effect.verdict;
        const texts = { position: formatPosition(position), head: formatPosition(head) };
        this.#emit("verdict", { ...texts, recovered, cause });
        break;
      }
      case "gap": {
        const { cause, from, position } = effect;
        this.#emit("gap", { cause, from: text(from), position: text(position) });
        break;
      }
      case "live":
        this.#emit("live", { position: text(this.#state.position) ?? "-" });
        break;
      case "wait":
        this.#emit("wait", effect.error);
        break;
      case "reconnect":
        this.#connect({ kind: "reconnect", reason: effect.reason });
        break;
      case "end":
        this.#connect({ kind: "close", reason: effect.reason });
        break;
      case "schedule":
        this.#answerTimer.set(effect.afterMs);
        break;
      case "cancel":
        this.#answerTimer.cancel();
        break;
    }
  }
}

const CLOSED: ErrorBody = { code: "closed", message: "the subscription is closed", retry: false };

function text(position: Position | undefined): string | undefined {
  return position && formatPosition(position);
}
