/**
 * Connections to write over. A broker takes one request of a connection after another, and answers a Produce only when all
 * replicas have it: so each request under way has a connection for itself, and a partition that takes its time holds up
 * no other.
 */
import type { BrokerConnection } from "./connection.ts";
import type { Request } from "./request.ts";

/** To one broker. Further requests wait for the first to be free. */
const MAX_LANES = 8;

interface Lane {
  connection: BrokerConnection;
}

interface Broker {
  readonly idle: Lane[];
  readonly waiting: ((lane: Lane | undefined) => void)[];
  open: number;
}

export class Lanes {
  readonly #dial: (broker: number) => BrokerConnection;
  readonly #brokers = new Map<number, Broker>();
  readonly #open = new Set<Lane>();
  #closed = false;

  /** @param dial Throws if no broker of that number is known. */
  constructor(dial: (broker: number) => BrokerConnection) {
    this.#dial = dial;
  }

  /** Rejects with what went wrong, as the connection then is. */
  async send<T>(id: number, request: Request<T>): Promise<T> {
    const broker = this.#brokers.get(id) ?? { idle: [], waiting: [], open: 0 };
    this.#brokers.set(id, broker);
    const lane = await this.#take(id, broker);
    try {
      return await lane.connection.send(request);
    } finally {
      this.#giveBack(broker, lane);
    }
  }

  close(): void {
    this.#closed = true;
    for (const { connection } of this.#open) connection.close();
    for (const { waiting } of this.#brokers.values()) for (const give of waiting.splice(0)) give(undefined);
  }

  async #take(id: number, broker: Broker): Promise<Lane> {
    if (this.#closed) throw new Error("the sink is closed");
    for (let lane = broker.idle.pop(); lane !== undefined; lane = broker.idle.pop()) {
      if (!lane.connection.closed) return lane;
      this.#drop(broker, lane);
    }
    if (broker.open < MAX_LANES) return this.#newLane(id, broker);
    const given = await new Promise<Lane | undefined>((give) => broker.waiting.push(give));
    return given ?? this.#take(id, broker);
  }

  #newLane(id: number, broker: Broker): Lane {
    const lane = { connection: this.#dial(id) };
    broker.open++;
    this.#open.add(lane);
    return lane;
  }

  #giveBack(broker: Broker, lane: Lane): void {
    const isGone = this.#closed || lane.connection.closed;
    if (isGone) this.#drop(broker, lane);
    const give = broker.waiting.shift();
    if (give !== undefined) give(isGone ? undefined : lane);
    else if (!isGone) broker.idle.push(lane);
  }

  #drop(broker: Broker, lane: Lane): void {
    lane.connection.close();
    broker.open--;
    this.#open.delete(lane);
  }
}
