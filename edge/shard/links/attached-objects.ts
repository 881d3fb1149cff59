/**
 * The objects below a shard: L1–L5, L8 and L9 of INTERNALS.md. It dials those that asked to be attached, keeps a row for each,
 * and hears on their links what they ask and which of their endpoints have subscribers. What they ask is answered by others.
 *
 * While a shard has links, which it dialled itself, it is awake; so it is the clock of the objects below.
 */
import { type Attach, encodeCancel } from "../../../shared/protocol/attach.ts";
import {
  type Checked,
  decodeLinkUp,
  encodeChecked,
  encodeDetached,
  encodeLinkHello,
  encodeWake,
  type LinkHello,
  type LinkUp,
} from "../../../shared/protocol/link.ts";
import { type Message, splitBinary, splitText } from "../../../shared/protocol/message.ts";
import type { TokenNames } from "../../../shared/protocol/revocation.ts";
import { encodeDetach } from "../../../shared/protocol/uplink.ts";
import { isOfMany, type ObjectIdentity } from "../../object-identity.ts";
import { closeQuietly, type HibernatingPeer, type Peer } from "../../peer.ts";
import { TIME_LIMITS } from "../../time-limits.ts";
import type { Attaches } from "../answering/answering.ts";
import { Occupancy } from "../occupancy/occupancy.ts";
import { Dialer, type DialerPorts } from "./dialer.ts";
import { Downlink, type DownlinkPorts } from "./downlink.ts";
import { Linger, type LingerPorts } from "./linger.ts";
import { type Link, Links, noteAsk, type Watch, watchOn } from "./links.ts";
import { Wakes, type WakesPorts } from "./wakes.ts";

export interface AttachedObjectsPorts extends DialerPorts, DownlinkPorts, LingerPorts, WakesPorts {
  /** Rows that outlive the shard's memory. */
  note(object: ObjectIdentity): void;
  forget(object: ObjectIdentity): void;
}

/** What the rest of the shard does for links. */
export interface AboveLinks {
  /** A link begins, in a generation of this life of the shard: its number, and what its object is told of the shard. */
  begin(): { readonly number: number; readonly hello: Omit<LinkHello, "dial"> };
  /** Those who answer what objects ask. */
  attaches(): Attaches;
  /** Which of these tokens are revoked (L10). */
  check(id: number, tokens: readonly TokenNames[]): Checked;
  /** What an object's socket publishes; returns why it can't be read, if it can't. */
  publish(link: Link, frame: Uint8Array<ArrayBuffer>): string | undefined;
  /** To the active origin of each slice. */
  send(frames: readonly string[]): void;
  /** Active origins that may speak of an endpoint; and what is said to one of them, or to one that stands by. */
  origins(path: string): readonly HibernatingPeer[];
  tell(uplink: HibernatingPeer, frames: readonly string[]): void;
}

/** How long an endpoint stays attached after its last subscriber has gone; and one whose key has no record. */
const LINGER_MS = TIME_LIMITS.lingerMs;
const LINGER_NOTHING_MS = TIME_LIMITS.lingerNothingMs;

export class AttachedObjects {
  readonly links = new Links();
  readonly down: Downlink;
  readonly occupancy: Occupancy;
  readonly #ports: AttachedObjectsPorts;
  readonly #above: AboveLinks;
  readonly #dialer: Dialer;
  readonly #linger: Linger<Watch>;
  readonly #lingerNothing: Linger<Watch>;
  readonly #wakes: Wakes<Link>;
  /** Those that have a link, or are being dialled. */
  readonly #noted = new Set<ObjectIdentity>();
  #dials = 0;

  /** @param gatherMs For how long updates for a relay are gathered. */
  constructor(ports: AttachedObjectsPorts, above: AboveLinks, gatherMs?: number) {
    this.#ports = ports;
    this.#above = above;
    this.down = new Downlink(ports, ({ peer }) => this.closed(peer), gatherMs);
    this.occupancy = new Occupancy({
      now: () => ports.now(),
      after: (ms, run) => ports.after(ms, run),
      send: (link, frame) => this.down.send(link, [frame]),
      origins: (path) => above.origins(path),
      tell: (uplink, frames) => above.tell(uplink, frames),
    });
    const leave = (watch: Watch) => this.#leave(watch);
    const together = (leaves: () => void) => this.down.batch(leaves);
    this.#linger = new Linger(ports, LINGER_MS, leave, together);
    this.#lingerNothing = new Linger(ports, LINGER_NOTHING_MS, leave, together);
    this.#wakes = new Wakes(ports, (link) => this.down.send(link, [encodeWake()]));
    this.#dialer = new Dialer(
      ports,
      (object, peer) => this.#opened(object, peer),
      (object) => this.#forget(object),
    );
  }

  /** Dials those that were attached in the life before, unless another shard does so now. */
  resume(noted: readonly ObjectIdentity[], isOwn: (object: ObjectIdentity) => boolean): void {
    for (const object of noted) {
      if (isOwn(object)) this.#noted.add(object);
      else this.#ports.forget(object);
    }
    this.#dialer.dialAll([...this.#noted]);
  }

  /** An object has a subscriber and no link (L1). Returns at once. */
  attach(object: ObjectIdentity): void {
    if (!this.#noted.has(object)) this.#ports.note(object);
    this.#noted.add(object);
    this.#dialer.dial(object);
  }

  /** A message on a link. */
  message(peer: Peer, message: Message): void {
    const link = this.links.of(peer);
    if (link === undefined) return;
    const problem = typeof message === "string" ? this.#hear(link, message) : this.#publish(link, message);
    if (problem === undefined) return;
    this.#ports.log(`${link.object} sent what can't be read: ${problem}`);
    this.drop(link);
  }

  /** Why the rest of it can't be read, if it can't. */
  #hear(link: Link, message: string): string | undefined {
    for (const frame of splitText(message)) {
      // What stood before it may have ended the link: nobody would ever forget what was noted of it then.
      if (this.links.of(link.peer) !== link) return undefined;
      const says = decodeLinkUp(frame);
      if (!says.ok) return says.problem;
      this.#says(link, says.value);
    }
    return undefined;
  }

  /** All that objects say in binary. */
  #publish(link: Link, message: Uint8Array<ArrayBuffer>): string | undefined {
    const frames = splitBinary(message);
    if (frames === undefined || frames.length === 0) return "bytes that are no frames";
    for (const frame of frames) {
      const problem = this.#above.publish(link, frame);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }

  /** A link broke, or its object closed it. If there is no newer one it is dialled again. */
  closed(peer: Peer): void {
    const link = this.links.of(peer);
    if (link === undefined) return;
    const newest = this.links.remove(link);
    this.down.forget(link);
    this.#wakes.forget(link);
    for (const watch of link.watches.values()) this.#unwatch(watch);
    if (newest && this.#noted.has(link.object)) this.#dialer.redial(link.object);
  }

  /** One of its two sides sent what can't be read. The object asks anew on the next link. */
  drop(link: Link): void {
    closeQuietly(link.peer, "bad_frame");
    this.closed(link.peer);
  }

  tellAll(frame: string): void {
    for (const link of [...this.links.all()]) this.down.send(link, [frame]);
  }

  #opened(object: ObjectIdentity, peer: Peer): void {
    if (!this.#noted.has(object)) {
      closeQuietly(peer, "detached");
      return;
    }
    const before = this.links.to(object);
    const { number, hello } = this.#above.begin();
    const link = this.links.add(number, object, peer);
    if (before !== undefined) {
      closeQuietly(before.peer, "replaced");
      this.closed(before.peer);
    }
    this.#dials++;
    this.down.send(link, [encodeLinkHello({ ...hello, dial: this.#dials })]);
  }

  #says(link: Link, says: LinkUp): void {
    if (says.kind === "attach") this.#ask(this.#watch(link, says.attach.endpoint), says.attach);
    if (says.kind === "empty") this.#lingers(this.#watch(link, says.endpoint), says.nothing);
    if (says.kind === "occupied") this.#returns(link, says.endpoint);
    if (says.kind === "idle" && link.watches.size === 0) this.#end(link);
    if (says.kind === "wakeAt") this.#wakes.set(link, says.at);
    // What isn't watched any more isn't counted.
    const counted = "endpoint" in says ? link.watches.get(says.endpoint) : undefined;
    if (counted !== undefined && says.kind === "counted") this.occupancy.counted(counted, says.subscribers);
    if (counted !== undefined && says.kind === "later") this.occupancy.later(counted);
    if (counted !== undefined && says.kind === "curious") this.occupancy.curious(counted, says.wants);
    if (says.kind === "check") this.down.send(link, [encodeChecked(this.#above.check(says.id, says.tokens))]);
    const watch = says.kind === "cancel" ? link.watches.get(says.cancel.endpoint) : undefined;
    if (watch !== undefined && says.kind === "cancel") this.#cancel(watch, says.cancel.id);
  }

  #watch(link: Link, path: string): Watch {
    const known = link.watches.get(path);
    if (known !== undefined) return known;
    const watch = watchOn(link, path);
    this.occupancy.begin(watch);
    return watch;
  }

  /** Of a key of which nothing is known yet there may well be no record. */
  #lingers(watch: Watch, nothing = watch.sent === undefined): void {
    (nothing ? this.#lingerNothing : this.#linger).start(watch);
  }

  /** An object that takes an endpoint for watched which isn't asks about it when it hears so. */
  #returns(link: Link, path: string): void {
    const watch = link.watches.get(path);
    if (watch === undefined) this.down.send(link, [encodeDetached(path)]);
    else this.#stays(watch);
  }

  #stays(watch: Watch): void {
    this.#linger.end(watch);
    this.#lingerNothing.end(watch);
  }

  #ask(watch: Watch, attach: Attach): void {
    this.#stays(watch);
    const surplus = noteAsk(watch, attach);
    if (surplus !== undefined) this.#cancel(watch, surplus);
    this.#above.attaches().ask(watch, attach);
  }

  /** Nobody waits for the answer any more (L8). */
  #cancel(watch: Watch, id: number): void {
    if (!watch.asks.delete(id)) return;
    this.#above.attaches().cancel(watch, id);
    this.#above.send([encodeCancel({ endpoint: watch.path, id }, watch.link.number)]);
  }

  /** Nobody came back (L5). An object of many may still publish on the link: it says when that is of no use any more (L13). */
  #leave(watch: Watch): void {
    const { link } = watch;
    this.#unwatch(watch);
    if (link.watches.size > 0 || isOfMany(link.object)) this.down.add(link, encodeDetached(watch.path));
    else this.#end(link);
  }

  /** Nothing is watched on it. */
  #end(link: Link): void {
    this.links.remove(link);
    this.down.forget(link);
    this.#wakes.forget(link);
    this.#forget(link.object);
    closeQuietly(link.peer, "detached");
  }

  #unwatch(watch: Watch): void {
    watch.link.watches.delete(watch.path);
    this.#stays(watch);
    this.occupancy.end(watch);
    this.#above.attaches().forget(watch);
    this.#above.send([encodeDetach(watch.path, watch.link.number)]);
  }

  #forget(object: ObjectIdentity): void {
    if (this.#noted.delete(object)) this.#ports.forget(object);
    this.#dialer.forget(object);
  }
}
