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
import { KafkaBroker } from "../support/kafka-broker.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
import { EdgeProcess } from "./edge-process.ts";
import { FakedClock } from "./faked-clock.ts";
import { OriginProcess } from "./origin-process.ts";
import { Population } from "./population.ts";
import { seeded } from "./random.ts";
import { SmallDisk } from "./small-disk.ts";
import { keysOf, streamsJson, TOPIC_NAMES, TOPICS, type TopicName, Topics } from "./topics.ts";
import { Ledger, Writer } from "./writer.ts";

const CLIENT_PROXIES = 4;
const DISK_MEGABYTES = 768;
/** Leaders go back to the first replica by themselves, so that moving that one moves the leader. */
const LEADERS_FOLLOW = {
  "auto.leader.rebalance.enable": "true",
  "leader.imbalance.check.interval.seconds": 1,
  "leader.imbalance.per.broker.percentage": 0,
};

export interface RigSettings {
  readonly brokers: 1 | 3;
  /** Two consume and index the same; the edge has one of them active. */
  readonly origins: 1 | 2;
  readonly seed: number;
}

export class Rig {
  readonly settings: RigSettings;
  readonly ledger = new Ledger();
  readonly writers: ReadonlyMap<TopicName, Writer>;
  readonly population: Population;
  readonly kafka: KafkaBroker;
  readonly admin: Admin;
  readonly topics: Topics;
  readonly edge: EdgeProcess;
  /** The first is the one that faults of one origin befall. */
  readonly origins: readonly OriginProcess[];
  /** Of the first origin, the edge, and the first origin's disk. */
  readonly originClock: FakedClock;
  readonly edgeClock: FakedClock;
  readonly disk: SmallDisk | string;
  readonly links: Links;
  readonly #folder: string;

  static async start(settings: RigSettings): Promise<Rig> {
    const folder = mkdtempSync(join(tmpdir(), "fault-"));
    const open = (count: number) => Promise.all(Array.from({ length: count }, () => TcpProxy.open()));
    const links: Links = {
      brokers: await open(settings.brokers),
      uplinks: await open(settings.origins),
      clients: await open(CLIENT_PROXIES),
    };
    const kafka = await KafkaBroker.start({
      brokers: settings.brokers,
      proxies: links.brokers.map(({ port }) => port),
      config: LEADERS_FOLLOW,
    });
    for (const [i, proxy] of links.brokers.entries()) proxy.target = kafka.behindProxies[i];
    const admin = kafka.client().admin();
    await admin.connect();
    const topics = new Topics(kafka, admin);
    for (const topic of TOPIC_NAMES) await topics.create(topic);

    const streams = join(folder, "streams.json");
    writeFileSync(streams, streamsJson());
    const key = `fault:${randomBytes(32).toString("base64url")}`;
    const edgeClock = new FakedClock(join(folder, "edge-clock"));
    const originClock = new FakedClock(join(folder, "origin-clock"));
    const edge = await EdgeProcess.start({
      folder: join(folder, "edge"),
      streams,
      uplinkKeys: key,
      env: edgeClock.env,
    });
    for (const proxy of [...links.uplinks, ...links.clients]) proxy.target = edge.port;
    const disk = await SmallDisk.mount(join(folder, "origin-0"), DISK_MEGABYTES);
    const origins = links.uplinks.map(
      (proxy: TcpProxy, i: number) =>
        new OriginProcess(`origin-${i}`, join(folder, `origin-${i}`), {
          ...process.env,
          ...(i === 0 ? originClock.env : {}),
          EDGE_URL: `http://127.0.0.1:${proxy.port}`,
          UPLINK_KEY: key,
          STREAMS: streams,
          KAFKA_BROKERS: links.brokers.map(({ port }) => `127.0.0.1:${port}`).join(","),
        }),
    );
    const parts = { folder, links, kafka, admin, topics, edge, edgeClock, originClock, disk, origins };
    const rig = new Rig(settings, parts);
    await rig.#begin();
    return rig;
  }

  private constructor(settings: RigSettings, parts: Parts) {
    this.settings = settings;
    this.kafka = parts.kafka;
    this.admin = parts.admin;
    this.topics = parts.topics;
    this.edge = parts.edge;
    this.origins = parts.origins;
    this.originClock = parts.originClock;
    this.edgeClock = parts.edgeClock;
    this.disk = parts.disk;
    this.links = parts.links;
    this.#folder = parts.folder;
    const random = seeded(settings.seed);
    this.writers = new Map(
      TOPIC_NAMES.map((topic) => {
        const { partitions, perSecond } = TOPICS[topic];
        const plan = { topic, keys: keysOf(topic), partitions, perSecond };
        return [topic, new Writer(this.kafka.client(), plan, this.ledger, random)];
      }),
    );
    this.population = new Population(random);
  }

  /** The one that faults of one origin befall. */
  get origin(): OriginProcess {
    const [first] = this.origins;
    if (first === undefined) throw new Error("there is no origin");
    return first;
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
      `health\n${this.origins.map(({ output }) => output.slice(-2_000)).join("\n")}`,
      60_000,
    );
  }

  /** Whether every subscriber has all that was acknowledged on its endpoint. */
  isCaughtUp(): boolean {
    return this.targets().every((target) => isReached(target));
  }

  /** For each subscriber, what was last acknowledged on its endpoint. */
  targets(): Target[] {
    return this.population.all.flatMap((subscriber) => {
      const topic = subscriber.endpoint.split("/")[1] as TopicName;
      const place = this.writers.get(topic)?.last.get(subscriber.endpoint);
      if (place === undefined) return [];
      return [{ subscriber, epoch: this.topics.epoch(topic, place.partition), offset: place.offset }];
    });
  }

  async stop(): Promise<void> {
    await this.population.close();
    await Promise.all([...this.writers.values()].map((writer) => writer.stop().catch(() => {})));
    await this.admin.disconnect().catch(() => {});
    for (const origin of this.origins) origin.freeze(false);
    await Promise.all(this.origins.map((origin) => origin.kill()));
    await this.edge.kill();
    await Promise.all(
      Object.values<readonly TcpProxy[]>({ ...this.links }).flatMap((proxies) =>
        proxies.map((proxy) => proxy.close()),
      ),
    );
    await this.kafka.stop();
    if (typeof this.disk !== "string") await this.disk.unmount();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #begin(): Promise<void> {
    try {
      for (const origin of this.origins) origin.start();
      await this.healthy();
      this.population.settle(this.links.clients, this.edge.port);
      for (const writer of this.writers.values()) await writer.start();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }
}

/** The proxies on each link: of every broker, every origin to the edge, and of clients to the edge. */
export interface Links {
  readonly brokers: readonly TcpProxy[];
  readonly uplinks: readonly TcpProxy[];
  readonly clients: readonly TcpProxy[];
}

interface Parts
  extends Pick<
    Rig,
    "kafka" | "admin" | "topics" | "edge" | "origins" | "originClock" | "edgeClock" | "disk" | "links"
  > {
  readonly folder: string;
}

export interface Target {
  readonly subscriber: Population["all"][number];
  readonly epoch: string;
  readonly offset: number;
}

export function isReached({ subscriber, epoch, offset }: Target): boolean {
  return (subscriber.position?.get(epoch) ?? -1) >= offset;
}
