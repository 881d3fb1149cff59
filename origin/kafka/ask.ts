/** What waits for an answer of a broker, of one partition (fetcher.ts). */
import type { Fetched, FetchFrom } from "./requests.ts";
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

/** Wants one answer. */
export class Ask {
  readonly from: FetchFrom;
  /** Of the partition. */
  readonly name: string;
  readonly askedAt = performance.now();
  readonly knownHeld: number;
  readonly turn: Turn;
  /** Since when it has waited for its turn. */
  readonly since: number;
  mood: Mood;
  /** Nobody waits any more. */
  over = false;
  readonly alive: () => void;
  readonly answer: Promise<Fetched>;
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
  ) {
    this.from = from;
    this.name = nameOf(from);
    this.mood = mood;
    this.knownHeld = knownHeld;
    this.turn = turn;
    this.since = turn.waits(this.askedAt, from.offset, fill);
    this.alive = alive;
    const { promise, resolve, reject } = Promise.withResolvers<Fetched>();
    this.answer = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#waiting = waiting.add(this);
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
