/**
 * Updates that an iterator hasn't read yet, within a bound. Whoever reads more slowly than updates come either gets the latest of
 * them (`conflate`), or an error, or the edge keeps them (`pause`).
 */
import { ClientError } from "./error.ts";
import { afterSkipping, type DecodedUpdate, type Gap } from "./update.ts";

/**
 * `pause`: the subscription leaves the edge as long as so many are unread, and resumes by its position: nothing is lost as far as
 * the edge keeps it, else there is a `gap`. `conflate`: the oldest are left out, and `skipped` says how many. `error`: the iteration
 * ends with a ClientError `slow_reader`.
 */
export type WhenFull = "pause" | "conflate" | "error";

export interface BufferOptions {
  /** Of updates; at least 1. */
  readonly size?: number | undefined;
  readonly whenFull?: WhenFull | undefined;
}

export interface UnreadPorts {
  /** Let no more come, until `resume`. */
  pause(): void;
  resume(): void;
  /** It was full, and is to be an error then. */
  failed(error: ClientError): void;
}

interface Entry<T> {
  readonly update: DecodedUpdate<T>;
  /** The position before it. */
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
  #skipped = 0;
  /** Of an update that was left out. */
  #gap: Gap | undefined;
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

  /** Where whoever has read all but this stands; undefined: all was read, of this endpoint if one is named. */
  firstOf(endpoint?: string): { readonly before: string | undefined } | undefined {
    return this.#entries.find(({ update }) => endpoint === undefined || update.endpoint === endpoint);
  }

  push(update: DecodedUpdate<T>, before: string | undefined): void {
    if (this.#isIgnored || this.#end !== undefined) return;
    const reader = this.#readers.shift();
    if (reader !== undefined) {
      reader.resolve({ done: false, value: update });
      return;
    }
    if (this.#entries.length >= this.#size) this.#overflow();
    if (this.#end !== undefined) return;
    this.#entries.push({ update, before });
    if (this.#whenFull !== "pause" || this.#entries.length < this.#size || this.#isPaused) return;
    this.#isPaused = true;
    this.#ports.pause();
  }

  next(): Promise<IteratorResult<DecodedUpdate<T>, undefined>> {
    const entry = this.#entries.shift();
    if (entry !== undefined) {
      const update = afterSkipping(entry.update, this.#skipped, this.#gap);
      this.#skipped = 0;
      this.#gap = undefined;
      this.#readAgain();
      return Promise.resolve({ done: false, value: update });
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
    if (this.#whenFull === "conflate") {
      const { update } = this.#entries.shift() ?? {};
      this.#skipped++;
      this.#gap ??= update?.gap;
    } else if (this.#whenFull === "error") {
      const message = `${this.#size} updates were unread when another one came`;
      const error = new ClientError({ code: "slow_reader", message, retry: true });
      this.fail(error);
      this.#ports.failed(error);
    }
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
