/**
 * How the Worker knows addresses behind the gate: that dials workerd from an address of 127.0.0.0/8 which stands for its
 * client's. Which one is a hash with a seed of this process, so that nobody outside can choose to share another's.
 */
import { createHash, randomBytes } from "node:crypto";
import { isOwn } from "../http/address-key.ts";

const seed = randomBytes(16);

/** This machine's own stay what they are. Only Linux has all of that network. */
export function sourceOf(key: string): string | undefined {
  if (process.platform !== "linux") return undefined;
  if (isOwn(key)) return key === "::1" ? "127.0.0.1" : key;
  const [a = 0, b = 0, c = 0] = createHash("sha256").update(seed).update(key).digest();
  return `127.${128 + (a & 127)}.${b}.${c}`;
}
