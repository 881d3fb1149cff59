/**
 * The log of a simulation, and the truth about it: everything that was ever written stays known, whatever the log itself
 * no longer holds. Its start moves (retention), and what a later record of the same key replaced may go (compaction).
 */
import { encodeUpdate, type Frame, type Value } from "../../shared/protocol/frame.ts";

export interface Written {
  readonly path: string;
  readonly epoch: string;
  readonly offset: number;
  /** The order in which records of all partitions were written. */
  readonly at: number;
  readonly timestamp: number;
  readonly value: Uint8Array;
}

export class WrittenLog {
  /** Of the topic's partitions, by their numbers. */
  epochs: readonly string[];
  #records = new Map<string, Written[]>();
  /** How many records were ever written. */
  written = 0;
  /** Counts whatever may change where its partitions begin and end. */
  changes = 0;
  readonly #starts = new Map<string, number>();
  readonly #removed = new Set<Written>();
  /** Each update that there ever was, as text. */
  readonly produced = new Set<string>();

  /** What clients published, by path and key: where it is. */
  readonly #published = new Map<string, string>();

  constructor(epochs: readonly string[]) {
    this.epochs = epochs;
  }

  append(path: string, value: unknown, epoch: string, timestamp: number): void {
    this.changes++;
    const records = this.#records.get(epoch) ?? [];
    this.#records.set(epoch, records);
    const content = contentOf(value);
    const bytes = content.kind === "bytes" ? content.bytes : Buffer.from(content.text);
    const written = { path, epoch, offset: records.length, at: this.written++, timestamp, value: bytes };
    records.push(written);
    const known = { endpoint: path, epoch, offset: written.offset, previous: undefined, timestamp };
    this.produced.add(textOf(encodeUpdate({ ...known, headers: [], value: content })));
  }

  /** Where a publish is. */
  published(path: string, key: string): string | undefined {
    return this.#published.get(`${path} ${key}`);
  }

  /** Of a client: its position from now on. */
  publish(path: string, key: string, value: unknown, epoch: string, timestamp: number): string {
    const position = `${epoch}:${this.endOf(epoch)}`;
    this.#published.set(`${path} ${key}`, position);
    this.append(path, value, epoch, timestamp);
    return position;
  }

  /** The topic was deleted and created again. */
  recreate(epochs: readonly string[]): void {
    this.changes++;
    this.epochs = epochs;
    this.#records = new Map();
    this.#starts.clear();
  }

  /** The topic has a partition more. */
  grow(epoch: string): void {
    this.changes++;
    this.epochs = [...this.epochs, epoch];
  }

  /** Everything that was ever written to an epoch. */
  of(epoch: string): readonly Written[] {
    return this.#records.get(epoch) ?? [];
  }

  /** Everything that was ever written of an endpoint. */
  records(path: string): readonly Written[] {
    return this.epochs.flatMap((epoch) => this.of(epoch).filter((written) => written.path === path));
  }

  endOf(epoch: string): number {
    return this.of(epoch).length;
  }

  startOf(epoch: string): number {
    return this.#starts.get(epoch) ?? 0;
  }

  /** The first record at or after an offset that the log still holds. */
  next(epoch: string, offset: number): Written | undefined {
    return this.of(epoch).find(
      (written) => written.offset >= Math.max(offset, this.startOf(epoch)) && !this.#removed.has(written),
    );
  }

  /** Retention: nothing before this offset is held any more. */
  trim(epoch: string, offset: number): void {
    this.changes++;
    this.#starts.set(epoch, Math.max(this.startOf(epoch), Math.min(offset, this.endOf(epoch))));
  }

  /** Compaction: of each key what a later record before `offset` replaced goes. */
  compact(epoch: string, offset: number): void {
    const latest = new Map<string, Written>();
    for (const written of this.of(epoch).slice(0, offset)) {
      const before = latest.get(written.path);
      if (before !== undefined) this.#removed.add(before);
      latest.set(written.path, written);
    }
  }
}

/** An update as text, whatever bytes it holds, but for what its origin knew of the one before it. */
export function textOf(frame: Frame): string {
  const text = typeof frame === "string" ? frame : Buffer.from(frame).toString("latin1");
  return text.replace(/,"q":\d+/, "");
}

/** What a record holds: bytes as they are, everything else as JSON. */
function contentOf(value: unknown): Extract<Value, { kind: "bytes" | "json" }> {
  if (value instanceof Uint8Array) return { kind: "bytes", bytes: value };
  return { kind: "json", text: JSON.stringify(value) };
}
