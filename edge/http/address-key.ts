/** What counts as one address: of IPv6 the network that one subscriber is given, 64 bits. Pure. */

const IPV4 = /^\d{1,3}(?:\.\d{1,3}){3}$/;

/** undefined if it is no address. */
export function addressKey(address: string): string | undefined {
  if (IPV4.test(address)) return address;
  const [unscoped = ""] = address.split("%");
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(unscoped)?.[1] ?? unscoped;
  if (IPV4.test(mapped)) return mapped;
  if (!/^[\da-f:]+(?::\d+\.\d+\.\d+\.\d+)?$/i.test(unscoped) || !unscoped.includes(":")) return undefined;
  if (!URL.canParse(`http://[${unscoped}]`)) return undefined;
  // As URLs have it: lower case, and the longest run of zeros left out.
  const { hostname } = new URL(`http://[${unscoped}]`);
  const written = hostname.slice(1, -1);
  if (written === "::1") return written;
  const [left = "", right] = written.split("::");
  const head = left === "" ? [] : left.split(":");
  const tail = right ? right.split(":") : [];
  const groups = [...head, ...Array<string>(8 - head.length - tail.length).fill("0"), ...tail];
  return `${groups.slice(0, 4).join(":")}::/64`;
}

/** Whether it is this machine's own. The other half of 127.0.0.0/8 stands for addresses of others, behind the local gate. */
export function isOwn(key: string): boolean {
  if (key === "::1") return true;
  const second = /^127\.(\d+)\./.exec(key)?.[1];
  return second !== undefined && Number(second) < 128;
}
