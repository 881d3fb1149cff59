/**
 * Many endpoint states in one object, over one link to each shard: L12–L14 of INTERNALS.md. It knows nothing of who the
 * subscribers are, of tokens, or of what an endpoint's records are for; the object says `settle` after each event. What is
 * held is in hosted-states.ts; this is what links bring to it, and what they are needed for.
 */
import type { CloseName } from "../../shared/protocol/codes.ts";
import type { Frame } from "../../shared/protocol/frame.ts";
import { decodeLinkDown, encodeIdle, type LinkDown } from "../../shared/protocol/link.ts";
import type { LinkPublished } from "../../shared/protocol/link-publish.ts";
import { type Message, splitBinary, splitText } from "../../shared/protocol/message.ts";
import type { Position } from "../../shared/protocol/position.ts";
import { RoutingReader } from "../../shared/protocol/routing-reader.ts";
import { isUpdate } from "../../shared/protocol/subscriber.ts";
import type { Answered } from "../endpoint/catch-up.ts";
import {
  EndpointState,
  type EndpointStateConfig,
  type EndpointStatePorts,
} from "../endpoint/endpoint-state.ts";
import type { LinkSeekerPorts } from "../endpoint/link-seeker.ts";
import type { ObjectLink } from "../endpoint/object-links.ts";
import type { StateFacts } from "../endpoint/state-facts.ts";
import type { SubscriptionFacts } from "../endpoint/subscription-states.ts";
import { closeQuietly, type HibernatingPeer, type Peer } from "../peer.ts";
import { type Hosted, HostedStates } from "./hosted-states.ts";
import { ShardLinks } from "./shard-links.ts";

export interface EndpointsPorts<S extends Peer>
  extends LinkSeekerPorts,
    Pick<EndpointStatePorts<S>, "unsent" | "pace" | "replays" | "now" | "isHeld" | "close"> {
  /** undefined if its topic is not exposed. */
  configOf(path: string): EndpointStateConfig | undefined;
  shardOf(path: string): number;
  keep(subscriber: S, path: string, facts: SubscriptionFacts): void;
  answered(how: Answered): void;
  /** The source of an endpoint can't be had for long: a subscription to it ends. */
  lost(subscriber: S, path: string): void;
  /** A subscription that has no verdict yet ends: its sender was sent too much of the past, and should wait so long (S27). */
  refuse(subscriber: S, path: string, waitMs: number): void;
  /** A link has begun, and nothing was asked on it. */
  linked(link: ObjectLink): void;
  /** There is no link to a shard any more. */
  unlinked(shard: number): void;
  said(shard: number, says: SaidByShard): void;
  /** What was published is answered. */
  published(answer: LinkPublished): void;
  /** Whether a link to a shard is needed for what is published, whatever is followed there. */
  publishesTo(shard: number): boolean;
}

export interface EndpointsConfig {
  /** What windows may take, in bytes. */
  readonly windowBytes: number;
  /** For how many milliseconds what shards are asked about endpoints is gathered; 0: not at all. */
  readonly gatherMs: number;
}

/** What a shard says that is about no endpoint. */
export type SaidByShard = Extract<LinkDown, { kind: "wake" | "checked" | "revoke" | "revocations" }>;

/** What outlived the memory. */
export interface EndpointsKept<S> {
  readonly links: readonly HibernatingPeer[];
  readonly facts: ReadonlyMap<string, StateFacts>;
  readonly subscribers: Iterable<readonly [path: string, S, SubscriptionFacts]>;
}

export class Endpoints<S extends Peer> {
  readonly links: ShardLinks;
  readonly #ports: EndpointsPorts<S>;
  readonly #hosted: HostedStates<S>;
  readonly #heads = new Map<number, RoutingReader>();

  constructor(ports: EndpointsPorts<S>, { windowBytes, gatherMs }: EndpointsConfig, kept: EndpointsKept<S>) {
    this.#ports = ports;
    this.#hosted = new HostedStates(windowBytes);
    this.links = new ShardLinks(ports, kept.links, (shard) => this.#gaveUp(shard), gatherMs);
    const subscribers = new Map<string, (readonly [S, SubscriptionFacts])[]>();
    for (const [path, subscriber, facts] of kept.subscribers) {
      const one = [subscriber, facts] as const;
      const others = subscribers.get(path);
      if (others === undefined) subscribers.set(path, [one]);
      else others.push(one);
    }
    for (const path of new Set([...kept.facts.keys(), ...subscribers.keys()]))
      this.#open(path, kept.facts.get(path), subscribers.get(path));
  }

  get size(): number {
    return this.#hosted.size;
  }

  has(path: string): boolean {
    return this.#hosted.has(path);
  }

  /** What must outlive the memory. */
  facts(): Iterable<readonly [path: string, StateFacts]> {
    return this.#hosted.facts();
  }

  /** Its topic is exposed. */
  subscribe(subscriber: S, path: string, id: number, from: Position | undefined, occupancy?: true): void {
    const hosted = this.#hosted.get(path) ?? this.#open(path);
    if (hosted === undefined) throw new Error(`${path} is not exposed`);
    hosted.neededAt = this.#ports.now();
    this.#hosted.touch(hosted);
    hosted.state.subscribe(subscriber, id, from, occupancy);
  }

  leave(subscriber: S, path: string): void {
    const hosted = this.#hosted.get(path);
    if (hosted === undefined) return;
    this.#hosted.touch(hosted);
    hosted.state.leave(subscriber);
  }

  /** Those who wait for what doesn't fit just now, by whatever endpoint. */
  full(): readonly S[] {
    return this.#hosted.full();
  }

  /** Some may have room, or may have their verdicts now. */
  serveWaiting(only: "full" | "all"): void {
    for (const hosted of only === "full" ? this.#hosted.paced() : this.#hosted.all()) {
      this.#hosted.touch(hosted);
      hosted.state.serveWaiting();
    }
  }

  linkMessage(socket: HibernatingPeer, message: Message): void {
    const frames = typeof message === "string" ? splitText(message) : splitBinary(message);
    const link = this.links.on(socket) ?? this.#greet(socket, frames?.[0]);
    if (link === undefined) return;
    const { shard } = link.hello;
    const heads = this.#headsOf(shard);
    let only: Hosted<S> | "several" | undefined;
    for (const frame of frames ?? [""]) {
      const about =
        typeof frame === "string" && !isUpdate(frame)
          ? this.#control(shard, frame)
          : this.#update(heads, frame);
      if (about === "unreadable") {
        this.#giveUp(socket);
        return;
      }
      only = only === undefined || only === about ? about : "several";
    }
    // Where a message was of one endpoint alone it is passed on as it is.
    if (typeof only === "object") only.state.passOn(message, frames?.length);
    for (const { state } of this.#hosted.touched()) state.passOn();
  }

  linkClosed(socket: HibernatingPeer, when: "now" | "later"): void {
    const shard = this.links.remove(socket)?.hello.shard;
    if (shard === undefined) return;
    this.#ports.unlinked(shard);
    for (const hosted of this.#hosted.of(shard)) {
      this.#hosted.touch(hosted);
      hosted.state.linkLost();
    }
    if (this.#isNeeded(shard)) this.links.seek(shard, when);
  }

  /** The event has ended. Says to shards what is to be said by now. Returns whether anything that is to be kept may have changed. */
  settle(): boolean {
    const unlinked = this.#hosted.settle((shard) => this.links.of(shard) !== undefined);
    for (const shard of unlinked ?? []) {
      if (this.#isNeeded(shard)) this.links.seek(shard, "now");
      else this.links.rest(shard);
    }
    return unlinked !== undefined;
  }

  /** Whether a link to a shard is needed may have changed, though nothing has that is followed there. */
  lookAt(shard: number): void {
    if (this.links.of(shard) !== undefined) this.#endIfIdle(shard);
    else if (this.#isNeeded(shard)) this.links.seek(shard, "now");
    else this.links.rest(shard);
  }

  #isNeeded(shard: number): boolean {
    return this.#hosted.isOccupied(shard) || this.#ports.publishesTo(shard);
  }

  /** Nothing is watched on its link, nor published (L13). */
  #endIfIdle(shard: number): void {
    if (!this.#hosted.isWatched(shard) && !this.#ports.publishesTo(shard))
      this.links.say(shard, encodeIdle());
  }

  #open(
    path: string,
    facts?: StateFacts,
    subscribers: readonly (readonly [S, SubscriptionFacts])[] = [],
  ): Hosted<S> | undefined {
    const ports = this.#ports;
    const config = ports.configOf(path);
    if (config === undefined) return undefined;
    const shard = ports.shardOf(path);
    const state = new EndpointState<S>(
      {
        unsent: ports.unsent,
        pace: ports.pace,
        replays: ports.replays,
        now: () => ports.now(),
        isHeld: (subscriber) => ports.isHeld(subscriber),
        close: (subscriber, name: CloseName) => ports.close(subscriber, name),
        refuse: (subscriber, waitMs) => ports.refuse(subscriber, path, waitMs),
        // They are counted as they leave, several of these in one.
        sent: () => undefined,
        answered: (how) => ports.answered(how),
        ask: (frame) => this.links.ask(shard, frame),
        keep: (subscriber, kept) => ports.keep(subscriber, path, kept),
      },
      config,
      facts,
      subscribers,
    );
    return this.#hosted.add(state, shard, ports.now());
  }

  #greet(socket: HibernatingPeer, frame: Frame | undefined): ObjectLink | undefined {
    const link = this.links.greet(socket, frame);
    if (link === undefined) return undefined;
    const { shard } = link.hello;
    this.#heads.delete(shard);
    this.#ports.linked(link);
    // It was needed when it was sought, or when there was another number of shards.
    this.#endIfIdle(shard);
    for (const hosted of this.#hosted.of(shard)) {
      this.#hosted.touch(hosted);
      hosted.state.linked();
    }
    return link;
  }

  /** Whose it is. */
  #update(heads: RoutingReader, frame: Frame): Hosted<S> | "unreadable" | undefined {
    const routing = heads.read(frame);
    if (routing === undefined) return "unreadable";
    const hosted = this.#hosted.get(routing.endpoint);
    if (hosted === undefined) return undefined;
    this.#hosted.touch(hosted);
    hosted.state.update(frame, routing);
    return hosted;
  }

  #control(shard: number, frame: string): "several" | "unreadable" {
    const read = decodeLinkDown(frame);
    if (!read.ok) {
      this.#ports.log(`a frame on the link of shard ${shard} can't be read: ${read.problem}`);
      return "unreadable";
    }
    const { value } = read;
    if (value.kind === "attached") this.#about(value.attached.endpoint)?.attached(value.attached);
    else if (value.kind === "waiting") this.#about(value.endpoint)?.waiting(value.id);
    else if (value.kind === "count" || value.kind === "enough")
      this.#about(value.endpoint)?.count(value.kind === "count");
    else if (value.kind === "occupancy") this.#about(value.endpoint)?.occupancy(value.subscribers);
    else if (value.kind === "published") this.#ports.published(value.published);
    else if (value.kind === "detached") this.#detached(shard, value.endpoint);
    else if (isOfShard(value)) this.#ports.said(shard, value);
    return "several";
  }

  #about(path: string): EndpointState<S> | undefined {
    const hosted = this.#hosted.get(path);
    if (hosted !== undefined) this.#hosted.touch(hosted);
    return hosted?.state;
  }

  /** The shard has forgotten it. If somebody came back meanwhile it is asked from where it is. */
  #detached(shard: number, path: string): void {
    const hosted = this.#hosted.get(path);
    if (hosted !== undefined && hosted.state.subscribers > 0) {
      this.#hosted.touch(hosted);
      hosted.state.linked();
      return;
    }
    if (hosted !== undefined) this.#hosted.drop(hosted);
    this.#endIfIdle(shard);
  }

  /** What can't be read may have been an answer, whose body must not be taken for live updates: the shard dials anew. */
  #giveUp(socket: HibernatingPeer): void {
    for (const { state } of this.#hosted.touched()) state.passOn();
    closeQuietly(socket, "bad_frame");
    this.linkClosed(socket, "later");
  }

  #gaveUp(shard: number): void {
    for (const { state } of [...this.#hosted.of(shard)])
      for (const subscriber of [...state.members()]) this.#ports.lost(subscriber, state.path);
  }

  #headsOf(shard: number): RoutingReader {
    const heads = this.#heads.get(shard) ?? new RoutingReader();
    this.#heads.set(shard, heads);
    return heads;
  }
}

function isOfShard(says: LinkDown): says is SaidByShard {
  return ["wake", "checked", "revoke", "revocations"].includes(says.kind);
}
