/**
 * What a shard decides: the switchboard between the active origins and the objects that watch something. It knows
 * who watches what and keeps no records. Here its parts are joined; sockets, rows and time come in as ports.
 *
 * Above it, uplinks/: which origins there are, which of them lead, and what they say. Below it, links/: the objects that it
 * dials, and what is watched on each link. Between the two, answering/: what objects and GETs ask, and how it is answered.
 * Beside that, publishing/: what clients publish, and which origin writes it; and revoking.ts: which tokens count no more.
 */
import { parseAddress } from "../../shared/protocol/address.ts";
import { LIMITS } from "../../shared/protocol/limits.ts";
import { type Message, packMessages } from "../../shared/protocol/message.ts";
import type { Publish } from "../../shared/protocol/publish.ts";
import type { Revocation } from "../../shared/protocol/revocation.ts";
import { encodeDetach, encodeLearnt } from "../../shared/protocol/uplink.ts";
import { VERSION } from "../../shared/protocol/version.ts";
import { isDialledBy, type ObjectIdentity } from "../object-identity.ts";
import { closeQuietly, type HibernatingPeer, type Peer, sendQuietly } from "../peer.ts";
import { type Principal, PUBLIC } from "../principal.ts";
import type { Answering } from "./answering/answering.ts";
import { LargeValues } from "./answering/large-values.ts";
import type { LatestResult } from "./answering/latest.ts";
import { Questions } from "./answering/questions.ts";
import { wayFor } from "./answering/ways.ts";
import { type AboveLinks, AttachedObjects, type AttachedObjectsPorts } from "./links/attached-objects.ts";
import type { OccupancyResult } from "./occupancy/occupancy.ts";
import { LinkPublishes } from "./publishing/link-publishes.ts";
import type { PublishOutcome } from "./publishing/outcome.ts";
import { Publishing } from "./publishing/publishing.ts";
import { Revoking, type RevokingPorts } from "./revoking.ts";
import { type ShardStatus, statusOf } from "./shard-status.ts";
import { NOBODY_TOLD, Spreading, type Unspread } from "./spreading.ts";
import type { ShardConfig } from "./uplinks/leadership.ts";
import { endpointOf, type OriginItem } from "./uplinks/origin-items.ts";
import { OriginMessages, type OriginMessagesPorts } from "./uplinks/origin-messages.ts";
import { Slices, type SlicesPorts } from "./uplinks/slices.ts";
import { verifiedName } from "./uplinks/uplink-attachment.ts";
import { type Refused, Validity, type Vouched } from "./validity.ts";

export interface ShardPorts extends AttachedObjectsPorts, OriginMessagesPorts, RevokingPorts, SlicesPorts {
  /** In [0, 1). */
  random(): number;
}

/** What outlived the shard's memory. */
export interface ShardSurvivors {
  readonly generation: number;
  readonly noted: readonly ObjectIdentity[];
  readonly revocations: readonly Revocation[];
  readonly uplinks: readonly HibernatingPeer[];
}

export class ShardCore {
  readonly revoking: Revoking;
  readonly #ports: ShardPorts;
  readonly #objects: AttachedObjects;
  readonly #slices: Slices;
  readonly #origins: OriginMessages;
  readonly #questions: Questions;
  readonly #largeValues: LargeValues;
  readonly #publishing: Publishing<HibernatingPeer>;
  readonly #linkPublishes: LinkPublishes;
  readonly #spreading: Spreading<HibernatingPeer>;
  #answering: Answering;

  constructor(ports: ShardPorts, config: ShardConfig, survivors: ShardSurvivors) {
    this.#ports = ports;
    this.revoking = new Revoking(ports, survivors.revocations, (frame) => this.#objects.tellAll(frame));
    this.#objects = this.#objectsBelow(config);
    this.#questions = new Questions({
      after: (ms, run) => ports.after(ms, run),
      isPresent: () => this.#slices.isPresent,
      gets: () => this.#answering.gets,
    });
    this.#largeValues = new LargeValues({
      after: (ms, run) => ports.after(ms, run),
      ask: (path, brief) => this.#questions.ask(path, brief),
    });
    this.#publishing = this.#publishingAbove();
    this.#linkPublishes = new LinkPublishes({
      validity: (token) => this.#validity({ kind: "vouched", ...token }),
      publish: (publish, refusal) => this.#publishing.publish(publish, refusal),
      send: (link, frames) => this.#objects.down.send(link, frames),
    });
    this.#spreading = new Spreading({
      random: () => ports.random(),
      after: (ms, run) => ports.after(ms, run),
      uplinks: () =>
        this.#slices.open().flatMap((uplink) => {
          return this.#slices.scopes.of(uplink)
            ? []
            : [[uplink, verifiedName(uplink) ?? "an origin"] as const];
        }),
      send: (uplink, frame) => sendQuietly(uplink, frame),
    });
    this.#slices = new Slices(ports, config, survivors, {
      attaches: (slice) => this.#answering.attaches.repeat(slice),
      activated: (slice) => {
        this.#answering.gets.repeat(slice);
        this.#publishing.look();
        this.#objects.occupancy.elsewhere.look();
      },
      lost: (slice) => this.#lost(slice),
      switched: (count) => {
        this.#answering.attaches.end();
        this.#answering.gets.end();
        this.#answering = this.#wayFor(count);
      },
    });
    this.#answering = this.#wayFor(this.#slices.count);
    this.#origins = this.#originsAbove();
    this.#objects.resume(survivors.noted, (object) => isDialledBy(object, config.shard, config.shards));
    // What stood by when the memory was lost is all that is left, if the active one has gone meanwhile.
    this.#slices.start();
  }

  /** An object has a subscriber and no link (L1). Returns at once. */
  attach(object: ObjectIdentity): void {
    this.#slices.arrived();
    this.#objects.attach(object);
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
      return { kind: "subscribers", subscribers: await this.#objects.occupancy.ask(path) };
    });
  }

  #for<T>(principal: Principal, answer: () => Promise<T>): Promise<T | Refused> {
    return principal.kind === "public" ? answer() : this.#forValid(this.#validity(principal), answer);
  }

  async #forValid<T>(validity: Validity, answer: () => Promise<T>): Promise<T | Refused> {
    const refused = await validity.learned();
    if (refused !== undefined) return refused;
    const answered = await answer();
    // The token may have ended, or been revoked, while the answer was awaited.
    return (await validity.learned()) ?? answered;
  }

  /** W6. Never rejects. */
  async publish(publish: Publish, principal: Principal = PUBLIC): Promise<PublishOutcome> {
    this.#slices.arrived();
    const validity = this.#validity(principal);
    // If that is known at once nothing is awaited: publishes are sent in the order in which they come.
    const known = validity.refusal();
    const refused = known === "unknown" ? await validity.learned() : known;
    return refused ?? this.#publishing.publish(publish, () => validity.refusal());
  }

  /** D4: brings what it knows of that revocation to all other edges. Never rejects. */
  async spread(issuer: string, id: string): Promise<Unspread> {
    this.#slices.arrived();
    const revocation = this.revoking.named(issuer, id);
    return revocation === undefined ? NOBODY_TOLD : this.#spreading.spread(revocation);
  }

  status(): ShardStatus {
    this.#slices.arrived();
    return statusOf(this.#slices, this.#objects.links, this.revoking.count);
  }

  /** `origin`: the name that its key gives it. `scope`: what the key may speak for, undefined for all. */
  uplinkOpened(socket: HibernatingPeer, origin: string, scope?: string): void {
    this.#slices.opened(socket, origin, scope);
  }

  uplinkMessage(socket: HibernatingPeer, message: Message): void {
    this.#slices.arrived(socket);
    const refusal = this.#objects.down.batch(() => this.#origins.take(socket, message));
    if (refusal === undefined) return;
    // One that leaves has said so, and one that was fenced may not know it yet: neither is worth a line in the log.
    if (refusal !== "going_away" && refusal !== "stale_generation")
      this.#ports.log(`an uplink of ${verifiedName(socket) ?? "nobody"} is closed: ${refusal}`);
    closeQuietly(socket, refusal);
    this.uplinkClosed(socket);
  }

  /** A standby takes over (U13). If there is none the links stay, and are attached anew by the next origin. */
  uplinkClosed(socket: HibernatingPeer): void {
    this.#slices.closed(socket);
    this.#publishing.lost(socket);
    this.#spreading.lost(socket);
    this.#objects.occupancy.uplinkEnded(socket);
  }

  linkMessage(peer: Peer, message: Message): void {
    this.#slices.arrived();
    // An object of many endpoints asks about many at once.
    this.#slices.batch(() => this.#objects.down.batch(() => this.#objects.message(peer, message)));
  }

  linkClosed(peer: Peer): void {
    this.#objects.closed(peer);
  }

  /** A slice has no origin. */
  #lost(slice: number): void {
    this.#answering.gets.lost(slice);
    this.#answering.attaches.lost(slice);
    this.#objects.occupancy.elsewhere.look();
  }

  #route(number: number, slice: number, item: OriginItem): void {
    const link = this.#objects.links.numbered(number);
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

  #validity(principal: Principal | Vouched): Validity {
    return new Validity(principal, this.revoking, () => this.#ports.wall());
  }

  #objectsBelow({ shard, gatherMs }: ShardConfig): AttachedObjects {
    const above: AboveLinks = {
      begin: () => {
        const { generations } = this.#slices;
        generations.begin();
        const { count } = this.revoking;
        const revocations = count > 0 ? { revocations: count } : {};
        const hello = { version: VERSION, shard, generation: generations.current, ...revocations };
        return { number: this.#slices.numberLink(), hello };
      },
      attaches: () => this.#answering.attaches,
      check: (id, tokens) => this.revoking.check(id, tokens),
      publish: (link, frame) => this.#linkPublishes.take(link, frame),
      send: (frames) => this.#slices.send(frames),
      origins: (path) => this.#actives().filter((uplink) => this.#maySpeakOf(uplink, path)),
      tell: (uplink, frames) => {
        for (const message of packMessages(frames, LIMITS.batchBytes)) sendQuietly(uplink, message);
      },
    };
    return new AttachedObjects(this.#ports, above, gatherMs);
  }

  #publishingAbove(): Publishing<HibernatingPeer> {
    const ports = this.#ports;
    return new Publishing({
      now: () => ports.now(),
      wall: () => ports.wall(),
      random: () => ports.random(),
      after: (ms, run) => ports.after(ms, run),
      actives: () => this.#slices.actives(),
      isOpen: (uplink) => this.#slices.isOpen(uplink),
      isHeard: (uplink) => this.#slices.isHeard(uplink),
      mayTopic: (uplink, topic) => this.#slices.scopes.of(uplink)?.mayTopic(topic) ?? true,
      send: (uplink, frame) => sendQuietly(uplink, frame),
    });
  }

  #originsAbove(): OriginMessages {
    const { links } = this.#objects;
    return new OriginMessages(this.#ports, this.#slices, {
      headsOf: (number) => links.numbered(number)?.heads,
      link: (number, slice, item) => this.#route(number, slice, item),
      unreadable: (number) => {
        const link = links.numbered(number);
        if (link !== undefined) this.#objects.drop(link);
      },
      question: (id, slice, item) => this.#answering.gets.take(id, slice, item),
      published: (from, id, result) => this.#publishing.published(from, id, result),
      writes: (from, writing) => this.#publishing.writes(from, writing),
      revocations: (from, id, revocations) => {
        if (this.revoking.hear(revocations)) sendQuietly(from, encodeLearnt(id));
      },
      spread: (from, id, out) => this.#spreading.answered(from, id, out),
      counts: (from, says) => {
        const { occupancy } = this.#objects;
        if (says.kind === "elsewhere") occupancy.elsewhere.heard(from, says.endpoint, says.subscribers);
        else occupancy.toTell(from, says.endpoint, says.kind === "count");
      },
      alone: (from, isAlone) => this.#objects.occupancy.elsewhere.alone(from, isAlone),
    });
  }

  #actives(): readonly HibernatingPeer[] {
    return this.#slices.actives().filter((uplink) => uplink !== undefined);
  }

  #maySpeakOf(uplink: HibernatingPeer, path: string): boolean {
    const scope = this.#slices.scopes.of(uplink);
    const address = scope && parseAddress(path);
    return scope === undefined || (address?.ok === true && scope.mayTopic(address.address.topic));
  }

  #wayFor(count: number): Answering {
    const ports = this.#ports;
    const way = {
      now: () => ports.now(),
      after: (ms: number, run: () => void) => ports.after(ms, run),
      watches: () => this.#objects.links.watches(),
      present: () => this.#slices.present(),
      send: (frames: readonly string[], slice: number) => this.#slices.send(frames, slice),
      down: this.#objects.down,
    };
    return wayFor(count, way, this.#questions.open());
  }
}
