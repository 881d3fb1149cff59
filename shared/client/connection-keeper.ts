/**
 * Performs what connection.ts and token.ts decide: dials, hangs up, pings, asks what is the matter, and carries the token. What
 * is said on the socket, and to whom what comes belongs, is the business of who holds it.
 */

import type { ErrorBody } from "../protocol/error-body.ts";
import type { Message } from "../protocol/message.ts";
import { encodeRenew, PING } from "../protocol/up.ts";
import { type Clock, Timer } from "./clock.ts";
import { INITIAL_CONNECTION, stepConnection } from "./connection.ts";
import type {
  ConnectionChange,
  ConnectionEffect,
  ConnectionEvent,
  ConnectionLimits,
  ConnectionState,
} from "./connection-terms.ts";
import { watchLife } from "./life.ts";
import type { Settings } from "./settings.ts";
import { TokenKeeper } from "./token-keeper.ts";
import type { TokenEvent } from "./token-terms.ts";
import type { Socket, SocketEvents, Transport } from "./transport.ts";

export interface ConnectionPorts {
  /** Where to dial now. */
  url(): string;
  /** What is asked by a GET when a dial has failed. */
  readonly address: string;
  message(message: Message): void;
  /** It is open, lost or closed: before anybody is told. */
  entered(state: "open" | "backingOff" | "closed", change: ConnectionChange): void;
  /** Told to users. Comes after `entered`; `closed` is the last thing told. */
  changed(change: ConnectionChange): void;
  error(error: ErrorBody): void;
}

export class ConnectionKeeper {
  readonly #ports: ConnectionPorts;
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #limits: ConnectionLimits;
  readonly #keeper: TokenKeeper;
  readonly #timer: Timer;
  #state: ConnectionState = INITIAL_CONNECTION;
  /** Why it can't be opened. */
  #problem: ErrorBody | undefined;
  #endWatch = () => {};
  #change: ConnectionChange = { state: "connecting" };
  #socket: Socket | undefined;
  /** Counts sockets, to tell events of the present one from those of one that was hung up. */
  #dials = 0;
  /** Of the frames that were sent on this socket. */
  #lastId = 0;

  constructor(settings: Settings, ports: ConnectionPorts) {
    const { token, transport, clock, limits } = settings;
    this.#ports = ports;
    this.#transport = transport;
    this.#clock = clock;
    this.#limits = limits;
    this.#timer = new Timer(clock, () => this.step({ kind: "timer" }));
    this.#keeper = new TokenKeeper(token, clock, limits, {
      ready: () => this.step({ kind: "start" }),
      nextId: () => this.nextId,
      send: (id, token) => {
        this.#lastId = id;
        this.send(encodeRenew(id, token));
      },
      error: (error) => ports.error(error),
      end: (error) => this.step({ kind: "noToken", error }),
    });
  }

  /** Dials, as soon as there is a token. */
  begin(): void {
    this.#endWatch = watchLife(this.#clock, (sleptMs) => this.look(sleptMs));
    this.#keeper.step({ kind: "start" });
  }

  /** Sees at once whether the connection is good, and makes one at once if there is none. */
  look(sleptMs = 0): void {
    // First the token: a dial that is refused asks for another one at once then.
    this.#keeper.look(sleptMs);
    this.step({ kind: "look", sleptMs });
  }

  /** The last one; the first is `connecting`, also while the first token is waited for. */
  get change(): ConnectionChange {
    return this.#change;
  }

  /** The next frame on this socket may have this id. */
  get nextId(): number {
    return this.#lastId + 1;
  }

  /** For the next frame on this socket: larger than all before (S2). */
  takeId(): number {
    return ++this.#lastId;
  }

  send(message: Message): void {
    this.#socket?.send(message);
  }

  /** What the edge says of the token, and what it answers to frames of whatever kind. */
  hearOfToken(event: TokenEvent<"accepted" | "expires" | "renewed" | "rejected">): void {
    this.#keeper.step(event);
  }

  step(event: ConnectionEvent): void {
    const context = { now: this.#clock.now(), random: this.#clock.random(), limits: this.#limits };
    const { state, effects } = stepConnection(this.#state, event, context);
    this.#state = state;
    for (const effect of effects) this.#perform(effect);
  }

  #perform(effect: ConnectionEffect): void {
    switch (effect.kind) {
      case "dial":
        this.#dial();
        break;
      case "hangUp":
        this.#hangUp();
        break;
      case "ping":
        this.send(PING);
        break;
      case "schedule":
        this.#timer.set(effect.afterMs);
        break;
      case "cancel":
        this.#timer.cancel();
        break;
      case "explain":
        void this.#explain();
        break;
      case "tokenRefused":
        this.#keeper.step({ kind: "refused", error: effect.error });
        break;
      case "error":
        this.#ports.error(effect.error);
        break;
      case "changed": {
        const { kind: _, ...change } = effect;
        if (change.state === "open") this.#problem = undefined;
        this.#change = { ...change, problem: this.#problem };
        if (change.state === "closed") this.#endWatch();
        this.#enter(change);
        this.#ports.changed(this.#change);
      }
    }
  }

  #enter(change: ConnectionChange): void {
    const { state } = change;
    if (state === "connecting") return;
    this.#ports.entered(state, change);
    // That a socket was lost because of its token is told as such, after this.
    if (state === "open" || this.#state.phase === "barred") return;
    this.#keeper.step({ kind: state === "closed" ? "close" : "lost" });
  }

  #dial(): void {
    const dial = ++this.#dials;
    const current = () => dial === this.#dials;
    this.#lastId = 0;
    const events: SocketEvents = {
      opened: (way) => {
        if (current()) this.step({ kind: "opened", way });
      },
      message: (message) => {
        if (!current()) return;
        this.step({ kind: "heard" });
        this.#ports.message(message);
      },
      closed: (code, reason) => {
        if (current()) this.step({ kind: "dropped", code, reason });
      },
    };
    this.#socket = this.#transport.dial(this.#ports.url(), events, this.#keeper.token);
    this.#keeper.step({ kind: "dialled" });
  }

  #hangUp(): void {
    this.#dials++;
    this.#socket?.close();
    this.#socket = undefined;
  }

  async #explain(): Promise<void> {
    const { token } = this.#keeper;
    const explanation = await this.#transport.explain(this.#ports.address, token);
    const { error, retryAfterMs } = explanation ?? {};
    // What was said of another token says nothing of this one.
    if (token !== this.#keeper.token) return;
    if (error?.retry === false) {
      this.step({ kind: "refused", error });
      return;
    }
    if (error !== undefined) this.#tell(error);
    if (retryAfterMs !== undefined) this.step({ kind: "putOff", afterMs: retryAfterMs });
  }

  /** What keeps it from being opened, unless it was meanwhile. */
  #tell(problem: ErrorBody): void {
    const { state } = this.#change;
    if (state !== "connecting" && state !== "backingOff") return;
    this.#problem = problem;
    this.#change = { ...this.#change, problem };
    this.#ports.changed(this.#change);
  }
}
