/** Warns of records that no subscriber ever sees (A5), or not whole (F8): once a topic, and again when they are ten times as many. */
import type { PartitionFacts } from "../index/views.ts";
import type { EventName, Log } from "./log.ts";

const AGAIN = 10;

const KINDS = {
  keyless: "records_without_key",
  keyTooLong: "keys_too_long",
  omitted: "values_omitted",
} as const satisfies Partial<Record<keyof PartitionFacts, EventName>>;

export class Unusable {
  readonly #log: Log;
  /** What was last told of, by event and topic. */
  readonly #told = new Map<string, number>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** To be called now and then with what the index knows of its partitions. */
  look(partitions: readonly PartitionFacts[]): void {
    for (const [topic, facts] of Map.groupBy(partitions, (one) => one.topic))
      for (const kind of ["keyless", "keyTooLong", "omitted"] as const) {
        const event = KINDS[kind];
        const count = facts.reduce((sum, one) => sum + one[kind], 0);
        const name = `${event}/${topic}`;
        if (count === 0 || count < (this.#told.get(name) ?? 0) * AGAIN) continue;
        this.#told.set(name, count);
        this.#log(event, { topic, count });
      }
  }
}
