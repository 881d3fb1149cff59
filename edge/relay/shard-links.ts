/**
 * The links of an object that holds many endpoints: one to each shard that it needs, each sought while it is needed (L1), and
 * what is said on each in one event leaves as one message (L12).
 */
import type { Frame } from "../../shared/protocol/frame.ts";
import { LIMITS } from "../../shared/protocol/limits.ts";
import { type Message, packMessages } from "../../shared/protocol/message.ts";
import { LinkSeeker, type LinkSeekerPorts } from "../endpoint/link-seeker.ts";
import { type ObjectLink, ObjectLinks } from "../endpoint/object-links.ts";
import { type HibernatingPeer, sendQuietly } from "../peer.ts";

export class ShardLinks {
  readonly #ports: LinkSeekerPorts;
  readonly #gaveUp: (shard: number) => void;
  readonly #links: ObjectLinks;
  readonly #seekers = new Map<number, LinkSeeker>();
  readonly #unsaid = new Map<number, string[]>();

  /** @param gaveUp No link to a shard can be had. */
  constructor(ports: LinkSeekerPorts, sockets: readonly HibernatingPeer[], gaveUp: (shard: number) => void) {
    this.#ports = ports;
    this.#gaveUp = gaveUp;
    this.#links = new ObjectLinks(sockets);
  }

  of(shard: number): ObjectLink | undefined {
    return this.#links.of(shard);
  }

  on(socket: HibernatingPeer): ObjectLink | undefined {
    return this.#links.on(socket);
  }

  all(): Iterable<ObjectLink> {
    return this.#links.all();
  }

  greet(socket: HibernatingPeer, frame: Frame | undefined): ObjectLink | undefined {
    const link = this.#links.greet(socket, frame);
    if (link === undefined) return undefined;
    this.rest(link.hello.shard);
    // What was to be said on the link before means nothing on this one.
    this.#unsaid.delete(link.hello.shard);
    return link;
  }

  remove(socket: HibernatingPeer): ObjectLink | undefined {
    const link = this.#links.remove(socket);
    if (link !== undefined) this.#unsaid.delete(link.hello.shard);
    return link;
  }

  /** There is no link to a shard, and it is needed. */
  seek(shard: number, when: "now" | "later"): void {
    const seeker = this.#seekers.get(shard) ?? new LinkSeeker(this.#ports, shard, () => this.#gaveUp(shard));
    this.#seekers.set(shard, seeker);
    seeker.seek(when);
  }

  /** It is there, or isn't needed any more. */
  rest(shard: number): void {
    this.#seekers.get(shard)?.stop();
    this.#seekers.delete(shard);
  }

  /** Lost if there is no link: on the next one all is said anew. */
  say(shard: number, frame: string): void {
    if (this.#links.of(shard) === undefined) return;
    const unsaid = this.#unsaid.get(shard);
    if (unsaid === undefined) this.#unsaid.set(shard, [frame]);
    else unsaid.push(frame);
  }

  /** What isn't about an endpoint that is followed: it leaves at once. */
  pass(shard: number, message: Message): void {
    const link = this.#links.of(shard);
    if (link !== undefined) sendQuietly(link.socket, message);
  }

  flush(): void {
    for (const [shard, frames] of this.#unsaid) {
      const link = this.#links.of(shard);
      if (link === undefined) continue;
      for (const message of packMessages(frames, LIMITS.batchBytes)) sendQuietly(link.socket, message);
    }
    this.#unsaid.clear();
  }
}
