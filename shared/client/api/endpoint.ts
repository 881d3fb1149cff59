/** How an application says which endpoint it means. */
import { endpointPath, isTopicName } from "../../protocol/address.ts";
import { endpointOf, SubscribeError } from "../endpoint-url.ts";

/** Its path, in whatever spelling, or its topic and key. */
export type Endpoint = string | { readonly topic: string; readonly key: string | Uint8Array };

const encoder = new TextEncoder();

/** Its canonical path at an edge. Throws SubscribeError. */
export function canonicalPath(endpoint: Endpoint, edge: URL): string {
  if (typeof endpoint === "string") return endpointOf(endpoint, edge);
  const { topic, key } = endpoint;
  if (!isTopicName(topic)) throw new SubscribeError("bad_address", `no name of a topic: ${topic}`);
  return endpointOf(endpointPath(topic, typeof key === "string" ? encoder.encode(key) : key), edge);
}
