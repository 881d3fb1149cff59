/**
 * What a shard decides: the switchboard between the active origins and the objects that watch something. It knows
 * who watches what and keeps no records. L1–L11, U2–U15 and W6–W10 of INTERNALS.md. Sockets, rows and time come in as ports.
 *
 * A shard is awake while it has links, for these it dialled itself; so it is the clock of the objects below.
 *
 * Above it, uplinks/: which origins there are, and which of them lead. Below it, links/: the objects that it dials, and
 * what is watched on each link. Between the two, answering/: what objects and GETs ask, and how it is answered. Beside that,
 * publishing/: what clients publish, and which origin writes it.
 */

import { type Attach, encodeCancel } from "../../shared/protocol/attach.ts";
import type { CloseName } from "../../shared/protocol/codes.ts";
import type { Frame } from "../../shared/protocol/frame.ts";
import {
  decodeLinkUp,
  encodeChecked,
  encodeLinkHello,
  encodeRevocations,
  encodeRevoke,
  encodeWake,
  type LinkUp,
} from "../../shared/protocol/link.ts";
import { type Message, splitBinary, splitText } from "../../shared/protocol/message.ts";
import type { Publish } from "../../shared/protocol/publish.ts";
import type { Revocation } from "../../shared/protocol/revocation.ts";
import { errorBody } from "../../shared/protocol/schemas.ts";
import { encodeDetach } from "../../shared/protocol/uplink.ts";
import { VERSION } from "../../shared/protocol/version.ts";
import { tokenNamesOf } from "../access/token-names.ts";
import { type ObjectIdentity, shardOfObject } from "../object-identity.ts";
import { closeQuietly, type HibernatingPeer, type Peer, sendQuietly } from "../peer.ts";
import { isOver, type KnownPrincipal, OVER, type Principal, PUBLIC, REVOKED } from "../principal.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import type { Answering, AnsweringPorts } from "./answering/answering.ts";
import { LargeValues } from "./answering/large-values.ts";
import type { LatestResult } from "./answering/latest.ts";
import { Questions } from "./answering/questions.ts";
import { wayFor } from "./answering/ways.ts";
import { Dialer, type DialerPorts } from "./links/dialer.ts";
import { Downlink, type DownlinkPorts } from "./links/downlink.ts";
import { Linger, type LingerPorts } from "./links/linger.ts";
import { type Link, Links, noteAsk, type Watch, watchOn } from "./links/links.ts";
import { Occupancy, type OccupancyResult } from "./links/occupancy.ts";
import { Wakes, type WakesPorts } from "./links/wakes.ts";
import { Bearer } from "./publishing/bearer.ts";
import type { PublishOutcome } from "./publishing/outcome.ts";
import { Publishing } from "./publishing/publishing.ts";
import { Revoking, type RevokingPorts } from "./revoking.ts";
import { type ShardStatus, statusOf } from "./shard-status.ts";
import { type Disbelief, disbelief } from "./uplinks/disbelief.ts";
import type { ShardConfig } from "./uplinks/leadership.ts";
import { endpointOf, type OriginItem, readItem } from "./uplinks/origin-items.ts";
import { strangersStanding, verifiedName } from "./uplinks/slice-uplinks.ts";
import { Slices, type SlicesPorts } from "./uplinks/slices.ts";

export interface ShardPorts
  extends DialerPorts,
    DownlinkPorts,
    LingerPorts,
    RevokingPorts,
    SlicesPorts,
    WakesPorts {
  /** In [0, 1). */
  random(): number;
  /** Rows that outlive the shard's memory. */
  note(object: ObjectIdentity): void;
  forget(object: ObjectIdentity): void;
  /** A frame of an origin was dropped. */
  disbelieved(): void;
}

/** What outlived the shard's memory. */
export interface ShardSurvivors {
  readonly generation: number;
  readonly noted: readonly ObjectIdentity[];
  readonly revocations: readonly Revocation[];
  readonly uplinks: readonly HibernatingPeer[];
}

/** What is told instead of an answer. */
type ErrorResult = Extract<LatestResult, { readonly kind: "error" }>;

/** How long an endpoint stays attached after its last subscriber has gone; and one whose key has no record. */
const LINGER_MS = TIME_LIMITS.lingerMs;
const LINGER_NOTHING_MS = TIME_LIMITS.lingerNothingMs;

export class ShardCore {
  readonly #ports: ShardPorts;
  readonly #config: ShardConfig;
  readonly #slices: Slices;
  #answering: Answering;
  readonly #dialer: Dialer;
  readonly #questions: Questions;
  readonly #largeValues: LargeValues;
  readonly #linger: Linger<Watch>;
  readonly #lingerNothing: Linger<Watch>;
  readonly #wakes: Wakes<Watch>;
  readonly #occupancy: Occupancy;
  readonly #downlink: Downlink;
  readonly #revoking: Revoking;
  readonly #publishing: Publishing<HibernatingPeer>;
  readonly #links = new Links();
  /** The objects that asked to be attached: those that have a link, or are being dialled. */
  readonly #noted = new Set<ObjectIdentity>();
  #dials = 0;

  constructor(ports: ShardPorts, config: ShardConfig, survivors: ShardSurvivors) {
    this.#ports = ports;
    this.#config = config;
    this.#downlink = new Downlink(ports, ({ peer }) => this.linkClosed(peer));
    this.#revoking = new Revoking(ports, survivors.revocations);
    this.#linger = new Linger(ports, LINGER_MS, (watch) => this.#leave(watch));
    this.#lingerNothing = new Linger(ports, LINGER_NOTHING_MS, (watch) => this.#leave(watch));
    this.#wakes = new Wakes(ports, ({ link, path }) => this.#downlink.send(link, [encodeWake(path)]));
    this.#occupancy = new Occupancy({
      now: () => ports.now(),
      after: (ms, run) => ports.after(ms, run),
      send: (link, frame) => this.#downlink.send(link, [frame]),
    });
    this.#questions = new Questions({
      after: (ms, run) => ports.after(ms, run),
      isPresent: () => this.#slices.isPresent,
      gets: () => this.#answering.gets,
    });
    this.#largeValues = new LargeValues({
      after: (ms, run) => ports.after(ms, run),
      ask: (path, brief) => this.#questions.ask(path, brief),
    });
    this.#publishing = new Publishing({
      now: () => ports.now(),
      wall: () => ports.wall(),
      random: () => ports.random(),
      after: (ms, run) => ports.after(ms, run),
      actives: () => this.#slices.actives(),
      isOpen: (uplink) => this.#slices.isOpen(uplink),
      isHeard: (uplink) => this.#slices.isHeard(uplink),
      mayTopic: (uplink, topic) => this.#slices.scopeOf(uplink)?.mayTopic(topic) ?? true,
      send: (uplink, frame) => sendQuietly(uplink, frame),
    });
    const way: AnsweringPorts = {
      now: () => ports.now(),
      after: (ms, run) => ports.after(ms, run),
      watches: () => this.#links.watches(),
      present: () => this.#slices.present(),
      send: (frames, slice) => this.#slices.send(frames, slice),
      down: this.#downlink,
    };
    this.#slices = new Slices(ports, config, survivors, {
      attaches: (slice) => this.#answering.attaches.repeat(slice),
      activated: (slice) => {
        this.#answering.gets.repeat(slice);
        this.#publishing.look();
      },
      lost: (slice) => this.#lost(slice),
      switched: (count) => {
        this.#answering.attaches.end();
        this.#answering.gets.end();
        this.#answering = wayFor(count, way, this.#questions.open());
      },
    });
    this.#answering = wayFor(this.#slices.count, way, []);
    this.#dialer = new Dialer(
      ports,
      (object, peer) => this.#linkOpened(object, peer),
      (object) => this.#forget(object),
    );
    for (const object of survivors.noted) {
      // Where the number of shards has changed, another shard dials this object now.
      if (shardOfObject(object, config.shards) === config.shard) this.#noted.add(object);
      else ports.forget(object);
    }
    this.#dialer.dialAll([...this.#noted]);
    // What stood by when the memory was lost is all that is left, if the active one has gone meanwhile.
    this.#slices.start();
  }

  /** An object has a subscriber and no link (L1). Returns at once. */
  attach(object: ObjectIdentity): void {
    this.#slices.arrived();
    if (!this.#noted.has(object)) this.#ports.note(object);
    this.#noted.add(object);
    this.#dialer.dial(object);
  }

  /** U8. Never rejects. `brief`: the value isn't needed, if it is large. */
  latest(path: string, principal: Principal = PUBLIC, brief = false): Promise<LatestResult> {
    this.#slices.arrived();
    return this.#for(principal, () => this.#largeValues.ask(path, brief));
  }

  /** O2. Never rejects. */
  occupancy(path: string, principal: Principal = PUBLIC): Promise<OccupancyResult> {
    this.#slices.arrived();
    return this.#for(principal, async () => {
      return { kind: "subscribers", subscribers: await this.#occupancy.ask(path) };
    });
  }

  /** Answers one whose token counts, if there is any, when it asks and when it is answered. */
  #for<T>(principal: Principal, answer: () => Promise<T>): Promise<T | ErrorResult> {
    return principal.kind === "public" ? answer() : this.#forKnown(principal, answer);
  }

  async #forKnown<T>(principal: KnownPrincipal, answer: () => Promise<T>): Promise<T | ErrorResult> {
    if (isOver(principal, this.#ports.wall())) return { kind: "error", ...OVER };
    if (this.#revoking.count > 0 && (await this.isRevoked(principal))) return { kind: "error", ...REVOKED };
    const answered = await answer();
    // It may have ended, or been revoked, while the answer was awaited.
    if (isOver(principal, this.#ports.wall())) return { kind: "error", ...OVER };
    return (await this.isRevoked(principal)) ? { kind: "error", ...REVOKED } : answered;
  }

  /** W6. Never rejects. */
  async publish(publish: Publish, principal: Principal = PUBLIC): Promise<PublishOutcome> {
    this.#slices.arrived();
    const bearer = new Bearer(principal, {
      wall: () => this.#ports.wall(),
      revocations: () => this.#revoking.count,
      isRevoked: (token) => this.#revoking.isRevoked(token),
    });
    if (bearer.refusal() === "unknown") await bearer.learn();
    const refused = bearer.refusal();
    if (refused !== undefined && refused !== "unknown") return refused;
    return this.#publishing.publish(publish, () => bearer.refusal());
  }

  /** A9. While there are no revocations no names are hashed. */
  async isRevoked(principal: KnownPrincipal): Promise<boolean> {
    return this.#revoking.count > 0 && this.#revoking.isRevoked(await tokenNamesOf(principal));
  }

  /** A9, L11. It is stored when this returns. False if there are too many. */
  revoke(revocation: Revocation): boolean {
    if (!this.#revoking.add(revocation)) return false;
    this.#tellLinks(encodeRevoke(revocation.meant, revocation.graceMs));
    return true;
  }

  /** Whether there was one. */
  lift(issuer: string, id: string): boolean {
    if (!this.#revoking.lift(issuer, id)) return false;
    this.#tellLinks(encodeRevocations(this.#revoking.count));
    return true;
  }

  /** Those of one issuer, which is a hash, or all. */
  revocations(issuer?: string): readonly Revocation[] {
    return this.#revoking.list(issuer);
  }

  /**
   * A9: what another shard has that this one hasn't, which may be new, or may have been away. Some of a margin may be over.
   * One that was left out, when there were fewer shards, has no others than these from now on.
   */
  learn(revocations: readonly Revocation[], wasLeftOut = false): void {
    if (wasLeftOut) this.#revoking.dropOthers(revocations);
    for (const one of this.#revoking.missing(revocations)) {
      this.#revoking.keep(one);
      this.#tellLinks(encodeRevoke(one.meant, this.#revoking.leftMs(one)));
    }
  }

  status(): ShardStatus {
    this.#slices.arrived();
    return statusOf(this.#slices, this.#links, this.#revoking.count);
  }

  /** `origin`: the name that its key gives it. `scope`: what the key may speak for, undefined for all. */
  uplinkOpened(socket: HibernatingPeer, origin: string, scope?: string): void {
    this.#slices.opened(socket, origin, scope);
  }

  uplinkMessage(socket: HibernatingPeer, message: Message): void {
    this.#slices.arrived(socket);
    const items = typeof message === "string" ? splitText(message) : splitBinary(message);
    // What comes before a frame that can't be read is due to others all the same (C5).
    const refusal = this.#downlink.batch(() => this.#items(socket, items));
    if (refusal === undefined) return;
    // One that leaves has said so, and one that was fenced may not know it yet: neither is worth a line in the log.
    if (refusal !== "going_away" && refusal !== "stale_generation")
      this.#ports.log(`an uplink of ${verifiedName(socket) ?? "nobody"} is closed: ${refusal}`);
    closeQuietly(socket, refusal);
    this.uplinkClosed(socket);
  }

  /** A standby takes over (U13). Where there is none the links stay, and are attached anew by the next origin. */
  uplinkClosed(socket: HibernatingPeer): void {
    this.#slices.closed(socket);
    this.#publishing.lost(socket);
  }

  /** A slice has no origin. */
  #lost(slice: number): void {
    this.#answering.gets.lost(slice);
    this.#answering.attaches.lost(slice);
  }

  linkMessage(peer: Peer, message: Message): void {
    this.#slices.arrived();
    const link = this.#links.of(peer);
    if (link === undefined) return;
    // Objects say nothing in binary.
    for (const frame of typeof message === "string" ? splitText(message) : [""]) {
      const says = decodeLinkUp(frame);
      if (!says.ok) {
        this.#ports.log(`${link.object} sent what can't be read: ${says.problem}`);
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
    if (newest && this.#noted.has(link.object)) this.#dialer.redial(link.object);
  }

  #linkOpened(object: ObjectIdentity, peer: Peer): void {
    if (!this.#noted.has(object)) {
      closeQuietly(peer, "detached");
      return;
    }
    const before = this.#links.to(object);
    this.#slices.generations.begin();
    const link = this.#links.add(this.#slices.numberLink(), object, peer);
    if (before !== undefined) {
      closeQuietly(before.peer, "replaced");
      this.linkClosed(before.peer);
    }
    this.#dials++;
    const { shard } = this.#config;
    const generation = this.#slices.generations.current;
    const { count } = this.#revoking;
    const revocations = count > 0 ? { revocations: count } : {};
    const hello = { version: VERSION, shard, generation, dial: this.#dials, ...revocations };
    this.#downlink.send(link, [encodeLinkHello(hello)]);
  }

  #linkSays(link: Link, says: LinkUp): void {
    if (says.kind === "attach") this.#ask(this.#watch(link, says.attach.endpoint), says.attach);
    if (says.kind === "empty") this.#lingers(this.#watch(link, says.endpoint), says.nothing);
    if (says.kind === "occupied") this.#stays(this.#watch(link, says.endpoint));
    if (says.kind === "wakeAt") this.#wakes.set(this.#watch(link, says.endpoint), says.at);
    // What isn't watched any more isn't counted.
    const counted = "endpoint" in says ? link.watches.get(says.endpoint) : undefined;
    if (counted !== undefined && says.kind === "counted") this.#occupancy.counted(counted, says.subscribers);
    if (counted !== undefined && says.kind === "later") this.#occupancy.later(counted);
    if (says.kind === "check")
      this.#downlink.send(link, [encodeChecked(this.#revoking.check(says.id, says.tokens))]);
    const watch = says.kind === "cancel" ? link.watches.get(says.cancel.endpoint) : undefined;
    if (watch !== undefined && says.kind === "cancel") this.#cancel(watch, says.cancel.id);
  }

  #watch(link: Link, path: string): Watch {
    const known = link.watches.get(path);
    if (known !== undefined) return known;
    const watch = watchOn(link, path);
    this.#occupancy.begin(watch);
    return watch;
  }

  /** Of a key of which nothing is known yet there may well be no record. */
  #lingers(watch: Watch, nothing = watch.sent === undefined): void {
    (nothing ? this.#lingerNothing : this.#linger).start(watch);
  }

  #stays(watch: Watch): void {
    this.#linger.end(watch);
    this.#lingerNothing.end(watch);
  }

  #ask(watch: Watch, attach: Attach): void {
    this.#stays(watch);
    const surplus = noteAsk(watch, attach);
    if (surplus !== undefined) this.#cancel(watch, surplus);
    this.#answering.attaches.ask(watch, attach);
  }

  /** Nobody waits for the answer any more (L8). */
  #cancel(watch: Watch, id: number): void {
    if (!watch.asks.delete(id)) return;
    this.#answering.attaches.cancel(watch, id);
    this.#up([encodeCancel({ endpoint: watch.path, id }, watch.link.number)]);
  }

  /** Nobody came back (L5). */
  #leave(watch: Watch): void {
    const { link } = watch;
    this.#unwatch(watch);
    if (link.watches.size > 0) return;
    this.#links.remove(link);
    this.#forget(link.object);
    closeQuietly(link.peer, "detached");
  }

  #unwatch(watch: Watch): void {
    watch.link.watches.delete(watch.path);
    this.#stays(watch);
    this.#wakes.forget(watch);
    this.#occupancy.end(watch);
    this.#answering.attaches.forget(watch);
    this.#up([encodeDetach(watch.path, watch.link.number)]);
  }

  #forget(object: ObjectIdentity): void {
    if (this.#noted.delete(object)) this.#ports.forget(object);
    this.#dialer.forget(object);
  }

  /** Why the socket must be closed, if it must. */
  #items(socket: HibernatingPeer, items: readonly Frame[] | undefined): CloseName | undefined {
    for (const item of items ?? []) {
      const refusal = this.#item(socket, item);
      if (refusal !== undefined) return refusal;
    }
    return items === undefined ? "bad_frame" : undefined;
  }

  #item(socket: HibernatingPeer, frame: Frame): CloseName | undefined {
    const owner = this.#slices.ownerOf(socket);
    const standing = owner?.uplinks.standing(socket) ?? strangersStanding(socket);
    if (standing === "fenced") return "stale_generation";
    const item = readItem(frame, this.#headsOf);
    if (item === undefined) return "bad_frame";
    const { to, says } = item;
    if (standing === "greeting" || owner === undefined)
      return says?.kind === "hello" ? this.#slices.welcome(socket, says.hello) : "bad_frame";
    if (to.kind === "shard" && says?.kind === "ready") this.#slices.ready(socket, says.ready);
    if (to.kind === "shard" && says?.kind === "leaving") return "going_away";
    if (to.kind === "shard" && says?.kind === "published")
      this.#publishing.published(socket, says.id, says.result);
    // What a standby says of endpoints nobody has asked it; but it may write.
    if (standing === "standby" && says?.kind !== "writes") return undefined;
    const slice = owner.slice.number;
    const why = disbelief(item, this.#slices.scopeOf(socket));
    if (why === undefined && to.kind === "shard" && says?.kind === "writes")
      this.#publishing.writes(socket, says.writing);
    else if (why !== undefined) this.#disbelieve(socket, item, slice, why);
    else if (item.problem !== undefined) this.#unreadable(item, slice, item.problem);
    else if (to.kind === "links") for (const number of to.links) this.#route(number, item, slice);
    else if (to.kind === "question") this.#answering.gets.take(to.id, slice, item);
    return undefined;
  }

  /** U16: nobody below hears it. That it happens is told once for each uplink and reason: it may go on for long. */
  #disbelieve(socket: HibernatingPeer, { to }: OriginItem, slice: number, why: Disbelief): void {
    this.#ports.disbelieved();
    if (this.#slices.isNews(socket, why))
      this.#ports.log(`what ${verifiedName(socket) ?? "nobody"} says isn't passed on: ${why}`);
    if (to.kind === "question") this.#answering.gets.take(to.id, slice, refusedAnswer(to));
  }

  /** It ends a link, whose object asks anew on the next one, or a question: the uplink is that of many others. */
  #unreadable({ to, frame }: OriginItem, slice: number, problem: string): void {
    this.#ports.log(`an origin sent what can't be read: ${problem}`);
    if (to.kind === "question") {
      const error = errorBody("internal", "what the source answered can't be read");
      this.#answering.gets.take(to.id, slice, {
        to,
        frame,
        says: { kind: "error", error },
        update: undefined,
      });
    }
    for (const number of to.kind === "links" ? to.links : []) {
      const link = this.#links.numbered(number);
      if (link === undefined) continue;
      closeQuietly(link.peer, "bad_frame");
      this.linkClosed(link.peer);
    }
  }

  readonly #headsOf = (number: number) => this.#links.numbered(number)?.heads;

  #route(number: number, item: OriginItem, slice: number): void {
    const link = this.#links.numbered(number);
    const path = endpointOf(item);
    if (path === undefined) return;
    if (link === undefined) {
      // Of a life of this shard before the uplink's: that link won't come back.
      if (item.update !== undefined) this.#slices.send([encodeDetach(path, number)], slice);
      return;
    }
    const watch = link.watches.get(path);
    if (watch !== undefined) this.#answering.attaches.take(watch, slice, item);
  }

  #tellLinks(frame: string): void {
    for (const link of [...this.#links.all()]) this.#downlink.send(link, [frame]);
  }

  #up(frames: readonly string[]): void {
    this.#slices.send(frames);
  }
}

function refusedAnswer(to: OriginItem["to"]): OriginItem {
  const error = errorBody("unavailable", "the source of this endpoint may not speak for it");
  return { to, frame: "", says: { kind: "error", error }, update: undefined };
}
