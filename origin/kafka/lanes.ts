/**
 * Connections to write over. A broker takes one request of a connection after another, and answers a Produce only when all
 * replicas have it: so each request under way has a connection for itself. Partitions whose replicas don't answer keep
 * theirs for seconds. They hold up no other: a request that has become slow no longer counts among those that may be under
 * way, and what is sent again, since it had no answer, leaves room for what is sent for the first time.
 */
import { TIME_LIMITS } from "../time-limits.ts";
import type { BrokerConnection, Request } from "./connection.ts";

/** Under way at one broker, the slow ones not counted. Further requests wait for the first to be free. */
export const PROMPT_LANES = 8;
/** With the slow ones. Of these so many are left to what wasn't sent before. */
export const MAX_LANES = 32;
const MAX_AGAIN = MAX_LANES - PROMPT_LANES;
const SLOW_MS = TIME_LIMITS.produceSlowMs;

type Lane = Pick<BrokerConnection, "send" | "close" | "closed">;
/** Whether what is to be sent was sent before. */
type Try = "first" | "again";

export class Lanes {
  readonly #dial: (broker: number) => Lane;
  readonly #brokers = new Map<number, BrokerLanes>();
  #closed = false;

  /** @param dial Throws if no broker of that number is known. */
  constructor(dial: (broker: number) => Lane) {
    this.#dial = dial;
  }

  /** Rejects with what went wrong, as the connection then is. */
  async send<T>(id: number, request: Request<T>, which: Try = "first"): Promise<T> {
    if (this.#closed) throw CLOSED;
    const lanes = this.#brokers.get(id) ?? new BrokerLanes(() => this.#dial(id));
    this.#brokers.set(id, lanes);
    const lane = await lanes.take(which);
    try {
      return await lane.send(request);
    } finally {
      lanes.giveBack(lane);
    }
  }

  close(): void {
    this.#closed = true;
    for (const lanes of this.#brokers.values()) lanes.close();
  }
}

interface Waiter {
  readonly which: Try;
  readonly give: (lane: Lane) => void;
  readonly fail: (why: unknown) => void;
}

const CLOSED = new Error("the sink is closed");

class BrokerLanes {
  readonly #dial: () => Lane;
  /** Those that were used last, last. */
  readonly #idle: Lane[] = [];
  /** Since when. */
  readonly #underWay = new Map<Lane, number>();
  /** In order. Bounded by who sends: a partition has one request under way. */
  #waiting: Waiter[] = [];
  #look: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(dial: () => Lane) {
    this.#dial = dial;
  }

  take(which: Try): Promise<Lane> {
    const { promise, resolve, reject } = Promise.withResolvers<Lane>();
    this.#waiting.push({ which, give: resolve, fail: reject });
    this.#serve();
    return promise;
  }

  giveBack(lane: Lane): void {
    this.#underWay.delete(lane);
    if (this.#closed || this.#idle.length >= PROMPT_LANES) lane.close();
    else if (!lane.closed) this.#idle.push(lane);
    this.#serve();
  }

  close(): void {
    this.#closed = true;
    for (const lane of [...this.#idle, ...this.#underWay.keys()]) lane.close();
    this.#serve();
  }

  #serve(): void {
    clearTimeout(this.#look);
    this.#waiting = this.#waiting.filter((waiter) => !this.#serves(waiter));
    // Of those under way some may have become slow by then.
    if (this.#waiting.length > 0) this.#look = setTimeout(() => this.#serve(), SLOW_MS / 2);
  }

  #serves({ which, give, fail }: Waiter): boolean {
    if (this.#closed) fail(CLOSED);
    else if (!this.#hasRoom(which)) return false;
    else
      try {
        const lane = this.#next();
        this.#underWay.set(lane, performance.now());
        give(lane);
      } catch (error) {
        fail(error);
      }
    return true;
  }

  #hasRoom(which: Try): boolean {
    const { size } = this.#underWay;
    if (size >= (which === "first" ? MAX_LANES : MAX_AGAIN)) return false;
    if (size < PROMPT_LANES) return true;
    const slow = performance.now() - SLOW_MS;
    const prompt = [...this.#underWay.values()].filter((since) => since > slow).length;
    return prompt < PROMPT_LANES;
  }

  #next(): Lane {
    for (let lane = this.#idle.pop(); lane !== undefined; lane = this.#idle.pop())
      if (!lane.closed) return lane;
    return this.#dial();
  }
}
