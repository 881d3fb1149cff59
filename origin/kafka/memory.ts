/**
 * The memory in which batches are unpacked, shared by all reads of a source: some bytes on the wire may be megabytes
 * unpacked, and every partition may send such at once. A reader that unpacks takes a lease first, and waits for it in line. More
 * than there is in all is given to one alone.
 *
 * A reader whose records are handled for long rests on its lease meanwhile. When others have waited for some time such
 * leases are taken away, so that a reader that is stuck holds back only itself; it unpacks again from the start.
 */
import { TIME_LIMITS } from "../time-limits.ts";
/** Enough for a dozen of the usual kind. */
export const UNPACK_BYTES = 48 * 1024 * 1024;
/** Handling a part takes milliseconds, or is stuck. */
const REST_MS = TIME_LIMITS.unpackedPartMs;

export class Lease {
  readonly bytes: number;
  readonly #memory: Memory;
  /** What to do when the lease is taken away; set while its owner rests. */
  #lose: (() => void) | undefined;
  #restsSince = 0;
  #isOver = false;

  constructor(memory: Memory, bytes: number) {
    this.#memory = memory;
    this.bytes = bytes;
  }

  /** Until `wake` nothing is done with it. @param lose Lets go of what it is for. */
  rest(lose: () => void): void {
    this.#lose = lose;
    this.#restsSince = performance.now();
  }

  /** Whether it was kept. */
  wake(): boolean {
    this.#lose = undefined;
    return !this.#isOver;
  }

  isIdle(ms: number): boolean {
    return this.#lose !== undefined && performance.now() - this.#restsSince >= ms;
  }

  lose(): void {
    this.#lose?.();
    this.release();
  }

  /** Once is enough; more does nothing. */
  release(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#memory.giveBack(this);
  }
}

interface Waiter {
  readonly bytes: number;
  readonly begin: (lease: Lease) => void;
}

export class Memory {
  readonly #bytes: number;
  readonly #restMs: number;
  readonly #leases = new Set<Lease>();
  readonly #waiting = new Set<Waiter>();
  #leased = 0;
  /** Leases given so far: those that wait see by it that they get on. */
  given = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(bytes = UNPACK_BYTES, restMs = REST_MS) {
    this.#bytes = bytes;
    this.#restMs = restMs;
  }

  /** Of all leases. */
  get leased(): number {
    return this.#leased;
  }

  /** Rejects when the signal aborts. */
  take(bytes: number, signal: AbortSignal): Promise<Lease> {
    const { promise, resolve, reject } = Promise.withResolvers<Lease>();
    const abort = () => {
      this.#waiting.delete(waiter);
      reject(signal.reason);
      // The one that stood behind it may need less.
      this.#serve();
    };
    const waiter: Waiter = {
      bytes,
      begin: (lease) => {
        signal.removeEventListener("abort", abort);
        resolve(lease);
      },
    };
    if (signal.aborted) reject(signal.reason);
    else {
      signal.addEventListener("abort", abort, { once: true });
      this.#waiting.add(waiter);
      this.#serve();
    }
    return promise;
  }

  /** The same if nobody has to wait; else undefined. */
  takeNow(bytes: number): Lease | undefined {
    return this.#waiting.size === 0 && this.#hasRoom(bytes) ? this.#begin(bytes) : undefined;
  }

  giveBack(lease: Lease): void {
    this.#leases.delete(lease);
    this.#leased -= lease.bytes;
    this.#serve();
  }

  #serve(): void {
    for (const waiter of this.#waiting) {
      if (!this.#hasRoom(waiter.bytes)) break;
      this.#waiting.delete(waiter);
      waiter.begin(this.#begin(waiter.bytes));
    }
    if (this.#waiting.size === 0) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
    } else this.#timer ??= setTimeout(() => this.#reclaim(), this.#restMs);
  }

  #hasRoom(bytes: number): boolean {
    return this.#leased === 0 || this.#leased + bytes <= this.#bytes;
  }

  #begin(bytes: number): Lease {
    const lease = new Lease(this, bytes);
    this.#leases.add(lease);
    this.given++;
    this.#leased += bytes;
    return lease;
  }

  #reclaim(): void {
    this.#timer = undefined;
    for (const lease of this.#leases) if (lease.isIdle(this.#restMs)) lease.lose();
    this.#serve();
  }
}
