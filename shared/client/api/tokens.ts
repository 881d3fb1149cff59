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
    return typeof this.#source === "string" ? this.#source : (this.#known ?? this.#ask(this.#source));
  }

  /** In place of one that was refused, or ends soon: what was learned since, or else what the source says now. */
  another(than: string): string | Promise<string> {
    if (typeof this.#source === "string") return this.#source;
    return this.#known !== undefined && this.#known !== than ? this.#known : this.#ask(this.#source);
  }

  /** For a connection, which begins with what is known, and asks again only for another one. */
  source(): TokenSource {
    if (typeof this.#source === "string") return this.#source;
    let given: string | undefined;
    return async () => {
      given = await (given === undefined ? this.current() : this.another(given));
      return given;
    };
  }

  #ask(source: Exclude<TokenSource, string>): Promise<string> {
    const now = this.#clock.date();
    const asking = this.#asking;
    if (asking !== undefined && now - asking.since < this.#patienceMs) return asking.token;
    const token = Promise.resolve().then(source).then(checked);
    const mine = { since: now, token };
    this.#asking = mine;
    const answered = () => {
      if (this.#asking === mine) this.#asking = undefined;
    };
    token.then((known) => {
      this.#known = known;
      answered();
    }, answered);
    return token;
  }
}

function checked(token: unknown): string {
  if (!isToken(token)) throw new TypeError("what the source of tokens gave is no token");
  return token;
}
