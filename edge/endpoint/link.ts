/**
 * Which of the sockets that a shard dialled is an object's link: L3 of INTERNALS.md.
 */
import type { Frame } from "../../shared/protocol/frame.ts";
import { decodeLinkDown, type LinkHello } from "../../shared/protocol/link.ts";
import { VERSION } from "../../shared/protocol/version.ts";
import { closeQuietly, type HibernatingPeer } from "../peer.ts";
import { type LinkFacts, loadLink } from "./attachment.ts";

export interface Link {
  readonly socket: HibernatingPeer;
  readonly hello: Omit<LinkHello, "version">;
}

/** The link among the sockets that outlived a hibernation, and what was written on it. */
export function survivingLink(
  sockets: readonly HibernatingPeer[],
): { readonly link: Link; readonly facts: LinkFacts } | undefined {
  let newest: { link: Link; facts: LinkFacts } | undefined;
  for (const socket of sockets) {
    const facts = loadLink(socket);
    if (facts === undefined || facts.dial === 0) continue;
    const { shard, generation, dial } = facts;
    const hello = { shard, generation, dial };
    if (newest === undefined || isNewer(hello, newest.link.hello))
      newest = { link: { socket, hello }, facts };
  }
  return newest;
}

/**
 * Reads the first frame of a socket. Returns the link that it is from now on, the one before it closed; or
 * undefined where it is none, and then it was closed.
 */
export function greet(
  socket: HibernatingPeer,
  frame: Frame | undefined,
  before: Link | undefined,
): Link | undefined {
  const says = typeof frame === "string" ? decodeLinkDown(frame) : undefined;
  if (!says?.ok || says.value.kind !== "hello") {
    // One that was replaced may still send until it hears of it.
    if (loadLink(socket)?.dial === 0) closeQuietly(socket, "bad_frame");
    return undefined;
  }
  const { version, ...hello } = says.value.hello;
  if (version !== VERSION) {
    closeQuietly(socket, "unsupported_version");
    return undefined;
  }
  const isOlder = before !== undefined && before.hello.shard === hello.shard && !isNewer(hello, before.hello);
  const replaced = isOlder ? socket : before?.socket;
  if (replaced !== undefined) closeQuietly(replaced, "replaced");
  return isOlder ? undefined : { socket, hello };
}

function isNewer(a: Link["hello"], b: Link["hello"]): boolean {
  return a.generation > b.generation || (a.generation === b.generation && a.dial > b.dial);
}
