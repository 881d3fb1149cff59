/**
 * The slices into which origins divide the partitions: each has its active uplink and its standbys (N2). Origins may
 * divide them by different counts, for a while; one count is served (N9).
 */
import type { CloseName } from "../../../shared/protocol/codes.ts";
import { LIMITS } from "../../../shared/protocol/limits.ts";
import { formatSlice, type Slice, WHOLE } from "../../../shared/protocol/slice.ts";
import type { OriginHello } from "../../../shared/protocol/uplink.ts";
import { VERSION } from "../../../shared/protocol/version.ts";
import { closeQuietly, type HibernatingPeer } from "../../peer.ts";
import { Deadline } from "./failover.ts";
import { Greeting, type GreetingPorts } from "./greeting.ts";
import { type Failover, Generations, Leadership, type ShardConfig } from "./leadership.ts";
import { Scopes } from "./scopes.ts";
import { SliceUplinks, type SliceUplinksPorts, type Uplink } from "./slice-uplinks.ts";
import { fence, survivorsSlice, verifiedName } from "./uplink-attachment.ts";

export interface SlicesPorts extends SliceUplinksPorts, GreetingPorts {
  /** Must outlive the shard's memory. */
  setGeneration(generation: number): void;
}

export interface SlicesFailover extends Failover {
  /** The slice has no active uplink any more, or another one: what the one before was asked is open. */
  lost(slice: number): void;
  /** Another count is served from now on; none of its slices has an active uplink yet. */
  switched(count: number): void;
}

export interface SliceStatus {
  /** `k/n` */
  readonly slice: string;
  /** Whether an origin is connected. */
  readonly connected: boolean;
  /** Whether it has read its partitions to the end that they had at start. */
  readonly ready: boolean;
  /** The name of the active origin. */
  readonly origin: string | null;
  /** Of its leadership; 0 if there is none. */
  readonly generation: number;
  readonly standbys: readonly { readonly origin: string; readonly ready: boolean }[];
}

export class Slices {
  readonly generations: Generations;
  readonly scopes = new Scopes();
  readonly #ports: SlicesPorts;
  readonly #config: ShardConfig;
  readonly #failover: SlicesFailover;
  /** By their count, in the order of their numbers. */
  readonly #layouts = new Map<number, readonly Leadership[]>();
  /** The slices of the count that is served. */
  #served: readonly Leadership[];
  readonly #greeting: Greeting;
  readonly #owners = new Map<HibernatingPeer, Leadership>();
  #nextLink = 1;
  /** What a slice of the count that is served is given before another count is served. */
  readonly #deadline = new Deadline<HibernatingPeer>();

  constructor(
    ports: SlicesPorts,
    config: ShardConfig,
    survivors: { readonly generation: number; readonly uplinks: readonly HibernatingPeer[] },
    failover: SlicesFailover,
  ) {
    this.#ports = ports;
    this.#config = config;
    this.#failover = failover;
    this.#greeting = new Greeting(ports, survivors.uplinks);
    this.generations = new Generations(survivors.generation, (generation) => ports.setGeneration(generation));
    const bySlice = Map.groupBy(survivors.uplinks, (socket) => formatSlice(survivorsSlice(socket)));
    for (const socket of survivors.uplinks) this.#layout(survivorsSlice(socket).count, bySlice);
    const all = [...this.#layouts.values()];
    for (const { uplinks } of all.flat()) this.#nextLink = Math.max(this.#nextLink, uplinks.nextLink);
    for (const socket of survivors.uplinks) {
      const { count, number } = survivorsSlice(socket);
      const leadership = this.#layouts.get(count)?.[number - 1];
      if (leadership !== undefined) this.#owners.set(socket, leadership);
    }
    this.#served = all.find((layout) => layout.some(({ active }) => active)) ?? this.#layout(WHOLE.count);
  }

  /** An uplink that was active stays so. A slice that has only standbys gets one of them. */
  start(): void {
    this.#serves(true);
    this.arrived();
  }

  /** How many slices there are. */
  get count(): number {
    return this.#served.length;
  }

  /** Numbers of those that have an active uplink. */
  present(): number[] {
    return this.#served.filter(({ active }) => active !== undefined).map(({ slice }) => slice.number);
  }

  get isPresent(): boolean {
    return this.#served.some(({ active }) => active !== undefined);
  }

  /** The active uplink of each slice, in order, if it has one. */
  actives(): readonly (HibernatingPeer | undefined)[] {
    return this.#served.map(({ active }) => active?.socket);
  }

  /** Whether an uplink is active or stands by, whatever is served. */
  isOpen(socket: HibernatingPeer): boolean {
    const standing = this.#owners.get(socket)?.uplinks.standing(socket);
    return standing === "active" || standing === "standby";
  }

  /** All that are active or stand by, whatever is served. */
  open(): readonly HibernatingPeer[] {
    return [...this.#owners.keys()].filter((socket) => this.isOpen(socket));
  }

  /** The same, and it isn't silent. */
  isHeard(socket: HibernatingPeer): boolean {
    return this.#owners.get(socket)?.uplinks.isHeard(socket) ?? false;
  }

  /** To the active one of a slice, or of each; lost if there is none. */
  send(frames: readonly string[], slice?: number): void {
    if (slice !== undefined) this.#served[slice - 1]?.send(frames);
    else for (const leadership of this.#served) leadership.send(frames);
  }

  /** What `work` sends leaves when it ends, in as few messages as that allows. */
  batch(work: () => void): void {
    const served = this.#served;
    for (const leadership of served) leadership.beginBatch();
    try {
      work();
    } finally {
      for (const leadership of served) leadership.sendBatch();
    }
  }

  /** The number of a new link: not used twice in one generation (L2), over a hibernation either. */
  numberLink(): number {
    const number = this.#nextLink++;
    for (const { uplinks } of this.#all()) uplinks.nextLink = this.#nextLink;
    return number;
  }

  opened(socket: HibernatingPeer, origin: string, scope: string | undefined): void {
    this.#greeting.arrived();
    this.#greeting.opened(socket, origin, scope);
  }

  /** Of which slice an uplink is that has said hello, while that is known. */
  ownerOf(socket: HibernatingPeer): Leadership | undefined {
    return this.#owners.get(socket);
  }

  /** Any arrival checks whether a standby must take over, so that the shard needs no timer for it (U13). */
  arrived(from?: HibernatingPeer): void {
    this.#greeting.arrived();
    const contested = this.#layouts.size > 1;
    if (from !== undefined) this.#deadline.heard(from, this.#ports);
    for (const leadership of this.#all())
      this.#watched(leadership, () => leadership.arrived(from, contested));
    this.#choose();
  }

  /**
   * Takes the uplink of a hello into the slice that it names (U2, U11, U12, N2). Returns why the socket must be closed, if
   * it must.
   */
  welcome(socket: HibernatingPeer, hello: OriginHello): CloseName | undefined {
    this.#greeting.ended(socket);
    if (hello.version !== VERSION) return "unsupported_version";
    const slice = hello.slice ?? WHOLE;
    // Before anything of the origin that it calls itself is touched (U2).
    if (hello.origin !== verifiedName(socket) || this.scopes.of(socket)?.maySlice(slice) === false) {
      fence(socket);
      return "unauthorized";
    }
    const { count, number } = slice;
    this.#forgetEmpty(count);
    if (!this.#layouts.has(count) && this.#layouts.size >= LIMITS.sliceCounts) return "overloaded";
    const layout = this.#layout(count);
    const leadership = layout[number - 1];
    if (leadership === undefined) return "bad_frame";
    this.#replaceNamesake(hello.origin, leadership);
    if (layout !== this.#served && this.#served.every(({ uplinks }) => uplinks.isEmpty)) this.#switch(layout);
    this.#owners.set(socket, leadership);
    let refusal: CloseName | undefined;
    this.#watched(leadership, () => {
      refusal = leadership.welcome(socket, hello);
    });
    return refusal;
  }

  ready(socket: HibernatingPeer, ready: boolean): void {
    this.#owners.get(socket)?.uplinks.ready(socket, ready);
    this.#choose();
  }

  closed(socket: HibernatingPeer): void {
    this.#greeting.ended(socket);
    const leadership = this.#owners.get(socket);
    this.#owners.delete(socket);
    if (leadership === undefined) return;
    this.#watched(leadership, () => leadership.closed(socket));
    this.#choose();
  }

  /** Of those that are served. */
  status(): readonly SliceStatus[] {
    return this.#served.map(statusOf);
  }

  /** Of those that are served, and others that stand by. */
  standbys(): SliceStatus["standbys"] {
    return this.#all().flatMap((leadership) => statusOf(leadership).standbys);
  }

  #all(): readonly Leadership[] {
    return this.#layouts.size === 1 ? this.#served : [...this.#layouts.values()].flat();
  }

  #layout(count: number, survivors?: ReadonlyMap<string, readonly HibernatingPeer[]>): readonly Leadership[] {
    const known = this.#layouts.get(count);
    if (known !== undefined) return known;
    const layout = Array.from({ length: count }, (_, i): Leadership => {
      const slice: Slice = { number: i + 1, count };
      const uplinks = new SliceUplinks(this.#ports, slice, survivors?.get(formatSlice(slice)) ?? []);
      if (survivors === undefined) uplinks.nextLink = this.#nextLink;
      return new Leadership(uplinks, this.#config, this.generations, this.#failover);
    });
    this.#layouts.set(count, layout);
    return layout;
  }

  /** Counts of which no uplink is left, but this one and what is served. */
  #forgetEmpty(count: number): void {
    for (const [other, layout] of this.#layouts)
      if (other !== count && layout !== this.#served && layout.every(({ uplinks }) => uplinks.isEmpty))
        this.#layouts.delete(other);
  }

  /** An origin has one slice. If it had another one before, that uplink is closed (U12). */
  #replaceNamesake(origin: string, leadership: Leadership): void {
    for (const other of this.#all()) {
      const before = other === leadership ? undefined : other.uplinks.named(origin);
      if (before === undefined) continue;
      closeQuietly(before, "replaced");
      this.closed(before);
    }
  }

  /** N9: what is served stays so, as long as each of its slices has someone who meets the deadline. */
  #choose(): void {
    if (this.#layouts.size === 1) return;
    const now = this.#ports.now();
    const losses = this.#served.map(({ uplinks }) => uplinks.loss(this.#deadline.at(now)));
    if (losses.every((loss) => loss === undefined)) return;
    const others = [...this.#layouts.values()].filter((layout) => layout !== this.#served);
    const whole = others.find((layout) => layout.every(({ uplinks }) => uplinks.isReady));
    const isEmpty = this.#served.every(({ uplinks }) => uplinks.isEmpty);
    const any = others.find((layout) => layout.some(({ uplinks }) => !uplinks.isEmpty));
    const next = whole ?? (isEmpty ? any : undefined);
    if (next === undefined) return;
    const silent = this.#served.flatMap(({ active }, i) =>
      active !== undefined && losses[i] === "silent" ? [active.socket] : [],
    );
    this.#deadline.tookOver(now, silent, losses.includes("late") && !losses.includes("gone"));
    this.#switch(next);
  }

  #switch(layout: readonly Leadership[]): void {
    this.#serves(false);
    this.#served = layout;
    this.#failover.switched(layout.length);
    this.#serves(true);
  }

  #serves(serves: boolean): void {
    for (const leadership of this.#served) leadership.serve(serves);
  }

  /** Tells of the loss of a slice's active uplink, before another one is asked anything. */
  #watched(leadership: Leadership, event: () => void): void {
    const before = leadership.active;
    event();
    if (
      before !== undefined &&
      leadership.active === undefined &&
      this.#served[leadership.slice.number - 1] === leadership
    )
      this.#failover.lost(leadership.slice.number);
  }
}

function statusOf({ active, uplinks, slice }: Leadership): SliceStatus {
  return {
    slice: formatSlice(slice),
    connected: active !== undefined,
    ready: active !== undefined && isReady(active),
    origin: active?.origin ?? null,
    generation: uplinks.generation,
    standbys: uplinks.standbys.map((standby) => ({ origin: standby.origin, ready: isReady(standby) })),
  };
}

function isReady({ unreadySince }: Uplink): boolean {
  return unreadySince === undefined;
}
