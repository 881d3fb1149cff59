/**
 * A life of an object: from when its constructor runs until nothing keeps it awake, or it fails. It holds what ends with it, its
 * timers, what it waits for and the sockets that it dialled, and does nothing any more afterwards.
 */
import { entranceOf, type Holder } from "../holder.ts";

/** An object as its class is written; which of these it has, its class says. */
export interface Instance {
  fetch?(request: Request): Promise<Response> | Response;
  webSocketMessage?(socket: unknown, data: string | ArrayBuffer): void | Promise<void>;
  webSocketClose?(socket: unknown, code: number, reason: string, wasClean: boolean): void | Promise<void>;
  webSocketError?(socket: unknown, error: unknown): void | Promise<void>;
}

export class Life implements Holder {
  isOver = false;
  instance: Instance | undefined;
  /** When something happened to it last. */
  touchedAt = performance.now();
  readonly enter = entranceOf(this);
  readonly #who: string;
  readonly #stored: () => Promise<void>;
  #held = 0;
  readonly #sockets = new Set<() => void>();
  /** What those who wait for an answer hear if it ends before. */
  readonly #waiting = new Set<(error: Error) => void>();
  /** What comes while it does what nothing may interrupt. */
  #blocked: (() => void)[] | undefined;

  constructor(who: string, stored: () => Promise<void>) {
    this.#who = who;
    this.#stored = stored;
  }

  stored(): Promise<void> {
    return this.#stored();
  }

  /** Nothing keeps it awake. */
  get isIdle(): boolean {
    return this.#held === 0 && this.#sockets.size === 0 && this.#blocked === undefined;
  }

  get isBlocked(): boolean {
    return this.#blocked !== undefined;
  }

  hold(): () => void {
    this.#held++;
    let isHeld = true;
    return () => {
      if (isHeld) this.#held--;
      isHeld = false;
      this.touchedAt = performance.now();
    };
  }

  holdSocket(lost: () => void): () => void {
    this.#sockets.add(lost);
    return () => {
      this.#sockets.delete(lost);
    };
  }

  failed(what: string, error: unknown): void {
    console.error(`${this.#who}: ${what}:`, error);
  }

  /** Runs an event, now or when it may be. Its errors are written down: nobody waits for it. */
  event(what: string, run: () => void | Promise<void>): void {
    if (this.#blocked !== undefined) {
      this.#blocked.push(() => this.event(what, run));
      return;
    }
    this.touchedAt = performance.now();
    try {
      const result = this.enter(run);
      if (result instanceof Promise) this.waitUntil(result, what);
    } catch (error) {
      this.failed(what, error);
    }
  }

  /** Runs what somebody waits for. It fails, at the latest, when this life does. */
  request<T>(run: () => T | Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const release = this.hold();
    const answered = (answer: T) => {
      release();
      if (this.#waiting.delete(reject)) resolve(answer);
    };
    const failed = (error: unknown) => {
      release();
      if (this.#waiting.delete(reject)) reject(error);
    };
    const begin = () => {
      try {
        const answer = this.enter(run);
        if (answer instanceof Promise) answer.then(answered, failed);
        else answered(answer);
      } catch (error) {
        failed(error);
      }
    };
    this.#waiting.add(reject);
    if (this.#blocked === undefined) begin();
    else this.#blocked.push(begin);
    return promise;
  }

  waitUntil(work: Promise<unknown>, what = "waitUntil"): void {
    const release = this.hold();
    work.then(release, (error: unknown) => {
      release();
      if (!this.isOver) this.failed(what, error);
    });
  }

  /** Nothing else is heard until it has ended. If it fails, so does this life. */
  async block<T>(work: () => Promise<T>, fail: (error: unknown) => void): Promise<T> {
    const before = this.#blocked;
    this.#blocked ??= [];
    const release = this.hold();
    try {
      return await this.enter(work);
    } catch (error) {
      fail(error);
      throw error;
    } finally {
      release();
      if (before === undefined) this.#unblock();
    }
  }

  #unblock(): void {
    const waited = this.#blocked ?? [];
    this.#blocked = undefined;
    if (!this.isOver) for (const run of waited) run();
  }

  /** `error`: what those hear who wait for it; the sockets that it dialled break. */
  end(error: Error): void {
    this.isOver = true;
    for (const lost of this.#sockets) lost();
    this.#sockets.clear();
    for (const reject of this.#waiting) reject(error);
    this.#waiting.clear();
  }
}
