/**
 * Whose quota a request is taken from: a token's subject, or the address it came from. On Cloudflare the platform says that
 * in a header that nobody else can set. On workerd by itself it is whoever has connected; if that is a proxy that the
 * deployment names, the last of those that it says it asks for.
 */
import type { Principal } from "../principal.ts";
import { addressKey, isOwn } from "./address-key.ts";

export interface SenderSettings {
  /** "on": the runtime itself says who has connected. */
  readonly PEERS?: string;
  /** Addresses of proxies whose X-Forwarded-For counts, with commas between. */
  readonly PROXIES?: string;
}

/** What is looked at of a request; `cf` is what the runtime says of it. */
interface Asked {
  readonly headers: Headers;
  readonly cf?: unknown;
}

export interface Sender {
  readonly key: string;
  /** It asks from this machine. */
  readonly isOwn: boolean;
}

/** undefined if nobody knows. */
export function senderOf(request: Asked, principal: Principal, settings: SenderSettings): Sender | undefined {
  const address = settings.PEERS === "on" ? peerKey(request, settings) : headerKey(request);
  const own = address !== undefined && isOwn(address);
  if (principal.kind === "known")
    return { key: JSON.stringify([principal.issuer, principal.subject]), isOwn: own };
  return address === undefined ? undefined : { key: address, isOwn: own };
}

/** Throws if one is no address. */
export function readProxies(text: string | undefined): ReadonlySet<string> {
  const proxies = (text ?? "").split(",").map((proxy) => proxy.trim());
  const keys = new Set<string>();
  for (const proxy of proxies.filter((one) => one !== "")) {
    const key = addressKey(proxy);
    if (key === undefined) throw new Error(`PROXIES: ${proxy} is no IP address`);
    keys.add(key);
  }
  return keys;
}

function headerKey({ headers }: Asked): string | undefined {
  return addressKey(headers.get("CF-Connecting-IP") ?? "");
}

function peerKey({ cf, headers }: Asked, { PROXIES }: SenderSettings): string | undefined {
  const { clientIp } = (cf ?? {}) as { readonly clientIp?: unknown };
  // With its port, and brackets if it is of IPv6.
  const [, peer = ""] = /^\[?(.*?)\]?:\d+$/.exec(String(clientIp)) ?? [];
  const key = addressKey(peer);
  if (!PROXIES || key === undefined) return key;
  const proxies = readProxies(PROXIES);
  const hops = (headers.get("X-Forwarded-For") ?? "").split(",").map((hop) => addressKey(hop.trim()));
  // Each says whom it was asked by, behind what it was told; only what a proxy of ours says counts.
  let sender = key;
  while (proxies.has(sender)) {
    const before = hops.pop();
    if (before === undefined) break;
    sender = before;
  }
  return sender;
}
