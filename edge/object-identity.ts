/**
 * Which objects a shard can dial: L1 of INTERNALS.md. An identity is all that it takes to find an object and to greet it
 * when the shard's memory is gone. It is kept and compared as it is written: a kind, a space, and what that kind goes by.
 * Only this file and openLink() in routing.ts look into one.
 */
import { shardOf } from "../shared/protocol/address.ts";

/** The object of one endpoint goes by its path, from which its name follows; a long path isn't in the name. */
export type ObjectIdentity = `endpoint ${string}`;

const ENDPOINT = "endpoint ";

export function endpointObject(path: string): ObjectIdentity {
  return `endpoint ${path}`;
}

export function pathOf(object: ObjectIdentity): string {
  return object.slice(ENDPOINT.length);
}

/** undefined if this version knows no such object. */
export function readIdentity(text: string): ObjectIdentity | undefined {
  return text.startsWith(`${ENDPOINT}/`) ? endpointObject(text.slice(ENDPOINT.length)) : undefined;
}

/** The shard that dials it. */
export function shardOfObject(object: ObjectIdentity, shards: number): number {
  return shardOf(pathOf(object), shards);
}
