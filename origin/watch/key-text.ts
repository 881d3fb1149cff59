/** A key as a map's key: each byte one character, so that keys that aren't UTF-8 stay apart. */
export function keyText(key: Uint8Array): string {
  // Of every record that is read: those of Kafka come as buffers, and need no other made of them.
  const bytes = key instanceof Buffer ? key : Buffer.from(key.buffer, key.byteOffset, key.byteLength);
  return bytes.toString("latin1");
}
