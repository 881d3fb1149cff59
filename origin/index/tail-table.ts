/**
 * Names and offsets in flat arrays: a map of strings of this size would keep the garbage collector busy, and
 * leave it more to collect than it holds. Open addressing, at most half full.
 */
import { hash } from "node:crypto";

/** Longer keys are known by their SHA-256, which is one byte longer than any name that is a key. */
const LONGEST_KEY = 31;
const NAME_BYTES = 32;

/** What a key is called among tails. May be the key itself. */
export function tailName(key: Uint8Array): Uint8Array {
  return key.length > LONGEST_KEY ? hash("sha256", key, "buffer") : key;
}

export class TailTable {
  #count = 0;
  #capacity: number;
  #names: Buffer;
  #lengths: Uint8Array;
  #partitions: Uint32Array;
  #offsets: Float64Array;
  /** By hash: an entry's index and one; 0 is free. */
  #slots: Int32Array;

  /** @param capacity a power of two; more entries make the table grow. */
  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#names = Buffer.alloc(capacity * NAME_BYTES);
    this.#lengths = new Uint8Array(capacity);
    this.#partitions = new Uint32Array(capacity);
    this.#offsets = new Float64Array(capacity);
    this.#slots = new Int32Array(capacity * 2);
  }

  get count(): number {
    return this.#count;
  }

  get(partition: number, name: Uint8Array): number | undefined {
    const entry = (this.#slots[this.#slot(partition, name)] ?? 0) - 1;
    return entry < 0 ? undefined : this.#offsets[entry];
  }

  set(partition: number, name: Uint8Array, offset: number): void {
    let slot = this.#slot(partition, name);
    let entry = (this.#slots[slot] ?? 0) - 1;
    if (entry < 0) {
      if (this.#count === this.#capacity) {
        this.#grow();
        slot = this.#slot(partition, name);
      }
      entry = this.#count++;
      this.#slots[slot] = entry + 1;
      this.#names.set(name, entry * NAME_BYTES);
      this.#lengths[entry] = name.length;
      this.#partitions[entry] = partition;
    }
    this.#offsets[entry] = offset;
  }

  clear(): void {
    this.#count = 0;
    this.#slots.fill(0);
  }

  /** The indices of all entries by name, then partition. */
  sorted(): Uint32Array {
    const order = new Uint32Array(this.#count);
    for (let entry = 0; entry < order.length; entry++) order[entry] = entry;
    return order.sort((a, b) => this.#compare(a, b));
  }

  /** A view that the next change of the table may change. */
  nameAt(entry: number): Uint8Array {
    const start = entry * NAME_BYTES;
    return this.#names.subarray(start, start + (this.#lengths[entry] ?? 0));
  }

  partitionAt(entry: number): number {
    return this.#partitions[entry] ?? 0;
  }

  offsetAt(entry: number): number {
    return this.#offsets[entry] ?? 0;
  }

  /** The slot of this name, or the free one where it belongs. */
  #slot(partition: number, name: Uint8Array): number {
    const mask = this.#slots.length - 1;
    // FNV-1a, and a last mix since only low bits are used.
    let hashed = 0x811c9dc5 ^ partition;
    for (let at = 0; at < name.length; at++) hashed = Math.imul(hashed ^ (name[at] ?? 0), 0x01000193);
    let slot = (hashed ^ (hashed >>> 15)) & mask;
    for (;;) {
      const entry = (this.#slots[slot] ?? 0) - 1;
      if (entry < 0 || this.#is(entry, partition, name)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #is(entry: number, partition: number, name: Uint8Array): boolean {
    if (this.#partitions[entry] !== partition || this.#lengths[entry] !== name.length) return false;
    const start = entry * NAME_BYTES;
    for (let at = 0; at < name.length; at++) if (this.#names[start + at] !== name[at]) return false;
    return true;
  }

  #compare(a: number, b: number): number {
    const [lengthA, lengthB] = [this.#lengths[a] ?? 0, this.#lengths[b] ?? 0];
    const common = Math.min(lengthA, lengthB);
    for (let at = 0; at < common; at++) {
      const difference = (this.#names[a * NAME_BYTES + at] ?? 0) - (this.#names[b * NAME_BYTES + at] ?? 0);
      if (difference !== 0) return difference;
    }
    return lengthA - lengthB || this.partitionAt(a) - this.partitionAt(b);
  }

  #grow(): void {
    const larger = new TailTable(this.#capacity * 2);
    for (let entry = 0; entry < this.#count; entry++)
      larger.set(this.partitionAt(entry), this.nameAt(entry), this.offsetAt(entry));
    this.#capacity = larger.#capacity;
    this.#names = larger.#names;
    this.#lengths = larger.#lengths;
    this.#partitions = larger.#partitions;
    this.#offsets = larger.#offsets;
    this.#slots = larger.#slots;
  }
}
