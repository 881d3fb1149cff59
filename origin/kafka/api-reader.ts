/** Reads answers of Kafka's binary protocol: lengths are compact, and tagged fields are there, in flexible versions only. */
import { WireReader } from "./wire.ts";

/** As most partitions have in an answer. */
const NO_BYTES = Buffer.alloc(0);
/** Hardly anything has any. */
const NO_TAGS: readonly number[] = [];

export class ApiReader extends WireReader {
  readonly version: number;
  readonly #isFlexible: boolean;

  constructor(bytes: Buffer, version: number, isFlexible: boolean) {
    super(bytes);
    this.version = version;
    this.#isFlexible = isFlexible;
  }

  /** A topic's id. */
  uuid(): Buffer {
    return this.slice(16);
  }

  string(): string | null {
    const length = this.#isFlexible ? this.uvarint() - 1 : this.int16();
    return length < 0 ? null : this.slice(length).toString();
  }

  bytesField(): Buffer | null {
    const length = this.#length();
    if (length === 0) return NO_BYTES;
    return length < 0 ? null : this.slice(length);
  }

  /** A null array is an empty one. */
  array<T>(item: () => T): T[] {
    const items: T[] = [];
    for (let left = this.arrayLength(); left > 0; left--) items.push(item());
    return items;
  }

  /** So many items follow, or a null array, of less than none. */
  arrayLength(): number {
    return this.#length();
  }

  /** The tagged fields that are there; what they hold is passed over. */
  tags(): readonly number[] {
    let left = this.#isFlexible ? this.uvarint() : 0;
    if (left === 0) return NO_TAGS;
    const tags: number[] = [];
    for (; left > 0; left--) {
      tags.push(this.uvarint());
      this.skip(this.uvarint());
    }
    return tags;
  }

  #length(): number {
    return this.#isFlexible ? this.uvarint() - 1 : this.int32();
  }
}
