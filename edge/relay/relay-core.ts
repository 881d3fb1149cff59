/**
 * What an object decides that holds many endpoints, for connections that follow many: M2–M11 of PROTOCOL.md, L12–L14 of
 * INTERNALS.md. It joins what its connections say (listening.ts), what they follow (follows.ts) and publish
 * (../endpoint/publishes.ts), by whose tokens they are there (../endpoint/tokens.ts), the endpoints (endpoints.ts), and what
 * outlives the memory (keeping.ts). Sockets, rows, time, chance and shards come in as ports.
 *
 * Between two events nothing is pending here, so that the object can hibernate; the exceptions are an object that has
 * subscribers and no link, and one with a client that is too full for more.
 */
import { CLOSE, type CloseName } from "../../shared/protocol/codes.ts";
import type { Message } from "../../shared/protocol/message.ts";
import { URL_SUBSCRIBE_ID } from "../../shared/protocol/subscriber.ts";
import { loadLink, saveLink } from "../endpoint/attachment.ts";
import type { Holder } from "../endpoint/holder.ts";
import { Pacer } from "../endpoint/pacer.ts";
import { Publishes } from "../endpoint/publishes.ts";
import type { Granted } from "../endpoint/renewals.ts";
import { ReplayQuota } from "../endpoint/replay-quota.ts";
import { Tokens } from "../endpoint/tokens.ts";
import { closeQuietly, type HibernatingPeer } from "../peer.ts";
import { Connection, OF_A_CONNECTION } from "./connection.ts";
import { Connections } from "./connections.ts";
import { Endpoints, type EndpointsKept } from "./endpoints.ts";
import { FirstLink } from "./first-link.ts";
import { awaitsAll, Follows, LOST, NOT_EXPOSED, tooMuch, type Why } from "./follows.ts";
import { Keeping, type Survivor } from "./keeping.ts";
import { Listening } from "./listening.ts";
import { Oldest } from "./oldest.ts";
import type { RelayConfig, RelayPorts, RelaySurvivors, UrlSubscribe } from "./relay-ports.ts";
import type { Right } from "./right.ts";
import { Sending } from "./sending.ts";

const NEVER = Number.POSITIVE_INFINITY;

export class RelayCore {
  readonly #ports: RelayPorts;
  readonly #config: RelayConfig;
  readonly #endpoints: Endpoints<Connection>;
  readonly #follows: Follows;
  readonly #tokens: Tokens<Connection, Granted>;
  readonly #sending: Sending;
  readonly #pacer: Pacer<Connection>;
  readonly #listening: Listening;
  readonly #keeping: Keeping;
  readonly #firstLink: FirstLink<Connection, Granted>;
  readonly #publishes: Publishes<Connection>;
  readonly #connections = new Connections();
  /** Tokens may count by now that were held. */
  #mayServe = false;

  constructor(ports: RelayPorts, config: RelayConfig, survivors: RelaySurvivors) {
    this.#ports = ports;
    this.#config = config;
    this.#sending = new Sending(config.limits.unsentBytes, {
      now: () => ports.now(),
      after: (ms, run) => this.#after(ms, run),
      close: (connection, name) => this.#close(connection, name),
      sent: (messages) => ports.sent(messages),
    });
    this.#tokens = this.#createTokens();
    this.#publishes = this.#createPublishes();
    this.#keeping = new Keeping({
      wall: () => ports.wall(),
      random: () => ports.random(),
      rows: ports.rows,
      holderOf: (connection) => this.#tokens.of(connection),
      tagOf: (connection) => this.#publishes.tagOf(connection),
      facts: () => this.#endpoints.facts(),
    });
    this.#firstLink = new FirstLink(
      {
        wall: () => ports.wall(),
        links: () => this.#endpoints.links,
        woken: () => this.#keeping.look(),
        version: () => this.#keeping.version,
      },
      this.#tokens,
    );
    this.#follows = new Follows(config, {
      oldest: new Oldest({
        oldest: (path) => ports.oldest(path),
        answered: () => this.#tokens.keepTime(),
        log: (problem) => ports.log(problem),
        settle: () => this.#settle(),
      }),
      judge: (path, right) => ports.judge(path, right),
      endpoints: () => this.#endpoints,
      tell: (connection, frame) => this.#sending.tell(connection, frame),
      close: (connection, name) => this.#close(connection, name),
      changed: (connection) => this.#keeping.changed(connection),
    });
    this.#listening = new Listening(config, {
      now: () => ports.now(),
      mayPublish: ({ only, right }) =>
        only === undefined ? ports.mayPublishSomewhere(right) : ports.judgePublish(only, right).ok,
      follows: this.#follows,
      tokens: this.#tokens,
      publishes: this.#publishes,
      tell: (connection, frame) => this.#sending.tell(connection, frame),
      close: (connection, name) => this.#close(connection, name),
    });
    const linked = survivors.links.flatMap((socket) => loadLink(socket) ?? []);
    const version = Math.max(0, ...linked.map((link) => link.version));
    const { connections, facts, isWhole } = this.#keeping.load(survivors.connections, version);
    const shards = linked.flatMap(({ hello }) => hello?.shard ?? []);
    for (const one of connections) this.#restore(one, shards);
    // On new links shards watch what is asked for there, and nothing else.
    if (!isWhole) for (const socket of survivors.links) closeQuietly(socket, "going_away");
    this.#endpoints = this.#createEndpoints(isWhole ? survivors.links : [], facts);
    this.#pacer = new Pacer(ports, () => {
      this.#tokens.keepTime();
      this.#endpoints.serveWaiting("full");
      this.#settle();
    });
    this.#resume();
  }

  get connections(): number {
    return this.#connections.size;
  }

  /** Whether it is the socket of a link as it is now. */
  isLink(socket: HibernatingPeer): boolean {
    return this.#endpoints.links.on(socket) !== undefined;
  }

  /** Whether it holds as many endpoints as it can, and not this one. */
  isFullFor(path: string): boolean {
    return this.#follows.isFullFor(path);
  }

  /** Why a socket of a token's holder can't be accepted now. `only`: the one endpoint that it is for. */
  refusalOf(holder: Holder, only?: string): Why | undefined {
    return this.#tokens.refusalOf(holder, (one) => one.only === only);
  }

  /** M1: a socket that was just accepted. `sender`: from whom it came, if that counts. */
  open(socket: HibernatingPeer, right: Right, holder?: Holder, sender?: string): void {
    for (const one of this.#connections.silent(this.#ports.now(), (peer) => this.#ports.pingedAt(peer)))
      this.#close(one, "going_away");
    this.#admit(socket, right, holder, { sender });
    this.#settle();
  }

  /** S1: the same, of one endpoint. */
  subscribe(socket: HibernatingPeer, subscribe: UrlSubscribe, right: Right, holder?: Holder): void {
    const { path, from, occupancy, sender } = subscribe;
    const connection = this.#admit(socket, right, holder, { only: path, sender });
    this.#follows.subscribe(connection, { endpoint: path, id: URL_SUBSCRIBE_ID, from, occupancy });
    this.#settle();
  }

  #admit(
    socket: HibernatingPeer,
    right: Right,
    holder: Holder | undefined,
    whose: { readonly only?: string; readonly sender?: string | undefined },
  ): Connection {
    this.#tokens.keepTime();
    const connection = this.#add(new Connection(socket, right, this.#sending.waits, whose));
    if (holder !== undefined) this.#tokens.admit(connection, holder, (one) => one.only === connection.only);
    this.#keeping.changed(connection);
    return connection;
  }

  clientMessage(socket: HibernatingPeer, message: Message): void {
    this.#tokens.keepTime();
    const connection = this.#connections.on(socket);
    if (connection !== undefined) {
      this.#connections.heard(connection);
      const saysMore = this.#listening.hear(connection, message);
      // The last id, at least.
      if (connection.isOpen && saysMore) this.#keeping.changed(connection);
      this.#publishes.flush();
    }
    this.#settle();
  }

  clientClosed(socket: HibernatingPeer): void {
    const connection = this.#connections.on(socket);
    if (connection !== undefined) this.#forget(connection);
    this.#settle();
  }

  /** A socket that a shard has just dialled; its hello comes first (L3). */
  linkOpened(socket: HibernatingPeer): void {
    saveLink(socket, undefined, []);
  }

  linkMessage(socket: HibernatingPeer, message: Message): void {
    this.#tokens.keepTime();
    this.#endpoints.linkMessage(socket, message);
    this.#settle();
  }

  linkClosed(socket: HibernatingPeer, code: number): void {
    this.#endpoints.linkClosed(socket, code === CLOSE.detached ? "now" : "later");
    this.#settle();
  }

  // Who is there.

  #add(connection: Connection): Connection {
    this.#connections.add(connection, this.#ports.now());
    this.#follows.add(connection);
    return connection;
  }

  /** Closes a socket and forgets it at once: a peer that doesn't answer the close may linger for long. */
  #close(connection: Connection, name: CloseName): void {
    if (!connection.isOpen) return;
    this.#sending.flush(connection);
    this.#forget(connection);
    connection.end(name);
  }

  #forget(connection: Connection): void {
    connection.isOpen = false;
    this.#connections.remove(connection);
    this.#follows.remove(connection);
    this.#tokens.remove(connection);
    this.#publishes.remove(connection);
    this.#sending.remove(connection);
    this.#keeping.gone(connection);
  }

  // The end of each event.

  #settle(): void {
    if (this.#mayServe && this.#tokens.next !== undefined) this.#endpoints.serveWaiting("all");
    this.#mayServe = false;
    for (const connection of this.#pacer.wait(this.#endpoints.full()))
      this.#close(connection, "slow_consumer");
    for (const connection of this.#keeping.save()) {
      this.#ports.log("a connection is closed, of which more would have to be kept than can be");
      this.#close(connection, "going_away");
    }
    if (this.#endpoints.settle()) {
      this.#keeping.statesChanged();
      this.#firstLink.changed();
    }
    this.#firstLink.wakeAt(Math.min(this.#tokens.next ?? NEVER, this.#keeping.due ?? NEVER));
    this.#sending.flushAll();
    this.#firstLink.save();
    this.#endpoints.links.flush();
  }

  // The beginning of a life.

  /** @param shards To which there are links. */
  #restore({ socket, right, holder, tag, ...kept }: Survivor, shards: readonly number[]): void {
    const connection = this.#add(new Connection(socket, right, this.#sending.waits, kept));
    if (holder !== undefined) this.#tokens.restore(connection, holder);
    if (tag !== undefined) this.#publishes.restore(connection, tag, shards);
  }

  #resume(): void {
    for (const connection of [...this.#connections.all()])
      for (const [path, { seeks }] of [...connection.follows]) {
        const isThere = seeks ? this.#ports.configOf(path) !== undefined : this.#endpoints.has(path);
        if (!isThere) this.#follows.end(connection, path, NOT_EXPOSED);
      }
    for (const connection of this.#connections.all()) this.#follows.resume(connection);
    this.#firstLink.resume();
    this.#tokens.keepTime();
    this.#settle();
  }

  #createEndpoints(
    links: readonly HibernatingPeer[],
    facts: EndpointsKept<Connection>["facts"],
  ): Endpoints<Connection> {
    const ports = this.#ports;
    const noteServable = (mayServe: boolean) => {
      this.#mayServe ||= mayServe;
    };
    return new Endpoints(
      {
        attach: (shard) => ports.attach(shard),
        after: (ms, run) => this.#after(ms, run),
        random: () => ports.random(),
        log: (problem) => ports.log(problem),
        now: () => ports.now(),
        configOf: (path) => ports.configOf(path),
        shardOf: (path) => ports.shardOf(path),
        answered: (how) => ports.answered(how),
        unsent: this.#sending.ofStates,
        pace: OF_A_CONNECTION,
        replays: new ReplayQuota({ senderOf: ({ sender }) => sender, spending: this.#config.bySender }),
        isHeld: (connection) => this.#tokens.isHeld(connection),
        close: (connection, name) => this.#close(connection, name),
        keep: (connection, path, kept) => this.#follows.keep(connection, path, kept),
        lost: (connection, path) => this.#follows.end(connection, path, LOST),
        refuse: (connection, path, waitMs) => this.#follows.end(connection, path, tooMuch(waitMs)),
        linked: (link) => {
          noteServable(this.#firstLink.linked(link));
          this.#publishes.linked(link.hello.shard);
        },
        unlinked: (shard) => {
          noteServable(this.#firstLink.unlinked(shard));
          this.#publishes.unlinked(shard);
        },
        said: (shard, says) => noteServable(this.#firstLink.said(shard, says)),
        published: (answer) => this.#publishes.answered(answer),
        publishesTo: (shard) => this.#publishes.uses(shard),
      },
      this.#config,
      { links, facts, subscribers: this.#connections.following() },
    );
  }

  #createTokens(): Tokens<Connection, Granted> {
    const ports = this.#ports;
    return new Tokens<Connection, Granted>(this.#config.limits.perPrincipal, {
      wall: () => ports.wall(),
      pingedAt: ({ socket }) => ports.pingedAt(socket),
      renewed: (connection, { grants }) => this.#follows.renewed(connection, { grants, tokensCount: true }),
      after: (ms, run) => ports.after(ms, run),
      verify: (token) => ports.verify(token),
      log: (problem) => ports.log(problem),
      send: (connection, frame) => this.#sending.tell(connection, frame),
      keep: (connection) => this.#keeping.changed(connection),
      close: (connection, name) => this.#close(connection, name),
      awaits: (connection) => awaitsAll(connection),
      say: (frame) => this.#firstLink.say(frame),
      settle: () => this.#settle(),
    });
  }

  #createPublishes(): Publishes<Connection> {
    const ports = this.#ports;
    return new Publishes<Connection>(this.#config.publishBytes, {
      now: () => ports.now(),
      random: () => ports.random(),
      newKey: () => ports.newKey(),
      after: (ms, run) => this.#after(ms, run),
      holderOf: (connection) => this.#tokens.of(connection),
      whyNot: ({ only, right }, path) => {
        if (only !== undefined && only !== path)
          return { code: "unsupported", message: `this socket serves ${only} only` };
        const judgement = ports.judgePublish(path, right);
        return judgement.ok ? undefined : judgement;
      },
      shardOf: (path) => ports.shardOf(path),
      send: (connection, frame) => this.#sending.tell(connection, frame),
      keep: (connection) => this.#keeping.changed(connection),
      unsent: (shard) => this.#endpoints.links.of(shard)?.socket.bufferedAmount,
      say: (shard, message) => this.#endpoints.links.pass(shard, message),
      usesChanged: (shard) => this.#endpoints.lookAt(shard),
    });
  }

  /** What is late is an event of its own. */
  #after(ms: number, run: () => void): () => void {
    return this.#ports.after(ms, () => {
      run();
      this.#settle();
    });
  }
}
