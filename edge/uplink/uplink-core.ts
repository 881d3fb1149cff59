/**
 * What a shard decides: the switchboard between one origin and the objects that watch something. It knows who
 * watches what and holds no records. L1–L7 and U2–U10 of PROTOCOL.md. Sockets, rows and time come in as ports.
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
  type OriginHello,
} from "../../shared/protocol/uplink.ts";
import { VERSION } from "../../shared/protocol/version.ts";
import { closeQuietly, type HibernatingPeer, type Peer, sendQuietly } from "../peer.ts";
import { Dialer, type DialerPorts, type Noted } from "./dialer.ts";
import { Linger, type LingerPorts } from "./linger.ts";
import { attachesOf, type Link, Links, noteAnswer, noteUpdate, type Watch, watchOn } from "./links.ts";
import { endpointOf, type OriginItem, readItem } from "./origin-items.ts";
import { type LatestResult, Questions } from "./questions.ts";
import { Uplinks } from "./uplinks.ts";

export interface UplinkPorts extends DialerPorts, LingerPorts {
  /** Rows that outlive the shard's memory. */
  note(noted: Noted): void;
  forget(name: string): void;
  setGeneration(generation: number): void;
  /** Messages that went out to objects. */
  sent(messages: number): void;
}

export interface ShardConfig {
  readonly shard: number;
  readonly shards: number;
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
  /** Endpoints. */
  readonly watched: number;
  readonly links: number;
}

/** The frames of one message of the origin by the link that they go to, in order. */
type Batches = Map<Link, Frame[]>;

export class UplinkCore {
  readonly #ports: UplinkPorts;
  readonly #config: ShardConfig;
  readonly #uplinks: Uplinks;
  readonly #dialer: Dialer;
  readonly #questions: Questions;
  readonly #linger: Linger<Watch>;
  readonly #links = new Links();
  /** The objects that asked to be attached, by name: those that have a link, or are being dialled. */
  readonly #noted = new Map<string, Noted>();
  #generation: number;
  /** Whether this life of the shard has a generation of its own, so that its dials are newer than all before. */
  #begun = false;
  #dials = 0;

  constructor(ports: UplinkPorts, config: ShardConfig, survivors: ShardSurvivors) {
    this.#ports = ports;
    this.#config = config;
    this.#generation = survivors.generation;
    this.#uplinks = new Uplinks(survivors.uplinks);
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
  }

  /** An object has a subscriber and no link (L1). Returns at once. */
  attach(noted: Noted): void {
    if (!this.#noted.has(noted.name)) this.#ports.note(noted);
    this.#noted.set(noted.name, noted);
    this.#dialer.dial(noted);
  }

  /** U8. Never rejects. */
  latest(path: string): Promise<LatestResult> {
    const uplink = this.#uplinks.active;
    return this.#questions.ask(path, uplink && ((id) => sendQuietly(uplink.socket, encodeGet(path, id))));
  }

  status(): ShardStatus {
    const { active } = this.#uplinks;
    return {
      connected: active !== undefined,
      ready: active?.ready ?? false,
      watched: this.#links.watched(),
      links: this.#links.size,
    };
  }

  uplinkOpened(socket: HibernatingPeer): void {
    this.#uplinks.opened(socket);
  }

  uplinkMessage(socket: HibernatingPeer, message: Message): void {
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
    this.#ports.log(`an uplink is closed: ${refusal}`);
    closeQuietly(socket, refusal);
    this.uplinkClosed(socket);
  }

  /** The links stay, and are attached anew by the next origin's hello. */
  uplinkClosed(socket: HibernatingPeer): void {
    if (!this.#uplinks.closed(socket)) return;
    this.#questions.fail();
    for (const link of [...this.#links.all()])
      for (const { path, ask } of link.watches.values())
        if (ask !== undefined) this.#down(link, [encodeWaiting(path, ask.id)]);
  }

  linkMessage(peer: Peer, message: Message): void {
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
    if (!this.#begun) this.#advance();
    const link = this.#links.add(this.#uplinks.numberLink(), noted, peer);
    if (before !== undefined) {
      closeQuietly(before.peer, "replaced");
      this.linkClosed(before.peer);
    }
    this.#dials++;
    const { shard } = this.#config;
    const hello = { version: VERSION, shard, generation: this.#generation, dial: this.#dials };
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
    if (this.#uplinks.active === undefined) this.#down(link, [encodeWaiting(watch.path, id)]);
    else this.#up([encodeAttach(says.attach, link.number)]);
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
    const standing = this.#uplinks.standing(socket);
    if (standing === "fenced") return "stale_generation";
    const item = readItem(frame);
    if (item === undefined) return "bad_frame";
    const { to, says } = item;
    if (standing === "greeting")
      return says?.kind === "hello" ? this.#grant(socket, says.hello) : "bad_frame";
    if (to.kind === "links") for (const number of to.links) this.#route(number, item, batches);
    else if (to.kind === "shard") {
      if (says?.kind === "ready") this.#uplinks.ready(says.ready);
    } else if (says === undefined) this.#questions.update(to.id, item.frame);
    else this.#questions.answer(to.id, says);
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

  /** The newest hello wins (U2). Returns why the socket must be closed, if it must. */
  #grant(socket: HibernatingPeer, { version, origin }: OriginHello): CloseName | undefined {
    if (version !== VERSION) return "unsupported_version";
    this.#advance();
    this.#questions.fail();
    this.#uplinks.grant(socket, origin, this.#generation);
    const { shard, shards } = this.#config;
    const frames = [encodeHello({ version: VERSION, shard, shards, generation: this.#generation })];
    for (const link of this.#links.all())
      for (const watch of link.watches.values())
        for (const attach of attachesOf(watch)) frames.push(encodeAttach(attach, link.number));
    this.#up(frames);
    return undefined;
  }

  #advance(): void {
    this.#generation++;
    this.#begun = true;
    this.#ports.setGeneration(this.#generation);
  }

  #up(frames: readonly string[]): void {
    const uplink = this.#uplinks.active;
    if (uplink === undefined) return;
    for (const message of packMessages(frames, LIMITS.batchBytes)) sendQuietly(uplink.socket, message);
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
