/**
 * One source of tokens for all that a client does: connections and requests ask it by turns, and whoever asks while it is being
 * asked gets the same answer.
 */
import type { Clock } from "../clock.ts";
import { isToken, type TokenSource } from "../token-keeper.ts";

export class Tokens {
  readonly #source: TokenSource;
  readonly #clock: Clock;
  /** A question that takes longer than this isn't waited for by others. */
  readonly #patienceMs: number;
  #known: string | undefined;
  #asking: { readonly since: number; readonly token: Promise<string> } | undefined;

  constructor(source: TokenSource, clock: Clock, patienceMs: number) {
    this.#source = source;
    this.#clock = clock;
    this.#patienceMs = patienceMs;
  }

  /** What is known already, or else what the source says. Rejects with whatever the source does. */
  current(): string | Promise<string> {
    return typeof this.#source === "string" ? this.#source : (this.#known ?? this.fresh());
  }

  /** What the source says now. */
  fresh(): string | Promise<string> {
    const source = this.#source;
    if (typeof source === "string") return source;
    const now = this.#clock.now();
    const asking = this.#asking;
    if (asking !== undefined && now - asking.since < this.#patienceMs) return asking.token;
    const token = Promise.resolve().then(source);
    const mine = { since: now, token };
    this.#asking = mine;
    const answered = (known: unknown) => {
      if (isToken(known)) this.#known = known;
      if (this.#asking === mine) this.#asking = undefined;
    };
    token.then(answered, answered);
    return token;
  }

  /** For a connection, which begins with what is known, and asks again only for another one. */
  source(): TokenSource {
    if (typeof this.#source === "string") return this.#source;
    let isFirst = true;
    return () => {
      const token = isFirst ? this.current() : this.fresh();
      isFirst = false;
      return token;
    };
  }
}
