/**
 * The whole product under test: Kafka, origins, the edge and its subscribers, each in processes or on sockets of their
 * own, with a proxy on every link between them.
 */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Admin } from "kafkajs";
import { eventually } from "../support/deadline.ts";
import { newUplinkKey } from "../support/deployment.ts";
import type { KafkaBroker } from "../support/kafka-broker.ts";
import { heldBy } from "../support/leftovers.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
import { Certificates } from "./certificates.ts";
import { Cluster } from "./cluster.ts";
import { type Crew, Crews } from "./crews.ts";
import { EdgeProcess } from "./edge-process.ts";
import { FakedClock } from "./faked-clock.ts";
import { OriginProcess } from "./origin-process.ts";
import { type ConnectionsPlan, Population } from "./population.ts";
import { Publishers } from "./publishing/publishers.ts";
import { seeded } from "./random.ts";
import { scaleOf } from "./scale.ts";
import { Secret } from "./secret.ts";
import { SmallDisk } from "./small-disk.ts";
import type { RawResuming, Subscriber } from "./subscriber.ts";
import {
  keysOf,
  planOf,
  SHORT,
  streamsJson,
  TOPIC_NAMES,
  TOPICS,
  type TopicName,
  Topics,
  writtenKeys,
} from "./topics.ts";
import { Ledger, type Placed, Writer } from "./writer.ts";

const CLIENT_PROXIES = 4;
const DISK_MEGABYTES = 768;
/** The topic that is published to through the edge. */
export const PUBLISHED: TopicName = "posted";
/** What these hold the index drops soon. */
const SOON_DROPPED: readonly TopicName[] = ["brief", ...SHORT];
/** The least that an origin takes. */
export const INDEX_BYTES = 16 * 1024 ** 2;
const KAFKA_CONFIG = {
  // Leaders go back to the first replica by themselves, so that moving that one moves the leader.
  "auto.leader.rebalance.enable": "true",
  "leader.imbalance.check.interval.seconds": 1,
  "leader.imbalance.per.broker.percentage": 0,
  // What is late by Kafka's own patience would only make a run longer.
  "log.cleaner.backoff.ms": 500,
  // The cleaner wipes all of it each time, which by default takes more of a broker than all its records.
  "log.cleaner.dedupe.buffer.size": 2 * 1024 ** 2,
  "quota.window.num": 3,
  "transaction.abort.timed.out.transaction.cleanup.interval.ms": 500,
};

export interface RigSettings {
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
  readonly edge: EdgeProcess;
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
  /** Those of workerd before the first subscriber came. */
  connectionsAtFirst = 0;
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
    this.edge = built.edge;
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

  /** Those that are at work. */
  get origins(): readonly OriginProcess[] {
    return this.crews.atWork.origins;
  }

  get links(): Links {
    return {
      brokers: this.cluster.proxies,
      uplinks: this.crews.atWork.uplinks,
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

  /** Resolves when every shard has an origin that is ready. */
  async healthy(): Promise<void> {
    await eventually(
      async () => (await fetch(`${this.edge.url}/$/health`)).status === 200,
      () => `health\n${this.origins.map(({ output }) => output.slice(-2_000)).join("\n")}`,
      60_000,
    );
  }

  /** What was in a topic that is gone can't be reached any more. */
  isReached({ subscriber, epoch, offset }: Target): boolean {
    return (subscriber.position?.get(epoch) ?? -1) >= offset || this.topics.isVoid(epoch);
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
    if (this.edge.pid !== undefined) this.connectionsAtFirst = heldBy(this.edge.pid).connections.length;
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

/** The proxies on each link: of every broker that there is just now, of every origin to the edge, and of clients to the edge. */
export interface Links {
  readonly brokers: readonly TcpProxy[];
  readonly uplinks: readonly TcpProxy[];
  readonly clients: readonly TcpProxy[];
}

type Parts = Pick<
  Rig,
  "cluster" | "topics" | "edge" | "crews" | "originClock" | "disks" | "secret" | "certificates" | "wrong"
> & {
  readonly clients: readonly TcpProxy[];
};

type Undo = () => unknown;

/** In reverse; what fails hinders nothing else. */
async function undoAll(undo: Undo[]): Promise<void> {
  for (let one = undo.pop(); one !== undefined; one = undo.pop())
    await Promise.resolve(one()).catch((error: Error) => process.stderr.write(`${error.message}\n`));
}

async function parts(settings: RigSettings, undo: Undo[]): Promise<Parts> {
  const folder = mkdtempSync(join(tmpdir(), "fault-"));
  undo.push(() => rmSync(folder, { recursive: true, force: true }));
  const open = (count: number) =>
    Promise.all(
      Array.from({ length: count }, async () => {
        const proxy = await TcpProxy.open();
        undo.push(() => proxy.close());
        return proxy;
      }),
    );
  const clients = await open(CLIENT_PROXIES);
  /** One for each of two slices. */
  const uplinks = await open(2 * settings.origins);
  const certificates = new Certificates(folder);
  const cluster = await Cluster.start(settings.brokers, KAFKA_CONFIG, () => certificates.config);
  undo.push(() => cluster.stop());
  const { kafka, admin } = cluster;
  const secret = await Secret.set(kafka, join(folder, "password"));
  const topics = new Topics(kafka, admin);
  for (const topic of TOPIC_NAMES) await topics.create(topic);

  const streams = join(folder, "streams.json");
  writeFileSync(streams, streamsJson());
  const nameOf = (origin: number, slices: number) => `origin-${origin}-of-${slices}`;
  const keys = new Map(
    [1, 2]
      .flatMap((slices) => Array.from({ length: slices * settings.origins }, (_, i) => nameOf(i, slices)))
      .map((name) => [name, newUplinkKey(name)]),
  );
  const edge = await EdgeProcess.start({
    folder: join(folder, "edge"),
    streams,
    uplinkKeys: [...keys.values()].join(","),
    hear: (line) => settings.hear?.("edge", line),
  });
  undo.push(() => edge.kill());
  for (const proxy of [...uplinks, ...clients]) proxy.target = edge.port;
  const publishSecret = randomBytes(32).toString("base64");
  const disks: (SmallDisk | string)[] = [];
  const wrong: string[] = [];
  const originClock = new FakedClock(join(folder, "origin-clock"));
  const crew = async (slices: number): Promise<Crew> => {
    const first = join(folder, `origin-0-of-${slices}`);
    const disk = await SmallDisk.mount(first, DISK_MEGABYTES);
    disks.push(disk);
    if (typeof disk !== "string") undo.push(() => disk.unmount());
    const used = uplinks.slice(0, slices * settings.origins);
    const origins = used.map((proxy, i) => {
      const name = nameOf(i, slices);
      // The second of each slice.
      const hasAccount = i >= slices;
      const env = {
        ...process.env,
        ...(i === 0 ? originClock.env : {}),
        EDGE_URL: `http://127.0.0.1:${proxy.port}`,
        UPLINK_KEY: keys.get(name),
        STREAMS: streams,
        ORIGIN_SLICE: `${(i % slices) + 1}/${slices}`,
        ...(hasAccount && { ...secret.env, ...certificates.env }),
        INDEX_MAX_BYTES: String(INDEX_BYTES),
        PUBLISH_SECRET: publishSecret,
        KAFKA_BROKERS: cluster.bootstrap(hasAccount),
      };
      return new OriginProcess(name, join(folder, name), env, {
        hear: (line) => settings.hear?.(name, line),
        wrong: (problem) => wrong.push(problem),
      });
    });
    return { slices, origins, uplinks: used };
  };
  const crews = new Crews(edge, await crew(1), await crew(2));
  return { clients, cluster, topics, edge, crews, originClock, disks, secret, certificates, wrong };
}

export interface Target {
  readonly subscriber: Subscriber;
  readonly epoch: string;
  readonly offset: number;
}
