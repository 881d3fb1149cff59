/** Pieces of Kafka's protocol, as a broker writes them. */
export const int = (bytes: number, value: number | bigint): Buffer => {
  const buffer = Buffer.alloc(bytes);
  if (bytes === 8) buffer.writeBigInt64BE(BigInt(value));
  else buffer.writeIntBE(Number(value), 0, bytes);
  return buffer;
};
export const byte = (value: number): Buffer => Buffer.from([value]);
export const whole = (...parts: readonly Buffer[]): Buffer => Buffer.concat(parts);
export const compact = (text: string): Buffer => whole(byte(text.length + 1), Buffer.from(text));
export const list = (...items: readonly Buffer[]): Buffer => whole(byte(items.length + 1), ...items);
export const NO_TAGS = byte(0);
export const NULL = byte(0);
/** No tags, and no time for which the asker is throttled. */
export const BEGIN = whole(NO_TAGS, int(4, 0));
export const TOPIC_ID = Buffer.alloc(16, 7);
