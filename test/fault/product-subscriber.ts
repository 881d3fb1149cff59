/**
 * A subscriber by the product's own client, which writes down what a user of it is told: with a socket of its own, or on a
 * connection that it shares with others.
 */
import {
  type Clock,
  type Connection,
  connect,
  type SharedSubscription,
  subscribe,
} from "../../shared/client/client.ts";
import { formatPosition, type Happening, parsePosition } from "./history.ts";
import type { Random } from "./random.ts";
import { idOfUpdate } from "./record.ts";
import type { Patience } from "./scale.ts";
import type { Subscriber, SubscriberSettings } from "./subscriber.ts";

const clockOf = (random: Random): Clock => ({
  now: () => performance.now(),
  date: () => Date.now(),
  random,
  after: (ms, fire) => {
    const timer = setTimeout(fire, ms);
    return () => clearTimeout(timer);
  },
});

/** For subscribers to come. `edge`: `ws://host:port`. */
export function connectionTo(edge: string, random: Random, patience: Patience): Connection {
  return connect(edge, optionsOf(random, patience));
}

const optionsOf = (random: Random, { backoff, ...timeouts }: Patience) => ({
  backoff,
  timeouts,
  clock: clockOf(random),
});

export class ProductSubscriber implements Subscriber {
  readonly name: string;
  readonly endpoint: string;
  readonly happenings: Happening[] = [];
  readonly closes = new Map<number, number>();
  readonly #subscription: SharedSubscription;
  readonly #heard: SubscriberSettings["heard"];
  readonly #written: SubscriberSettings["written"];
  #at: Map<string, number> | undefined;

  /** @param connection that it shares; none: it has a socket of its own */
  constructor(
    { name, edge, endpoint, random, patience, heard, written }: SubscriberSettings,
    connection: Connection | undefined,
  ) {
    this.name = name;
    this.endpoint = endpoint;
    this.#heard = heard;
    this.#written = written;
    this.#subscription =
      connection?.subscribe(endpoint) ?? subscribe(`${edge}${endpoint}`, optionsOf(random, patience));
    this.#listen();
  }

  get position(): ReadonlyMap<string, number> | undefined {
    return this.#at;
  }

  async close(): Promise<void> {
    this.#subscription.close();
  }

  #listen(): void {
    const subscription = this.#subscription;
    let holes = 0;
    subscription.on("verdict", ({ position, recovered, cause }) => {
      // A user hears of the others as `gap`.
      if (recovered === false) return;
      const from = this.#at && formatPosition(this.#at);
      this.#at ??= parsePosition(position);
      const written = this.#written();
      this.#note({
        kind: "verdict",
        from: recovered ? from : undefined,
        position,
        recovered,
        cause,
        written,
      });
    });
    subscription.on("gap", ({ cause, position = "-" }) => {
      this.#at = parsePosition(position);
      this.#note({ kind: "reset", position, cause: cause ?? "none", written: this.#written() });
    });
    subscription.on("update", (update) => {
      const { epoch, offset, previous } = update;
      for (; holes < subscription.statistics.holes; holes++)
        this.#note({ kind: "hole", epoch, offset, previous });
      const id = idOfUpdate(update.json(), update.headers);
      this.#at?.set(epoch, Math.max(offset, this.#at.get(epoch) ?? -1));
      this.#note({ kind: "update", epoch, offset, previous, id });
    });
    subscription.on("connection", ({ state, code = 0 }) => {
      if (state === "backingOff") this.closes.set(code, (this.closes.get(code) ?? 0) + 1);
      if (state === "closed" && code !== 0) throw new Error(`the product's client gave up: ${code}`);
    });
  }

  #note(happening: Happening): void {
    this.happenings.push(happening);
    this.#heard(happening);
  }
}
