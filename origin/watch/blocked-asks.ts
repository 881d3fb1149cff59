/** Asks that wait for a partition to be read further, or for a topic to be described or looked at (R5). */

import { isReady, type Partition } from "../reading/partitions.ts";
import type { Ask } from "./interest.ts";

export class BlockedAsks {
  /** By epoch, or by topic with a slash, which no epoch contains; those that wait for the log at the slash. */
  readonly #asks = new Map<string, Set<Ask>>();
  /** Those that won't wait for ever. */
  readonly #patient = new Set<Ask>();

  add(ask: Ask, blocked: NonNullable<Ask["blocked"]>): void {
    ask.blocked = blocked;
    const name = nameOf(ask, blocked);
    const asks = this.#asks.get(name) ?? new Set();
    this.#asks.set(name, asks.add(ask));
    if (blocked.patient) this.#patient.add(ask);
  }

  remove(ask: Ask): void {
    if (ask.blocked === undefined) return;
    const name = nameOf(ask, ask.blocked);
    const asks = this.#asks.get(name);
    asks?.delete(ask);
    if (asks?.size === 0) this.#asks.delete(name);
    this.#patient.delete(ask);
    if (ask.blocked.kind === "log") ask.blocked.reading.abort();
    ask.blocked = undefined;
  }

  /** Takes out those that need not wait any longer for this partition. */
  takeProgressed(partition: Partition): Ask[] {
    const { epoch, next } = partition;
    const asks = this.#asks.get(epoch);
    // As nearly always.
    if (asks === undefined) return [];
    const due = [...asks].filter(({ blocked }) => {
      const until = blocked?.kind === "partition" ? blocked.offset : undefined;
      return (isReady(partition) && !blocked?.patient) || (until !== undefined && until < next);
    });
    for (const ask of due) this.remove(ask);
    return due;
  }

  /** Takes out those that came at `before` or earlier and don't wait for ever. */
  takeTired(before: number): Ask[] {
    const due = [...this.#patient].filter(({ at }) => at <= before);
    for (const ask of due) this.remove(ask);
    return due;
  }

  /** Those that wait for a look at the topic. */
  looking(topic: string): Ask[] {
    return [...(this.#asks.get(`/${topic}`) ?? [])].filter(({ blocked }) => blocked?.kind === "look");
  }

  /** Takes out all of a topic. */
  takeTopic(topic: string): Ask[] {
    const due = [...this.#asks.values()]
      .flatMap((asks) => [...asks])
      .filter((ask) => ask.interest.watch.endpoint.topic === topic);
    for (const ask of due) this.remove(ask);
    return due;
  }
}

function nameOf(ask: Ask, blocked: NonNullable<Ask["blocked"]>): string {
  if (blocked.kind === "log") return "/";
  return blocked.kind === "partition" ? blocked.epoch : `/${ask.interest.watch.endpoint.topic}`;
}
