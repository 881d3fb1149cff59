/** A subscription as React watches it: it begins when a component is there, and ends when that has gone. */
import type { ClientError, ConnectionChange, Subscription, Update } from "../index.ts";

/** How it stands. The same object until something changes. */
export interface Watch<T> {
  /** The last updates, the latest one last. */
  readonly updates: readonly Update<T>[];
  readonly phase: Subscription<T>["phase"];
  /** It has all that there is, as far as the edge has said. */
  readonly upToDate: boolean;
  /** undefined while nothing is connected to. */
  readonly connection: ConnectionChange["state"] | undefined;
  /** How many follow the endpoint, if that was asked for. */
  readonly subscribers: number | undefined;
  /** Why the edge ended it for good. */
  readonly error: ClientError | undefined;
}

/** Also where a page is rendered by a server. */
export const UNWATCHED: Watch<never> = {
  updates: [],
  phase: "away",
  upToDate: false,
  connection: undefined,
  subscribers: undefined,
  error: undefined,
};

export class Watched<T> {
  readonly #begin: () => Subscription<T>;
  /** Of updates. */
  readonly #limit: number;
  #watch: Watch<T> = UNWATCHED;

  constructor(begin: () => Subscription<T>, limit: number) {
    this.#begin = begin;
    this.#limit = limit;
  }

  readonly now = (): Watch<T> => this.#watch;

  /** For one component. React may take it back, and do it again: then what was seen stays until there is more. */
  readonly watch = (changed: () => void): (() => void) => {
    const subscription = this.#begin();
    const note = (updates = this.#watch.updates, error = this.#watch.error) => {
      const { phase, upToDate, connection, subscribers } = subscription;
      this.#watch = { updates, phase, upToDate, connection: connection?.state, subscribers, error };
    };
    const look = (updates?: readonly Update<T>[], error?: ClientError) => {
      note(updates, error);
      changed();
    };
    subscription.on("update", (update) => look(this.#with(update)));
    for (const name of ["live", "wait", "occupancy", "connection"] as const)
      subscription.on(name, () => look());
    subscription.on("closed", ({ error }) => {
      if (error !== undefined) look(undefined, error);
    });
    // React looks at it again when this has returned.
    if (this.#watch !== UNWATCHED) note();
    return () => subscription.close();
  };

  #with(update: Update<T>): readonly Update<T>[] {
    return [...this.#watch.updates, update].slice(-this.#limit);
  }
}
