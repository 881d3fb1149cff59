/**
 * The link of the object of one endpoint, to the shard of its path: L1, L3 and L9 of INTERNALS.md. What must outlive the memory of
 * its endpoint state stands on it.
 */
import type { Frame } from "../../shared/protocol/frame.ts";
import { encodeEmpty, encodeWakeAt } from "../../shared/protocol/link.ts";
import type { Message } from "../../shared/protocol/message.ts";
import { closeQuietly, type HibernatingPeer, sendQuietly } from "../peer.ts";
import { type Carried, type LinkFacts, loadLink, type RevocationFacts, saveLink } from "./attachment.ts";
import { LinkSeeker, type LinkSeekerPorts } from "./link-seeker.ts";
import { type ObjectLink, ObjectLinks } from "./object-links.ts";

export interface OwnLinkPorts extends LinkSeekerPorts {
  /** No link can be had. */
  gaveUp(): void;
  /** What stands on it: the endpoint state. */
  state(): Carried;
  /** And what its shard has said of tokens. */
  revocations(): RevocationFacts;
}

export class OwnLink {
  readonly #ports: OwnLinkPorts;
  readonly #path: string;
  readonly #shard: number;
  readonly #links: ObjectLinks;
  readonly #seeker: LinkSeeker;
  /** When the shard was last asked to wake the object (L9). */
  #wakeAt: number | undefined;

  /** @param sockets Of links, which outlived a hibernation. */
  constructor(ports: OwnLinkPorts, path: string, shard: number, sockets: readonly HibernatingPeer[]) {
    this.#ports = ports;
    this.#path = path;
    this.#shard = shard;
    this.#links = new ObjectLinks(sockets);
    this.#seeker = new LinkSeeker(ports, shard, () => ports.gaveUp());
  }

  /** Goes on with that of a life before. Returns what stands on it. */
  resume(): LinkFacts | undefined {
    const link = this.#link;
    const kept = link && loadLink(link.socket);
    this.#wakeAt = kept?.wakeAt;
    return kept;
  }

  get #link(): ObjectLink | undefined {
    return this.#links.of(this.#shard);
  }

  get isThere(): boolean {
    return this.#link !== undefined;
  }

  /** Bytes that it hasn't taken; undefined while there is none. */
  get unsent(): number | undefined {
    return this.#link?.socket.bufferedAmount;
  }

  /** Whether a socket is a link as it is now; that of another shard may be one, too. */
  isOn(socket: HibernatingPeer): boolean {
    return this.#links.on(socket) !== undefined;
  }

  /** A shard has just dialled; its hello comes first (L3). */
  opened(socket: HibernatingPeer): void {
    saveLink(socket, undefined, [this.#ports.state()]);
  }

  /**
   * Something has come on a socket.
   * @returns The link, if it is this one, and whether it is new; undefined if nobody here listens to it.
   */
  hear(
    socket: HibernatingPeer,
    first: Frame | undefined,
  ): { readonly isNew: boolean; readonly revocations: number } | undefined {
    const known = this.#links.on(socket);
    const link = known ?? this.#links.greet(socket, first);
    if (link === undefined) return undefined;
    const { hello, revocations } = link;
    const isOwn = hello.shard === this.#shard;
    if (known === undefined && isOwn) {
      this.#seeker.stop();
      this.#wakeAt = undefined;
    } else if (known === undefined) {
      // The path was that shard's when there was another number of them. It detaches what stays empty (L5).
      saveLink(socket, hello, []);
      sendQuietly(socket, encodeEmpty(this.#path));
    }
    return isOwn ? { isNew: known === undefined, revocations } : undefined;
  }

  /** A socket has gone. Returns whether it was this link. */
  remove(socket: HibernatingPeer): boolean {
    return this.#links.remove(socket)?.hello.shard === this.#shard;
  }

  /** What came can't be read: the shard dials anew. */
  refuse(socket: HibernatingPeer): void {
    closeQuietly(socket, "bad_frame");
  }

  /** There is none, and it is needed. */
  seek(when: "now" | "later"): void {
    this.#seeker.seek(when);
  }

  /** Nobody needs one. */
  rest(): void {
    this.#seeker.stop();
  }

  /** Lost if there is no link: on the next one all is said anew. */
  say(said: Message): void {
    const link = this.#link;
    if (link !== undefined) sendQuietly(link.socket, said);
  }

  /** The shard's clock has spoken. */
  woken(): void {
    this.#wakeAt = undefined;
  }

  /** Asks to be woken (L9). Returns whether that is another time than before. */
  wakeAt(next: number | undefined): boolean {
    if (next === undefined || next === this.#wakeAt) return false;
    this.#wakeAt = next;
    this.say(encodeWakeAt(next));
    return true;
  }

  save(): void {
    const link = this.#link;
    const { state, revocations } = this.#ports;
    if (link !== undefined) saveLink(link.socket, link.hello, [state()], this.#wakeAt, revocations());
  }
}
