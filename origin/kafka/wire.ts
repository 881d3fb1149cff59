/** Reads the numbers of Kafka's binary protocol. */

/** The bytes end early, or hold a number that can't be. */
export class WireError extends Error {
  /** The offset of what follows the part that can't be read, if that is known. */
  readonly nextOffset: number | undefined;

  constructor(message: string, nextOffset?: number, options?: ErrorOptions) {
    super(message, options);
    this.name = "WireError";
    this.nextOffset = nextOffset;
  }
}

/** A number of 64 bits: a bigint where a number isn't exact. */
export type Long = number | bigint;

/** As Java adds. */
export function sumOf(a: Long, b: Long): Long {
  if (typeof a === "number" && typeof b === "number" && Number.isSafeInteger(a + b)) return a + b;
  return longOf(BigInt.asIntN(64, BigInt(a) + BigInt(b)));
}

function longOf(value: bigint): Long {
  const inexact = Number(value);
  return Number.isSafeInteger(inexact) ? inexact : value;
}

/** A record's time, or undefined (F2): -1 is Kafka's word for none, and no clock has set what else is left out. */
export function timeOf(timestamp: Long): number | undefined {
  return typeof timestamp === "number" && timestamp >= 0 ? timestamp : undefined;
}

const VARINT_BITS = 35;
const VARLONG_BITS = 70;

function zigzag(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}

export class WireReader {
  readonly bytes: Buffer;
  offset: number;
  readonly end: number;

  constructor(bytes: Buffer, offset = 0, end = bytes.length) {
    this.bytes = bytes;
    this.offset = offset;
    this.end = end;
  }

  int8(): number {
    return this.bytes.readInt8(this.#take(1));
  }

  int16(): number {
    return this.bytes.readInt16BE(this.#take(2));
  }

  int32(): number {
    return this.bytes.readInt32BE(this.#take(4));
  }

  /** Times, which anyone may have set to anything, and ids, which a log may draw from all that there are. */
  long(): Long {
    const at = this.#take(8);
    const value = this.bytes.readInt32BE(at) * 2 ** 32 + this.bytes.readUInt32BE(at + 4);
    return Number.isSafeInteger(value) ? value : this.bytes.readBigInt64BE(at);
  }

  /** Offsets. */
  int64(): number {
    const value = this.long();
    if (typeof value === "bigint") throw new WireError("a number of 64 bits is too large");
    return value;
  }

  uvarint(): number {
    return this.#unsigned(VARINT_BITS);
  }

  /** Zigzag, as within record batches. */
  varint(): number {
    return zigzag(this.#unsigned(VARINT_BITS));
  }

  /** Zigzag of up to 64 bits: differences of times, mostly, which may be as wide as these. */
  varlong(): Long {
    const from = this.offset;
    const value = this.#unsigned(VARLONG_BITS);
    if (value <= Number.MAX_SAFE_INTEGER) return zigzag(value);
    let exact = 0n;
    for (let at = from; at < this.offset; at++)
      exact += BigInt((this.bytes[at] ?? 0) & 0x7f) << BigInt(7 * (at - from));
    exact = BigInt.asUintN(64, exact);
    return longOf((exact >> 1n) ^ -(exact & 1n));
  }

  slice(length: number): Buffer {
    const at = this.#take(length);
    return this.bytes.subarray(at, at + length);
  }

  skip(length: number): void {
    this.#take(length);
  }

  #unsigned(bits: number): number {
    // Nearly all have one byte or two, and each record has several.
    const at = this.offset;
    if (at + 1 < this.end) {
      const first = this.bytes[at] ?? 0;
      const second = this.bytes[at + 1] ?? 0;
      if (first < 0x80) {
        this.offset = at + 1;
        return first;
      }
      if (second < 0x80) {
        this.offset = at + 2;
        return (first & 0x7f) | (second << 7);
      }
    }
    let value = 0;
    for (let shift = 0; shift < bits; shift += 7) {
      const byte = this.bytes[this.#take(1)] ?? 0;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new WireError("a varint is too long");
  }

  #take(length: number): number {
    const at = this.offset;
    if (length < 0 || at + length > this.end)
      throw new WireError(`${length} bytes are wanted where ${this.end - at} are left`);
    this.offset = at + length;
    return at;
  }
}
