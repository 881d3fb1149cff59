/** A log that tests can look at, and wait for. */
import type { EventName, Log } from "../../origin/operate/log.ts";

export interface LoggedEvent {
  readonly event: EventName;
  readonly fields: Readonly<Record<string, unknown>>;
}

export class RecordedLog {
  readonly events: LoggedEvent[] = [];
  #changed = Promise.withResolvers<void>();

  readonly log: Log = (event, fields = {}) => {
    this.events.push({ event, fields });
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  };

  of(event: EventName): Readonly<Record<string, unknown>>[] {
    return this.events.filter((one) => one.event === event).map(({ fields }) => fields);
  }

  /** Resolves with the fields of the `nth` (from 1) event of this name. */
  async until(event: EventName, nth = 1): Promise<Readonly<Record<string, unknown>>> {
    for (;;) {
      const found = this.of(event)[nth - 1];
      if (found !== undefined) return found;
      await this.#changed.promise;
    }
  }
}
