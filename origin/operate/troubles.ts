/** Tells of what goes wrong once, however often it is tried again and however many topics and partitions it befalls. */
import type { EventName, Log } from "./log.ts";

/** Reasons that are told apart; those beyond count as known ones. */
const MAX_REASONS = 100;

export class Troubles {
  readonly #log: Log;
  /** Whom each reason befalls, from the first time until it is over for all of them. */
  readonly #befallen = new Map<string, Set<string>>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** @param who A topic or a partition, by a name of its own. */
  befall(
    who: string,
    event: EventName,
    fields: Readonly<{ message: string; [field: string]: unknown }>,
  ): void {
    const known = this.#befallen.get(fields.message);
    if (known === undefined && this.#befallen.size < MAX_REASONS) {
      this.#befallen.set(fields.message, new Set([who]));
      this.#log(event, fields);
    } else {
      known?.add(who);
      this.#log("still_failing", fields);
    }
  }

  over(who: string): void {
    for (const [message, befallen] of this.#befallen) {
      if (!befallen.delete(who) || befallen.size > 0) continue;
      this.#befallen.delete(message);
      this.#log("trouble_over", { was: message });
    }
  }
}
