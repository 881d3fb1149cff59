/**
 * One connection, and the subscriptions that share it (M1–M11): who asks for what, and whose what comes is. What is refused to one of
 * them, or missing, concerns none of the others.
 */
import { OVERLOADED } from "../protocol/codes.ts";
import type { ErrorBody } from "../protocol/error-body.ts";
import { parseStart } from "../protocol/position.ts";
import { encodeStatements, type Statement } from "../protocol/statements.ts";
import { Asks } from "./asks.ts";
import { type Clock, Timer } from "./clock.ts";
import { ConnectionKeeper } from "./connection-keeper.ts";
import type { ConnectionChange } from "./connection-terms.ts";
import { endpointOf, SubscribeError } from "./endpoint-url.ts";
import { type ConnectionEvents, Emitter } from "./events.ts";
import { SharedSubscription } from "./handle.ts";
import { type Heard, hear } from "./hear.ts";
import { type PublishedValue, Publisher, type PublishOptions } from "./publisher.ts";
import { Receiver } from "./receiver.ts";
import type { Settings } from "./settings.ts";

type HeardOf<K extends Heard["kind"]> = Extract<Heard, { readonly kind: K }>;

export interface JoinOptions {
  /**
   * Resume from here: what `position` said before, perhaps in an earlier page load, or on another connection. `oldest`: begin
   * with as much history as there is.
   */
  readonly from?: string | undefined;
  /** Be told how many subscribers there are, by `occupancy`. */
  readonly occupancy?: true | undefined;
}

const CLOSED: ErrorBody = { code: "closed", message: "the connection is closed", retry: false };

/** Made by connect(). */
export class Connection {
  readonly #edge: URL;
  readonly #settings: Settings;
  readonly #clock: Clock;
  readonly #keeper: ConnectionKeeper;
  readonly #asks: Asks;
  readonly #publisher: Publisher;
  readonly #timer: Timer;
  readonly #emitter = new Emitter<ConnectionEvents>();
  /** By canonical path. */
  readonly #receivers = new Map<string, Receiver>();
  #name: string;
  #isLetIn = false;

  constructor(edge: URL, settings: Settings) {
    this.#edge = edge;
    this.#settings = settings;
    this.#clock = settings.clock;
    this.#asks = new Asks(settings.limits);
    this.#timer = new Timer(settings.clock, () => this.#lookAround());
    this.#name = nameBy(settings.clock);
    this.#keeper = new ConnectionKeeper(settings, {
      url: () => this.#url(),
      address: edge.href,
      message: (message) => {
        this.#letIn();
        for (const heard of hear(message)) this.#hear(heard);
        this.#say();
      },
      entered: (state, change) => this.#enter(state, change),
      changed: (change) => this.#tell(change),
      error: (error) => this.#emitter.emit("error", error),
    });
    this.#publisher = new Publisher(settings.clock, settings.publishing, {
      nextId: () => this.#keeper.nextId,
      send: (frame) => {
        this.#keeper.takeId();
        this.#keeper.send(frame);
      },
    });
    this.#keeper.begin();
  }

  /** The last `connection`; the first is `connecting`, also while the first token is waited for. */
  get state(): ConnectionChange {
    return this.#keeper.change;
  }

  /**
   * Begins at once, and goes on until it is closed, by itself or with the connection, or until the edge says that it will never
   * do. `endpoint` is a path of this edge; another spelling than the canonical one is put right. No event comes before this
   * returns. Throws SubscribeError with `bad_address`, `not_found`, `key_too_long` or `bad_position` as subscribe() does; with
   * `subscribed` if there is one to this endpoint, and with `closed` if the connection is.
   */
  subscribe(endpoint: string, { from, occupancy }: JoinOptions = {}): SharedSubscription {
    const path = endpointOf(endpoint, this.#edge);
    const start = from === undefined ? undefined : parseStart(from);
    if (from !== undefined && start === undefined)
      throw new SubscribeError("bad_position", `not a position: ${from}`);
    if (this.state.state === "closed") throw new SubscribeError("closed", "the connection is closed");
    if (this.#receivers.has(path))
      throw new SubscribeError("subscribed", `this connection has a subscription to ${path}`);
    let ended: ConnectionChange | undefined;
    const end = (reason: string) => {
      if (this.#receivers.get(path) !== receiver) return;
      this.#receivers.delete(path);
      ended = { state: "closed", reason };
      receiver.step({ kind: "close" });
      this.#asks.drop(path, this.#clock.now());
      this.#arrange();
      // Whoever hears of it may begin another one.
      receiver.emitConnection(ended);
    };
    const receiver: Receiver = new Receiver(path, { start, occupancy }, this.#settings.limits, {
      ask: () => this.#asks.soon(path, this.#clock.now()),
      retry: ({ error }) => this.#asks.later(path, error, this.#clock.now(), this.#clock.random()),
      end,
      // Those of all are looked after together.
      awaitAnswer: () => undefined,
    });
    this.#receivers.set(path, receiver);
    this.#asks.want(path, this.#clock.now());
    this.#arrange();
    const close = () => end("closed by the subscriber");
    return new SharedSubscription(receiver, { connection: () => ended ?? this.state, close });
  }

  /**
   * Makes a record of an endpoint, whether it is subscribed to or not; resolves with its position, at which subscribers see it. Over
   * connections that break it is sent again with its key, so that it is one record. Throws SubscribeError as subscribe() does for
   * what is no path, and rejects with a PublishError: `unknown_outcome` if nobody knows whether it was published, `unavailable`
   * if it wasn't within 5 minutes, `closed` if the connection is.
   */
  publish(endpoint: string, value: PublishedValue, options?: PublishOptions): Promise<string> {
    return this.#publisher.publish(endpointOf(endpoint, this.#edge), value, options);
  }

  /** Calls the listener for every event of this name; returns what ends that. */
  on<K extends keyof ConnectionEvents>(name: K, listener: (event: ConnectionEvents[K]) => void): () => void {
    return this.#emitter.on(name, listener);
  }

  /**
   * Sees at once whether the connection is good, and dials at once if there is none: when an application comes to the front, say, or
   * has slept for so long.
   */
  look(sleptMs?: number): void {
    this.#keeper.look(sleptMs);
  }

  /** For good, and with it all its subscriptions. Their positions stay readable. */
  close(): void {
    this.#keeper.step({ kind: "close", reason: "closed by the subscriber" });
  }

  #url(): string {
    const url = new URL(this.#edge);
    url.searchParams.set("client", this.#name);
    return url.href;
  }

  #enter(state: "open" | "backingOff" | "closed", { code }: ConnectionChange): void {
    const now = this.#clock.now();
    if (state === "open") {
      this.#asks.connected(now);
      this.#say();
      return;
    }
    this.#timer.cancel();
    this.#asks.lost(now);
    this.#isLetIn = false;
    if (state === "closed") this.#publisher.end(CLOSED);
    else this.#publisher.lost();
    for (const receiver of this.#receivers.values())
      receiver.step({ kind: state === "closed" ? "close" : "lost" });
    // Whoever holds this one's endpoints is full: let another one.
    if (code === OVERLOADED) this.#name = nameBy(this.#clock);
  }

  /** Something came on this socket, a pong as a rule: the edge hasn't refused it, and takes what is published. */
  #letIn(): void {
    if (this.#isLetIn) return;
    this.#isLetIn = true;
    this.#publisher.opened();
  }

  #tell(change: ConnectionChange): void {
    const receivers = [...this.#receivers.values()];
    if (change.state === "closed") this.#receivers.clear();
    this.#emitter.emit("connection", change);
    for (const receiver of receivers) receiver.emitConnection(change);
  }

  #hear(heard: Heard): void {
    switch (heard.kind) {
      case "update":
        this.#update(heard);
        break;
      case "reset":
        this.#receivers.get(heard.endpoint)?.step(heard);
        break;
      case "verdict":
      case "wait":
        this.#answered(heard);
        break;
      case "refused":
        this.#refused(heard);
        break;
      case "dismissed":
        this.#asks.dismissed(heard.endpoint, this.#clock.now());
        if (isReceiving(this.#receivers.get(heard.endpoint))) this.#tellError(heard);
        break;
      case "published":
        // With the id of a subscribe it is a verdict that lacks something.
        if (this.#asks.isAwaited(heard.id)) this.#unreadable(undefined);
        else this.#publisher.taken(heard.id, heard.position);
        break;
      case "occupancy":
        this.#receivers.get(heard.endpoint)?.hearOccupancy(heard.subscribers);
        break;
      case "unsubscribed":
        this.#asks.unsubscribed(heard.id, this.#clock.now());
        break;
      case "unreadable":
        this.#unreadable(heard.endpoint);
        break;
      default:
        this.#keeper.hearOfToken(heard);
    }
  }

  #update(heard: HeardOf<"update">): void {
    const receiver = this.#receivers.get(heard.update.endpoint);
    if (receiver?.phase === "catchingUp") this.#asks.progress(this.#clock.now());
    receiver?.step(heard);
  }

  #answered(heard: HeardOf<"verdict" | "wait">): void {
    if (heard.kind === "verdict") this.#keeper.hearOfToken({ kind: "accepted" });
    const endpoint = this.#asks.answered(heard.id, heard.kind, this.#clock.now());
    if (endpoint !== undefined) this.#receivers.get(endpoint)?.step(heard);
  }

  #refused(heard: HeardOf<"refused">): void {
    const { id, error } = heard;
    if (this.#publisher.refused(id, error)) return;
    this.#keeper.hearOfToken({ kind: "rejected", id, error });
    if (id !== undefined && this.#asks.isAwaited(id)) {
      const endpoint = this.#asks.refused(id, error, this.#clock.now(), this.#clock.random());
      if (endpoint !== undefined) this.#tellError({ ...heard, endpoint });
    } else if (error.code !== SUPERSEDED) this.#emitter.emit("error", error);
  }

  #tellError(heard: HeardOf<"refused" | "dismissed"> & { readonly endpoint: string }): void {
    const receiver = this.#receivers.get(heard.endpoint);
    receiver?.emit("error", heard.error);
    receiver?.step(heard);
  }

  /** An update can be asked for again; what was an answer, or can't be told, comes again on another socket. */
  #unreadable(endpoint: string | undefined): void {
    const receiver = endpoint === undefined ? undefined : this.#receivers.get(endpoint);
    if (endpoint === undefined) this.#keeper.step({ kind: "reconnect", reason: "a frame could not be read" });
    // Until its verdict comes, updates belong to what was before.
    else if (isReceiving(receiver)) receiver?.step({ kind: "unreadable" });
  }

  #lookAround(): void {
    for (const endpoint of this.#asks.unanswered(this.#clock.now(), this.#clock.random()))
      this.#receivers.get(endpoint)?.step({ kind: "timer" });
    this.#say();
  }

  /** All that is due. */
  #say(): void {
    const statements = this.#asks
      .take(this.#clock.now(), () => this.#keeper.takeId())
      .map(({ kind, id, endpoint }): Statement => {
        const receiver = this.#receivers.get(endpoint);
        if (kind === "subscribe") receiver?.step({ kind: "asked", id });
        return { kind, id, endpoint, from: receiver?.start, occupancy: receiver?.occupancy };
      });
    for (const message of encodeStatements(statements)) this.#keeper.send(message);
    this.#arrange();
  }

  #arrange(): void {
    const next = this.#asks.nextIn(this.#clock.now());
    if (next === undefined) this.#timer.cancel();
    else this.#timer.set(next);
  }
}

/** It has its verdict, and what comes is for it. */
const isReceiving = (receiver: Receiver | undefined) =>
  receiver?.phase === "catchingUp" || receiver?.phase === "live";

/** The answer to a subscribe whose place was taken is no news to whoever took it (M4). */
const SUPERSEDED = "superseded";

/** By chance, so that clients spread; it is no secret (M1). */
function nameBy(clock: Clock): string {
  return Array.from({ length: 16 }, () => Math.floor(clock.random() * 36).toString(36)).join("");
}
