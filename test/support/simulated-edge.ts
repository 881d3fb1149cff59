/**
 * A shard, objects, subscribers and origins in one process, all of whose messages a test delivers by hand. The
 * shard and the objects are the real cores; what outlives their memory is what would: rows and attachments.
 */

import { EndpointCore } from "../../edge/endpoint/endpoint-core.ts";
import { endpointObject, type ObjectIdentity, objectOf } from "../../edge/object-identity.ts";
import { ShardCore } from "../../edge/shard/shard-core.ts";
import { SteadyClock } from "../../edge/surroundings.ts";
import type { Stream } from "../../shared/config/streams.ts";
import type { WindowLimits } from "../../shared/core/window.ts";
import type { Position } from "../../shared/protocol/position.ts";
import type { Slice } from "../../shared/protocol/slice.ts";
import { type Memory, PERFECT } from "./forgetful-index.ts";
import { noTokens, PUBLISHING, UNLIMITED } from "./holders.ts";
import { ModelConnection } from "./model-connection.ts";
import { ModelReceiver } from "./model-receiver.ts";
import { SimulatedOrigin } from "./simulated-origin.ts";
import { SimulatedRelay } from "./simulated-relay.ts";
import { Clock, type End, Wire } from "./simulated-wires.ts";
import { WrittenLog } from "./written-log.ts";

interface ObjectHost {
  readonly path: string;
  core: EndpointCore | undefined;
  links: Wire[];
  subscribers: Wire[];
  /** Timers of the object: it can't hibernate while it has any. */
  timers: number;
}

export interface SimulationOptions {
  readonly window: WindowLimits;
  /** How many updates a fresh answer holds at most, and any answer. */
  readonly log: { readonly window: number; readonly page: number };
  /** The slice of each of them; none of them runs yet. */
  readonly origins: readonly Slice[];
  /** What the index of each origin keeps; everything, unless told otherwise. */
  readonly memories?: readonly Memory[];
  readonly stream?: Partial<Stream>;
  /** Of the topic's partitions. */
  readonly epochs?: readonly string[];
  /** In [0, 1), the same for the same seed. */
  readonly random: () => number;
}

const STREAM: Stream = {
  topic: "quotes",
  title: "Quotes",
  subscribe: "public",
  publish: "public",
  discover: "public",
  occupancy: "subscribers",
  windowUpdates: 4,
  windowMs: 3_600_000,
  start: "earliest",
  compacted: false,
  replay: 0,
  maxAgeSeconds: 1,
};

/** In which of so many partitions a key is at home: one of them moves when there is a third. */
export function homeOf(key: string, count: number): number {
  if (key.endsWith("A")) return count > 2 ? 2 : 0;
  return 1;
}

export class SimulatedEdge {
  readonly clock = new Clock();
  /** How far the machine's clock is off. */
  #offMs = 0;
  readonly #steady = new SteadyClock(() => this.clock.now + this.#offMs);
  readonly log: WrittenLog;
  readonly origins: readonly SimulatedOrigin[];
  readonly receivers: ModelReceiver[] = [];
  readonly problems: string[] = [];
  /** What origins were asked, by link, path and id. */
  readonly asked: string[] = [];
  /** How subscribers were answered, one after the other. */
  readonly answered: string[] = [];
  readonly #options: SimulationOptions;
  readonly #objects = new Map<string, ObjectHost>();
  readonly #relays = new Map<string, SimulatedRelay>();
  #wires = new Set<Wire>();
  #shard: ShardCore | undefined;
  readonly #shardLinks: Wire[] = [];
  readonly #shardUplinks: Wire[] = [];
  /** Increased when the shard's memory is lost, so that what it left behind does nothing. */
  #life = 0;
  readonly rows = new Set<ObjectIdentity>();
  #generation = 0;
  /** When a socket was last pinged. */
  readonly #pings = new Map<unknown, number>();
  readonly #activated = new Set<number>();
  /** Failovers: an origin that stood by took over. */
  promotions = 0;

  constructor(options: SimulationOptions) {
    this.#options = options;
    this.log = new WrittenLog(options.epochs ?? ["t.0", "t.1"]);
    this.origins = options.origins.map((slice, i) => this.#origin(i, slice));
  }

  // What a test can do.

  append(path: string, value: unknown, epoch: string): void {
    this.log.append(path, value, epoch, this.clock.now);
    for (const origin of this.origins) origin.wake();
  }

  /** The topic is deleted and created again: its epochs are others from now on, and who is live is told so. */
  recreate(epochs: readonly string[]): void {
    this.log.recreate(epochs);
    for (const origin of this.origins) origin.describe();
  }

  /** The topic has a partition more, which origins find as they read on. */
  grow(epoch: string): void {
    this.log.grow(epoch);
    for (const origin of this.origins) origin.wake();
  }

  subscribe(path: string, from: Position | undefined): ModelReceiver {
    const receiver = new ModelReceiver(path, () => this.log.written);
    this.#note(receiver, from);
    this.receivers.push(receiver);
    this.#connect(receiver, from);
    return receiver;
  }

  /** A client of one endpoint, whose socket is in a room. */
  subscribeIn(room: string, path: string, from: Position | undefined): ModelReceiver {
    const receiver = new ModelReceiver(path, () => this.log.written);
    this.#note(receiver, from);
    this.receivers.push(receiver);
    this.#enter(room, receiver, from);
    return receiver;
  }

  /** Subscribes again on the same socket (S2). */
  resubscribe(receiver: ModelReceiver, from: Position | undefined): void {
    this.#note(receiver, from);
    if (receiver.end?.open) receiver.end.send(receiver.asks(from));
  }

  /** A client of many endpoints, which comes back until it has left. */
  connect(relay: string): ModelConnection {
    const connection = new ModelConnection({
      dial: () => this.relay(relay).connect(),
      now: () => this.clock.now,
      random: this.#options.random,
      after: (ms, run) => this.clock.after(ms, run),
      written: () => this.log.written,
      receives: (receiver) => this.receivers.push(receiver),
      names: (receiver, from) => this.#note(receiver, from),
    });
    connection.dial();
    return connection;
  }

  relay(name: string): SimulatedRelay {
    const relay =
      this.#relays.get(name) ??
      new SimulatedRelay(name, {
        clock: this.clock,
        wire: () => this.#wire(),
        now: () => this.#steady.now(),
        wall: () => this.clock.now + this.#offMs,
        random: this.#options.random,
        attach: (object) => this.#liveShard().attach(object),
        config: { window: this.#options.window, replays: (this.#options.stream?.replay ?? 0) > 0 },
        problem: (problem) => this.problems.push(problem),
      });
    this.#relays.set(name, relay);
    return relay;
  }

  leave(receiver: ModelReceiver): void {
    receiver.left = true;
    if (receiver.end?.open) receiver.end.close(1000);
  }

  /** The next update finds it slow. */
  slow(receiver: ModelReceiver): void {
    const wire = [...this.#wires].find(({ client }) => client === receiver.end);
    if (wire !== undefined) wire.server.bufferedAmount = 1024 * 1024;
  }

  /** Breaks the socket of a client. */
  cut(client: End): void {
    for (const wire of this.#wires) if (wire.client === client) wire.cut();
  }

  cutLink(path: string): void {
    for (const wire of this.#objects.get(path)?.links ?? []) wire.cut();
  }

  /** Hibernates an object, where it could be. Returns whether it was. */
  evict(path: string): boolean {
    const host = this.#objects.get(path);
    if (host?.core === undefined || host.timers > 0) return false;
    host.core = undefined;
    return true;
  }

  /** The shard's memory and sockets are lost; its rows stay. */
  crashShard(): void {
    this.#life++;
    this.#shard = undefined;
    // Its links are numbered anew.
    this.asked.length = 0;
    for (const wire of this.#shardLinks.splice(0)) {
      wire.client.listener = undefined;
      wire.cut();
    }
    for (const wire of this.#shardUplinks.splice(0)) {
      wire.server.listener = undefined;
      wire.cut();
    }
  }

  /** The shard's memory is lost, but not its uplinks. Returns whether it could be: links keep it awake. */
  evictShard(): boolean {
    if (this.#shard === undefined || this.#shard.status().links > 0) return false;
    this.#life++;
    this.#shard = undefined;
    // Its links are numbered anew.
    this.asked.length = 0;
    return true;
  }

  /** The edge's clock is set forward, or back. Timers run on. */
  setClock(byMs: number): void {
    this.#offMs += byMs;
  }

  /** Time passes, in which origins ping, and those that stand by are heard. */
  pass(ms: number): void {
    const until = this.clock.now + ms;
    while (this.clock.now < until) {
      const next = Math.min(until, this.clock.now + 1_000);
      while (this.clock.next(next - this.clock.now));
      this.clock.now = next;
      for (const origin of this.origins) {
        origin.tick();
        const { wire } = origin;
        if (wire === undefined || origin.deafWire === wire || !wire.client.open) continue;
        this.#pings.set(wire.server, this.clock.now + this.#offMs);
        if (!origin.isStandby) continue;
        origin.beat();
        while (wire.isPending("server")) wire.deliver("server");
      }
    }
  }

  /** Delivers one message that is under way, chosen by a number. Returns whether there was one. */
  async deliver(choice: number): Promise<boolean> {
    const chosen = this.#pending(choice);
    chosen?.wire.deliver(chosen.to);
    await settled();
    return chosen !== undefined;
  }

  /** One of those directions of wires in which something is under way, counted from the oldest wire, again and again. */
  #pending(choice: number): { readonly wire: Wire; readonly to: "server" | "client" } | undefined {
    const deaf = this.origins.flatMap(({ deafWire }) => deafWire ?? []);
    const pending: { wire: Wire; to: "server" | "client" }[] = [];
    for (const wire of this.#wires) {
      if (wire.isDone) this.#wires.delete(wire);
      for (const to of ["server", "client"] as const) {
        if (!wire.isPending(to) || (to === "client" && deaf.includes(wire))) continue;
        pending.push({ wire, to });
        if (pending.length > choice) return pending[choice];
      }
    }
    return pending[choice % Math.max(1, pending.length)];
  }

  /** Delivers everything and lets time pass until nothing more happens within a minute. */
  async quiet(): Promise<void> {
    for (let steps = 0; steps < 5_000; steps++) {
      if (await this.deliver(0)) continue;
      if (!this.clock.next(60_000)) return;
      await settled();
    }
    this.problems.push("it does not come to rest");
  }

  /** What is watched, as each of those concerned knows it. */
  watched(): Record<"rows" | "shard" | "objects" | "origins", readonly string[]> {
    const { watched, links } = this.#liveShard().status();
    const objects = [...this.#objects.values()];
    return {
      rows: [...this.rows].map((object) => object.slice(object.indexOf(" ") + 1)).sort(),
      shard: [`${watched} endpoints`, `${links} links`],
      objects: objects.flatMap(({ path, links }) => links.map(() => path)).sort(),
      origins: this.origins.flatMap((origin) => origin.live()).sort(),
    };
  }

  /** How many slices the shard serves. */
  slices(): number {
    return this.#liveShard().status().slices.length;
  }

  /** Whether an object keeps itself awake. */
  isAwake(path: string): boolean {
    return (this.#objects.get(path)?.timers ?? 0) > 0;
  }

  // How it hangs together.

  #note({ madeUp }: ModelReceiver, from: Position | undefined): void {
    for (const [epoch, offset] of from ?? []) if (offset >= this.log.endOf(epoch)) madeUp.add(epoch);
  }

  #connect(receiver: ModelReceiver, from: Position | undefined): void {
    const wire = this.#wire();
    const host = this.#host(receiver.path);
    receiver.begin(wire.client, from, () => {
      // A client comes back from its position (S10), unless it has left meanwhile.
      this.clock.after(100, () => {
        if (!receiver.left) this.#connect(receiver, receiver.position);
      });
    });
    wire.server.listener = {
      message: (message) => this.#core(host).clientMessage(wire.server, message),
      close: () => {
        host.subscribers = host.subscribers.filter((other) => other !== wire);
        this.#core(host).clientClosed(wire.server);
      },
    };
    // The object is there before the socket is, as in the platform.
    const core = this.#core(host);
    host.subscribers.push(wire);
    core.subscribe(wire.server, from);
  }

  #enter(room: string, receiver: ModelReceiver, from: Position | undefined): void {
    receiver.begin(this.relay(room).subscribe(receiver.path, from), from, () => {
      this.clock.after(100, () => {
        if (!receiver.left) this.#enter(room, receiver, receiver.position);
      });
    });
  }

  #host(path: string): ObjectHost {
    const host = this.#objects.get(path) ?? { path, core: undefined, links: [], subscribers: [], timers: 0 };
    this.#objects.set(path, host);
    return host;
  }

  #core(host: ObjectHost): EndpointCore {
    host.core ??= new EndpointCore(
      {
        now: () => this.#steady.now(),
        wall: () => this.clock.now + this.#offMs,
        random: this.#options.random,
        after: (ms, run) => {
          host.timers++;
          let running = true;
          const ended = () => {
            if (running) host.timers--;
            running = false;
          };
          const cancel = this.clock.after(ms, () => {
            ended();
            run();
          });
          return () => {
            ended();
            cancel();
          };
        },
        attach: async () => this.#liveShard().attach(endpointObject(host.path)),
        log: (problem) => this.problems.push(problem),
        sent: () => undefined,
        answered: (how) => this.answered.push(how),
        pingedAt: () => undefined,
        verify: noTokens,
        newKey: () => "made",
      },
      {
        path: host.path,
        shard: 0,
        window: this.#options.window,
        replays: (this.#options.stream?.replay ?? 0) > 0,
        limits: UNLIMITED,
        publishing: PUBLISHING,
      },
      {
        links: host.links.map(({ server }) => server),
        subscribers: host.subscribers.map(({ server }) => server),
      },
    );
    return host.core;
  }

  #liveShard(): ShardCore {
    if (this.#shard !== undefined) return this.#shard;
    const life = this.#life;
    this.#shard = new ShardCore(
      {
        now: () => this.#steady.now(),
        wall: () => this.clock.now + this.#offMs,
        random: this.#options.random,
        after: (ms, run) => this.clock.after(ms, () => life === this.#life && run()),
        dial: async (object) => this.#dialObject(object),
        note: (object) => this.rows.add(object),
        forget: (object) => this.rows.delete(object),
        setGeneration: (generation) => {
          if (generation <= this.#generation) this.problems.push("the generation does not grow");
          this.#generation = generation;
        },
        pingedAt: (socket) => {
          const wall = this.#pings.get(socket);
          return wall === undefined ? undefined : this.#steady.at(wall);
        },
        keepRevocation: () => undefined,
        dropRevocation: () => undefined,
        log: (problem) => this.problems.push(problem),
        sent: () => undefined,
        disbelieved: () => this.problems.push("an origin wasn't believed"),
      },
      { shard: 0, shards: 1, gatherMs: 25 },
      {
        generation: this.#generation,
        noted: [...this.rows],
        revocations: [],
        uplinks: this.#shardUplinks.map(({ server }) => server).filter(({ open }) => open),
      },
    );
    return this.#shard;
  }

  #dialObject(identity: ObjectIdentity): End {
    const object = objectOf(identity);
    if (object.kind === "endpoint") return this.#dial(object.path);
    const wire = this.#wire();
    this.#listenTo(wire);
    this.relay(object.name).linked(wire);
    return wire.client;
  }

  /** At the shard's end of a link. */
  #listenTo(wire: Wire): void {
    this.#shardLinks.push(wire);
    wire.client.listener = {
      message: (message) => this.#shard?.linkMessage(wire.client, message),
      close: () => this.#shard?.linkClosed(wire.client),
    };
  }

  #dial(path: string): End {
    const wire = this.#wire();
    const host = this.#host(path);
    wire.server.listener = {
      message: (message) => this.#core(host).linkMessage(wire.server, message),
      close: (code) => {
        // Should the close wake the object, it finds the socket among those that outlived its memory.
        const core = this.#core(host);
        host.links = host.links.filter((other) => other !== wire);
        core.linkClosed(wire.server, code);
      },
    };
    this.#listenTo(wire);
    const core = this.#core(host);
    host.links.push(wire);
    core.linkOpened(wire.server);
    return wire.client;
  }

  #origin(number: number, slice: Slice): SimulatedOrigin {
    const { log, stream, memories } = this.#options;
    const name = `origin-${number}`;
    return new SimulatedOrigin(name, {
      slice,
      log: this.log,
      memory: memories?.[number] ?? PERFECT,
      stream: { ...STREAM, windowUpdates: log.window, ...stream },
      bounds: { updates: log.page, bytes: 1024 * 1024 },
      homeOf,
      now: () => this.clock.now,
      dial: () => this.#dialShard(name),
      after: (ms, run) => void this.clock.after(ms, run),
      activated: (generation, stoodBy) => {
        if (stoodBy) this.promotions++;
        if (this.#activated.has(generation)) this.problems.push(`generation ${generation} led twice`);
        this.#activated.add(generation);
      },
      asked: (link, path, id) => this.asked.push(`${link} ${path}:${id}`),
      problem: (problem) => this.problems.push(`${name}: ${problem}`),
    });
  }

  #dialShard(name: string): Wire {
    const wire = this.#wire();
    const shard = this.#liveShard();
    this.#shardUplinks.push(wire);
    wire.server.listener = {
      message: (message) => this.#liveShard().uplinkMessage(wire.server, message),
      close: () => this.#liveShard().uplinkClosed(wire.server),
    };
    shard.uplinkOpened(wire.server, name);
    return wire;
  }

  #wire(): Wire {
    const wire = new Wire();
    this.#wires.add(wire);
    return wire;
  }
}

/** Lets promises run that are due. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 6; i++) await Promise.resolve();
}
