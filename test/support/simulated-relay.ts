/** A relay in a simulation: the product's own core, over wires that a test moves by hand, and rows in memory. */
import type { EndpointStateConfig } from "../../edge/endpoint/endpoint-state.ts";
import { SenderSpending } from "../../edge/endpoint/sender-spending.ts";
import { type ObjectIdentity, relayObject } from "../../edge/object-identity.ts";
import type { RelayRows } from "../../edge/relay/keeping.ts";
import { RelayCore } from "../../edge/relay/relay-core.ts";
import type { Right } from "../../edge/relay/right.ts";
import { NOTHING, type Position } from "../../shared/protocol/position.ts";
import { BY_SENDER, UNLIMITED } from "./holders.ts";
import { settled } from "./simulated-edge.ts";
import type { Clock, End, Wire } from "./simulated-wires.ts";

export interface SimulatedRelayPorts {
  readonly clock: Clock;
  wire(): Wire;
  now(): number;
  wall(): number;
  readonly random: () => number;
  attach(object: ObjectIdentity): void;
  readonly config: Omit<EndpointStateConfig, "path">;
  problem(problem: string): void;
}

const PUBLIC: Right = { grants: undefined, tokensCount: false };
/** The platform lets an object sleep when nothing has come for so long. */
const IDLE_MS = 10_000;

export class SimulatedRelay {
  readonly #name: string;
  readonly #ports: SimulatedRelayPorts;
  readonly #rows = new RowsInMemory();
  #core: RelayCore | undefined;
  #links: Wire[] = [];
  #connections: Wire[] = [];
  /** Timers: it can't hibernate while it has any. */
  #timers = 0;
  /** Increased when its memory is lost, so that what it left behind does nothing. */
  #life = 0;
  #lastEventAt = 0;
  /** How often it went on from what it had kept. */
  wakes = 0;

  constructor(name: string, ports: SimulatedRelayPorts) {
    this.#name = name;
    this.#ports = ports;
  }

  get isAwake(): boolean {
    return this.#timers > 0;
  }

  get links(): number {
    return this.#links.length;
  }

  /** The client's end of a new connection. */
  connect(): End {
    return this.#accept((core, socket) => core.open(socket, PUBLIC));
  }

  /** The same of one endpoint, as in a room. */
  subscribe(path: string, from: Position | undefined): End {
    return this.#accept((core, socket) => core.subscribe(socket, { path, from }, PUBLIC));
  }

  #accept(opened: (core: RelayCore, socket: End) => void): End {
    const wire = this.#ports.wire();
    wire.server.listener = {
      message: (message) => this.#event().clientMessage(wire.server, message),
      close: () => {
        const core = this.#event();
        this.#connections = this.#connections.filter((other) => other !== wire);
        core.clientClosed(wire.server);
      },
    };
    const core = this.#event();
    this.#connections.push(wire);
    opened(core, wire.server);
    return wire.client;
  }

  /** A shard has dialled it. */
  linked(wire: Wire): void {
    wire.server.listener = {
      message: (message) => this.#event().linkMessage(wire.server, message),
      close: (code) => {
        const core = this.#event();
        this.#links = this.#links.filter((other) => other !== wire);
        core.linkClosed(wire.server, code);
      },
    };
    const core = this.#event();
    this.#links.push(wire);
    core.linkOpened(wire.server);
  }

  cutLinks(): void {
    for (const wire of this.#links) wire.cut();
  }

  /** Its memory goes, if the platform may take it. Returns whether it went. */
  sleep(): boolean {
    if (this.#core === undefined || this.isAwake) return false;
    if (this.#ports.clock.now - this.#lastEventAt < IDLE_MS) return false;
    this.#forget();
    return true;
  }

  /** Its memory is lost, and all its sockets. Its rows stay. */
  crash(): void {
    this.#forget();
    for (const wire of [...this.#links.splice(0), ...this.#connections.splice(0)]) {
      wire.server.listener = undefined;
      wire.cut();
    }
  }

  /** The next update finds a client slow. */
  slow(client: End): void {
    const wire = this.#connections.find((other) => other.client === client);
    if (wire !== undefined) wire.server.bufferedAmount = 1024 * 1024;
  }

  #forget(): void {
    this.#core = undefined;
    this.#life++;
    this.#timers = 0;
  }

  #event(): RelayCore {
    this.#lastEventAt = this.#ports.clock.now;
    if (this.#core === undefined) {
      if (this.#connections.length > 0) this.wakes++;
      this.#core = this.#create();
    }
    return this.#core;
  }

  #create(): RelayCore {
    const ports = this.#ports;
    const life = this.#life;
    return new RelayCore(
      {
        now: () => ports.now(),
        wall: () => ports.wall(),
        random: ports.random,
        after: (ms, run) => this.#after(life, ms, run),
        attach: async () => {
          await settled();
          ports.attach(relayObject(this.#name));
        },
        log: (problem) => ports.problem(problem),
        verify: async () => ({ ok: false, code: "invalid_token", message: "a test takes none" }),
        pingedAt: () => undefined,
        configOf: (path) => ({ ...ports.config, path }),
        shardOf: () => 0,
        judgePublish: () => ({ ok: true }),
        mayPublishSomewhere: () => true,
        newKey: () => "made",
        judge: () => ({ ok: true }),
        // As far back as a resume can be asked for; nobody claims that there is so much.
        oldest: () =>
          new Promise((resolve) => this.#after(life, 1 + ports.random() * 50, () => resolve(NOTHING))),
        sent: () => undefined,
        answered: () => undefined,
        rows: this.#rows,
      },
      {
        limits: { ...UNLIMITED, subscriptions: 1_000 },
        bySender: new SenderSpending(BY_SENDER, () => ports.now()),
        endpoints: 1_000,
        subscriptions: 10_000,
        windowBytes: 100_000,
        // As in a room.
        gatherMs: 25,
        publishBytes: 10_000,
      },
      {
        links: this.#links.map(({ server }) => server),
        connections: this.#connections.map(({ server }) => server),
      },
    );
  }

  #after(life: number, ms: number, run: () => void): () => void {
    // What a life that is over had still to do isn't done.
    if (life !== this.#life) return () => undefined;
    this.#timers++;
    let running = true;
    const ended = () => {
      if (running && life === this.#life) this.#timers--;
      running = false;
    };
    const cancel = this.#ports.clock.after(ms, () => {
      const isOver = life !== this.#life;
      ended();
      if (!isOver) run();
    });
    return () => {
      ended();
      cancel();
    };
  }
}

export class RowsInMemory implements RelayRows {
  version = 0;
  chunks: readonly string[] = [];
  readonly rows = new Map<string, { readonly version: number; readonly follows: string }>();

  states(version: number): readonly string[] {
    return version === this.version ? this.chunks : [];
  }

  saveStates(version: number, chunks: readonly string[]): void {
    this.version = version;
    this.chunks = chunks;
  }

  connections(): ReadonlyMap<string, { readonly version: number; readonly follows: string }> {
    return new Map(this.rows);
  }

  saveConnection(id: string, version: number, follows: string): void {
    this.rows.set(id, { version, follows });
  }

  dropConnection(id: string): void {
    this.rows.delete(id);
  }

  clear(): void {
    this.chunks = [];
    this.rows.clear();
  }
}
