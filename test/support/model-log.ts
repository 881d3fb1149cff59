/**
 * A log in memory and how an origin answers from it (R3, R4, U5, U8), short enough to be seen through. Records
 * are never rewritten; a horizon drops them from the front.
 */
import type { Attached } from "../../shared/protocol/attach.ts";
import { encodeUpdate, type Frame, type Update, type Value } from "../../shared/protocol/frame.ts";
import type { Position } from "../../shared/protocol/position.ts";

export interface Kept {
  readonly path: string;
  readonly epoch: string;
  readonly offset: number;
  readonly frame: Frame;
}

export interface LogOptions {
  /** How many updates a fresh answer holds at most. */
  readonly window: number;
  /** How many updates any answer holds at most. */
  readonly page: number;
  /** Whether the default partitioner gives an endpoint's key to the partition of an epoch. */
  readonly isHome: (path: string, epoch: string) => boolean;
}

export class ModelLog {
  /** Every frame that there ever was, as text. */
  readonly produced = new Set<string>();
  readonly #options: LogOptions;
  readonly #records = new Map<string, Kept[]>();
  readonly #next = new Map<string, number>();
  /** Everything before this offset was dropped, by epoch. */
  readonly #horizon = new Map<string, number>();

  constructor(options: LogOptions) {
    this.#options = options;
  }

  /** The partition exists, though nothing of it has been read. */
  know(epoch: string): void {
    if (!this.#next.has(epoch)) this.#next.set(epoch, 0);
  }

  append(path: string, value: unknown, epoch: string, more: Partial<Update> = {}): Kept {
    const records = this.#records.get(path) ?? [];
    this.#records.set(path, records);
    const offset = this.#next.get(epoch) ?? 0;
    this.#next.set(epoch, offset + 1);
    const previous = records.filter((kept) => kept.epoch === epoch).at(-1)?.offset;
    const timestamp = 1_700_000_000_000 + offset;
    const update = { endpoint: path, epoch, offset, previous, timestamp, headers: [], value: toValue(value) };
    const kept = { path, epoch, offset, frame: encodeUpdate({ ...update, ...more }) };
    records.push(kept);
    this.produced.add(frameText(kept.frame));
    return kept;
  }

  /** Drops everything before an offset. */
  dropBefore(offset: number, epoch: string): void {
    if (offset <= (this.#horizon.get(epoch) ?? 0)) return;
    this.#horizon.set(epoch, offset);
    for (const [path, records] of this.#records)
      this.#records.set(
        path,
        records.filter((kept) => kept.epoch !== epoch || kept.offset >= offset),
      );
  }

  /** The topic was deleted, and its epochs with it. */
  forgetEpochs(): void {
    this.#records.clear();
    this.#next.clear();
    this.#horizon.clear();
  }

  endOf(epoch: string): number {
    return this.#next.get(epoch) ?? 0;
  }

  /** The first offset that hasn't been dropped. */
  horizonOf(epoch: string): number {
    return this.#horizon.get(epoch) ?? 0;
  }

  latest(path: string): Kept | undefined {
    return this.#records.get(path)?.at(-1);
  }

  records(path: string): readonly Kept[] {
    return this.#records.get(path) ?? [];
  }

  head(path: string): Map<string, number> {
    const head = new Map<string, number>();
    for (const { epoch, offset } of this.records(path)) head.set(epoch, offset);
    return head;
  }

  /** `cause` where continuity is lost for a reason that `from` doesn't show. */
  answer(
    path: string,
    from: Position | undefined,
    lost?: "epoch",
  ): { readonly attached: Omit<Attached, "id">; readonly frames: Frame[] } {
    const head = this.head(path);
    const cause = lost ?? (from && this.#causeOf(path, from));
    const proved = from !== undefined && cause === undefined;
    const kept = proved
      ? this.records(path)
          .filter(({ epoch, offset }) => offset > (from.get(epoch) ?? -1))
          .slice(0, this.#options.page)
      : this.records(path).slice(-Math.min(this.#options.window, this.#options.page));
    const spoken = this.#spoken(path, from);
    const position = proved ? from : this.#before(path, kept, spoken);
    const to = new Map(position);
    for (const { epoch, offset } of kept) to.set(epoch, offset);
    const ends = [...spoken].filter((epoch) => !head.has(epoch) && this.endOf(epoch) > 0);
    for (const epoch of ends) to.set(epoch, Math.max(this.endOf(epoch) - 1, to.get(epoch) ?? -1));
    const horizon = new Map([...spoken].map((epoch) => [epoch, this.horizonOf(epoch)]));
    const upTo = new Map([...position, ...head]);
    for (const [epoch, offset] of position) upTo.set(epoch, Math.max(offset, head.get(epoch) ?? 0));
    const recovered = from === undefined && lost === undefined ? undefined : proved;
    const verdict = { position, head: upTo, recovered, cause };
    return {
      attached: { endpoint: path, verdict, to, horizon, count: kept.length },
      frames: kept.map(({ frame }) => frame),
    };
  }

  /** The position just before the first of these recent records. */
  #before(path: string, recent: readonly Kept[], spoken: Iterable<string>): Position {
    const position = this.head(path);
    for (const { epoch } of recent) position.delete(epoch);
    const records = this.records(path);
    for (const { epoch, offset } of records.slice(0, records.length - recent.length))
      position.set(epoch, offset);
    for (const epoch of spoken) {
      const first = recent.find((kept) => kept.epoch === epoch)?.offset;
      const begin = first === undefined ? this.endOf(epoch) : Math.min(first, this.horizonOf(epoch));
      const before = position.get(epoch) ?? begin - 1;
      if (before >= 0) position.set(epoch, before);
    }
    return position;
  }

  /** The epochs that an answer speaks of: those named, those in which the key is known or, if there are none, its home. */
  #spoken(path: string, from: Position | undefined): Set<string> {
    const named = [...(from?.keys() ?? [])].filter((epoch) => this.#next.has(epoch));
    const known = [...this.head(path).keys()];
    const home = [...this.#next.keys()].filter((epoch) => this.#options.isHome(path, epoch));
    return new Set([...named, ...(known.length > 0 ? known : home)]);
  }

  #causeOf(path: string, from: Position): "epoch" | "ahead" | "horizon" | undefined {
    for (const epoch of from.keys()) if (!this.#next.has(epoch)) return "epoch";
    for (const [epoch, offset] of from) if (offset >= this.endOf(epoch)) return "ahead";
    for (const epoch of this.#spoken(path, from))
      if ((from.get(epoch) ?? -1) < (this.#horizon.get(epoch) ?? 0) - 1) return "horizon";
    return undefined;
  }
}

/** Tells frames apart, whatever bytes they hold. */
export function frameText(frame: Frame): string {
  return typeof frame === "string" ? frame : Buffer.from(frame).toString("latin1");
}

/** A Value as it is; null a tombstone; bytes binary; everything else as JSON. */
function toValue(value: unknown): Value {
  if (value === null) return { kind: "tombstone" };
  if (value instanceof Uint8Array) return { kind: "bytes", bytes: value };
  if (typeof value === "object" && "kind" in value) return value as Value;
  return { kind: "json", text: JSON.stringify(value) };
}
