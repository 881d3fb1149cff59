/**
 * Which objects a shard can dial: L1 of INTERNALS.md. An identity is all that it takes to find an object and to greet it
 * when the shard's memory is gone. It is kept and compared as it is written: a kind, a space, and what that kind goes by.
 * Only this file and openLink() in routing.ts look into one.
 */
import { shardOf } from "../shared/protocol/address.ts";
import { isRoom } from "./relay/rooms.ts";

/**
 * The object of one endpoint goes by its path, from which its name follows; a long path isn't in the name. So does one that
 * relays it to subscribers for whom that has no room (A11), by its path and its name. One of many goes by its name.
 */
export type ObjectIdentity = `endpoint ${string}` | `relay ${string}`;

/** What an object is found by. */
export type KnownObject =
  | { readonly kind: "endpoint"; readonly path: string; readonly relay: string | undefined }
  | { readonly kind: "relay"; readonly name: string };

/** A region, and a number. */
const RELAY_NAME = /^[a-z-]{2,8}-[0-9]{1,4}$/;

/** @param relay undefined: the endpoint's own object. */
export function endpointObject(path: string, relay?: string): ObjectIdentity {
  return relay === undefined ? `endpoint ${path}` : `endpoint ${path} ${relay}`;
}

export function relayObject(name: string): ObjectIdentity {
  return `relay ${name}`;
}

export function objectOf(identity: ObjectIdentity): KnownObject {
  const [kind, by = "", relay] = identity.split(" ");
  return kind === "relay" ? { kind, name: by } : { kind: "endpoint", path: by, relay };
}

/** Whether it holds many endpoints. */
export function isOfMany(identity: ObjectIdentity): boolean {
  return identity.startsWith("relay ");
}

/** Whether updates for it are gathered (L15): it holds many endpoints, and has updates of most of them. */
export function isGathered(identity: ObjectIdentity): boolean {
  return isOfMany(identity) && !isRoom(identity.slice("relay ".length));
}

/** undefined if this version knows no such object. */
export function readIdentity(text: string): ObjectIdentity | undefined {
  const [kind, by = "", relay, ...more] = text.split(" ");
  if (more.length > 0 || (relay !== undefined && !RELAY_NAME.test(relay))) return undefined;
  if (kind === "endpoint" && by.startsWith("/")) return endpointObject(by, relay);
  return kind === "relay" && relay === undefined && RELAY_NAME.test(by) ? relayObject(by) : undefined;
}

/** Whether a shard may have to dial it: each may that of many endpoints, which says so if it has none of that shard's. */
export function isDialledBy(identity: ObjectIdentity, shard: number, shards: number): boolean {
  const object = objectOf(identity);
  return object.kind === "relay" || shardOf(object.path, shards) === shard;
}
