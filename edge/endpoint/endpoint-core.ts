/**
 * What the object of one endpoint decides: it holds one endpoint state and one link, that to the shard of its path. L1, L3 and
 * L5; what concerns the path is in endpoint-state.ts. Sockets, time, chance and the shard come in as ports.
 *
 * Between two events nothing is pending here, no timer, no promise, so that the object can hibernate; the exceptions are an
 * object that has subscribers and no link, and one that has a subscriber which is too full for more.
 */
import { CLOSE, type CloseName } from "../../shared/protocol/codes.ts";
import type { Frame } from "../../shared/protocol/frame.ts";
import { decodeLinkDown, encodeEmpty } from "../../shared/protocol/link.ts";
import { type Message, splitBinary, splitText } from "../../shared/protocol/message.ts";
import type { Position } from "../../shared/protocol/position.ts";
import { RoutingReader } from "../../shared/protocol/routing-reader.ts";
import { isUpdate, URL_SUBSCRIBE_ID } from "../../shared/protocol/subscriber.ts";
import { closeQuietly, type HibernatingPeer, sendQuietly } from "../peer.ts";
import { type Carried, loadLink, loadSubscriber, saveLink, saveSubscriber } from "./attachment.ts";
import type { Answered } from "./catch-up.ts";
import { EndpointState, type EndpointStateConfig } from "./endpoint-state.ts";
import { LinkSeeker, type LinkSeekerPorts } from "./link-seeker.ts";
import { type Link, Links } from "./links.ts";
import { Pacer } from "./pacer.ts";
import type { StateFacts } from "./state-facts.ts";
import { answerFrames } from "./subscriber-frames.ts";
import type { SubscriptionFacts } from "./subscription-states.ts";

export interface EndpointPorts extends LinkSeekerPorts {
  /** Milliseconds since 1970. */
  now(): number;
  /** Messages that went out to subscribers. */
  sent(messages: number): void;
  /** A subscriber has its verdict. */
  answered(how: Answered): void;
}

export interface EndpointConfig extends EndpointStateConfig {
  /** That of the path. */
  readonly shard: number;
}

/** Sockets that outlived a hibernation. */
export interface Survivors {
  readonly links: readonly HibernatingPeer[];
  readonly subscribers: readonly HibernatingPeer[];
}

export class EndpointCore {
  readonly #ports: EndpointPorts;
  readonly #shard: number;
  readonly #links: Links;
  readonly #state: EndpointState<HibernatingPeer>;
  /** The state, as what its link carries. */
  readonly #carried: readonly Carried[];
  readonly #seeker: LinkSeeker;
  readonly #pacer: Pacer<HibernatingPeer>;
  /** Of the frames on the link. */
  readonly #heads = new RoutingReader();

  constructor(ports: EndpointPorts, { shard, ...config }: EndpointConfig, survivors: Survivors) {
    const { path } = config;
    this.#ports = ports;
    this.#shard = shard;
    this.#links = new Links(survivors.links);
    const link = this.#links.of(shard);
    const statePorts = {
      now: () => ports.now(),
      sent: (messages: number) => ports.sent(messages),
      answered: (how: Answered) => ports.answered(how),
      ask: (frame: string) => this.#ask(frame),
      keep: (socket: HibernatingPeer, facts: SubscriptionFacts) => saveSubscriber(socket, [[path, facts]]),
      close: (socket: HibernatingPeer, name: CloseName) => this.#close(socket, name),
    };
    const subscribers = survivingSubscribers(survivors.subscribers, path);
    this.#state = new EndpointState(statePorts, config, link && factsOn(link, path), subscribers);
    this.#carried = [this.#state];
    this.#seeker = new LinkSeeker(ports, shard, () => this.#state.sendAway());
    this.#pacer = new Pacer(ports, () => this.#serveWaiting());
    this.#settle();
  }

  get subscribers(): number {
    return this.#state.subscribers;
  }

  /** Whether it is the socket of the link as it is now; that of another may be one, too. */
  isLink(socket: HibernatingPeer): boolean {
    return this.#links.on(socket) !== undefined;
  }

  /** S1: a socket that was just accepted. */
  subscribe(socket: HibernatingPeer, from: Position | undefined): void {
    this.#state.subscribe(socket, URL_SUBSCRIBE_ID, from);
    this.#settle();
  }

  subscriberMessage(socket: HibernatingPeer, message: Message): void {
    answerFrames(message, {
      path: this.#state.path,
      lastId: () => this.#state.lastId(socket),
      subscribe: (id, from) => this.#state.subscribe(socket, id, from),
      send: (frame) => this.#state.reply(socket, frame),
      close: (name) => this.#close(socket, name),
    });
    this.#settle();
  }

  subscriberClosed(socket: HibernatingPeer): void {
    this.#state.leave(socket);
    this.#settle();
  }

  /** A socket that a shard has just dialled; its hello comes first (L3). */
  linkOpened(socket: HibernatingPeer): void {
    saveLink(socket, undefined, this.#carried);
  }

  linkMessage(socket: HibernatingPeer, message: Message): void {
    const frames = typeof message === "string" ? splitText(message) : splitBinary(message);
    const link = this.#links.on(socket) ?? this.#greet(socket, frames?.[0]);
    if (link?.hello.shard !== this.#shard) return;
    const state = this.#state;
    if (frames === undefined) state.garbled();
    for (const frame of frames ?? []) {
      if (typeof frame === "string" && !isUpdate(frame)) this.#control(frame);
      else {
        const routing = this.#heads.read(frame);
        if (routing === undefined || routing.endpoint === state.path) state.update(frame, routing);
      }
    }
    state.passOn(message, frames?.length);
    this.#settle();
    this.#save();
  }

  linkClosed(socket: HibernatingPeer, code: number): void {
    const link = this.#links.remove(socket);
    if (link?.hello.shard !== this.#shard) return;
    this.#state.linkLost();
    // After a break the shard dials again by itself; after a detach it has forgotten.
    if (this.subscribers > 0) this.#seeker.seek(code === CLOSE.detached ? "now" : "later");
  }

  #greet(socket: HibernatingPeer, frame: Frame | undefined): Link | undefined {
    const link = this.#links.greet(socket, frame);
    if (link?.hello.shard === this.#shard) {
      this.#seeker.stop();
      this.#state.linked();
    } else if (link !== undefined) {
      // The path was that shard's when there was another number of them. It detaches what stays empty (L5).
      saveLink(socket, link.hello, []);
      sendQuietly(socket, encodeEmpty(this.#state.path));
    }
    return link;
  }

  #control(frame: string): void {
    const { path } = this.#state;
    const says = decodeLinkDown(frame);
    if (!says.ok) {
      this.#ports.log(`a frame on the link of ${path} can't be read: ${says.problem}`);
      return;
    }
    const { value } = says;
    if (value.kind === "waiting" && value.endpoint === path) this.#state.waiting(value.id);
    if (value.kind === "attached" && value.attached.endpoint === path) this.#state.attached(value.attached);
  }

  #ask(frame: string): void {
    const link = this.#links.of(this.#shard);
    if (link !== undefined) sendQuietly(link.socket, frame);
  }

  /** Closes a socket and forgets it at once: a peer that doesn't answer the close may linger for long. */
  #close(socket: HibernatingPeer, name: CloseName): void {
    this.#state.leave(socket);
    // Should the socket outlive the object's memory, nobody must take it for a subscriber again.
    socket.serializeAttachment(null);
    closeQuietly(socket, name);
  }

  #serveWaiting(): void {
    this.#state.serveWaiting();
    this.#settle();
  }

  /** What follows from an event: who takes nothing, whether a link is needed, what to say on it. */
  #settle(): void {
    for (const socket of this.#pacer.wait(this.#state.full())) this.#close(socket, "slow_consumer");
    if (this.#links.of(this.#shard) !== undefined) {
      if (this.#state.speak()) this.#save();
    } else if (this.subscribers > 0) this.#seeker.seek("now");
    else this.#seeker.stop();
  }

  #save(): void {
    const link = this.#links.of(this.#shard);
    if (link !== undefined) saveLink(link.socket, link.hello, this.#carried);
  }
}

function factsOn({ socket }: Link, path: string): StateFacts | undefined {
  return loadLink(socket)?.states.get(path);
}

/** A socket of which nobody can tell that it follows the path is sent away, to come back by position. */
function* survivingSubscribers(
  sockets: readonly HibernatingPeer[],
  path: string,
): Iterable<[HibernatingPeer, SubscriptionFacts]> {
  for (const socket of sockets) {
    const facts = loadSubscriber(socket)?.get(path);
    if (facts === undefined) closeQuietly(socket, "going_away");
    else yield [socket, facts];
  }
}
