/** The load on a system: clients in processes of their own, a publisher in another, and what they tell together. */
import { join } from "node:path";
import { nowUs } from "../clock.ts";
import { Latencies, type Latency } from "../histogram.ts";
import type { Dialect } from "./dialect.ts";
import { localAddresses } from "./local-addresses.ts";
import type { Published, PublisherHandlers } from "./publisher.ts";
import { type Answer, LoadProcess } from "./rpc.ts";
import { channelOf, KEY, type Target } from "./sinks.ts";
import type { Counts, Interval, Progress, SubscriberHandlers } from "./subscribers.ts";

const script = (name: string) => join(import.meta.dirname, name);

export interface ClientsSettings {
  readonly url: string;
  readonly topic: string;
  /** The endpoint of each client. */
  readonly assignment: readonly number[];
  readonly processes: number;
  readonly dialect: Dialect;
  /** Of each client, where the stream wants one. */
  readonly tokens?: readonly string[] | undefined;
  /** The number of the first update of each endpoint; undefined if clients join in the middle. */
  readonly first: number | undefined;
}

export interface Received {
  readonly received: number;
  readonly bytes: number;
  readonly latency: Latency;
  readonly live: number;
  readonly duplicated: number;
  readonly violations: number;
  readonly violation: string | undefined;
  readonly closes: number;
  readonly close: string | undefined;
}

export interface Stormed {
  /** Milliseconds until half of the clients, 99% and all were back and had caught up. */
  readonly p50: number;
  readonly p99: number;
  readonly all: number;
  readonly recovered: number;
}

/** Handshakes of all processes that are under way at once. */
const AT_ONCE = 64;
const LOOK_MS = 50;

export class Clients {
  readonly #processes: readonly LoadProcess<SubscriberHandlers>[];
  readonly #settings: ClientsSettings;

  constructor(settings: ClientsSettings) {
    this.#settings = settings;
    this.#processes = Array.from(
      { length: settings.processes },
      () => new LoadProcess<SubscriberHandlers>(script("subscribers.ts")),
    );
  }

  get pids(): number[] {
    return this.#processes.map(({ pid }) => pid);
  }

  /** Resolves when all are live, to the seconds that took. */
  async connect(): Promise<number> {
    const { url, topic, assignment, processes, dialect, first, tokens = [] } = this.#settings;
    const from = localAddresses(url, assignment.length, processes);
    const since = nowUs();
    await Promise.all(
      this.#processes.map((process, i) =>
        process.ask("connect", {
          url: url.replace("http", "ws"),
          localAddress: from[i],
          name: dialect === "centrifugo" ? channelOf(topic, "") : `/${topic}/${KEY}`,
          endpoints: assignment.filter((_, client) => client % processes === i),
          tokens: tokens.filter((_, client) => client % processes === i),
          first,
          dialect,
          atOnce: this.#atOnce,
        }),
      ),
    );
    return (nowUs() - since) / 1e6;
  }

  /** Cuts all, and resolves when all are live again, to the seconds that took; as many dial at once as at first. */
  async redial(): Promise<number> {
    const since = nowUs();
    await this.#ask("redial", { atOnce: this.#atOnce });
    return (nowUs() - since) / 1e6;
  }

  get #atOnce(): number {
    return Math.max(1, Math.floor(AT_ONCE / this.#settings.processes));
  }

  async measure(interval: Interval): Promise<void> {
    await this.#ask("measure", interval);
  }

  async progress(): Promise<Progress> {
    const all = await this.#ask("progress", undefined);
    const sum = (of: (one: Progress) => number) => all.reduce((total, one) => total + of(one), 0);
    return { received: sum(({ received }) => received), live: sum(({ live }) => live) };
  }

  async received(): Promise<Received> {
    const counts: Counts[] = await this.#ask("counts", undefined);
    const latencies = new Latencies();
    for (const one of counts) latencies.add(one.latencies);
    const sum = (of: (one: Counts) => number) => counts.reduce((total, one) => total + of(one), 0);
    return {
      received: sum((one) => one.received),
      bytes: sum((one) => one.bytes),
      latency: latencies.summary(),
      live: sum((one) => one.live),
      duplicated: sum((one) => one.duplicated),
      violations: sum((one) => one.violations),
      violation: counts.find(({ violation }) => violation !== undefined)?.violation,
      closes: sum((one) => one.closes),
      close: counts.find(({ close }) => close !== undefined)?.close,
    };
  }

  /** Updates that have not come by the deadline; ends before when all have. */
  async lost(ends: Uint32Array, deadlineMs: number): Promise<number> {
    const deadline = nowUs() + deadlineMs * 1_000;
    for (;;) {
      const lost = (await this.#ask("lost", ends)).reduce((sum, some) => sum + some, 0);
      if (lost === 0 || nowUs() > deadline) return lost;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  async storm(): Promise<Stormed> {
    const storms = await this.#ask("storm", undefined);
    const backMs = storms.flatMap((one) => one.backMs).sort((a, b) => a - b);
    const at = (share: number) => backMs[Math.ceil(share * backMs.length) - 1] ?? 0;
    const recovered = storms.reduce((sum, one) => sum + one.recovered, 0);
    return { p50: at(0.5), p99: at(0.99), all: at(1), recovered };
  }

  async stop(): Promise<void> {
    await Promise.all(this.#processes.map((process) => process.stop()));
  }

  #ask<Name extends keyof SubscriberHandlers & string>(
    name: Name,
    argument: Parameters<SubscriberHandlers[Name]>[0],
  ): Promise<Answer<SubscriberHandlers, Name>[]> {
    return Promise.all(this.#processes.map((process) => process.ask(name, argument)));
  }
}

export interface PublisherSettings {
  readonly target: Target;
  readonly endpoints: number;
  readonly payload: number;
  readonly json: boolean;
  readonly lingerMs: number;
  readonly seed: number;
  /** 0, or one of its own where others write to the topic before or after it. */
  readonly run?: number;
}

export class Publisher {
  readonly #process = new LoadProcess<PublisherHandlers>(script("publisher.ts"));
  readonly #settings: PublisherSettings;

  constructor(settings: PublisherSettings) {
    this.#settings = settings;
  }

  get pid(): number {
    return this.#process.pid;
  }

  async open(): Promise<void> {
    const { target, endpoints, payload, json, run = 0 } = this.#settings;
    await this.#process.ask("open", { target, endpoints, payload, json, run });
  }

  /** Resolves when all that was due in the interval is acknowledged, or has failed. */
  publish(rate: number, { from, until }: Interval): Promise<Published> {
    const { seed, lingerMs } = this.#settings;
    return this.#process.ask("publish", { rate, from, until, seed, lingerMs });
  }

  async stop(): Promise<void> {
    await this.#process.stop();
  }
}
