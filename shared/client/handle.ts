/** What a user holds of a subscription, whatever carries it. */
import { formatPosition } from "../protocol/position.ts";
import type { ConnectionChange } from "./connection-terms.ts";
import type { Listener, SubscriptionEvents } from "./events.ts";
import type { PublishedValue, Publisher, PublishOptions } from "./publisher.ts";
import type { Receiver } from "./receiver.ts";
import type { Statistics, SubscriptionPhase } from "./subscription.ts";

export interface SubscriptionPorts {
  connection(): ConnectionChange;
  close(): void;
}

/** On a connection that others share. Made by subscribe() of that. */
export class SharedSubscription {
  /** Canonical path of the endpoint. */
  readonly endpoint: string;
  readonly #receiver: Receiver;
  readonly #ports: SubscriptionPorts;

  constructor(receiver: Receiver, ports: SubscriptionPorts) {
    this.endpoint = receiver.endpoint;
    this.#receiver = receiver;
    this.#ports = ports;
  }

  /**
   * Everything up to here has been received, or was announced as lost: give it to `from` to resume, also in
   * another page load. undefined as long as there is nothing to resume from.
   */
  get position(): string | undefined {
    const { position } = this.#receiver;
    return position && formatPosition(position);
  }

  /** `live`: caught up, and what follows comes as it happens. `away`: not connected, or not asked for yet: see `connection`. */
  get phase(): SubscriptionPhase {
    return this.#receiver.phase;
  }

  /** The last `connection`; the first is `connecting`, also while the first token is waited for. */
  get connection(): ConnectionChange {
    return this.#ports.connection();
  }

  get statistics(): Statistics {
    return this.#receiver.statistics;
  }

  /** Calls the listener for every event of this name; returns what ends that. */
  on<K extends keyof SubscriptionEvents>(name: K, listener: Listener<K>): () => void {
    return this.#receiver.on(name, listener);
  }

  /** For good. `position` stays readable. */
  close(): void {
    this.#ports.close();
  }
}

/** With a socket of its own. Made by subscribe(). */
export class Subscription extends SharedSubscription {
  readonly #publisher: Publisher;

  constructor(receiver: Receiver, ports: SubscriptionPorts, publisher: Publisher) {
    super(receiver, ports);
    this.#publisher = publisher;
  }

  /**
   * Makes a record of the endpoint; resolves with its position, at which subscribers see it. Over connections that break it is
   * sent again with its key, so that it is one record. Rejects with a PublishError: `unknown_outcome` if nobody knows
   * whether it was published, `unavailable` if it wasn't within 5 minutes.
   */
  publish(value: PublishedValue, options?: PublishOptions): Promise<string> {
    return this.#publisher.publish(this.endpoint, value, options);
  }
}
