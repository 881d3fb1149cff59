/**
 * What a shard decides: the switchboard between the active origin and the objects that watch something. It knows
 * who watches what and holds no records. L1–L7 and U2–U15 of PROTOCOL.md. Sockets, rows and time come in as ports.
 *
 * A shard is awake while it has links, for these it dialled itself; so it is the clock of the objects below.
 */
import { shardOf } from "../../shared/protocol/address.ts";
import type { CloseName } from "../../shared/protocol/codes.ts";
import type { Frame } from "../../shared/protocol/frame.ts";
import { LIMITS } from "../../shared/protocol/limits.ts";
import { type Message, packMessages, splitBinary, splitText } from "../../shared/protocol/message.ts";
import {
  decodeLinkUp,
  encodeAttach,
  encodeDetach,
  encodeGet,
  encodeHello,
  encodeWaiting,
  type LinkUp,
} from "../../shared/protocol/uplink.ts";
import { VERSION } from "../../shared/protocol/version.ts";
import { closeQuietly, type HibernatingPeer, type Peer, sendQuietly } from "../peer.ts";
import { Dialer, type DialerPorts, type Noted } from "./dialer.ts";
import { Grants, type GrantsPorts, type ShardConfig } from "./grants.ts";
import { Linger, type LingerPorts } from "./linger.ts";
import { attachesOf, type Link, Links, noteAnswer, noteUpdate, type Watch, watchOn } from "./links.ts";
import { endpointOf, type OriginItem, readItem } from "./origin-items.ts";
import { type LatestResult, Questions } from "./questions.ts";
import type { Uplink } from "./uplinks.ts";

export interface UplinkPorts extends DialerPorts, LingerPorts, GrantsPorts {
  /** Rows that outlive the shard's memory. */
  note(noted: Noted): void;
  forget(name: string): void;
  /** Messages that went out to objects. */
  sent(messages: number): void;
}

/** What outlived the shard's memory. */
export interface ShardSurvivors {
  readonly generation: number;
  readonly noted: readonly Noted[];
  readonly uplinks: readonly HibernatingPeer[];
}

export interface ShardStatus {
  /** Whether an origin is connected. */
  readonly connected: boolean;
  /** Whether it has read all partitions to the end that they had at start. */
  readonly ready: boolean;
  /** The name of the active origin. */
  readonly origin: string | null;
  /** Of the last grant, or of this life of the shard. */
  readonly generation: number;
  readonly standbys: readonly { readonly origin: string; readonly ready: boolean }[];
  /** Endpoints. */
  readonly watched: number;
  readonly links: number;
}

/** The frames of one message of the origin by the link that they go to, in order. */
type Batches = Map<Link, Frame[]>;

export class UplinkCore {
  readonly #ports: UplinkPorts;
  readonly #config: ShardConfig;
  readonly #grants: Grants;
  readonly #dialer: Dialer;
  readonly #questions: Questions;
  readonly #linger: Linger<Watch>;
  readonly #links = new Links();
  /** The objects that asked to be attached, by name: those that have a link, or are being dialled. */
  readonly #noted = new Map<string, Noted>();
  #dials = 0;

  constructor(ports: UplinkPorts, config: ShardConfig, survivors: ShardSurvivors) {
    this.#ports = ports;
    this.#config = config;
    this.#grants = new Grants(ports, config, survivors, {
      attaches: () => this.#attaches(),
      granted: () => this.#questions.repeat(),
    });
    this.#questions = new Questions((ms, run) => ports.after(ms, run));
    this.#linger = new Linger(ports, (watch) => this.#leave(watch));
    this.#dialer = new Dialer(
      ports,
      (noted, peer) => this.#linkOpened(noted, peer),
      (noted) => this.#forget(noted),
    );
    for (const noted of survivors.noted) {
      // Where the number of shards has changed, another shard carries this endpoint now.
      if (shardOf(noted.path, config.shards) === config.shard) this.#noted.set(noted.name, noted);
      else ports.forget(noted.name);
    }
    this.#dialer.dialAll([...this.#noted.values()]);
    // What stood by when the memory was lost is all that is left, if the active one has gone meanwhile.
    this.#grants.arrived();
  }

  /** An object has a subscriber and no link (L1). Returns at once. */
  attach(noted: Noted): void {
    this.#grants.arrived();
    if (!this.#noted.has(noted.name)) this.#ports.note(noted);
    this.#noted.set(noted.name, noted);
    this.#dialer.dial(noted);
  }

  /** U8. Never rejects. */
  latest(path: string): Promise<LatestResult> {
    this.#grants.arrived();
    const isThere = this.#grants.active !== undefined;
    return this.#questions.ask(path, isThere ? (id) => this.#up([encodeGet(path, id)]) : undefined);
  }

  status(): ShardStatus {
    this.#grants.arrived();
    const { active, uplinks, generation } = this.#grants;
    return {
      connected: active !== undefined,
      ready: active !== undefined && isReady(active),
      origin: active?.origin ?? null,
      generation,
      standbys: uplinks.standbys.map((standby) => ({ origin: standby.origin, ready: isReady(standby) })),
      watched: this.#links.watched(),
      links: this.#links.size,
    };
  }

  uplinkOpened(socket: HibernatingPeer): void {
    this.#grants.uplinks.opened(socket);
  }

  uplinkMessage(socket: HibernatingPeer, message: Message): void {
    this.#grants.arrived(socket);
    const items = typeof message === "string" ? splitText(message) : splitBinary(message);
    const batches: Batches = new Map();
    let refusal: CloseName | undefined = items === undefined ? "bad_frame" : undefined;
    for (const item of items ?? []) {
      refusal = this.#item(socket, item, batches);
      if (refusal !== undefined) break;
    }
    // What came before a frame that can't be read is due to others all the same (C5).
    for (const [link, frames] of batches) this.#down(link, frames);
    if (refusal === undefined) return;
    // Who leaves said so; who was fenced may not have heard of it when it sent this.
    if (refusal !== "going_away" && refusal !== "stale_generation")
      this.#ports.log(`an uplink is closed: ${refusal}`);
    closeQuietly(socket, refusal);
    this.uplinkClosed(socket);
  }

  /** A standby takes over (U13). Where there is none the links stay, and are attached anew by the next origin. */
  uplinkClosed(socket: HibernatingPeer): void {
    if (!this.#grants.closed(socket)) return;
    this.#questions.fail();
    for (const link of [...this.#links.all()])
      for (const { path, ask } of link.watches.values())
        if (ask !== undefined) this.#down(link, [encodeWaiting(path, ask.id)]);
  }

  linkMessage(peer: Peer, message: Message): void {
    this.#grants.arrived();
    const link = this.#links.of(peer);
    if (link === undefined) return;
    // Objects say nothing in binary.
    for (const frame of typeof message === "string" ? splitText(message) : [""]) {
      const says = decodeLinkUp(frame);
      if (!says.ok) {
        this.#ports.log(`the object of ${link.noted.path} sent what can't be read: ${says.problem}`);
        closeQuietly(peer, "bad_frame");
        this.linkClosed(peer);
        return;
      }
      this.#linkSays(link, says.value);
    }
  }

  /** A link broke, or its object closed it. Where there is no newer one it is dialled again. */
  linkClosed(peer: Peer): void {
    const link = this.#links.of(peer);
    if (link === undefined) return;
    const newest = this.#links.remove(link);
    for (const watch of link.watches.values()) this.#unwatch(watch);
    if (newest && this.#noted.has(link.noted.name)) this.#dialer.redial(link.noted);
  }

  #linkOpened(noted: Noted, peer: Peer): void {
    if (!this.#noted.has(noted.name)) {
      closeQuietly(peer, "detached");
      return;
    }
    const before = this.#links.to(noted.name);
    this.#grants.begin();
    const link = this.#links.add(this.#grants.uplinks.numberLink(), noted, peer);
    if (before !== undefined) {
      closeQuietly(before.peer, "replaced");
      this.linkClosed(before.peer);
    }
    this.#dials++;
    const { shard } = this.#config;
    const hello = { version: VERSION, shard, generation: this.#grants.generation, dial: this.#dials };
    this.#down(link, [encodeHello(hello)]);
  }

  #linkSays(link: Link, says: LinkUp): void {
    if (says.kind === "unknown") return;
    const watch = watchOn(link, says.kind === "attach" ? says.attach.endpoint : says.endpoint);
    if (says.kind === "empty") {
      this.#linger.start(watch);
      return;
    }
    this.#linger.end(watch);
    if (says.kind === "occupied") return;
    const { id, from } = says.attach;
    watch.ask = { id, from };
    if (this.#grants.active === undefined) this.#down(link, [encodeWaiting(watch.path, id)]);
    else this.#up([encodeAttach(says.attach, link.number)]);
  }

  /** What an origin that has just become active is to be asked. */
  #attaches(): string[] {
    const frames: string[] = [];
    for (const link of this.#links.all())
      for (const watch of link.watches.values())
        for (const attach of attachesOf(watch)) frames.push(encodeAttach(attach, link.number));
    return frames;
  }

  /** Nobody came back (L5). */
  #leave(watch: Watch): void {
    const { link } = watch;
    this.#unwatch(watch);
    if (link.watches.size > 0) return;
    this.#links.remove(link);
    this.#forget(link.noted);
    closeQuietly(link.peer, "detached");
  }

  #unwatch(watch: Watch): void {
    watch.link.watches.delete(watch.path);
    this.#linger.end(watch);
    this.#up([encodeDetach(watch.path, watch.link.number)]);
  }

  #forget({ name }: Noted): void {
    if (this.#noted.delete(name)) this.#ports.forget(name);
    this.#dialer.forget(name);
  }

  /** Why the socket must be closed, if it must. */
  #item(socket: HibernatingPeer, frame: Frame, batches: Batches): CloseName | undefined {
    const standing = this.#grants.uplinks.standing(socket);
    if (standing === "fenced") return "stale_generation";
    const item = readItem(frame);
    if (item === undefined) return "bad_frame";
    const { to, says } = item;
    if (standing === "greeting")
      return says?.kind === "hello" ? this.#grants.welcome(socket, says.hello) : "bad_frame";
    if (to.kind === "shard" && says?.kind === "ready") this.#grants.uplinks.ready(socket, says.ready);
    if (to.kind === "shard" && says?.kind === "leaving") return "going_away";
    // What a standby says of endpoints nobody has asked it.
    if (standing === "standby") return undefined;
    if (to.kind === "links") for (const number of to.links) this.#route(number, item, batches);
    else if (to.kind === "question" && says === undefined) this.#questions.update(to.id, item.frame);
    else if (to.kind === "question" && says !== undefined) this.#questions.answer(to.id, says);
    return undefined;
  }

  #route(number: number, item: OriginItem, batches: Batches): void {
    const link = this.#links.numbered(number);
    const path = endpointOf(item);
    if (path === undefined) return;
    if (link === undefined) {
      // Of a life of this shard before the uplink's: that link won't come back.
      if (item.update !== undefined) this.#up([encodeDetach(path, number)]);
      return;
    }
    const watch = link.watches.get(path);
    if (watch === undefined) return;
    if (item.update !== undefined) noteUpdate(watch, item.update);
    if (item.says?.kind === "attached") noteAnswer(watch, item.says.attached);
    const batch = batches.get(link);
    if (batch === undefined) batches.set(link, [item.frame]);
    else batch.push(item.frame);
  }

  #up(frames: readonly string[]): void {
    this.#grants.send(frames);
  }

  /** Never waits for a link: one that backs up is closed, and comes back by position (L6). */
  #down(link: Link, frames: readonly Frame[]): void {
    for (const message of packMessages(frames, LIMITS.batchBytes)) {
      if (link.peer.bufferedAmount > LIMITS.linkBacklogBytes) {
        closeQuietly(link.peer, "slow_consumer");
        this.linkClosed(link.peer);
        return;
      }
      if (sendQuietly(link.peer, message)) this.#ports.sent(1);
    }
  }
}

function isReady({ unreadySince }: Uplink): boolean {
  return unreadySince === undefined;
}
