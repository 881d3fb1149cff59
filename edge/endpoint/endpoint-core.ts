/**
 * What the object of one endpoint decides: it holds one endpoint state (endpoint-state.ts) and one link (own-link.ts,
 * link-hearing.ts), and joins to them what its subscribers say, by whose tokens they are there, and what they publish. Sockets,
 * time, chance and the shard come in as ports.
 *
 * Between two events nothing is pending here, no timer, no promise, so that the object can hibernate; the exceptions are an
 * object that has subscribers and no link, and one that has a subscriber which is too full for more.
 */
import type { CloseName, ErrorCode } from "../../shared/protocol/codes.ts";
import { LIMITS } from "../../shared/protocol/limits.ts";
import type { Message } from "../../shared/protocol/message.ts";
import type { Position } from "../../shared/protocol/position.ts";
import {
  encodeEnd,
  encodeError,
  encodeRateLimited,
  URL_SUBSCRIBE_ID,
} from "../../shared/protocol/subscriber.ts";
import { closeQuietly, type HibernatingPeer } from "../peer.ts";
import { loadSubscriber, saveSubscriber } from "./attachment.ts";
import type { Answered } from "./catch-up.ts";
import { type ConnectionLimits, type Senders, Spending } from "./connection-limits.ts";
import { EndpointState, type EndpointStateConfig } from "./endpoint-state.ts";
import type { Holder } from "./holder.ts";
import { LinkHearing } from "./link-hearing.ts";
import type { LinkSeekerPorts } from "./link-seeker.ts";
import { OwnLink } from "./own-link.ts";
import { OF_A_SOCKET } from "./pace.ts";
import { Pacer } from "./pacer.ts";
import { PublishRights, type PublishRightsConfig } from "./publish-rights.ts";
import { Publishes } from "./publishes.ts";
import type { GoodToken, RenewalsPorts } from "./renewals.ts";
import { ReplayQuota, TOO_MUCH_PAST } from "./replay-quota.ts";
import { answerFrames } from "./subscriber-frames.ts";
import type { SubscriptionFacts } from "./subscription-states.ts";
import { Tokens } from "./tokens.ts";
import { Unsent } from "./unsent.ts";

export interface EndpointPorts extends LinkSeekerPorts, RenewalsPorts {
  /** Milliseconds since 1970; they never go back. */
  now(): number;
  /** The same as the machine has it, for dates: it may be set back. */
  wall(): number;
  /** For a publish that has none: nobody can guess it. */
  newKey(): string;
  /** When a subscriber last sent a ping, by the machine's clock; undefined if never. The runtime answers those by itself. */
  pingedAt(socket: HibernatingPeer): number | undefined;
  /** Messages that went out to subscribers. */
  sent(messages: number): void;
  /** A subscriber has its verdict. */
  answered(how: Answered): void;
}

export interface EndpointConfig extends EndpointStateConfig {
  /** That of the path. */
  readonly shard: number;
  readonly limits: ConnectionLimits;
  /** undefined: no sockets are counted together. */
  readonly senders?: Senders<HibernatingPeer>;
  readonly publishing: Omit<PublishRightsConfig, "path"> & { readonly maxBytes: number };
}

/** Sockets that outlived a hibernation. */
export interface Survivors {
  readonly links: readonly HibernatingPeer[];
  readonly subscribers: readonly HibernatingPeer[];
}

export class EndpointCore {
  readonly #ports: EndpointPorts;
  readonly #link: OwnLink;
  readonly #state: EndpointState<HibernatingPeer>;
  readonly #pacer: Pacer<HibernatingPeer>;
  readonly #spending: Spending<HibernatingPeer>;
  readonly #tokens: Tokens<HibernatingPeer>;
  readonly #rights: PublishRights<HibernatingPeer>;
  readonly #publishes: Publishes<HibernatingPeer>;
  /** Of a message of a socket that may publish. */
  readonly #publisherBytes: number;
  readonly #fromShard: LinkHearing;

  constructor(
    ports: EndpointPorts,
    { shard, limits, senders, publishing, ...config }: EndpointConfig,
    survivors: Survivors,
  ) {
    const { path } = config;
    this.#ports = ports;
    this.#spending = new Spending(limits, senders);
    this.#tokens = new Tokens(limits.perPrincipal, {
      wall: () => ports.wall(),
      pingedAt: (socket) => ports.pingedAt(socket),
      after: (ms, run) => ports.after(ms, run),
      verify: (token) => ports.verify(token),
      renewed: (socket, token) => this.#renewed(socket, token),
      log: (problem) => ports.log(problem),
      send: (socket, frame) => this.#state.reply(socket, frame),
      keep: (socket) => this.#state.keep(socket),
      close: (socket, name) => this.#close(socket, name),
      awaits: (socket) => this.#state.awaits(socket),
      say: (frame) => this.#link.say(frame),
      settle: () => this.#settle(),
    });
    this.#rights = new PublishRights({ path, by: publishing.by }, (socket) => this.#tokens.of(socket));
    this.#publisherBytes = publishing.maxBytes + LIMITS.publicationRoomBytes;
    this.#publishes = new Publishes(publishing.maxBytes, {
      now: () => ports.now(),
      random: () => ports.random(),
      newKey: () => ports.newKey(),
      after: (ms, run) => ports.after(ms, run),
      holderOf: (socket) => this.#tokens.of(socket),
      whyNot: (socket, endpoint) => this.#rights.whyNot(socket, endpoint),
      shardOf: () => shard,
      send: (socket, frame) => this.#state.reply(socket, frame),
      keep: (socket) => this.#state.keep(socket),
      unsent: () => this.#link.unsent,
      say: (_, message) => this.#link.say(message),
      // Whoever publishes subscribes as well, and that alone is why it has a link.
      usesChanged: () => undefined,
    });
    const linkPorts = {
      attach: (asked: number) => ports.attach(asked),
      after: (ms: number, run: () => void) => ports.after(ms, run),
      random: () => ports.random(),
      log: (problem: string) => ports.log(problem),
      gaveUp: () => this.#state.sendAway(),
      state: () => this.#state,
      revocations: () => this.#tokens.revocations(),
    };
    this.#link = new OwnLink(linkPorts, path, shard, survivors.links);
    const close = (socket: HibernatingPeer, name: CloseName) => this.#close(socket, name);
    const statePorts = {
      now: () => ports.now(),
      unsent: new Unsent({
        unsentBytes: limits.unsentBytes,
        now: () => ports.now(),
        after: (ms: number, run: () => void) =>
          ports.after(ms, () => {
            run();
            this.#settle();
          }),
        close,
      }),
      pace: OF_A_SOCKET,
      replays: new ReplayQuota(senders),
      sent: (messages: number) => ports.sent(messages),
      answered: (how: Answered) => ports.answered(how),
      ask: (frame: string) => this.#link.say(frame),
      keep: (socket: HibernatingPeer, facts: SubscriptionFacts) =>
        saveSubscriber(socket, this.#tokens.of(socket), [[path, facts]], {
          tag: this.#publishes.tagOf(socket),
          grantedBy: this.#rights.grantedBy(socket),
        }),
      close,
      refuse: (socket: HibernatingPeer, waitMs: number) => {
        const id = this.#state.lastId(socket);
        this.#state.reply(socket, encodeError(id, "rate_limited", TOO_MUCH_PAST, waitMs));
        close(socket, "rate_limited");
      },
      isHeld: (socket: HibernatingPeer) => this.#tokens.isHeld(socket),
    };
    const subscribers = this.#surviving(survivors.subscribers, path, shard);
    const kept = this.#link.resume();
    this.#state = new EndpointState<HibernatingPeer>(statePorts, config, kept?.states.get(path), subscribers);
    this.#fromShard = new LinkHearing(this.#link, shard, {
      state: this.#state,
      tokens: this.#tokens,
      publishes: this.#publishes,
      log: (problem) => ports.log(problem),
    });
    this.#pacer = new Pacer(ports, () => this.#serveWaiting());
    if (kept !== undefined) this.#tokens.woken(kept.revocations);
    this.#tokens.keepTime();
    this.#settle();
  }

  get subscribers(): number {
    return this.#state.subscribers;
  }

  /** Nobody is there, and no shard has dialled: nothing is known of the key. */
  get isIdle(): boolean {
    return this.subscribers === 0 && !this.#link.isThere;
  }

  /** Whether it is the socket of the link as it is now; that of another may be one, too. */
  isLink(socket: HibernatingPeer): boolean {
    return this.#link.isOn(socket);
  }

  /** Why a socket of a token's holder can't be accepted now. */
  refusalOf(holder: Holder): { readonly code: ErrorCode; readonly message: string } | undefined {
    return this.#tokens.refusalOf(holder);
  }

  /** S1: a socket that was just accepted. `publishes`: whether its token lets it publish. */
  subscribe(
    socket: HibernatingPeer,
    from: Position | undefined,
    holder?: Holder,
    publishes = false,
    occupancy?: true,
  ): void {
    this.#tokens.keepTime();
    if (holder !== undefined) this.#tokens.admit(socket, holder);
    this.#rights.grant(socket, publishes);
    this.#state.subscribe(socket, URL_SUBSCRIBE_ID, from, occupancy);
    this.#settle();
  }

  clientMessage(socket: HibernatingPeer, message: Message): void {
    this.#tokens.keepTime();
    answerFrames(message, {
      path: this.#state.path,
      messageBytes: this.#rights.mayPublish(socket) ? this.#publisherBytes : LIMITS.subscriberMessageBytes,
      lastId: () => this.#lastId(socket),
      waitMs: (what, count) => this.#waitMs(socket, what, count),
      refuse: (id, waitMs) => this.#refuse(socket, id, waitMs),
      subscribe: (id, from, occupancy) => this.#state.subscribe(socket, id, from, occupancy),
      renew: (id, token) => this.#tokens.renew(socket, id, token),
      publish: (publication) => this.#publishes.publish(socket, publication),
      send: (frame) => this.#state.reply(socket, frame),
      close: (name) => this.#close(socket, name),
    });
    this.#publishes.flush();
    this.#settle();
  }

  clientClosed(socket: HibernatingPeer): void {
    this.#forget(socket);
    this.#settle();
  }

  /** A socket that a shard has just dialled; its hello comes first (L3). */
  linkOpened(socket: HibernatingPeer): void {
    this.#link.opened(socket);
  }

  linkMessage(socket: HibernatingPeer, message: Message): void {
    this.#tokens.keepTime();
    if (!this.#fromShard.message(socket, message)) return;
    this.#settle(true);
  }

  linkClosed(socket: HibernatingPeer, code: number): void {
    this.#fromShard.closed(socket, code);
  }

  /** Closes a socket and forgets it at once: a peer that doesn't answer the close may linger for long. */
  #close(socket: HibernatingPeer, name: CloseName): void {
    this.#forget(socket);
    // Should the socket outlive the object's memory, nobody must take it for a subscriber again.
    socket.serializeAttachment(null);
    closeQuietly(socket, name);
  }

  #forget(socket: HibernatingPeer): void {
    this.#state.leave(socket);
    this.#tokens.remove(socket);
    this.#publishes.remove(socket);
    this.#rights.remove(socket);
  }

  /** The one path of its socket is what a token must allow. */
  #renewed(socket: HibernatingPeer, { mayRead, mayPublish }: GoodToken): boolean {
    const { path } = this.#state;
    if (mayRead(path)) {
      this.#rights.grant(socket, mayPublish(path));
      return true;
    }
    this.#state.reply(socket, encodeEnd(path, "forbidden", "the new token doesn't allow this path"));
    this.#close(socket, "forbidden");
    return false;
  }

  /** The largest id to which an answer may be due. */
  #lastId(socket: HibernatingPeer): number | undefined {
    const lastId = this.#state.lastId(socket);
    return lastId === undefined ? undefined : Math.max(lastId, this.#tokens.renewing(socket) ?? lastId);
  }

  /** One that may not publish is asked for its frames, whatever they say. */
  #waitMs(socket: HibernatingPeer, what: "messages" | "asks" | "publishes", count?: number): number {
    const spends = what === "publishes" && !this.#rights.mayPublish(socket) ? "messages" : what;
    return this.#spending.take(socket, spends, this.#ports.now(), count);
  }

  /** Refuses a frame that is one too many, or closes the socket if that has happened too often (S20). */
  #refuse(socket: HibernatingPeer, id: number | undefined, waitMs: number): void {
    if (this.#spending.bears(socket, this.#ports.now()))
      this.#state.reply(socket, encodeRateLimited(id, waitMs));
    else this.#close(socket, "rate_limited");
  }

  /** A socket of which nobody can tell that it follows the path is sent away, to come back by position. */
  *#surviving(
    sockets: readonly HibernatingPeer[],
    path: string,
    shard: number,
  ): Iterable<[HibernatingPeer, SubscriptionFacts]> {
    for (const socket of sockets) {
      const survivor = loadSubscriber(socket);
      const facts = survivor?.follows.get(path);
      if (facts === undefined) {
        closeQuietly(socket, "going_away");
        continue;
      }
      if (survivor?.holder !== undefined) this.#tokens.restore(socket, survivor.holder);
      const publisher = survivor?.publisher;
      if (publisher?.grantedBy !== undefined) this.#rights.restore(socket, publisher.grantedBy);
      if (publisher?.tag !== undefined) this.#publishes.restore(socket, publisher.tag, [shard]);
      yield [socket, facts];
    }
  }

  #serveWaiting(): void {
    this.#tokens.keepTime();
    this.#state.serveWaiting();
    this.#settle();
  }

  /**
   * What follows from an event: who takes nothing, whether a link is needed, what to say on it. `hasLearnt`: what stands on the
   * link has changed.
   */
  #settle(hasLearnt = false): void {
    for (const socket of this.#pacer.wait(this.#state.full())) this.#close(socket, "slow_consumer");
    if (this.#link.isThere) {
      const spoke = this.#state.speak();
      const isLater = this.#link.wakeAt(this.#tokens.next);
      if (isLater || spoke || this.#tokens.hasChanged || hasLearnt) this.#link.save();
    } else if (this.subscribers > 0) this.#link.seek("now");
    else this.#link.rest();
  }
}
