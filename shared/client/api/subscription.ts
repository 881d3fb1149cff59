/** A subscription as an application holds it: updates by iterating or by listeners, and how far it is. */
import type { ErrorBody } from "../../protocol/error-body.ts";
import { OLDEST } from "../../protocol/position.ts";
import type { JoinOptions } from "../connect.ts";
import type { ConnectionChange } from "../connection-terms.ts";
import { Emitter, type SubscriptionEvents } from "../events.ts";
import type { SubscriptionPhase } from "../subscription.ts";
import { decoderOf, type RawValue, type Reading } from "./codec.ts";
import { ClientError } from "./error.ts";
import type { Feed, FeedMember, Told } from "./feed.ts";
import { type BufferOptions, iteratorOf, Unread } from "./unread.ts";
import { type DecodedUpdate, type Gap, updateOf } from "./update.ts";

export interface SubscribeOptions<T = unknown> extends Reading<T> {
  /**
   * Resume from here: what `position` said before, perhaps in an earlier page load. `oldest`: begin with as much history as there is.
   */
  readonly from?: string | undefined;
  /** Be told how many subscribers there are, by `occupancy`. */
  readonly occupancy?: true | undefined;
  /** Closes the subscription when it aborts; an iteration then rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
  /** Of updates that an iteration hasn't read: 1,000 of them, then `pause`. */
  readonly buffer?: BufferOptions | undefined;
}

export interface Events<T> {
  /** The next update; each once, but after a `gap` the latest may come again. */
  update: DecodedUpdate<T>;
  /** Continuity was lost; before the first update after it, which has the same as its `gap`. Not for the first subscribe without `from`. */
  gap: Gap;
  /** It resumed with nothing missing. Not for the first subscribe without `from`. */
  recovered: { readonly position: string };
  /** It has caught up: what follows comes as it happens. Once for each time that it was behind. */
  live: { readonly position: string };
  /** How many subscriptions to the endpoint there are, of all clients: if it was asked for, and when it changes, at most once a second. */
  occupancy: { readonly subscribers: number };
  /** Of the connection that it is on. */
  connection: ConnectionChange;
  /** It stands, but the source of the edge can't answer just now. */
  wait: ErrorBody;
  /** The edge refused something; if that is for good, `closed` follows. */
  error: ErrorBody;
  /** Once, and the last; without an error if it was closed by its user. */
  closed: { readonly error: ClientError | undefined };
}

export interface SubscriptionPorts<T> {
  join(options: JoinOptions, member: FeedMember): Feed;
  closed(subscription: Subscription<T>, error: ClientError | undefined): void;
  /** Of the group that it is in. */
  readonly unread?: Unread<T> | undefined;
}

/** Made by subscribe() of a Client. */
export class Subscription<T = unknown> implements AsyncIterable<DecodedUpdate<T>> {
  /** Canonical path. */
  readonly endpoint: string;
  readonly #ports: SubscriptionPorts<T>;
  readonly #decode: (raw: RawValue) => T;
  readonly #emitter = new Emitter<Events<T>>();
  readonly #unread: Unread<T>;
  readonly #pausedBy = new Set<"user" | "reader">();
  readonly #occupancy: true | undefined;
  /** From where it is asked for as long as there is no position. */
  #start: string | undefined;
  #subscribers: number | undefined;
  #feed: Feed | undefined;
  #member: FeedMember | undefined;
  readonly #isOfGroup: boolean;
  #isIterated = false;
  #position: string | undefined;
  #latest: DecodedUpdate<T> | undefined;
  #gap: Gap | undefined;
  #recovered: boolean | undefined;
  #isClosed = false;
  #forgetSignal = () => {};

  constructor(endpoint: string, options: SubscribeOptions<T>, ports: SubscriptionPorts<T>) {
    const { from, occupancy, signal, buffer = {} } = options;
    signal?.throwIfAborted();
    this.endpoint = endpoint;
    this.#ports = ports;
    this.#decode = decoderOf(options);
    this.#start = from;
    this.#position = from === OLDEST ? undefined : from;
    this.#occupancy = occupancy;
    this.#isOfGroup = ports.unread !== undefined;
    this.#unread =
      ports.unread ??
      new Unread<T>(buffer, {
        pause: () => this.holdBack(true),
        resume: () => this.holdBack(false),
        failed: (error) => this.#fail(error),
      });
    this.#feed = this.#join();
    if (signal === undefined) return;
    const abort = () => this.#end(undefined, () => this.#unread.fail(signal.reason));
    signal.addEventListener("abort", abort, { once: true });
    this.#forgetSignal = () => signal.removeEventListener("abort", abort);
  }

  /**
   * All up to here has been handed out, to the iteration if there is one: give it to `from` to go on after it, also in another page
   * load. undefined as long as there is nothing to resume from.
   */
  get position(): string | undefined {
    const first = this.#unread.firstOf(this.endpoint);
    return first === undefined ? this.#handedOut : first.before;
  }

  /** `live`: caught up. `away`: not connected, or not asked for yet. `paused`: by pause(), or since too much is unread. */
  get phase(): SubscriptionPhase | "paused" {
    if (this.#isClosed) return "ended";
    return this.#feed?.phase ?? "paused";
  }

  /** Whether it has all that there is, as far as the edge has said. */
  get upToDate(): boolean {
    return this.phase === "live";
  }

  /** Whether nothing was missing when it resumed last; undefined if it never has. */
  get recovered(): boolean | undefined {
    return this.#recovered;
  }

  /** When anything came on its connection, in milliseconds since 1970: every 15 s at least while that is good. */
  get lastHeardAt(): number | undefined {
    return this.#feed?.heardAt;
  }

  /** The last update that came; undefined if none has. */
  get latest(): DecodedUpdate<T> | undefined {
    return this.#latest;
  }

  /** What `occupancy` told last. */
  get subscribers(): number | undefined {
    return this.#subscribers;
  }

  /** undefined while it is paused, and when it is closed. */
  get connection(): ConnectionChange | undefined {
    return this.#feed?.connection;
  }

  /**
   * Calls the listener for every event of this name; returns what ends that. The first listener for `update`, unless an iteration
   * has begun, takes the place of that: nothing is kept for one that begins later.
   */
  on<K extends keyof Events<T>>(name: K, listener: (event: Events<T>[K]) => void): () => void {
    if (name === "update" && !this.#isIterated && !this.#isOfGroup) this.#unread.ignore(true);
    return this.#emitter.on(name, listener);
  }

  /**
   * Updates since the subscription began, one after the other. Who leaves the loop closes the subscription. It rejects with a
   * ClientError if the edge refuses the subscription for good, and with the reason of `signal`. Iterations of one subscription share
   * what comes.
   */
  [Symbol.asyncIterator](): AsyncIterator<DecodedUpdate<T>, undefined> {
    if (this.#isOfGroup)
      throw new TypeError("what comes to a subscription of a group is read by iterating over that");
    this.#isIterated = true;
    this.#unread.ignore(false);
    return iteratorOf(this.#unread, () => {
      // What is left unread is forgotten after this, and wasn't handed out.
      this.#position = this.position;
      this.close();
    });
  }

  /** Leaves the edge until resume(), which goes on from where it was. */
  pause(): void {
    this.#hold("user", true);
  }

  resume(): void {
    this.#hold("user", false);
  }

  /** The same, for what is unread. */
  holdBack(isHeld: boolean): void {
    this.#hold("reader", isHeld);
  }

  /** For good. `position` stays readable, and so does what is unread. */
  close(): void {
    this.#end(undefined, () => this.#unread.end());
  }

  #hold(who: "user" | "reader", isHeld: boolean): void {
    if (isHeld) this.#pausedBy.add(who);
    else this.#pausedBy.delete(who);
    if (this.#pausedBy.size > 0) this.#leave();
    else if (!this.#isClosed) this.#feed ??= this.#join();
  }

  #join(): Feed {
    const from = this.#position ?? this.#start;
    // What one that was left tells still, since it is just telling all, isn't for this any more.
    const member: FeedMember = {
      hear: (told) => {
        if (this.#member === member) this.#hear(told);
      },
    };
    this.#member = member;
    return this.#ports.join({ from, occupancy: this.#occupancy }, member);
  }

  #leave(): void {
    const [feed, member] = [this.#feed, this.#member];
    this.#feed = undefined;
    this.#member = undefined;
    if (member !== undefined) feed?.leave(member);
  }

  #hear(told: Told): void {
    switch (told.name) {
      case "update":
        this.#take(updateOf(told.event, this.#decode, this.#gap));
        break;
      case "verdict": {
        const { position, recovered } = told.event;
        this.#position = position;
        this.#start = undefined;
        if (recovered === undefined) break;
        this.#recovered = recovered;
        if (recovered) this.#emitter.emit("recovered", { position });
        break;
      }
      case "gap":
        this.#recovered = false;
        this.#gap = { ...told.event, from: (this.#gap ?? told.event).from };
        this.#position = told.event.position;
        this.#emitter.emit("gap", told.event);
        break;
      case "occupancy":
        if (!this.#occupancy) break;
        this.#subscribers = told.event.subscribers;
        this.#emitter.emit("occupancy", told.event);
        break;
      case "live":
        this.#emitter.emit("live", told.event);
        break;
      case "wait":
      case "error":
        this.#emitter.emit(told.name, told.event);
        break;
      case "connection":
        this.#emitter.emit("connection", told.event);
        if (told.event.state === "closed") this.#fail(this.#reasonOf(told.event));
        break;
    }
  }

  /** Of a gap an iteration hears by the next update: until then it stands before it. */
  get #handedOut(): string | undefined {
    return this.#gap === undefined || this.#unread.isIgnored ? this.#position : this.#gap.from;
  }

  #take(update: DecodedUpdate<T>): void {
    if (!this.#unread.push(update, this.#handedOut)) return;
    this.#gap = undefined;
    this.#position = update.position;
    this.#latest = update;
    this.#emitter.emit("update", update);
  }

  #reasonOf({ reason = "closed" }: SubscriptionEvents["connection"]): ClientError {
    const message = "the connection is closed";
    return new ClientError(this.#feed?.refusal ?? { code: reason, message, retry: false }, this.endpoint);
  }

  #fail(error: ClientError): void {
    this.#end(error, () => this.#unread.fail(error));
  }

  #end(error: ClientError | undefined, tell: () => void): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#forgetSignal();
    this.#leave();
    if (!this.#isOfGroup) tell();
    this.#ports.closed(this, error);
    this.#emitter.emit("closed", { error });
  }
}
