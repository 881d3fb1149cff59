/**
 * Tells of partitions in which a transaction that is open holds back what was written after it began. To wait for its end
 * is right, and usual for moments; to do so for long means that a producer hangs, and no subscriber sees anything meanwhile.
 */

import { isStopped, type Partition } from "../reading/partitions.ts";
import type { Log } from "./log.ts";
import { HELD_SECONDS, heldSeconds } from "./status.ts";

/** Told of again when it has been so many times as long. */
const AGAIN = 2;
/** More partitions than these aren't named by one look. */
const NAMED = 8;

export class HeldBack {
  readonly #log: Log;
  /** Seconds after which each partition that was told of is told of again, by epoch. */
  readonly #told = new Map<string, { readonly since: number | undefined; readonly again: number }>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** To be called every second or so with all partitions, and the time of the clock that they are held back by. */
  look(partitions: readonly Partition[], elapsed: number): void {
    const due: Partition[] = [];
    const known = new Map(this.#told);
    for (const partition of partitions) {
      if (isStopped(partition)) continue;
      const { topic, partition: number, epoch, heldSince: since } = partition;
      const told = known.get(epoch);
      known.delete(epoch);
      const seconds = heldSeconds(partition, elapsed);
      const isOver = told !== undefined && told.since !== since;
      if (isOver) {
        this.#told.delete(epoch);
        this.#log("records_let_go", { topic, partition: number });
      }
      if (seconds < (isOver ? HELD_SECONDS : (told?.again ?? HELD_SECONDS))) continue;
      this.#told.set(epoch, { since, again: AGAIN * seconds });
      due.push(partition);
    }
    // Those that aren't read any more.
    for (const epoch of known.keys()) this.#told.delete(epoch);
    due.sort((a, b) => heldSeconds(b, elapsed) - heldSeconds(a, elapsed));
    for (const one of due.slice(0, NAMED)) {
      const { topic, partition, end: from, heldBack: records } = one;
      const seconds = Math.floor(heldSeconds(one, elapsed));
      this.#log("records_held_back", { topic, partition, from, records, seconds });
    }
    if (due.length > NAMED) this.#log("records_held_back", { morePartitions: due.length - NAMED });
  }
}
