/**
 * CRC-32C (Castagnoli), the sum of a record batch: a broker hands on what is on its disk without looking. Node
 * has another CRC-32 only, so this takes eight bytes at a time by tables.
 */
const POLYNOMIAL = 0x82f63b78;
const BYTES = 8;

/** TABLES[256 * k + b]: what the byte b does to the sum when k more bytes follow it. */
const TABLES = new Int32Array(256 * BYTES);
for (let byte = 0; byte < 256; byte++) {
  let sum = byte;
  for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? POLYNOMIAL : 0);
  TABLES[byte] = sum;
}
for (let at = 256; at < TABLES.length; at++) {
  const before = table(at - 256);
  TABLES[at] = (before >>> 8) ^ table(before & 0xff);
}

function table(at: number): number {
  return TABLES[at] ?? 0;
}

/** As an unsigned number of 32 bits. */
export function crc32c(bytes: Uint8Array): number {
  const { length } = bytes;
  let sum = -1;
  let at = 0;
  for (const end = length - (length % BYTES); at < end; at += BYTES) {
    sum ^=
      byteOf(bytes, at) |
      (byteOf(bytes, at + 1) << 8) |
      (byteOf(bytes, at + 2) << 16) |
      (byteOf(bytes, at + 3) << 24);
    sum =
      table(1_792 + (sum & 0xff)) ^
      table(1_536 + ((sum >>> 8) & 0xff)) ^
      table(1_280 + ((sum >>> 16) & 0xff)) ^
      table(1_024 + (sum >>> 24)) ^
      table(768 + byteOf(bytes, at + 4)) ^
      table(512 + byteOf(bytes, at + 5)) ^
      table(256 + byteOf(bytes, at + 6)) ^
      table(byteOf(bytes, at + 7));
  }
  for (; at < length; at++) sum = (sum >>> 8) ^ table((sum ^ byteOf(bytes, at)) & 0xff);
  return ~sum >>> 0;
}

function byteOf(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0;
}
