/** Helpers for tests of the index: records, batches, a folder and a clock of their own. */
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { type IndexOptions, type OpenedIndex, openIndex, RecordIndex } from "../../origin/index/index.ts";
import type { Bounds, TopicRetention } from "../../origin/index/retention.ts";
import { openFile } from "../../origin/index/schema.ts";
import type { Batch, SourceRecord } from "../../origin/source/source.ts";

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const text = (value: unknown): string =>
  value instanceof Uint8Array ? Buffer.from(value).toString() : "";

export function record(
  offset: number,
  key: string | null,
  value: string | null,
  timestamp = 1_000,
): SourceRecord {
  return {
    offset,
    timestamp,
    key: key === null ? null : bytes(key),
    value: value === null ? null : bytes(value),
    headers: [],
  };
}

export function batch(...records: SourceRecord[]): Batch {
  const nextOffset = (records.at(-1)?.offset ?? -1) + 1;
  return { records, nextOffset, endOffset: nextOffset };
}

/** Bounds that nothing reaches. */
export const ROOMY: Bounds = { maxRecords: 1e9, maxBytes: 1e12 };
export const PAGE = { maxRecords: 1_000, maxBytes: 1e9 };

/** An index in a folder of its own, with a clock that stands until it is moved. */
export class IndexFixture {
  readonly topics: Map<string, TopicRetention>;
  bounds: Bounds;
  now = 1_000;
  directory: string;
  index: RecordIndex;
  readonly #folders: string[] = [];

  constructor(options: { topics?: Record<string, Partial<TopicRetention>>; bounds?: Bounds } = {}) {
    this.topics = new Map(
      Object.entries(options.topics ?? { t: {} }).map(([topic, retention]) => [
        topic,
        { maxAgeMs: undefined, keepLatest: false, ...retention },
      ]),
    );
    this.bounds = options.bounds ?? ROOMY;
    this.directory = this.#folder();
    this.index = this.open().index;
  }

  open(slice?: string): OpenedIndex {
    const opened = openIndex({ ...this.#options(), ...(slice !== undefined && { slice }) });
    this.index = opened.index;
    return opened;
  }

  /** Opens again, and returns the database too, to get in its way. */
  reopenFile(): DatabaseSync {
    this.index.close();
    const { loaded } = openFile(this.directory, (file) => {
      this.index = new RecordIndex(file, this.#options());
      return file.db;
    });
    return loaded;
  }

  /** Begins a partition whose log holds everything from 0. */
  begin(topic: string, partition: number, epoch: string, start = 0) {
    return this.index.begin(topic, { partition, epoch, startOffset: 0, endOffset: 1e9 }, start);
  }

  /** Long enough for everything buffered to be written. */
  settle(): void {
    this.now += 200;
    this.index.tick();
  }

  reopen(slice?: string): OpenedIndex {
    this.index.close();
    return this.open(slice);
  }

  /** Opens what a killed process would have left. */
  crash(): OpenedIndex {
    const before = this.index;
    const left = this.#folder();
    cpSync(this.directory, left, { recursive: true });
    this.directory = left;
    before.close();
    return this.open();
  }

  remove(): void {
    this.index.close();
    for (const folder of this.#folders) rmSync(folder, { recursive: true, force: true });
  }

  #options(): IndexOptions {
    return { directory: this.directory, topics: this.topics, bounds: this.bounds, now: () => this.now };
  }

  #folder(): string {
    const folder = mkdtempSync(join(tmpdir(), "distributary-index-"));
    this.#folders.push(folder);
    return folder;
  }
}
