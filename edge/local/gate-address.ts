/**
 * How the Worker knows addresses behind the gate: that dials workerd from an address of 127.0.0.0/8 which stands for its
 * client's. Which one is a hash with a seed of this process, so that nobody outside can choose to share another's.
 */
import { createHash, randomBytes } from "node:crypto";
import { isIPv4, isIPv6 } from "node:net";

const seed = randomBytes(16);

/** What counts as one address: of IPv6 the network of a subscriber, 64 bits. */
export function addressKey(address: string): string {
  const mapped = /^::ffff:([\d.]+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!isIPv6(address)) return address;
  const [left = "", right] = address.split("%")[0]?.split("::") ?? [];
  const head = left === "" ? [] : left.split(":");
  const tail = right === undefined || right === "" ? [] : right.split(":");
  const zeros = right === undefined ? 0 : 8 - head.length - tail.length;
  const groups = [...head, ...Array<string>(Math.max(0, zeros)).fill("0"), ...tail];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":")}::/64`;
}

/** This machine's own stay what they are. */
export function sourceOf(key: string): string {
  if (isIPv4(key) && key.startsWith("127.")) return key;
  const [a = 0, b = 0, c = 0] = createHash("sha256").update(seed).update(key).digest();
  return `127.${128 + (a & 127)}.${b}.${c}`;
}
