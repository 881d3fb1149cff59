/**
 * Records written all the time, and subscribers that check them: what was written must arrive once and in order,
 * and how long the slowest was under way is the stall.
 */
import { expect } from "vitest";
import { type Deployment, pathOf, utf8 } from "./deployment.ts";
import type { RawSubscriber } from "./raw-subscriber.ts";

interface Written {
  readonly offset: number;
  readonly at: number;
}

interface Watched {
  readonly key: string;
  readonly subscriber: RawSubscriber;
  readonly written: Written[];
  arrived: number;
}

const EVERY_MS = 10;

export class LiveTraffic {
  readonly #deployment: Deployment;
  readonly #topic: string;
  readonly #watched: readonly Watched[];
  #timer: NodeJS.Timeout | undefined;
  #longestMs = 0;
  #count = 0;

  private constructor(deployment: Deployment, topic: string, watched: readonly Watched[]) {
    this.#deployment = deployment;
    this.#topic = topic;
    this.#watched = watched;
  }

  /** Resolves when every key has its subscriber. The keys must be new. */
  static async begin(deployment: Deployment, topic: string, keys: readonly string[]): Promise<LiveTraffic> {
    const watched = keys.map((key): Watched => {
      const subscriber = deployment.subscribe(pathOf(topic, key));
      return { key, subscriber, written: [], arrived: 0 };
    });
    const traffic = new LiveTraffic(deployment, topic, watched);
    for (const one of watched) one.subscriber.socket.on("message", () => traffic.#note(one));
    await Promise.all(watched.map(({ subscriber }) => subscriber.verdict()));
    traffic.#timer = setInterval(() => traffic.#write(), EVERY_MS);
    return traffic;
  }

  /** Of all that arrived since this was last called, how long the slowest was under way, in milliseconds. */
  takeStall(): number {
    const longest = Math.round(this.#longestMs);
    this.#longestMs = 0;
    return longest;
  }

  /** Resolves when all that has been written by now has arrived, and two more of every key. */
  flows(): Promise<void> {
    return this.#arrived(2);
  }

  /** Writes no more, and checks that everything arrived once, in order, and without a word of loss. */
  async end(): Promise<number> {
    clearInterval(this.#timer);
    await this.#arrived(0);
    for (const { subscriber, written } of this.#watched) {
      expect(subscriber.updates.map(({ offset }) => offset)).toEqual(written.map(({ offset }) => offset));
      expect(subscriber.violations).toEqual([]);
      expect(subscriber.resets).toEqual([]);
      expect([subscriber.verdicts.length, subscriber.closed]).toEqual([1, undefined]);
      await subscriber.close();
    }
    return this.#count;
  }

  async #arrived(more: number): Promise<void> {
    await Promise.all(
      this.#watched.map(async ({ key, subscriber, written }) => {
        const count = written.length + more;
        await subscriber.until(({ updates }) => updates.length >= count, `${count} records of ${key}`);
      }),
    );
  }

  #write(): void {
    const one = this.#watched[this.#count % this.#watched.length];
    if (one === undefined) return;
    const at = performance.now();
    const value = utf8(String(this.#count++));
    const [appended] = this.#deployment.produce(this.#topic, [{ key: utf8(one.key), value }]);
    one.written.push({ offset: appended?.offset ?? -1, at });
  }

  #note(one: Watched): void {
    const now = performance.now();
    for (; one.arrived < one.subscriber.updates.length; one.arrived++)
      this.#longestMs = Math.max(this.#longestMs, now - (one.written[one.arrived]?.at ?? now));
  }
}
