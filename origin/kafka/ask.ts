/** What waits for an answer of a broker, of one partition (fetcher.ts). */
import type { Fetched, FetchFrom } from "./fetch-request.ts";
import type { Turn } from "./turn.ts";

/**
 * - `first`: is to be answered at once, even with nothing.
 * - `flowing`: was answered with records just now.
 * - `idle`: was answered with none.
 */
export type Mood = "first" | "flowing" | "idle";

/** How a read of a partition has gone so far. */
export interface Standing {
  readonly mood: Mood;
  /** How much was held back when it was told last. */
  readonly knownHeld: number;
  /** The same over all fetches of the read. */
  readonly turn: Turn;
}

/** What is asked for next, and how the read has gone until then. */
export interface Next {
  readonly from: FetchFrom;
  readonly mood: Mood;
  readonly knownHeld: number;
}

/**
 * Handles an answer at once, if it can, and says what it wants next: then nobody need be woken for it. Undefined if the answer is
 * to be waited for as others are. Never throws.
 */
export type Take = (fetched: Fetched) => Next | undefined;

const NEVER: Take = () => undefined;

/** Wants one answer; or, of who takes them, one after the other. */
export class Ask {
  /** Of the partition. */
  readonly name: string;
  readonly turn: Turn;
  from: FetchFrom;
  mood: Mood;
  knownHeld: number;
  /** When it asked for what it wants now. */
  askedAt: number;
  /** Since when it has waited for its turn. */
  since: number;
  /** Nobody waits any more. */
  over = false;
  readonly alive: () => void;
  readonly answer: Promise<Fetched>;
  readonly #take: Take;
  /** Those that wait for the end of the same read. */
  readonly #waiting: Set<Ask>;
  readonly #resolve: (fetched: Fetched) => void;
  readonly #reject: (error: unknown) => void;

  /** @param fill As in Turn. */
  constructor(
    from: FetchFrom,
    { mood, knownHeld, turn }: Standing,
    fill: number,
    alive: () => void,
    waiting: Set<Ask>,
    take = NEVER,
  ) {
    this.name = nameOf(from);
    this.turn = turn;
    this.from = from;
    this.mood = mood;
    this.knownHeld = knownHeld;
    this.askedAt = performance.now();
    this.since = turn.waits(this.askedAt, from.offset, fill);
    this.alive = alive;
    this.#take = take;
    const { promise, resolve, reject } = Promise.withResolvers<Fetched>();
    this.answer = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#waiting = waiting.add(this);
  }

  /** Returns whether the answer was taken, and it wants more. @param fill As in Turn. */
  takes(fetched: Fetched, now: number, fill: number): boolean {
    const next = this.#take(fetched);
    if (next === undefined) return false;
    this.from = next.from;
    this.mood = next.mood;
    this.knownHeld = next.knownHeld;
    this.askedAt = now;
    this.since = this.turn.waits(now, next.from.offset, fill);
    return true;
  }

  resolve(fetched: Fetched): void {
    this.#waiting.delete(this);
    this.#resolve(fetched);
  }

  reject(error: unknown): void {
    this.#waiting.delete(this);
    this.#reject(error);
  }
}

/** Of two topics that had one name, one after the other, too: a broker that is told names can't tell them apart. */
export const nameOf = ({ topic, partition }: { topic: string; partition: number }) => `${topic}/${partition}`;
