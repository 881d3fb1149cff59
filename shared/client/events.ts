/** What a subscription and a connection tell, and to whom. */
import type { ErrorBody } from "../protocol/error-body.ts";
import type { ConnectionChange } from "./connection-terms.ts";
import type { GapCause } from "./subscription.ts";
import type { ReceivedUpdate } from "./update.ts";

/** Positions are in their text form. After close() there is one `connection`, and then nothing more. */
export interface SubscriptionEvents {
  /**
   * The next update, in the order of its epoch, each once. Not for what was received before. Only after a
   * `gap` the latest update may come again: it is where what follows begins.
   */
  update: ReceivedUpdate;
  /** Each answer to a subscribe: one for every connection, and one whenever it was asked again. */
  verdict: {
    readonly position: string;
    readonly head: string;
    /** Whether nothing is missing after the position from which was asked; undefined if from none. */
    readonly recovered: boolean | undefined;
    readonly cause: GapCause | undefined;
  };
  /**
   * Continuity was lost: between `from` and what follows something may be missing, and what was derived from
   * earlier updates must not be carried on. Before the first update after it. Not for a hole that could be
   * filled by asking again, and not on the first subscribe without a position: nothing was promised before.
   */
  gap: {
    readonly cause: GapCause | undefined;
    readonly from: string | undefined;
    readonly position: string | undefined;
  };
  /** All there was when the verdict was given has been received. Once for each time that this was behind. */
  live: { readonly position: string };
  /** The connection is being made, is open, broke (and when the next follows), or is closed for good. */
  connection: ConnectionChange;
  /**
   * How many subscriptions to the endpoint there are, of all clients, if it was asked for (`occupancy`) and may be told: once after
   * a verdict, and when it has changed, at most once a second.
   */
  occupancy: { readonly subscribers: number };
  /** The subscribe stands, but its source can't answer just now; a `verdict` follows. */
  wait: ErrorBody;
  /**
   * The edge refused something. If it can't succeed later, the subscription's `connection` is closed after it, though one that
   * it shares goes on. Not for connections that break: those are retried, and told as `connection`.
   */
  error: ErrorBody;
}

export type Listener<K extends keyof SubscriptionEvents> = (event: SubscriptionEvents[K]) => void;

/** Of a connection of many endpoints. After close() there is one `connection`, and then nothing more. */
export interface ConnectionEvents {
  /** The connection is being made, is open, broke (and when the next follows), or is closed for good. */
  connection: ConnectionChange;
  /** The edge refused the connection, or something that is no subscription's. */
  error: ErrorBody;
}

export class Emitter<E extends object> {
  readonly #listeners: { [K in keyof E]?: Set<(event: E[K]) => void> } = {};

  /** Returns what takes the listener away again. */
  on<K extends keyof E>(name: K, listener: (event: E[K]) => void): () => void {
    const listeners = this.#listeners[name] ?? new Set();
    this.#listeners[name] = listeners;
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  /**
   * A listener that throws is the caller's fault, and is shown as any uncaught error; the others, and the
   * frames that are still to be read, don't suffer.
   */
  emit<K extends keyof E>(name: K, event: E[K]): void {
    for (const listener of this.#listeners[name] ?? []) {
      try {
        listener(event);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
