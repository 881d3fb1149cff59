/**
 * The sockets that origins of one slice dialled to a shard: one of them is its active uplink, the others stand by or
 * are fenced. U2, U11–U14 of INTERNALS.md.
 */
import { LIMITS } from "../../../shared/protocol/limits.ts";
import { formatSlice, isWhole, type Slice } from "../../../shared/protocol/slice.ts";
import { closeQuietly, type HibernatingPeer } from "../../peer.ts";
import { TIME_LIMITS } from "../../time-limits.ts";
import { type Candidate, Deadline, firstReady, healthOf, isSilent, nextActive } from "./failover.ts";
import { fence, load, type Standing, save, strangersStanding, verifiedScope } from "./uplink-attachment.ts";

export interface SliceUplinksPorts {
  /** Milliseconds since 1970. */
  now(): number;
  /** When the runtime last answered a ping of this socket; undefined if it never did. */
  pingedAt(socket: HibernatingPeer): number | undefined;
}

export interface Uplink extends Candidate {
  readonly socket: HibernatingPeer;
  /** What the origin calls itself. */
  readonly origin: string;
}

interface State extends Uplink {
  heardAt: number;
  unreadySince: number | undefined;
  readonly scope: string | undefined;
  /** The last ping that was taken into account. */
  pingedAt: number | undefined;
}

/** A standby is heard every second (U9). If nobody was for this long, it was the shard that didn't hear. */
const DEAF_MS = TIME_LIMITS.shardDeafMs;

export class SliceUplinks {
  readonly slice: Slice;
  readonly #ports: SliceUplinksPorts;
  #active: State | undefined;
  #standbys: State[] = [];
  readonly #deadline = new Deadline<HibernatingPeer>();
  #generation = 0;
  #nextLink = 1;
  #arrivedAt: number;

  /** @param survivors Sockets of this slice that outlived the shard's memory. */
  constructor(ports: SliceUplinksPorts, slice: Slice, survivors: readonly HibernatingPeer[]) {
    this.#ports = ports;
    this.slice = slice;
    this.#arrivedAt = ports.now();
    for (const socket of survivors) {
      const found = load(socket);
      if (found === undefined) continue;
      const state = this.#state(socket, found.origin, found.ready);
      if (found.standing === "standby") this.#standbys.push(state);
      if (found.standing !== "active" || found.generation <= this.#generation) continue;
      this.#active = state;
      this.#generation = found.generation;
      this.#nextLink = found.nextLink;
    }
  }

  get active(): Uplink | undefined {
    return this.#active;
  }

  /** The one that has waited longest first. */
  get standbys(): readonly Uplink[] {
    return this.#standbys;
  }

  standing(socket: HibernatingPeer): Standing {
    if (socket === this.#active?.socket) return "active";
    if (this.#standbys.some((standby) => standby.socket === socket)) return "standby";
    return strangersStanding(socket);
  }

  /** The generation in which the active one leads; 0 if there is none. */
  get generation(): number {
    return this.#active === undefined ? 0 : this.#generation;
  }

  get isEmpty(): boolean {
    return this.#active === undefined && this.#standbys.length === 0;
  }

  /** Whether there is one that could be made active, is ready and can be heard. */
  get isReady(): boolean {
    return firstReady(this.#all(), this.#ports.now()) !== undefined;
  }

  /**
   * Whether its active one is gone, or has missed this deadline, by silence or by not being ready, and nobody here could
   * take over (N9).
   */
  loss(deadlineMs: number): "gone" | "silent" | "late" | undefined {
    const active = this.#active;
    if (active === undefined) return "gone";
    const now = this.#ports.now();
    if (isSilent(active, now)) this.#countPings(now);
    const health = healthOf(active, now, deadlineMs);
    if (health === "well" || firstReady(this.#standbys, now) !== undefined) return undefined;
    return health === "late" ? "late" : "silent";
  }

  /** Whether an uplink is active or stands by, and isn't silent. */
  isHeard(socket: HibernatingPeer): boolean {
    const now = this.#ports.now();
    this.#countPings(now);
    return this.#all().some((uplink) => uplink.socket === socket && !isSilent(uplink, now));
  }

  /** The uplink of an origin of this name. */
  named(origin: string): HibernatingPeer | undefined {
    return this.#all().find((uplink) => uplink.origin === origin)?.socket;
  }

  /** None is active from now on (N9). */
  demote(): void {
    const before = this.#active;
    this.#active = undefined;
    if (before !== undefined) this.#fence(before);
  }

  /**
   * Something has arrived at the shard, on an uplink or from elsewhere. Time is kept if a standby might take over,
   * of this slice or, if that is `contested`, of another count.
   */
  arrived(socket: HibernatingPeer | undefined, contested: boolean): void {
    if (socket !== undefined) this.#deadline.heard(socket, this.#ports);
    if (this.#standbys.length === 0 && !contested) return;
    const now = this.#ports.now();
    const passed = now - this.#arrivedAt;
    this.#arrivedAt = now;
    // After a pause of the shard, or a jump of its clock, silence proves nothing: everyone gets a new deadline.
    const wasDeaf = passed > DEAF_MS || passed < 0;
    for (const uplink of this.#all()) {
      if (wasDeaf || uplink.socket === socket) uplink.heardAt = now;
      if (wasDeaf && uplink.unreadySince !== undefined) uplink.unreadySince = now;
    }
  }

  /** The standby that should be active now, if any (U13). */
  nextActive(): Uplink | undefined {
    if (this.#standbys.length === 0) return undefined;
    const now = this.#ports.now();
    if (this.#active === undefined || isSilent(this.#active, now)) this.#countPings(now);
    return nextActive(this.#active, this.#standbys, now, this.#deadline.at(now));
  }

  /**
   * An origin has said hello: it stands by. An uplink that it had before is closed (U12). Returns false if
   * there are too many.
   */
  join(socket: HibernatingPeer, origin: string): boolean {
    const isSame = (other: State) => other.origin === origin;
    const before = this.#active !== undefined && isSame(this.#active) ? this.#active : undefined;
    const older = this.#standbys.find(isSame);
    if (older === undefined && this.#standbys.length >= LIMITS.standbysPerSlice) return false;
    if (older !== undefined) this.#fence(older);
    if (before !== undefined) {
      this.#fence(before);
      this.#active = undefined;
    }
    const state = this.#state(socket, origin, false);
    // Nobody kept time for it while nobody stood by.
    if (this.#active !== undefined && this.#standbys.length === 0) this.#active.heardAt = this.#ports.now();
    // A returning origin gets its slice back first, unless a standby is ready.
    this.#standbys = [...(before === undefined ? [] : [state]), ...this.#standbys.filter((s) => s !== older)];
    if (before === undefined) this.#standbys.push(state);
    this.#arrivedAt = this.#ports.now();
    this.#save(state);
    return true;
  }

  /** A standby becomes the active one; the one before is closed (U14). */
  promote({ socket }: Uplink, generation: number): void {
    const state = this.#standbys.find((standby) => standby.socket === socket);
    if (state === undefined) return;
    this.#standbys = this.#standbys.filter((standby) => standby !== state);
    const before = this.#active;
    this.#active = state;
    this.#generation = generation;
    this.#save(state);
    if (before === undefined) return;
    const now = this.#ports.now();
    const wasSilent = isSilent(before, now, this.#deadline.at(now));
    this.#deadline.tookOver(now, wasSilent ? [before.socket] : [], !wasSilent);
    this.#fence(before);
  }

  /** U9, said by one of the two. */
  ready(socket: HibernatingPeer, ready: boolean): void {
    for (const uplink of this.#all()) {
      if (uplink.socket !== socket || ready === (uplink.unreadySince === undefined)) continue;
      uplink.unreadySince = ready ? undefined : this.#ports.now();
      this.#save(uplink);
    }
  }

  /** The number of the next link, as far as this slice's active uplink remembers it. */
  get nextLink(): number {
    return this.#nextLink;
  }

  /** Is remembered over a hibernation. */
  set nextLink(number: number) {
    this.#nextLink = number;
    if (this.#active !== undefined) this.#save(this.#active);
  }

  closed(socket: HibernatingPeer): void {
    this.#standbys = this.#standbys.filter((standby) => standby.socket !== socket);
    fence(socket);
    if (socket === this.#active?.socket) this.#active = undefined;
  }

  /** An uplink that only pings wakes nobody, but is there (U9). */
  #countPings(now: number): void {
    for (const uplink of this.#all()) {
      const pingedAt = this.#ports.pingedAt(uplink.socket);
      if (pingedAt === uplink.pingedAt || pingedAt === undefined) continue;
      uplink.pingedAt = pingedAt;
      uplink.heardAt = Math.max(uplink.heardAt, Math.min(now, pingedAt));
    }
  }

  #all(): readonly State[] {
    return this.#active === undefined ? this.#standbys : [this.#active, ...this.#standbys];
  }

  #state(socket: HibernatingPeer, origin: string, ready: boolean): State {
    const now = this.#ports.now();
    const pingedAt = this.#ports.pingedAt(socket);
    const unreadySince = ready ? undefined : now;
    return { socket, origin, heardAt: now, unreadySince, pingedAt, scope: verifiedScope(socket) };
  }

  #fence({ socket }: State): void {
    fence(socket);
    closeQuietly(socket, "replaced");
  }

  #save(state: State): void {
    const { socket, origin, scope, unreadySince } = state;
    const isActive = state === this.#active;
    save(socket, {
      generation: isActive ? this.#generation : 0,
      origin,
      ...(scope !== undefined && { scope }),
      ready: unreadySince === undefined,
      nextLink: isActive ? this.#nextLink : 0,
      ...(!isWhole(this.slice) && { slice: formatSlice(this.slice) }),
      standing: isActive ? "active" : "standby",
    });
  }
}
