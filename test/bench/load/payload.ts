/**
 * What an update carries: when it was due, its number on its endpoint, and as many other bytes as asked for. Random
 * bytes by default, since those can't be compressed and travel as they are; JSON where it is asked for.
 *
 *   bytes   0xff, u24 run, u32 sequence, f64 due, random bytes       (big-endian)
 *   JSON    {"due":123456.789,"seq":12,"run":345,"pad":"…"}, without a run that is 0
 */
import { randomBytes } from "node:crypto";

export interface Stamp {
  /** Microseconds of the machine's clock. */
  readonly due: number;
  /** Counts from 0 on each endpoint. */
  readonly sequence: number;
  /** Of the publisher, which counts anew: 0, or its own where several may write to a topic one after the other. */
  readonly run: number;
}

export const MIN_BYTES = 16;
export const MIN_JSON_BYTES = 64;
/** What fits the shortest JSON. */
export const MAX_RUN = 999_999;

/** No UTF-8 text has this byte, so that the value is bytes to whoever looks. */
const NOT_TEXT = 0xff;
const POOL_BYTES = 1 << 20;

export class Payloads {
  readonly #bytes: number;
  readonly #json: boolean;
  readonly #run: number;
  readonly #pool: Buffer;
  #at = 0;

  /** Throws RangeError where the stamp doesn't fit. */
  constructor(bytes: number, json: boolean, run = 0) {
    const least = json ? MIN_JSON_BYTES : MIN_BYTES;
    if (!Number.isInteger(bytes) || bytes < least)
      throw new RangeError(`a payload has ${least} bytes or more, not ${bytes}`);
    this.#bytes = bytes;
    this.#json = json;
    this.#run = run;
    this.#pool = randomBytes(POOL_BYTES + bytes);
  }

  encode({ due, sequence }: Omit<Stamp, "run">): Buffer {
    this.#at = (this.#at + this.#bytes + 1) % POOL_BYTES;
    const filler = this.#pool.subarray(this.#at, this.#at + this.#bytes);
    if (this.#json) {
      const run = this.#run === 0 ? "" : `"run":${this.#run},`;
      const head = `{"due":${due.toFixed(3)},"seq":${sequence},${run}"pad":"`;
      const room = Math.max(0, this.#bytes - head.length - 2);
      return Buffer.from(`${head}${filler.toString("hex", 0, room).slice(0, room)}"}`);
    }
    const payload = Buffer.from(filler);
    payload[0] = NOT_TEXT;
    payload.writeUIntBE(this.#run, 1, 3);
    payload.writeUInt32BE(sequence, 4);
    payload.writeDoubleBE(due, 8);
    return payload;
  }
}

/** The stamp of a payload of bytes that begins at `at`. */
export function readStamp(bytes: Buffer, at: number): Stamp {
  return {
    sequence: bytes.readUInt32BE(at + 4),
    due: bytes.readDoubleBE(at + 8),
    run: bytes.readUIntBE(at + 1, 3),
  };
}

/** The stamp of a payload that was JSON; undefined if it is none of ours. */
export function stampOf(value: unknown): Stamp | undefined {
  if (typeof value !== "object" || value === null || !("due" in value) || !("seq" in value)) return undefined;
  const { due, seq } = value;
  const run = "run" in value ? value.run : 0;
  if (typeof due !== "number" || typeof seq !== "number" || typeof run !== "number") return undefined;
  return { due, sequence: seq, run };
}
