/** Which publishes of a partition are done, as far back as is promised: a retry of one is answered, not done again. Pure. */
import type { Marks } from "./mark.ts";
import { PublishTable, type Slot } from "./publish-table.ts";
import type { KnownPublish } from "./sink.ts";

/** More than a partition is published to in twenty minutes at 160 a second. */
export const LEDGER_ENTRIES = 200_000;
/** What one takes in memory, at most. */
export const LEDGER_ENTRY_BYTES = 128;

/** What the ledgers of all partitions may take together, in bytes. What the log holds already is known beyond that. */
export interface LedgerRoom {
  left: number;
}

/** What is known of a publish that comes: nothing, where it is, or that another had its id. */
export type Found =
  | { readonly kind: "new" }
  | { readonly kind: "done"; readonly offset: number }
  | { readonly kind: "other" };

const NEW: Found = { kind: "new" };
const OTHER: Found = { kind: "other" };

export class Ledger {
  readonly #keptMs: number;
  readonly #room: LedgerRoom;
  readonly #maxEntries: number;
  /** About in the order of their times. */
  readonly #done = new PublishTable();

  /** @param keptMs For how long a publish is known at least. */
  constructor(keptMs: number, room: LedgerRoom, maxEntries = LEDGER_ENTRIES) {
    this.#keptMs = keptMs;
    this.#room = room;
    this.#maxEntries = maxEntries;
  }

  /**
   * Nothing is forgotten for want of room: a publish that doesn't fit must wait. No partition takes more of it than it leaves,
   * so that there is some for the next one.
   */
  get isFull(): boolean {
    const { size } = this.#done;
    return size >= this.#maxEntries || (size + 2) * LEDGER_ENTRY_BYTES > this.#room.left;
  }

  get size(): number {
    return this.#done.size;
  }

  /** Of several with one id the first in the log is the publish. */
  learn({ id, fingerprint, offset, timestamp }: KnownPublish): void {
    const before = this.#done.find(id);
    if (before === undefined) {
      this.#room.left -= LEDGER_ENTRY_BYTES;
      this.#done.add(id, fingerprint, offset, timestamp);
    } else if (this.#done.offsetOf(before) > offset) this.#done.set(before, fingerprint, offset, timestamp);
  }

  /** @param marks Of one publish, as each secret marks it. */
  find(marks: Marks): Found {
    let found: Slot | undefined;
    let isSame = false;
    for (const { id, fingerprint } of marks) {
      const slot = this.#done.find(id);
      if (slot === undefined) continue;
      if (found !== undefined && this.#done.offsetOf(found) < this.#done.offsetOf(slot)) continue;
      found = slot;
      isSame = this.#done.hasFingerprint(slot, fingerprint);
    }
    if (found === undefined) return NEW;
    return isSame ? { kind: "done", offset: this.#done.offsetOf(found) } : OTHER;
  }

  forget(now: number): void {
    for (
      let { oldestTimestamp } = this.#done;
      oldestTimestamp !== undefined;
      { oldestTimestamp } = this.#done
    ) {
      if (oldestTimestamp + this.#keptMs >= now) return;
      this.#done.removeOldest();
      this.#room.left += LEDGER_ENTRY_BYTES;
    }
  }

  /** It is of no use any more. */
  clear(): void {
    this.#room.left += this.#done.size * LEDGER_ENTRY_BYTES;
    this.#done.clear();
  }
}
