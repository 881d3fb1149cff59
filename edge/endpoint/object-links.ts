/**
 * The links of an object, one for each shard that it needs, and which sockets they are: L3 of INTERNALS.md.
 */
import type { Frame } from "../../shared/protocol/frame.ts";
import { decodeLinkDown } from "../../shared/protocol/link.ts";
import { VERSION } from "../../shared/protocol/version.ts";
import { closeQuietly, type HibernatingPeer } from "../peer.ts";
import { type LinkIdentity, loadLink } from "./attachment.ts";

export interface ObjectLink {
  readonly socket: HibernatingPeer;
  readonly hello: LinkIdentity;
  /** As many as its shard had when it said hello (L10). */
  readonly revocations: number;
}

export class ObjectLinks {
  readonly #byShard = new Map<number, ObjectLink>();
  readonly #bySocket = new Map<HibernatingPeer, ObjectLink>();
  /** One of these, the newest: that of one endpoint has no other, and is looked up several times for an update. */
  #newest: ObjectLink | undefined;

  /** Goes on with the sockets that outlived a hibernation. */
  constructor(sockets: readonly HibernatingPeer[]) {
    for (const socket of sockets) {
      const facts = loadLink(socket);
      if (facts?.hello === undefined) continue;
      const { hello, revocations } = facts;
      const before = this.#byShard.get(hello.shard);
      if (before === undefined || isNewer(hello, before.hello))
        this.#set({ socket, hello, revocations: revocations.count });
    }
  }

  of(shard: number): ObjectLink | undefined {
    if (this.#newest?.hello.shard === shard) return this.#newest;
    return this.#byShard.get(shard);
  }

  all(): Iterable<ObjectLink> {
    return this.#byShard.values();
  }

  /** undefined if the socket isn't a link, not yet or no more. */
  on(socket: HibernatingPeer): ObjectLink | undefined {
    if (this.#newest?.socket === socket) return this.#newest;
    return this.#bySocket.get(socket);
  }

  /**
   * Reads the first frame of a socket. Returns the link that it is from now on, the one of that shard before it closed; or
   * undefined if it is none, and then it was closed.
   */
  greet(socket: HibernatingPeer, frame: Frame | undefined): ObjectLink | undefined {
    const says = typeof frame === "string" ? decodeLinkDown(frame) : undefined;
    if (!says?.ok || says.value.kind !== "hello") {
      // One that was replaced may still send until it hears of it.
      const facts = loadLink(socket);
      if (facts !== undefined && facts.hello === undefined) closeQuietly(socket, "bad_frame");
      return undefined;
    }
    const { version, revocations = 0, ...hello } = says.value.hello;
    if (version !== VERSION) {
      closeQuietly(socket, "unsupported_version");
      return undefined;
    }
    const before = this.#byShard.get(hello.shard);
    const isOlder = before !== undefined && !isNewer(hello, before.hello);
    const replaced = isOlder ? socket : before?.socket;
    if (replaced !== undefined) closeQuietly(replaced, "replaced");
    return isOlder ? undefined : this.#set({ socket, hello, revocations });
  }

  /** Returns the link that the socket was. */
  remove(socket: HibernatingPeer): ObjectLink | undefined {
    const link = this.#bySocket.get(socket);
    if (link === undefined) return undefined;
    this.#bySocket.delete(socket);
    this.#byShard.delete(link.hello.shard);
    if (this.#newest === link) this.#newest = undefined;
    return link;
  }

  #set(link: ObjectLink): ObjectLink {
    const { socket, hello } = link;
    const before = this.#byShard.get(hello.shard);
    if (before !== undefined) this.#bySocket.delete(before.socket);
    this.#byShard.set(hello.shard, link);
    this.#bySocket.set(socket, link);
    this.#newest = link;
    return link;
  }
}

function isNewer(a: LinkIdentity, b: LinkIdentity): boolean {
  return a.generation > b.generation || (a.generation === b.generation && a.dial > b.dial);
}
