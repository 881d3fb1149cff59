/**
 * CRC-32C (Castagnoli), the checksum of record batches. Node has only CRC-32.
 *
 * Eight bytes a step, and three stretches of the bytes side by side: a step waits for the one before it, so that one
 * stretch alone would leave the processor idle half of the time. Tables for sixteen bits a look-up would be quicker
 * in a loop, and slower where other work takes them out of the cache, as it does here.
 */

const POLYNOMIAL = 0x82f63b78;
const STEP_WORDS = 2;
const STRETCH_WORDS = 256;
const STRETCH_BYTES = 4 * STRETCH_WORDS;
/** Words are read as the processor has them; one that has them the other way round goes byte by byte. */
const IS_LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

const NO_WORDS = new Int32Array();

/** What a byte becomes. */
const BYTES = new Int32Array(256);
for (let byte = 0; byte < 256; byte++) {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ ((crc & 1) * POLYNOMIAL);
  BYTES[byte] = crc;
}

/** What each byte becomes with 0 to 7 bytes after it that are 0. */
const TABLE = new Int32Array(8 * 256);
for (let k = 0; k < 8; k++) TABLE.set(tableOf(0x100, 0, k + 1), k * 256);

/** What each byte of a sum becomes with a stretch of bytes after it that are 0. */
const SHIFTED = [0, 8, 16, 24].map((shift) => tableOf(0x100, shift, STRETCH_BYTES));
const [SHIFTED_0 = BYTES, SHIFTED_1 = BYTES, SHIFTED_2 = BYTES, SHIFTED_3 = BYTES] = SHIFTED;

/** Of the bytes from `from` to before `to`, as an unsigned number. */
export function crc32c(bytes: Buffer, from: number, to: number): number {
  const misaligned = (bytes.byteOffset + from) & 3;
  const first = misaligned === 0 ? from : Math.min(to, from + 4 - misaligned);
  let crc = byBytes(-1, bytes, from, first);

  const words = IS_LITTLE_ENDIAN ? ((to - first) >>> 3) * STEP_WORDS : 0;
  const word = words === 0 ? NO_WORDS : new Int32Array(bytes.buffer, bytes.byteOffset + first, words);
  let at = 0;
  for (; at + 3 * STRETCH_WORDS <= words; at += 2 * STRETCH_WORDS) {
    let second = 0;
    let third = 0;
    for (const end = at + STRETCH_WORDS; at < end; at += STEP_WORDS) {
      crc = step(crc ^ (word[at] ?? 0), word[at + 1] ?? 0);
      second = step(second ^ (word[at + STRETCH_WORDS] ?? 0), word[at + STRETCH_WORDS + 1] ?? 0);
      third = step(third ^ (word[at + 2 * STRETCH_WORDS] ?? 0), word[at + 2 * STRETCH_WORDS + 1] ?? 0);
    }
    crc = shifted(shifted(crc) ^ second) ^ third;
  }
  for (; at < words; at += STEP_WORDS) crc = step(crc ^ (word[at] ?? 0), word[at + 1] ?? 0);
  return ~byBytes(crc, bytes, first + 4 * words, to) >>> 0;
}

function step(one: number, two: number): number {
  return (
    (TABLE[1792 + (one & 255)] ?? 0) ^
    (TABLE[1536 + ((one >>> 8) & 255)] ?? 0) ^
    (TABLE[1280 + ((one >>> 16) & 255)] ?? 0) ^
    (TABLE[1024 + (one >>> 24)] ?? 0) ^
    (TABLE[768 + (two & 255)] ?? 0) ^
    (TABLE[512 + ((two >>> 8) & 255)] ?? 0) ^
    (TABLE[256 + ((two >>> 16) & 255)] ?? 0) ^
    (TABLE[two >>> 24] ?? 0)
  );
}

function shifted(crc: number): number {
  return (
    (SHIFTED_0[crc & 0xff] ?? 0) ^
    (SHIFTED_1[(crc >>> 8) & 0xff] ?? 0) ^
    (SHIFTED_2[(crc >>> 16) & 0xff] ?? 0) ^
    (SHIFTED_3[crc >>> 24] ?? 0)
  );
}

function byBytes(before: number, bytes: Buffer, from: number, to: number): number {
  let crc = before;
  for (let at = from; at < to; at++) crc = byByte(crc ^ (bytes[at] ?? 0));
  return crc;
}

function byByte(crc: number): number {
  return (BYTES[crc & 0xff] ?? 0) ^ (crc >>> 8);
}

/** What each number of so few bits becomes that lies `shift` bits up, after so many bytes. A sum becomes the sum. */
function tableOf(size: number, shift: number, bytes: number): Int32Array {
  const table = new Int32Array(size);
  for (let bit = 1; bit < size; bit *= 2) {
    let crc = bit << shift;
    for (let count = 0; count < bytes; count++) crc = byByte(crc);
    for (let lower = 0; lower < bit; lower++) table[bit + lower] = crc ^ (table[lower] ?? 0);
  }
  return table;
}
