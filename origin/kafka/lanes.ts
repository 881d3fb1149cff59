/**
 * Connections for what a broker may take its time with. It takes one request of a connection after another, answers a Produce
 * only when all replicas have it, and a Fetch when there is something: so each request under way has a connection for itself.
 * Partitions whose replicas don't answer keep theirs for seconds, and hold up no other (slots.ts).
 */
import { TIME_LIMITS } from "../time-limits.ts";
import type { BrokerConnection } from "./connection.ts";
import { wordsOf } from "./patience.ts";
import type { Request } from "./request.ts";
import { Slots, type Try } from "./slots.ts";

/** Of one broker. */
export const LANES = { prompt: 8, max: 32, slowMs: TIME_LIMITS.produceSlowMs } as const;

type Lane = Pick<BrokerConnection, "send" | "close" | "closed" | "wasOpen">;

/** Nothing of a request has left. */
export class UnsentError extends Error {}

interface BrokerLanes {
  readonly slots: Slots;
  /** The one that was used last is the last. */
  readonly idle: Lane[];
}

export class Lanes {
  readonly #dial: (broker: number) => Lane;
  readonly #brokers = new Map<number, BrokerLanes>();
  /** Idle ones, too. */
  readonly #open = new Set<Lane>();
  #closed = false;

  /** @param dial Throws if no broker of that number is known. */
  constructor(dial: (broker: number) => Lane) {
    this.#dial = dial;
  }

  /** Rejects with what went wrong, or with UnsentError. */
  async send<T>(id: number, request: Request<T>, which: Try = "first"): Promise<T> {
    if (this.#closed) throw CLOSED;
    const lanes = this.#brokers.get(id) ?? { slots: new Slots(LANES), idle: [] };
    this.#brokers.set(id, lanes);
    const release = await lanes.slots.take(which);
    try {
      const lane = this.#take(id, lanes);
      try {
        return await lane.send(request);
      } catch (error) {
        throw lane.wasOpen ? error : new UnsentError(wordsOf(error), { cause: error });
      } finally {
        this.#giveBack(lane, lanes);
      }
    } finally {
      release();
    }
  }

  /** Lets those go that nothing is sent over just now. */
  rest(): void {
    for (const { idle } of this.#brokers.values())
      for (const lane of idle.splice(0)) {
        lane.close();
        this.#open.delete(lane);
      }
  }

  close(): void {
    this.#closed = true;
    for (const { slots } of this.#brokers.values()) slots.close(CLOSED);
    for (const lane of this.#open) lane.close();
    this.#open.clear();
  }

  #take(id: number, { idle }: BrokerLanes): Lane {
    for (let lane = idle.pop(); lane !== undefined; lane = idle.pop()) {
      if (!lane.closed) return lane;
      this.#open.delete(lane);
    }
    const lane = this.#new(id);
    this.#open.add(lane);
    return lane;
  }

  #new(id: number): Lane {
    try {
      return this.#dial(id);
    } catch (error) {
      throw new UnsentError(wordsOf(error), { cause: error });
    }
  }

  #giveBack(lane: Lane, { idle }: BrokerLanes): void {
    if (!lane.closed && idle.length < LANES.prompt) {
      idle.push(lane);
      return;
    }
    lane.close();
    this.#open.delete(lane);
  }
}

const CLOSED = new UnsentError("the sink is closed");
