/** Performs what token.ts decides: asks the source, waits, and passes tokens on. */
import type { ErrorBody } from "../protocol/error-body.ts";
import { type Clock, Timer } from "./clock.ts";
import { INITIAL_TOKEN, SPREAD_MS, stepToken, tokenOf } from "./token.ts";
import type { TokenEffect, TokenEvent, TokenLimits, TokenState } from "./token-terms.ts";

/** A token, or what fetches one; `""` is none. */
export type TokenSource = string | (() => string | Promise<string>);

/** What it needs of the subscription. */
export interface TokenPorts {
  ready(): void;
  nextId(): number;
  send(id: number, token: string): void;
  error(error: ErrorBody): void;
  end(error: ErrorBody): void;
}

/** As the edge bounds them; other characters can't stand in a subprotocol. */
const TOKEN = /^[A-Za-z0-9._-]{0,4096}$/;

export const isToken = (value: unknown): value is string => typeof value === "string" && TOKEN.test(value);

/** So long after a sleep all that has ended meanwhile is known. */
const WAKING_MS = 10_000;

export class TokenKeeper {
  readonly #source: TokenSource;
  readonly #clock: Clock;
  readonly #limits: TokenLimits;
  readonly #ports: TokenPorts;
  readonly #timer: Timer;
  #state: TokenState = INITIAL_TOKEN;
  /** When the source was asked last, by the time of day, which goes on while the machine sleeps. */
  #askedAt = 0;
  /** What the edge says of a token until then is because of a sleep. */
  #wakingUntil = 0;

  constructor(source: TokenSource, clock: Clock, limits: TokenLimits, ports: TokenPorts) {
    this.#source = source;
    this.#clock = clock;
    this.#limits = limits;
    this.#ports = ports;
    this.#timer = new Timer(clock, () => this.step({ kind: "timer" }));
  }

  /** What a dial carries; `""`: none. */
  get token(): string {
    return tokenOf(this.#state) ?? "";
  }

  step(event: TokenEvent): void {
    const now = this.#clock.now();
    const context = {
      random: this.#clock.random(),
      nextId: this.#ports.nextId(),
      spreadMs: now < this.#wakingUntil ? 0 : SPREAD_MS,
      limits: this.#limits,
    };
    const { state, effects } = stepToken(this.#state, event, context);
    this.#state = state;
    for (const effect of effects) this.#perform(effect);
  }

  #perform(effect: TokenEffect): void {
    switch (effect.kind) {
      case "ask":
        this.#ask();
        break;
      case "ready":
        this.#ports.ready();
        break;
      case "send":
        this.#ports.send(effect.id, effect.token);
        break;
      case "schedule":
        this.#timer.set(effect.afterMs);
        break;
      case "cancel":
        this.#timer.cancel();
        break;
      case "error":
        this.#ports.error(effect.error);
        break;
      case "end":
        this.#ports.end(effect.error);
        break;
    }
  }

  /** What was asked since it woke isn't from before the sleep. */
  look(sleptMs: number): void {
    if (sleptMs > 0) this.#wakingUntil = this.#clock.now() + WAKING_MS;
    this.step({ kind: "look", sleptMs: Math.min(sleptMs, this.#clock.date() - this.#askedAt) });
  }

  /** A token that is there needs no waiting. */
  #ask(): void {
    const source = this.#source;
    this.#askedAt = this.#clock.date();
    if (typeof source === "string") this.step({ kind: "fetched", token: source });
    else
      Promise.resolve()
        .then(source)
        .then(
          (token) => this.step(isToken(token) ? { kind: "fetched", token } : NO_TOKEN),
          (error) => this.step({ kind: "failed", problem: problemOf(error) }),
        );
  }
}

const NO_TOKEN = { kind: "failed", problem: "what it gave is no token" } as const;

const problemOf = (error: unknown) => (error instanceof Error ? error.message : "it rejected");
