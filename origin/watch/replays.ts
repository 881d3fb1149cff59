/**
 * Reads again from the log what the index no longer holds, for those who resume from before its horizon (R7).
 * A partition is read by one scan at a time, which serves all who want something of it; a scan ends when
 * everyone has a page or has gone, when it holds too much, or at the last offset that is wanted. So many run at
 * once, of whatever partitions; the others wait for a place.
 *
 * What is tried again, after what delay, and how it ends:
 *
 *   the log can't be reached                  backoff     after 60 s without progress: continuity can't be proved
 *   the log is read, and says nothing for 20 s    the same
 */

import { setImmediate, setTimeout } from "node:timers/promises";
import { type BackoffBounds, backoff } from "../../shared/core/backoff.ts";
import { ownedBytes } from "../../shared/core/owned.ts";
import { type IndexedRecord, recordBytes } from "../index/record.ts";
import { travelling } from "../index/travelling.ts";
import { type Batch, isTorn, type Source, SourceError, type SourceRecord } from "../source/source.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import type { AnswerBounds } from "./answer-bounds.ts";
import { keyText } from "./key-text.ts";
import { Places } from "./places.ts";
import type { Gap } from "./proof.ts";
import type { Replayed } from "./replayed.ts";

export interface ReplayTiming {
  readonly retry: BackoffBounds;
  /** A scan that gives no sign for so long stands still, and is begun anew. */
  readonly silentScanMs: number;
  /** Scans that failed are tried again for so long after the last record that one of them brought. */
  readonly noProgressMs: number;
}

const TIMING: ReplayTiming = {
  retry: TIME_LIMITS.replayAgain,
  silentScanMs: TIME_LIMITS.replaySilentMs,
  noProgressMs: TIME_LIMITS.replayNoProgressMs,
};
/** Scans that read at once: the log is read for those who are live, too. */
const SCANS_AT_ONCE = 8;
/** What all scans may hold for all whom they serve, and what each of them may. */
const ALL_SCANS_BYTES = 32 * 1024 * 1024;
const SCAN_BYTES = ALL_SCANS_BYTES / SCANS_AT_ONCE;

export interface ReplayPorts {
  readonly source: Source;
  /** In [0, 1). */
  readonly random: () => number;
  /** What is read for one key of a gap; at least one record whatever its size. */
  readonly bounds: AnswerBounds;
  readonly timing?: ReplayTiming;
}

/** Of one key in one partition. */
interface Want {
  readonly key: string;
  readonly gap: Gap;
  /** Everything up to here was looked at. */
  seen: number;
  readonly records: IndexedRecord[];
  bytes: number;
  /** Aborts when nobody waits for it any more. */
  readonly signal: AbortSignal;
  readonly resolve: (replayed: Replayed) => void;
  readonly reject: (error: unknown) => void;
}

export class Replays {
  readonly #ports: ReplayPorts;
  readonly #timing: ReplayTiming;
  readonly #closing = new AbortController();
  /** Those who wait for a scan, by epoch; an epoch that is here is being scanned. */
  readonly #lines = new Map<string, Want[]>();
  readonly #places = new Places(SCANS_AT_ONCE);

  constructor(ports: ReplayPorts) {
    this.#ports = ports;
    this.#timing = ports.timing ?? TIMING;
  }

  /**
   * undefined if the log doesn't hold all of it (any more), or can't be read. Never rejects.
   * @param given Aborts when nobody waits for it any more: then no more is read for it.
   */
  async read(
    topic: string,
    key: Uint8Array,
    gaps: readonly Gap[],
    given: AbortSignal = new AbortController().signal,
  ): Promise<readonly Replayed[] | undefined> {
    // One gap that can't be filled makes the others useless.
    const failed = new AbortController();
    const signal = AbortSignal.any([given, failed.signal]);
    try {
      return await Promise.all(gaps.map((gap) => this.#want(topic, key, gap, signal)));
    } catch (error) {
      failed.abort();
      if (this.#closing.signal.aborted || error instanceof SourceError) return undefined;
      throw error;
    }
  }

  close(): void {
    this.#closing.abort();
  }

  #want(topic: string, key: Uint8Array, gap: Gap, signal: AbortSignal): Promise<Replayed> {
    const { promise, resolve, reject } = Promise.withResolvers<Replayed>();
    const begun = { seen: gap.after, records: [], bytes: 0 };
    const want: Want = { key: keyText(key), gap, ...begun, signal, resolve, reject };
    const gone = () => reject(new SourceError("unavailable", "nobody waits for it any more"));
    signal.addEventListener("abort", gone, { once: true });
    const line = this.#lines.get(gap.epoch);
    if (line !== undefined) line.push(want);
    else {
      this.#lines.set(gap.epoch, [want]);
      void this.#serve(topic, gap);
    }
    return promise;
  }

  /** Scans until nobody waits any more. */
  async #serve(topic: string, { partition, epoch }: Gap): Promise<void> {
    for (;;) {
      // One that asks now may come along with the others.
      await setImmediate();
      const wants = (this.#lines.get(epoch)?.splice(0) ?? []).filter(isWanted);
      if (wants.length === 0) break;
      try {
        const left = await this.#patiently((advanced, anew) => {
          return this.#scan(topic, partition, epoch, wants, advanced, anew);
        });
        this.#lines.get(epoch)?.unshift(...left);
      } catch (error) {
        for (const { reject } of wants) reject(error);
      }
    }
    this.#lines.delete(epoch);
  }

  /**
   * Returns those for whom there was no room. What it looks for has been in the log once, so a scan never has to wait
   * for news: silence is a fault, whatever the source makes of it.
   */
  async #scan(
    topic: string,
    partition: number,
    epoch: string,
    wants: readonly Want[],
    advanced: () => void,
    anew: boolean,
  ): Promise<Want[]> {
    let open = wants.filter(isWanted);
    if (open.length === 0) return [];
    const byKey = Map.groupBy(open, ({ key }) => key);
    const from = open.reduce((lowest, { seen }) => Math.min(lowest, seen), Number.POSITIVE_INFINITY) + 1;
    const enough = new AbortController();
    const silence = new Silence(this.#timing.silentScanMs);
    const signal = AbortSignal.any([enough.signal, silence.signal, this.#closing.signal]);
    const ended = new AbortController();
    const leave = () => {
      open = open.filter(isWanted);
      if (open.length === 0) enough.abort();
    };
    for (const want of open) want.signal.addEventListener("abort", leave, { signal: ended.signal });
    let bytes = 0;
    let reached = from;
    const take = async (batch: Batch) => {
      // One that was given up may bring more before it notices.
      if (signal.aborted) return;
      const { records, nextOffset } = batch;
      // What comes without bringing anything is as good as silence.
      if (nextOffset > reached) {
        silence.broken();
        advanced();
      }
      reached = Math.max(reached, nextOffset);
      // What was removed may have been the key's.
      for (const { seen, reject } of open)
        if (isTorn(batch, seen + 1))
          reject(new SourceError("offset_out_of_range", `${topic}/${partition} no longer holds all of it`));
      open = open.filter(({ seen }) => !isTorn(batch, seen + 1));
      for (const record of records) {
        if (record.key === null) continue;
        for (const want of byKey.get(keyText(record.key)) ?? [])
          bytes += this.#take(want, record, record.key, epoch);
      }
      for (const want of open) if (!this.#isFull(want)) want.seen = Math.max(want.seen, nextOffset - 1);
      open = open.filter((want) => want.seen < want.gap.until - 1 && !this.#isFull(want));
      if (open.length === 0 || bytes >= SCAN_BYTES) enough.abort();
      // A long scan must not keep others from their turn.
      await setImmediate();
    };
    const alive = () => silence.broken();
    const read = this.#ports.source.read({ topic, partition, epoch, from, signal, alive, anew }, take);
    try {
      await Promise.race([read, silence.begun]);
    } finally {
      silence.end();
      ended.abort();
    }
    if (silence.signal.aborted) throw new SilentScan(`${topic}/${partition}`, this.#timing.silentScanMs);
    if (!enough.signal.aborted) throw new SourceError("unavailable", "the origin stops");
    const left = open.filter(({ records }) => records.length === 0);
    for (const want of wants) if (!left.includes(want)) settle(want);
    return left;
  }

  /** Returns the bytes that it holds on to. */
  #take(want: Want, record: SourceRecord, key: Uint8Array, epoch: string): number {
    const { offset, timestamp } = record;
    if (offset <= want.seen || offset >= want.gap.until || this.#isFull(want)) return 0;
    const previous = want.records.at(-1)?.offset;
    const known = { epoch, offset, previous, arrival: 0, timestamp, key };
    const taken = owned({ ...known, ...travelling(record) });
    want.records.push(taken);
    want.seen = offset;
    const bytes = recordBytes(taken);
    want.bytes += bytes;
    return bytes;
  }

  #isFull({ records, bytes }: Want): boolean {
    const { bounds } = this.#ports;
    return records.length >= bounds.updates || bytes >= bounds.bytes;
  }

  async #patiently<T>(body: (advanced: () => void, anew: boolean) => Promise<T>): Promise<T> {
    const { retry, noProgressMs } = this.#timing;
    const closing = this.#closing.signal;
    let advancedAt = performance.now();
    let anew = false;
    for (let failures = 0; ; failures++) {
      try {
        const asked = performance.now();
        return await this.#places.in(() => {
          // One that waits for a place doesn't wait for the log.
          advancedAt += performance.now() - asked;
          return body(() => {
            advancedAt = performance.now();
          }, anew);
        });
      } catch (error) {
        anew = error instanceof SilentScan;
        const passing = error instanceof SourceError && error.code === "unavailable";
        if (!passing || closing.aborted || performance.now() - advancedAt > noProgressMs) throw error;
        await setTimeout(backoff(failures, retry, this.#ports.random()), undefined, { signal: closing });
      }
    }
  }
}

class SilentScan extends SourceError {
  constructor(partition: string, ms: number) {
    super("unavailable", `nothing was heard of ${partition} for ${ms / 1_000} s`);
  }
}

/** Begins if nothing breaks it for so long. */
class Silence {
  /** Resolves when it begins. */
  readonly begun: Promise<void>;
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;

  constructor(afterMs: number) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.begun = promise;
    this.#timer = globalThis.setTimeout(() => {
      resolve();
      this.#controller.abort();
    }, afterMs);
    this.#timer.unref();
  }

  /** Aborts when it begins. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  broken(): void {
    this.#timer.refresh();
  }

  /** There is nothing to be heard any more. */
  end(): void {
    clearTimeout(this.#timer);
  }
}

/** A record that is read is a view of what it was read from, of which a scan may keep one in each of many. */
function owned(record: IndexedRecord): IndexedRecord {
  const { key, value, headers } = record;
  return {
    ...record,
    key: ownedBytes(key),
    value: value instanceof Uint8Array ? ownedBytes(value) : value,
    headers: headers.map(([name, bytes]) => [name, bytes && ownedBytes(bytes)]),
  };
}

function isWanted({ signal }: Want): boolean {
  return !signal.aborted;
}

function settle({ gap, records, seen, resolve }: Want): void {
  resolve({ gap, records, whole: seen >= gap.until - 1 });
}
