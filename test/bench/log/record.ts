/** The records of a scenario: each says its number in its partition, and when it was handed to its write. */

const NUMBER_AT = 0;
const TIME_AT = 8;
const LEAST_BYTES = 16;

export function recordValue(bytes: number, sequence: number): Buffer {
  const value = Buffer.alloc(bytes, "x");
  value.writeDoubleBE(sequence, NUMBER_AT);
  value.writeDoubleBE(performance.now(), TIME_AT);
  return value;
}

/** undefined: it is none of a scenario's. */
export function readValue(
  value: Uint8Array | null,
): { readonly sequence: number; readonly writtenAt: number } | undefined {
  if (value === null || value.length < LEAST_BYTES) return undefined;
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  return { sequence: view.getFloat64(NUMBER_AT), writtenAt: view.getFloat64(TIME_AT) };
}
