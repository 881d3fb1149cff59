/**
 * The whole product under test: Kafka, origins, the edge and its subscribers, each in processes or on sockets of their
 * own, with a proxy on every link between them.
 */
import type { Admin } from "kafkajs";
import { eventually } from "../support/deadline.ts";
import type { KafkaBroker } from "../support/kafka-broker.ts";
import { heldBy } from "../support/leftovers.ts";
import type { RuntimeName } from "../support/runtimes.ts";
import type { TcpProxy } from "../support/tcp-proxy.ts";
import type { Certificates } from "./certificates.ts";
import type { Cluster } from "./cluster.ts";
import type { Crews } from "./crews.ts";
import type { EdgeProcess } from "./edge-process.ts";
import type { FakedClock } from "./faked-clock.ts";
import type { OriginProcess } from "./origin-process.ts";
import { type Parts, parts, type Undo, undoAll } from "./parts.ts";
import { type ConnectionsPlan, Population } from "./population.ts";
import { Publishers } from "./publishing/publishers.ts";
import { seeded } from "./random.ts";
import { scaleOf } from "./scale.ts";
import type { Secret } from "./secret.ts";
import type { SmallDisk } from "./small-disk.ts";
import type { RawResuming, Subscriber } from "./subscriber.ts";
import {
  keysOf,
  planOf,
  SHORT,
  TOPIC_NAMES,
  TOPICS,
  type TopicName,
  type Topics,
  writtenKeys,
} from "./topics.ts";
import { Ledger, type Placed, Writer } from "./writer.ts";

/** The topic that is published to through the edge. */
export const PUBLISHED: TopicName = "posted";
/** What these hold the index drops soon. */
const SOON_DROPPED: readonly TopicName[] = ["brief", ...SHORT];
export interface RigSettings {
  /** Of each edge. */
  readonly runtimes: readonly RuntimeName[];
  readonly brokers: 1 | 3;
  /** For each slice. Of two the edge has one active, and the other stands by. */
  readonly origins: 1 | 2;
  readonly connections: ConnectionsPlan;
  readonly seed: number;
  /** Of how many publishes each publisher is done; undefined: they go on as long as the run. */
  readonly publishesEach?: number | undefined;
  /** Hears each line that a process says. */
  readonly hear?: (name: string, line: string) => void;
}

export class Rig {
  readonly settings: RigSettings;
  readonly ledger = new Ledger();
  readonly writers: ReadonlyMap<TopicName, Writer>;
  readonly population: Population;
  readonly publishers: Publishers;
  readonly cluster: Cluster;
  readonly topics: Topics;
  /** The first is the one that faults of an edge befall, the second one those of several. */
  readonly edges: readonly EdgeProcess[];
  readonly crews: Crews;
  /** Those of the first origin of each crew. */
  readonly originClock: FakedClock;
  readonly disks: readonly (SmallDisk | string)[];
  /** The password of the origins' account. */
  readonly secret: Secret;
  /** Theirs, and the brokers' where they come in. */
  readonly certificates: Certificates;
  readonly #clients: readonly TcpProxy[];
  readonly #undo: Undo[];
  /** Those of each edge before the first subscriber came. */
  connectionsAtFirst: readonly number[] = [];
  /** What kinds of faults found out themselves, and origins that ended by themselves, in words. */
  readonly wrong: string[];

  /** Resolves when everyone has begun, writers and subscribers too. What was started is ended where it fails. */
  static async start(settings: RigSettings): Promise<Rig> {
    const undo: Undo[] = [];
    try {
      const rig = new Rig(settings, await parts(settings, undo), undo);
      await rig.#begin();
      return rig;
    } catch (error) {
      await undoAll(undo);
      throw error;
    }
  }

  private constructor(settings: RigSettings, built: Parts, undo: Undo[]) {
    this.settings = settings;
    this.cluster = built.cluster;
    this.topics = built.topics;
    this.edges = built.edges;
    this.crews = built.crews;
    this.originClock = built.originClock;
    this.disks = built.disks;
    this.secret = built.secret;
    this.certificates = built.certificates;
    this.wrong = built.wrong;
    this.#clients = built.clients;
    this.#undo = undo;
    const random = seeded(settings.seed);
    const scale = scaleOf(settings.connections);
    const { batchMs } = scale;
    this.writers = new Map(
      TOPIC_NAMES.map((topic) => {
        const { partitions, tombstones = 0, ...plan } = planOf(topic);
        const perSecond = topic === "load" ? scale.perSecond : plan.perSecond;
        const keys = writtenKeys(topic, settings.connections.over);
        const writes = { topic, keys, partitions, perSecond, batchMs, tombstones };
        return [topic, new Writer(this.kafka.client(), writes, this.ledger, random)];
      }),
    );
    this.population = new Population(random, scale.patience, () => this.ledger.producedAt.length);
    this.publishers = new Publishers(
      {
        topic: PUBLISHED,
        keys: keysOf(PUBLISHED),
        partitions: TOPICS[PUBLISHED].partitions,
        each: settings.publishesEach,
      },
      { ledger: this.ledger, random, place: (placed) => this.writer(PUBLISHED).place(placed) },
    );
  }

  get kafka(): KafkaBroker {
    return this.cluster.kafka;
  }

  get admin(): Admin {
    return this.cluster.admin;
  }

  get edge(): EdgeProcess {
    const [first] = this.edges;
    if (first === undefined) throw new Error("there is no edge");
    return first;
  }

  /** Those that are at work. */
  get origins(): readonly OriginProcess[] {
    return this.crews.atWork.origins;
  }

  get links(): Links {
    return {
      brokers: this.cluster.proxies,
      uplinks: this.crews.atWork.uplinks.flat(),
      clients: this.#clients,
    };
  }

  /** Of a record, by its number. Looks through all of them. */
  endpointOf(id: number): string | undefined {
    for (const { sent } of this.writers.values())
      for (const [endpoint, ids] of sent) if (ids.has(id)) return endpoint;
    return undefined;
  }

  writer(topic: TopicName): Writer {
    const writer = this.writers.get(topic);
    if (writer === undefined) throw new Error(`nobody writes to ${topic}`);
    return writer;
  }

  /** Resolves when every shard of every edge has an origin that is ready. */
  async healthy(): Promise<void> {
    await eventually(
      async () => {
        const answers = await Promise.all(this.edges.map(({ url }) => fetch(`${url}/$/health`)));
        return answers.every(({ status }) => status === 200);
      },
      () => `health\n${this.origins.map(({ output }) => output.slice(-2_000)).join("\n")}`,
      60_000,
    );
  }

  /** What was in a topic that is gone can't be reached any more. */
  isReached({ subscriber, epoch, offset }: Target): boolean {
    return (subscriber.position?.get(epoch) ?? -1) >= offset || this.topics.isVoid(epoch);
  }

  /** The same of those who come to this edge just now. */
  targetsAt({ port }: EdgeProcess): Target[] {
    const ways = this.#clients.filter(({ target }) => target === port).map((proxy) => proxy.port);
    return this.targets().filter(({ subscriber }) =>
      [port, ...ways].includes(this.population.portOf(subscriber) ?? 0),
    );
  }

  /** For each subscriber that is always there, what was last acknowledged on its endpoint. */
  targets(): Target[] {
    return this.population.steady.flatMap((subscriber) => {
      const topic = subscriber.endpoint.split("/")[1] as TopicName;
      const place = this.writers.get(topic)?.last.get(subscriber.endpoint);
      if (place === undefined) return [];
      return [{ subscriber, epoch: this.topics.epoch(topic, place.partition), offset: place.offset }];
    });
  }

  /** Somebody comes, to stay, who had this record and none after it. */
  comeBack(topic: TopicName, { endpoint, partition, offset }: Placed): RawResuming {
    return this.population.visit(endpoint, `${this.topics.epoch(topic, partition)}:${offset}`);
  }

  async stop(): Promise<void> {
    await undoAll(this.#undo);
  }

  async #begin(): Promise<void> {
    for (const origin of this.crews.all) this.#undo.push(() => origin.kill());
    for (const origin of this.origins) origin.start();
    await this.healthy();
    this.connectionsAtFirst = this.edges.map(({ pid }) =>
      pid === undefined ? 0 : heldBy(pid).connections.length,
    );
    this.#undo.push(() => this.population.close());
    // What came before a subscriber's first verdict leaves no trace once the index has dropped it (R6).
    for (const topic of SOON_DROPPED) {
      await this.#write(topic);
      const { last } = this.writer(topic);
      await eventually(() => last.size === TOPICS[topic].keys, `each key of ${topic} has a record`);
    }
    this.population.settle(this.links.clients, this.edge.port, this.settings.connections);
    for (const topic of TOPIC_NAMES) if (!SOON_DROPPED.includes(topic)) await this.#write(topic);
    this.#undo.push(() => this.publishers.abandon());
    this.publishers.start(this.links.clients.map(({ port }) => `http://127.0.0.1:${port}`));
  }

  async #write(topic: TopicName): Promise<void> {
    const writer = this.writer(topic);
    this.#undo.push(() => writer.stop());
    await writer.start();
  }
}

/** The proxies on each link: of every broker that there is just now, of every origin to each edge, and of clients to an edge. */
export interface Links {
  readonly brokers: readonly TcpProxy[];
  readonly uplinks: readonly TcpProxy[];
  readonly clients: readonly TcpProxy[];
}

export interface Target {
  readonly subscriber: Subscriber;
  readonly epoch: string;
  readonly offset: number;
}
