/** CRC-32C (Castagnoli), the checksum of record batches: eight bytes a step. Node has only CRC-32. */

const POLYNOMIAL = 0x82f63b78;
const STEP = 8;
/** By how many bytes follow within a step, times 256, and by the byte. */
const TABLE = new Int32Array(STEP * 256);

for (let byte = 0; byte < 256; byte++) {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ ((crc & 1) * POLYNOMIAL);
  TABLE[byte] = crc;
}
for (let at = 256; at < TABLE.length; at++) {
  const before = after(at - 256);
  TABLE[at] = after(before & 255) ^ (before >>> 8);
}

function after(at: number): number {
  return TABLE[at] ?? 0;
}

/** Of the bytes from `from` to before `to`, as an unsigned number. */
export function crc32c(bytes: Buffer, from: number, to: number): number {
  let crc = -1;
  let at = from;
  for (const last = to - STEP; at <= last; at += STEP) {
    const low = crc ^ word(bytes, at);
    const high = word(bytes, at + 4);
    crc =
      after(1792 + (low & 255)) ^
      after(1536 + ((low >>> 8) & 255)) ^
      after(1280 + ((low >>> 16) & 255)) ^
      after(1024 + (low >>> 24)) ^
      after(768 + (high & 255)) ^
      after(512 + ((high >>> 8) & 255)) ^
      after(256 + ((high >>> 16) & 255)) ^
      after(high >>> 24);
  }
  for (; at < to; at++) crc = after((crc ^ byteAt(bytes, at)) & 255) ^ (crc >>> 8);
  return ~crc >>> 0;
}

function byteAt(bytes: Buffer, at: number): number {
  return bytes[at] ?? 0;
}

/** Buffer's own way to read one takes longer. */
function word(bytes: Buffer, at: number): number {
  return (
    byteAt(bytes, at) |
    (byteAt(bytes, at + 1) << 8) |
    (byteAt(bytes, at + 2) << 16) |
    (byteAt(bytes, at + 3) << 24)
  );
}
