/** What one partition's reader wants of a broker, and what becomes of that. */
import type { Fetched, FetchFrom } from "./fetch-request.ts";

/**
 * - `first`: is to be answered at once, even with nothing.
 * - `flowing`: was answered with records just now.
 * - `idle`: was answered with none.
 */
export type Mood = "first" | "flowing" | "idle";

/** What is asked for. */
export interface Wanted {
  readonly from: FetchFrom;
  readonly mood: Mood;
  /** How much was held back when it was told last. */
  readonly knownHeld: number;
}

export interface Asker {
  /** Called now and then while an answer is coming, or the broker wants to be left alone, or has nothing. */
  readonly alive: () => void;
  /**
   * Handles an answer at once, if it can, and says what it wants next: then nobody need be woken for it. Undefined if the
   * answer is to be waited for as others are. Never throws.
   */
  readonly take?: (fetched: Fetched) => Wanted | undefined;
}

export class Ask {
  /** Of the partition. */
  readonly name: string;
  readonly answer: Promise<Fetched>;
  /** Nobody waits any more. */
  over = false;
  readonly #asker: Asker;
  #wanted: Wanted;
  #mood: Mood;
  #askedAt: number;
  /** Those that wait for the end of the same read. */
  readonly #waiting: Set<Ask>;
  readonly #resolve: (fetched: Fetched) => void;
  readonly #reject: (error: unknown) => void;

  /** @param now Milliseconds, of a clock that only goes forward. */
  constructor(wanted: Wanted, asker: Asker, waiting: Set<Ask>, now: number) {
    this.#askedAt = now;
    this.name = nameOf(wanted.from);
    this.#wanted = wanted;
    this.#mood = wanted.mood;
    this.#asker = asker;
    const { promise, resolve, reject } = Promise.withResolvers<Fetched>();
    this.answer = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#waiting = waiting.add(this);
  }

  get from(): FetchFrom {
    return this.#wanted.from;
  }

  get mood(): Mood {
    return this.#mood;
  }

  get knownHeld(): number {
    return this.#wanted.knownHeld;
  }

  /** When it asked for what it wants now. */
  get askedAt(): number {
    return this.#askedAt;
  }

  alive(): void {
    this.#asker.alive();
  }

  /** It was not answered yet. */
  remains(mood: Mood): void {
    this.#mood = mood;
  }

  /** @param isKept Whether the answer may be kept as it is. Returns whether it wants more. */
  answered(fetched: Fetched, isKept: boolean, now: number): boolean {
    const next = isKept ? this.#asker.take?.(fetched) : undefined;
    if (next === undefined) {
      this.#waiting.delete(this);
      this.#resolve(isKept ? fetched : withOwnBytes(fetched));
      return false;
    }
    this.#wanted = next;
    this.#mood = next.mood;
    this.#askedAt = now;
    return true;
  }

  reject(error: unknown): void {
    this.#waiting.delete(this);
    this.#reject(error);
  }
}

/** Of two topics that had one name, one after the other, too: a broker that is told names can't tell them apart. */
export const nameOf = ({ topic, partition }: { topic: string; partition: number }) => `${topic}/${partition}`;

/** A slow reader must not keep in memory what others were answered with. */
const withOwnBytes = (fetched: Fetched): Fetched => ({ ...fetched, records: Buffer.from(fetched.records) });
