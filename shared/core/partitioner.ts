/**
 * Kafka's default partitioner, so that a key lies in the same partition whether the log is Kafka's or the
 * embedded one. After org.apache.kafka.common.utils.Utils.murmur2, its seed and constants included.
 */
const SEED = 0x9747b28c;
const M = 0x5bd1e995;

/** A signed 32-bit number. */
export function murmur2(bytes: Uint8Array): number {
  const { length } = bytes;
  const tail = length & ~3;
  const at = (index: number) => bytes[index] ?? 0;

  let hash = SEED ^ length;
  for (let i = 0; i < tail; i += 4) {
    let word = at(i) | (at(i + 1) << 8) | (at(i + 2) << 16) | (at(i + 3) << 24);
    word = Math.imul(word, M);
    word = Math.imul(word ^ (word >>> 24), M);
    hash = Math.imul(hash, M) ^ word;
  }
  if (length > tail) {
    // Past the end there are zeros, which change nothing.
    hash = Math.imul(hash ^ at(tail) ^ (at(tail + 1) << 8) ^ (at(tail + 2) << 16), M);
  }
  hash = Math.imul(hash ^ (hash >>> 13), M);
  return hash ^ (hash >>> 15);
}

/** The partition of a key among `partitions`. */
export function partitionOf(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions;
}
