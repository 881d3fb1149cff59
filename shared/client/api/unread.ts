/**
 * Updates that an iterator hasn't read yet, within a bound. Whoever reads more slowly than updates come either gets the latest of
 * them (`conflate`), or an error, or the edge keeps them (`pause`).
 */
import { ClientError } from "./error.ts";
import { type DecodedUpdate, inPlaceOf } from "./update.ts";

/**
 * `pause`: the subscription leaves the edge as long as so many are unread, and resumes by its position: nothing is lost as far as
 * the edge keeps it, else there is a `gap`. `conflate`: the oldest are left out, and `skipped` says how many. `error`: the iteration
 * ends with a ClientError `slow_reader`.
 */
export type WhenFull = "pause" | "conflate" | "error";

export interface BufferOptions {
  /** Of updates; at least 1. With `pause`, a group has room for one more of each endpoint. */
  readonly size?: number | undefined;
  readonly whenFull?: WhenFull | undefined;
}

export interface UnreadPorts {
  /** Let no more come of the endpoint of which this came last, until `resume`. */
  pause(endpoint: string): void;
  resume(): void;
  /** It was full, and is to be an error then. */
  failed(error: ClientError): void;
}

interface Entry<T> {
  readonly update: DecodedUpdate<T>;
  /** Where whoever has read all before it stands. */
  readonly before: string | undefined;
}

interface Reader<T> {
  resolve(result: IteratorResult<DecodedUpdate<T>, undefined>): void;
  reject(reason: unknown): void;
}

const SIZE = 1_000;

export class Unread<T> {
  readonly #size: number;
  readonly #whenFull: WhenFull;
  readonly #ports: UnreadPorts;
  #entries: Entry<T>[] = [];
  #readers: Reader<T>[] = [];
  /** The last ones that were left out of endpoints of which nothing is unread; the next one has it. */
  readonly #leftOut = new Map<string, Entry<T>>();
  #isPaused = false;
  #isIgnored = false;
  #end: { readonly reason: unknown; readonly isError: boolean } | undefined;

  /** Throws RangeError. */
  constructor({ size = SIZE, whenFull = "pause" }: BufferOptions, ports: UnreadPorts) {
    if (!Number.isSafeInteger(size) || size < 1)
      throw new RangeError("a buffer has room for 1 update or more");
    this.#size = size;
    this.#whenFull = whenFull;
    this.#ports = ports;
  }

  /** Whether nothing is kept. */
  get isIgnored(): boolean {
    return this.#isIgnored;
  }

  /** What of an endpoint was not read, first of all; undefined: all was. */
  firstOf(endpoint: string): Entry<T> | undefined {
    return this.#entries.find(({ update }) => update.endpoint === endpoint) ?? this.#leftOut.get(endpoint);
  }

  /** Returns whether it was taken: not if there was no room, and that is an error. */
  push(update: DecodedUpdate<T>, before: string | undefined): boolean {
    if (this.#isIgnored) return true;
    const entry = this.#afterLeftOut({ update, before });
    const reader = this.#readers.shift();
    if (reader !== undefined) {
      reader.resolve({ done: false, value: entry.update });
      return true;
    }
    if (this.#entries.length >= this.#size && this.#whenFull === "error") {
      this.#overflow();
      return false;
    }
    this.#entries.push(entry);
    if (this.#whenFull === "conflate" && this.#entries.length > this.#size) this.#leaveOut();
    if (this.#whenFull === "pause" && this.#entries.length >= this.#size) {
      this.#isPaused = true;
      this.#ports.pause(update.endpoint);
    }
    return true;
  }

  next(): Promise<IteratorResult<DecodedUpdate<T>, undefined>> {
    const entry = this.#entries.shift();
    if (entry !== undefined) {
      this.#readAgain();
      return Promise.resolve({ done: false, value: entry.update });
    }
    if (this.#end?.isError) {
      const { reason } = this.#end;
      // Said once; who asks again is told that it is over.
      this.#end = { reason: undefined, isError: false };
      return Promise.reject(reason);
    }
    if (this.#end !== undefined) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => this.#readers.push({ resolve, reject }));
  }

  /** What is unread can be read still. */
  end(): void {
    this.#finish({ reason: undefined, isError: false });
  }

  fail(reason: unknown): void {
    this.#finish({ reason, isError: true });
  }

  /** Nobody reads now: nothing is kept until somebody begins to. */
  ignore(isIgnored: boolean): void {
    this.#isIgnored = isIgnored;
    if (!isIgnored) return;
    this.#entries = [];
    this.#leftOut.clear();
    this.#readAgain();
  }

  #finish(end: { readonly reason: unknown; readonly isError: boolean }): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    for (const { resolve, reject } of this.#readers.splice(0)) {
      if (this.#end.isError) {
        this.#end = { reason: undefined, isError: false };
        reject(end.reason);
      } else resolve({ done: true, value: undefined });
    }
  }

  #overflow(): void {
    const message = `${this.#size} updates were unread when another one came`;
    const error = new ClientError({ code: "slow_reader", message, retry: true });
    this.fail(error);
    this.#ports.failed(error);
  }

  /** The oldest. What is next of its endpoint says so, and stands where that stood. */
  #leaveOut(): void {
    const left = this.#entries.shift();
    if (left === undefined) return;
    const { endpoint } = left.update;
    this.#leftOut.set(endpoint, left);
    const next = this.#entries.findIndex(({ update }) => update.endpoint === endpoint);
    const entry = this.#entries[next];
    if (entry !== undefined) this.#entries[next] = this.#afterLeftOut(entry);
  }

  #afterLeftOut(entry: Entry<T>): Entry<T> {
    const left = this.#leftOut.get(entry.update.endpoint);
    if (left === undefined) return entry;
    this.#leftOut.delete(entry.update.endpoint);
    return { update: inPlaceOf(left.update, entry.update), before: left.before };
  }

  /** When half of it was read, so that a reader that is about as fast as updates come doesn't pause for each. */
  #readAgain(): void {
    if (!this.#isPaused || this.#entries.length > this.#size / 2) return;
    this.#isPaused = false;
    this.#ports.resume();
  }
}

/** What `for await` reads by; leaving the loop calls `leave`. */
export function iteratorOf<T>(
  unread: Unread<T>,
  leave: () => void,
): AsyncIterator<DecodedUpdate<T>, undefined> {
  return {
    next: () => unread.next(),
    async return() {
      leave();
      unread.ignore(true);
      return { done: true, value: undefined };
    },
  };
}
