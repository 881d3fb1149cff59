/**
 * The links of an object that holds many endpoints: one to each shard that it needs, each sought while it is needed (L1), and
 * what is said on each in one event leaves as one message (L12). What a room asks is gathered beyond that (L16).
 */
import type { Frame } from "../../shared/protocol/frame.ts";
import { LIMITS } from "../../shared/protocol/limits.ts";
import { type Message, packMessages } from "../../shared/protocol/message.ts";
import { LinkSeeker, type LinkSeekerPorts } from "../endpoint/link-seeker.ts";
import { type ObjectLink, ObjectLinks } from "../endpoint/object-links.ts";
import { type HibernatingPeer, sendQuietly } from "../peer.ts";
import { Gathering, type GatheringPorts } from "../shard/links/gathering.ts";

export type ShardLinksPorts = LinkSeekerPorts & GatheringPorts;

export class ShardLinks {
  readonly #ports: ShardLinksPorts;
  readonly #gaveUp: (shard: number) => void;
  readonly #links: ObjectLinks;
  readonly #seekers = new Map<number, LinkSeeker>();
  /** By shard. */
  readonly #unsaid = new Map<number, { readonly frames: string[]; mayWait: boolean }>();
  readonly #gathering: Gathering<number>;

  /**
   * @param gaveUp No link to a shard can be had.
   * @param gatherMs For how long what is asked is gathered.
   */
  constructor(
    ports: ShardLinksPorts,
    sockets: readonly HibernatingPeer[],
    gaveUp: (shard: number) => void,
    gatherMs: number,
  ) {
    this.#ports = ports;
    this.#gaveUp = gaveUp;
    this.#links = new ObjectLinks(sockets);
    this.#gathering = new Gathering(ports, gatherMs, (shard, frames) => this.#leave(shard, frames));
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
    this.#drop(link.hello.shard);
    return link;
  }

  remove(socket: HibernatingPeer): ObjectLink | undefined {
    const link = this.#links.remove(socket);
    if (link !== undefined) this.#drop(link.hello.shard);
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

  /** Leaves when the event ends. Lost if there is no link: on the next one all is said anew. */
  say(shard: number, frame: string): void {
    this.#add(shard, frame, false);
  }

  /** The same, of an endpoint that is followed: it may wait for others. */
  ask(shard: number, frame: string): void {
    this.#add(shard, frame, true);
  }

  /** What isn't about an endpoint that is followed: it leaves at once, behind what has waited. */
  pass(shard: number, message: Message): void {
    this.#leave(shard, this.#gathering.take(shard));
    const link = this.#links.of(shard);
    if (link !== undefined) sendQuietly(link.socket, message);
  }

  flush(): void {
    for (const [shard, { frames, mayWait }] of this.#unsaid) {
      if (mayWait) this.#gathering.add(shard, frames);
      else this.#leave(shard, [...this.#gathering.take(shard), ...frames]);
    }
    this.#unsaid.clear();
  }

  #add(shard: number, frame: string, mayWait: boolean): void {
    if (this.#links.of(shard) === undefined) return;
    const unsaid = this.#unsaid.get(shard) ?? { frames: [], mayWait };
    this.#unsaid.set(shard, unsaid);
    unsaid.frames.push(frame);
    unsaid.mayWait &&= mayWait;
  }

  #leave(shard: number, frames: readonly Frame[]): void {
    const link = this.#links.of(shard);
    if (link === undefined) return;
    for (const message of packMessages(frames, LIMITS.batchBytes)) sendQuietly(link.socket, message);
  }

  #drop(shard: number): void {
    this.#unsaid.delete(shard);
    this.#gathering.forget(shard);
  }
}
