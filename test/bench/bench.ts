/** One system under one load: starts both, measures stages of it, and stops them. */
import type { KafkaBroker } from "../support/kafka-broker.ts";
import { tokenOf } from "../support/tokens.ts";
import { nowUs, sleepUntil } from "./clock.ts";
import { checkDescriptors } from "./descriptors.ts";
import type { Latency } from "./histogram.ts";
import { assign, type Popularity, seeded } from "./load/chance.ts";
import { Clients, Publisher, type Stormed } from "./load/load.ts";
import type { Published } from "./load/publisher.ts";
import { goOn } from "./load/rpc.ts";
import type { Interval } from "./load/subscribers.ts";
import { marginalBill, usageOf } from "./prices.ts";
import { cpuUs, machineCpuUs, openFilesLimit, residentBytes } from "./proc.ts";
import { type System, type SystemName, startSystem } from "./systems.ts";

export interface BenchSettings {
  readonly system: SystemName;
  readonly endpoints: number;
  readonly clients: number;
  /** Bytes. */
  readonly payload: number;
  readonly json: boolean;
  readonly popularity: Popularity;
  readonly partitions: number;
  /** That share the partitions. */
  readonly origins: number;
  /** Among which the clients are spread. */
  readonly processes: number;
  readonly lingerMs: number;
  readonly seed: number;
  /** The folder of another checkout, whose product is put under load. */
  readonly checkout?: string;
  /** Each client has a token of its own, and the stream wants one. */
  readonly tokens?: boolean;
  /** The edge runs on Node and not on workerd. */
  readonly onNode?: boolean;
  /** Processes of the edge; undefined: one. */
  readonly workers?: number;
}

export interface StageSettings {
  /** Updates of each endpoint per second. */
  readonly rate: number;
  readonly warmUpSeconds: number;
  readonly seconds: number;
}

export interface Result {
  readonly settings: BenchSettings & StageSettings & { readonly brokers: number };
  /** Endpoints that have a client. */
  readonly watched: number;
  /** That were live at the end. */
  readonly clients: number;
  readonly messagesPerSecond: number;
  /** Of payload and all framing, in units of 10^6 bytes. */
  readonly megabytesPerSecond: number;
  /** Bytes on the clients' sockets for each message, those of WebSocket's and the protocol's framing included. */
  readonly wireBytes: number;
  readonly latency: Latency;
  /** That were published to all endpoints, and to those that have a client. */
  readonly updatesPerSecond: number;
  readonly watchedUpdatesPerSecond: number;
  /** Percent of one core, by part; `machine` is everything that ran on the machine. */
  readonly cpu: Readonly<Record<string, number>>;
  /** Microseconds of CPU of each part under test. */
  readonly cpuPerDelivery: Readonly<Record<string, number>>;
  readonly cpuPerUpdate: Readonly<Record<string, number>>;
  readonly connectsPerSecond: number;
  /** What the server grew by, the watched endpoints' objects included, for each connection. */
  readonly bytesPerConnection: number;
  /** Microseconds of CPU of each part under test while the clients connected, likewise. */
  readonly cpuPerConnection: Readonly<Record<string, number>>;
  /** Updates that never came, or came twice, since the start of the first stage. */
  readonly lost: number;
  readonly duplicated: number;
  /** Of the rule of continuity, resets, and messages that can't be read; and one of them. */
  readonly violations: number;
  readonly violation: string | undefined;
  /** Connections that broke, or could not be made at first; and why one of them did. */
  readonly closes: number;
  readonly close: string | undefined;
  /** Updates that were not acknowledged. */
  readonly failed: number;
  /** How late the publisher was at worst, in milliseconds; part of the latencies. */
  readonly behindMs: number;
  /** Billable operations for a million deliveries, and what they cost in US dollars. */
  readonly operations: Readonly<Record<string, number>> | undefined;
  readonly dollars: number | undefined;
}

export type Progress = (line: string) => void;

/** A load that doesn't fit the machine; the message says why, for people. */
export class DoesNotFit extends Error {}

const DRAIN_MS = 10_000;
const AHEAD_US = 300_000;
const PROGRESS_US = 1_000_000;

interface Sample {
  readonly at: number;
  readonly machine: number;
  readonly parts: Readonly<Record<string, number>>;
  readonly operations: Readonly<Record<string, number>> | undefined;
}

export class Bench {
  readonly #settings: BenchSettings;
  readonly #kafka: KafkaBroker | undefined;
  readonly #system: System;
  readonly #clients: Clients;
  readonly #publisher: Publisher;
  readonly #watched: number;
  readonly #progress: Progress;
  #connectSeconds = 0;
  #connectionBytes = 0;
  #connectionCpu: Readonly<Record<string, number>> = {};

  /** Resolves when every client is live and nothing has been published. Throws DoesNotFit. */
  static async start(
    settings: BenchSettings,
    kafka: KafkaBroker | undefined,
    progress: Progress,
  ): Promise<Bench> {
    const { system: name, endpoints, clients, processes, popularity, seed, partitions, origins } = settings;
    const { checkout, tokens = false, onNode = false, workers = 1 } = settings;
    const assignment = assign(popularity, clients, endpoints, seeded(seed));
    const watched = new Set(assignment).size;
    const { problems } = checkDescriptors({
      clients,
      processes,
      server: name === "centrifugo" ? name : name === "floor-kafka" || onNode ? "node" : "workerd",
      workers,
      publishers: name === "floor-feeds" ? endpoints : 1,
      limit: openFilesLimit(),
    });
    if (problems.length > 0) throw new DoesNotFit(problems.join("\n"));
    goOn();
    progress(`starting ${name}${checkout === undefined ? "" : ` of ${checkout}`}`);
    const system = await startSystem({
      name,
      kafka,
      partitions,
      origins,
      endpoints,
      tokens,
      onNode,
      workers,
      ...(checkout && { checkout }),
    });
    const { url, topic, dialect, target } = system;
    const minted = tokens ? await tokensFor(clients, topic) : undefined;
    const load = new Clients({ url, topic, assignment, processes, dialect, first: 0, tokens: minted });
    const publisher = new Publisher({ ...settings, target });
    const bench = new Bench(settings, kafka, { system, clients: load, publisher, watched, progress });
    try {
      await publisher.open();
      await bench.#connect();
      return bench;
    } catch (error) {
      await bench.stop();
      throw error;
    }
  }

  private constructor(
    settings: BenchSettings,
    kafka: KafkaBroker | undefined,
    parts: { system: System; clients: Clients; publisher: Publisher; watched: number; progress: Progress },
  ) {
    this.#settings = settings;
    this.#kafka = kafka;
    this.#system = parts.system;
    this.#clients = parts.clients;
    this.#publisher = parts.publisher;
    this.#watched = parts.watched;
    this.#progress = parts.progress;
  }

  async #connect(): Promise<void> {
    const { edge = [], server = edge } = this.#system.parts;
    const resident = () => server.reduce((sum, pid) => sum + residentBytes(pid), 0);
    const before = resident();
    const cpuBefore = cpuOf(this.#system.parts);
    this.#progress(`connecting ${this.#settings.clients} clients`);
    this.#connectSeconds = await this.#clients.connect();
    this.#connectionBytes = (resident() - before) / this.#settings.clients;
    this.#connectionCpu = this.#perClient(cpuBefore);
  }

  #perClient(before: Readonly<Record<string, number>>): Record<string, number> {
    const now = Object.entries(cpuOf(this.#system.parts));
    return Object.fromEntries(
      now.map(([part, cpu]) => [part, (cpu - (before[part] ?? 0)) / this.#settings.clients]),
    );
  }

  /** Publishes at a rate, first to warm up and then measured; then waits for what is still on its way. */
  async stage(stage: StageSettings): Promise<Result> {
    const { rate, warmUpSeconds, seconds } = stage;
    const begin = nowUs() + AHEAD_US;
    const interval = { from: begin + warmUpSeconds * 1e6, until: begin + (warmUpSeconds + seconds) * 1e6 };
    await this.#clients.measure(interval);
    const publishing = this.#publisher.publish(rate, { from: begin, until: interval.until });
    const [before, after] = await this.#watch(interval, publishing);
    const published = await publishing;
    const lost = await this.#clients.lost(published.ends, DRAIN_MS);
    return this.#result(stage, before, after, published, lost);
  }

  /** Cuts all clients while updates flow, and waits until all are back and have everything. */
  async storm(rate: number, seconds: number): Promise<Stormed & { lost: number; asked: number }> {
    const begin = nowUs() + AHEAD_US;
    const publishing = this.#publisher.publish(rate, { from: begin, until: begin + seconds * 1e6 });
    const cutting = sleepUntil(begin + (seconds * 1e6) / 3).then(async () => {
      const before = await this.#system.operations();
      const stormed = await this.#clients.storm();
      const after = await this.#system.operations();
      const name = "websocket_message_in.shard_link";
      return { ...stormed, asked: (after?.[name] ?? 0) - (before?.[name] ?? 0) };
    });
    const [{ ends }, stormed] = await Promise.all([publishing, cutting]);
    return { ...stormed, lost: await this.#clients.lost(ends, DRAIN_MS) };
  }

  /** Cuts all clients and has them dial again while nothing is published; the CPU of each part for each of them. */
  async reconnect(): Promise<Readonly<Record<string, number>>> {
    const before = cpuOf(this.#system.parts);
    await this.#clients.storm();
    return this.#perClient(before);
  }

  /** Cuts all clients and has them dial again, as many at once as at first; how many came back in a second. */
  async redial(): Promise<number> {
    return this.#settings.clients / (await this.#clients.redial());
  }

  async stop(): Promise<void> {
    await Promise.all([this.#clients.stop(), this.#publisher.stop()]);
    await this.#system.stop();
  }

  async #watch({ from, until }: Interval, publishing: Promise<Published>): Promise<[Sample, Sample]> {
    // What stops the publisher ends the run at once.
    const orEnd = (us: number) => Promise.race([sleepUntil(us), publishing.then(() => sleepUntil(us))]);
    await orEnd(from);
    const before = this.#sample();
    // Where it fails, that is told below.
    before.catch(() => {});
    let last = 0;
    for (let at = from + PROGRESS_US; at < until; at += PROGRESS_US) {
      await orEnd(at);
      const { received, live } = await this.#clients.progress();
      const left = Math.ceil((until - nowUs()) / 1e6);
      this.#progress(`${live} clients, ${received - last} messages/s, ${left} s left`);
      last = received;
    }
    await orEnd(until);
    return Promise.all([before, this.#sample()]);
  }

  /** CPU as it is now; the operations as soon as the edge answers, which may take a while where it is overloaded. */
  async #sample(): Promise<Sample> {
    const pids: Record<string, readonly number[]> = {
      ...this.#system.parts,
      publisher: [this.#publisher.pid],
      clients: this.#clients.pids,
    };
    const cpu = { at: nowUs(), machine: machineCpuUs(), parts: cpuOf(pids) };
    return { ...cpu, operations: await this.#system.operations() };
  }

  async #result(
    stage: StageSettings,
    before: Sample,
    after: Sample,
    { failed, behindMs }: Published,
    lost: number,
  ): Promise<Result> {
    const settings = { ...this.#settings, ...stage, brokers: this.#kafka?.brokers.length ?? 0 };
    const { received, bytes, live, ...counts } = await this.#clients.received();
    const sampled = after.at - before.at;
    const measured = stage.seconds * 1e6;
    const updates = stage.rate * settings.endpoints;
    const watchedUpdates = stage.rate * this.#watched;
    const used = Object.entries(after.parts).map(
      ([part, cpu]) => [part, (cpu - (before.parts[part] ?? 0)) / sampled] as const,
    );
    const underTest = used.filter(([part]) => part in this.#system.parts);
    const per = (count: number) =>
      Object.fromEntries(underTest.map(([part, share]) => [part, (share * measured) / count]));
    const operations = perMillion(before, after, received);
    return {
      settings,
      watched: this.#watched,
      clients: live,
      messagesPerSecond: received / stage.seconds,
      megabytesPerSecond: bytes / measured,
      wireBytes: bytes / received,
      ...counts,
      updatesPerSecond: updates,
      watchedUpdatesPerSecond: watchedUpdates,
      cpu: {
        ...Object.fromEntries(used.map(([part, share]) => [part, 100 * share])),
        machine: (100 * (after.machine - before.machine)) / sampled,
      },
      cpuPerDelivery: per(received),
      cpuPerUpdate: per(updates * stage.seconds),
      connectsPerSecond: settings.clients / this.#connectSeconds,
      bytesPerConnection: this.#connectionBytes,
      cpuPerConnection: this.#connectionCpu,
      lost,
      failed,
      behindMs,
      operations,
      dollars: operations && marginalBill(usageOf(operations)).total,
    };
  }
}

/** Valid for as long as anybody measures. */
const TOKEN_SECONDS = 80_000;

function tokensFor(clients: number, topic: string): Promise<string[]> {
  const of = (client: number) => ({
    subject: `client-${client}`,
    subscribe: [`/${topic}/*`],
    until: TOKEN_SECONDS,
  });
  return Promise.all(Array.from({ length: clients }, (_, client) => tokenOf(of(client))));
}

/** Microseconds so far, by part. */
function cpuOf(parts: Readonly<Record<string, readonly number[]>>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(parts).map(([part, pids]) => [part, pids.reduce((sum, pid) => sum + cpuUs(pid), 0)]),
  );
}

function perMillion(before: Sample, after: Sample, deliveries: number): Record<string, number> | undefined {
  if (before.operations === undefined || after.operations === undefined) return undefined;
  const names = Object.entries(after.operations);
  const counted = names.map(([name, count]) => [name, count - (before.operations?.[name] ?? 0)] as const);
  // To ask for the counts was one more request.
  const asked = (name: string) => (name === "worker_request" ? 1 : 0);
  return Object.fromEntries(
    counted.map(([name, count]) => [name, ((count - asked(name)) / deliveries) * 1e6]),
  );
}
