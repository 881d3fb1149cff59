/** Writes requests of Kafka's binary protocol: lengths are compact, and tagged fields are there, in flexible versions only. */
import type { Long } from "./wire.ts";

const FIRST_BYTES = 512;

export class ApiWriter {
  readonly version: number;
  readonly #isFlexible: boolean;
  #buffer = Buffer.allocUnsafe(FIRST_BYTES);
  #length = 0;

  constructor(version: number, isFlexible: boolean) {
    this.version = version;
    this.#isFlexible = isFlexible;
  }

  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  boolean(value: boolean): this {
    return this.int8(value ? 1 : 0);
  }

  int8(value: number): this {
    const at = this.#grow(1);
    this.#buffer.writeInt8(value, at);
    return this;
  }

  int16(value: number): this {
    const at = this.#grow(2);
    this.#buffer.writeInt16BE(value, at);
    return this;
  }

  int32(value: number): this {
    const at = this.#grow(4);
    this.#buffer.writeInt32BE(value, at);
    return this;
  }

  int64(value: Long): this {
    const at = this.#grow(8);
    if (typeof value === "number") {
      this.#buffer.writeInt32BE(Math.floor(value / 2 ** 32), at);
      this.#buffer.writeInt32BE(value | 0, at + 4);
    } else this.#buffer.writeBigInt64BE(value, at);
    return this;
  }

  uuid(id: Uint8Array): this {
    return this.raw(id);
  }

  /** Without their length. */
  raw(bytes: Uint8Array): this {
    const at = this.#grow(bytes.length);
    this.#buffer.set(bytes, at);
    return this;
  }

  string(text: string | null): this {
    const bytes = text === "" ? NOTHING : text === null ? null : Buffer.from(text);
    if (this.#isFlexible) return this.bytesField(bytes);
    if (bytes === null) return this.int16(-1);
    return this.int16(bytes.length).raw(bytes);
  }

  bytesField(bytes: Uint8Array | null): this {
    const length = bytes?.length ?? -1;
    return (this.#isFlexible ? this.#uvarint(length + 1) : this.int32(length)).raw(bytes ?? NOTHING);
  }

  /** null is another thing than an empty one. */
  array<T>(items: readonly T[] | null, write: (item: T) => void): this {
    this.arrayOf(items?.length ?? -1);
    for (const item of items ?? []) write(item);
    return this;
  }

  /** So many items follow. */
  arrayOf(length: number): this {
    return this.#isFlexible ? this.#uvarint(length + 1) : this.int32(length);
  }

  /** None, which flexible versions say. */
  tags(): this {
    return this.#isFlexible ? this.#uvarint(0) : this;
  }

  #uvarint(value: number): this {
    let left = value;
    for (; left >= 0x80; left = Math.floor(left / 0x80)) {
      const at = this.#grow(1);
      this.#buffer[at] = (left % 0x80) | 0x80;
    }
    const at = this.#grow(1);
    this.#buffer[at] = left;
    return this;
  }

  /** Returns where so many bytes go. */
  #grow(bytes: number): number {
    const at = this.#length;
    this.#length += bytes;
    if (this.#length > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(2 * this.#length);
      larger.set(this.#buffer.subarray(0, at));
      this.#buffer = larger;
    }
    return at;
  }
}

const NOTHING = new Uint8Array(0);
