/** A key as a map's key: each byte one character, so that keys that aren't UTF-8 stay apart. */
export function keyText(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
}
