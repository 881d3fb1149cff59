/** Performs what subscription.ts decides, and tells the user. How it is asked is the business of what carries it. */
import type { Update } from "../protocol/frame.ts";
import { formatPosition, OLDEST, type Position, type Start } from "../protocol/position.ts";
import { Emitter, type Listener, type SubscriptionEvents } from "./events.ts";
import {
  initialSubscription,
  type Statistics,
  type SubscriptionEffect,
  type SubscriptionEvent,
  type SubscriptionLimits,
  type SubscriptionPhase,
  type SubscriptionState,
  stepSubscription,
} from "./subscription.ts";
import { ReceivedUpdate } from "./update.ts";

type Performed<K extends SubscriptionEffect<Update>["kind"]> = Extract<
  SubscriptionEffect<Update>,
  { readonly kind: K }
>;

export interface ReceiverPorts {
  /** Ask from its position, and step `asked`: at once, as far as that can be. */
  ask(): void;
  /** Ask after a while. */
  retry(effect: Performed<"retry">): void;
  /** It will never do. */
  end(reason: string): void;
  /** In so long it isn't answered any more: step `timer`. undefined: it needs no answer. */
  awaitAnswer(forMs: number | undefined): void;
}

/** What a subscription was to be. */
export interface Wanted {
  /** `oldest` stands for a position as long as there is none. */
  readonly start: Start;
  /** To be told how many subscribers there are (O4). */
  readonly occupancy?: true | undefined;
}

export class Receiver {
  /** Canonical path. */
  readonly endpoint: string;
  readonly occupancy: true | undefined;
  readonly #limits: SubscriptionLimits;
  readonly #ports: ReceiverPorts;
  readonly #emitter = new Emitter<SubscriptionEvents>();
  #state: SubscriptionState;
  #start: typeof OLDEST | undefined;
  #over = false;

  constructor(
    endpoint: string,
    { start, occupancy }: Wanted,
    limits: SubscriptionLimits,
    ports: ReceiverPorts,
  ) {
    this.endpoint = endpoint;
    this.occupancy = occupancy;
    this.#limits = limits;
    this.#ports = ports;
    this.#start = start === OLDEST ? OLDEST : undefined;
    this.#state = initialSubscription(start === OLDEST ? undefined : start);
  }

  get position(): Position | undefined {
    return this.#state.position;
  }

  /** From where it is asked for. */
  get start(): Start {
    return this.#state.position ?? this.#start;
  }

  get phase(): SubscriptionPhase {
    return this.#state.phase;
  }

  /** Whether an answer with this id is one to its last subscribe. */
  isAnsweredBy(id: number): boolean {
    return this.#state.id === id;
  }

  get statistics(): Statistics {
    return this.#state.statistics;
  }

  on<K extends keyof SubscriptionEvents>(name: K, listener: Listener<K>): () => void {
    return this.#emitter.on(name, listener);
  }

  /** How many subscribers there are; of one that wasn't asked, what was said to another before it. */
  hearOccupancy(subscribers: number): void {
    if (this.occupancy) this.emit("occupancy", { subscribers });
  }

  /** After that its connection is closed nothing more is told. */
  emit<K extends keyof SubscriptionEvents>(name: K, event: SubscriptionEvents[K]): void {
    if (!this.#over) this.#emitter.emit(name, event);
  }

  /** What becomes of its connection; the last is that it is closed. */
  emitConnection(change: SubscriptionEvents["connection"]): void {
    this.emit("connection", change);
    if (change.state === "closed") this.#over = true;
  }

  step(event: SubscriptionEvent<Update>): void {
    const { state, effects } = stepSubscription(this.#state, event, this.#limits);
    this.#state = state;
    for (const effect of effects) this.#perform(effect);
  }

  #perform(effect: SubscriptionEffect<Update>): void {
    switch (effect.kind) {
      case "deliver":
        this.emit("update", new ReceivedUpdate(effect.update, effect.position));
        break;
      case "verdict": {
        this.#start = undefined;
        const { position, head, recovered, cause } = effect.verdict;
        const texts = { position: formatPosition(position), head: formatPosition(head) };
        this.emit("verdict", { ...texts, recovered, cause });
        break;
      }
      case "gap": {
        const { cause, from, position } = effect;
        this.emit("gap", { cause, from: text(from), position: text(position) });
        break;
      }
      case "live":
        this.emit("live", { position: text(this.#state.position) ?? "-" });
        break;
      case "wait":
        this.emit("wait", effect.error);
        break;
      case "ask":
        this.#ports.ask();
        break;
      case "retry":
        this.#ports.retry(effect);
        break;
      case "end":
        this.#ports.end(effect.reason);
        break;
      case "schedule":
        this.#ports.awaitAnswer(effect.afterMs);
        break;
      case "cancel":
        this.#ports.awaitAnswer(undefined);
        break;
    }
  }
}

function text(position: Position | undefined): string | undefined {
  return position && formatPosition(position);
}
