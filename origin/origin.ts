/** One run of an origin: its parts, wired. It listens on no port; all it does begins with a dial or a read. */
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { Stream, Streams } from "../shared/config/streams.ts";
import { backoff } from "../shared/core/backoff.ts";
import { partitionOf } from "../shared/core/partitioner.ts";
import { parseAddress } from "../shared/protocol/address.ts";
import { formatSlice, type Slice } from "../shared/protocol/slice.ts";
import { IndexError } from "./index/error.ts";
import { openIndex, type RecordIndex } from "./index/index.ts";
import type { TopicRetention, TopicRetentions } from "./index/retention.ts";
import { OccupancyExchange } from "./occupancy/exchange.ts";
import { HeldBack } from "./operate/held-back.ts";
import type { Log } from "./operate/log.ts";
import { needsAttention, type Status, statusOf, summarize } from "./operate/status.ts";
import { Unusable } from "./operate/unusable.ts";
import { PublishDoor } from "./publish/door.ts";
import { Marker } from "./publish/mark.ts";
import { Publisher } from "./publish/publisher.ts";
import type { Sink } from "./publish/sink.ts";
import { Consumer } from "./reading/consumer.ts";
import { Forwarder } from "./reading/forwarder.ts";
import { Partitions } from "./reading/partitions.ts";
import { Progress } from "./reading/progress.ts";
import { KeptRevocations } from "./revocations/kept.ts";
import { RevocationSpreading } from "./revocations/spreading.ts";
import type { Config } from "./settings/config.ts";
import type { Edge } from "./settings/edges.ts";
import type { Source } from "./source/source.ts";
import { TIME_LIMITS } from "./time-limits.ts";
import { Edges } from "./uplink/edges.ts";
import { ANSWER_BOUNDS } from "./watch/answer-bounds.ts";
import { Replays } from "./watch/replays.ts";
import { WatchList } from "./watch/watch-list.ts";

/** How many topics that aren't exposed are told of. */
const REFUSED_TOPICS = 100;

export class Origin {
  /** Resolves with the reason when the origin can't go on; `stop` is still to be called. */
  readonly failed: Promise<unknown>;
  readonly #log: Log;
  readonly #slice: Slice;
  readonly #index: RecordIndex;
  readonly #partitions: Partitions;
  readonly #watchList: WatchList;
  readonly #replays: Replays;
  readonly #consumer: Consumer;
  readonly #edges: Edges;
  readonly #publisher: Publisher | undefined;
  readonly #publishes: PublishDoor;
  readonly #occupancy: OccupancyExchange;
  #tick: NodeJS.Timeout | undefined;
  #tickFailures = 0;
  /** Why the index couldn't be written the last time. */
  #indexError: string | undefined;
  readonly #status: NodeJS.Timeout;
  readonly #report: NodeJS.Timeout;
  readonly #heldBackTimer: NodeJS.Timeout;

  /**
   * Starts at once. Throws IndexError `unwritable` or `in_use`. The source stays its owner's to close.
   * @param openSink Is closed here.
   */
  constructor(config: Config, source: Source, openSink: () => Sink, log: Log) {
    const { streams } = config;
    const failed = Promise.withResolvers<unknown>();
    this.failed = failed.promise;
    this.#log = log;
    this.#slice = config.slice;
    const { index, rebuilt } = openIndex({
      directory: join(config.dataDir, "origin"),
      topics: retentionsOf(streams),
      slice: formatSlice(config.slice),
      bounds: { maxRecords: Number.MAX_SAFE_INTEGER, maxBytes: config.indexMaxBytes },
      now: Date.now,
    });
    this.#index = index;
    if (rebuilt !== undefined) log("index_rebuilt", { why: rebuilt.message, aside: rebuilt.aside });

    const partitions = new Partitions(
      streams.named.map(({ topic }) => topic),
      !streams.hasPatterns,
    );
    this.#partitions = partitions;
    this.#replays = new Replays({ source, random: Math.random, bounds: ANSWER_BOUNDS });
    this.#watchList = new WatchList({
      replays: this.#replays,
      look: (topic) => this.#consumer.look(topic),
      history: index,
      partitions,
      slice: config.slice,
      homeOf: partitionOf,
      now: Date.now,
      bounds: ANSWER_BOUNDS,
      streams,
      refused: oncePerTopic((path) => log("path_refused", { path })),
    });
    const ports = { log, random: Math.random, now: Date.now };
    const { publishSecrets } = config;
    this.#publisher =
      publishSecrets &&
      new Publisher({
        sink: openSink(),
        marker: new Marker(publishSecrets),
        announce: (news) => this.#publishes.writes(news),
      });
    this.#publishes = new PublishDoor({
      streams,
      publisher: this.#publisher,
      announce: (writing) => this.#edges.tellWriting(writing),
      log,
      now: () => performance.now(),
      wall: Date.now,
    });
    this.#occupancy = new OccupancyExchange({
      now: () => performance.now(),
      after: (ms, run) => {
        const timer = setTimeout(run, ms).unref();
        return () => clearTimeout(timer);
      },
      tells: (path) => tellsOccupancy(streams, path),
      opening: () => this.#edges.opening(),
    });
    this.#edges = new Edges(config.edges, {
      ...ports,
      ...(config.currentEdges && { current: config.currentEdges }),
      slice: config.slice,
      watchList: this.#watchList,
      publishes: this.#publishes,
      occupancy: this.#occupancy,
      revocations: new RevocationSpreading({
        kept: new KeptRevocations(join(config.dataDir, "origin", "revocations.json"), {
          now: Date.now,
          failed: (why) => log("revocations_failed", { why }),
        }),
        tell: (revocation) => this.#edges.tellRevocation(revocation),
      }),
      // The uplink on which the disk failed is dialled again, and what it watched is attached again.
      failed: (error) =>
        isDiskFailure(error) ? log("index_failed", { why: error.message }) : failed.resolve(error),
    });
    const progress = new Progress({ partitions, log, now: () => performance.now() });
    const forwarder = new Forwarder({
      history: index,
      partitions,
      watchList: this.#watchList,
      progress,
      log,
      readinessChanged: () => this.#tellReadiness(),
    });
    this.#consumer = new Consumer({
      ...ports,
      source,
      streams,
      slice: config.slice,
      forwarder,
      partitions,
      fatal: failed.resolve,
    });
    this.#consumer.start();
    this.#edges.start();
    this.#tickIn(TIME_LIMITS.indexTickMs, failed.resolve);
    this.#status = setInterval(() => {
      if (needsAttention(this.status())) this.#logStatus();
    }, TIME_LIMITS.statusLogMs);
    const unusable = new Unusable(log);
    this.#report = setInterval(() => {
      progress.tell();
      unusable.look(index.facts().partitions);
    }, TIME_LIMITS.progressMs);
    const heldBack = new HeldBack(log);
    this.#heldBackTimer = setInterval(
      () => heldBack.look(partitions.all(), performance.now()),
      TIME_LIMITS.heldBackLookMs,
    );
  }

  /** How it stands. Made anew each time, from what is in memory. */
  status(): Status {
    return statusOf({
      slice: this.#slice,
      partitions: this.#partitions,
      topics: this.#partitions.topics,
      watched: this.#watchList.size,
      watchCounts: this.#watchList.counts,
      edges: this.#edges.facts(),
      publishCounts: this.#publishes.counts,
      occupancy: { endpoints: this.#occupancy.size, ...this.#occupancy.counts },
      index: this.#index.facts(),
      indexError: this.#indexError,
      now: Date.now(),
      elapsed: performance.now(),
    });
  }

  changeEdges(edges: readonly Edge[]): void {
    this.#edges.change(edges);
  }

  /** Closes the sockets, and writes everything that was read to the index. Takes 1.5 s at most, and the disk's time. */
  async stop(): Promise<void> {
    clearTimeout(this.#tick);
    clearInterval(this.#status);
    clearInterval(this.#report);
    clearInterval(this.#heldBackTimer);
    this.#replays.close();
    await Promise.race([this.#letGo(), wait(TIME_LIMITS.letGoMs, undefined, { ref: false })]);
    this.#index.close();
  }

  /** What is watched is forwarded until another origin does it, if there is one. */
  async #letGo(): Promise<void> {
    await this.#edges.leave();
    await Promise.all([this.#consumer.stop(), this.#edges.stop(), this.#publisher?.close()]);
  }

  #tellReadiness(): void {
    const { ready } = this.#partitions;
    if (this.#edges.setReady(ready)) this.#logStatus();
  }

  #logStatus(): void {
    this.#log("status", summarize(this.status()));
  }

  /** The index has no timers of its own. */
  #tickIn(ms: number, failed: (error: unknown) => void): void {
    this.#tick = setTimeout(() => {
      try {
        this.#index.tick();
        this.#tickFailures = 0;
        this.#indexError = undefined;
        this.#tickIn(TIME_LIMITS.indexTickMs, failed);
      } catch (error) {
        if (!isDiskFailure(error)) return failed(error);
        this.#indexError = error.message;
        const retryMs = Math.ceil(backoff(this.#tickFailures++, TIME_LIMITS.indexTickAgain, Math.random()));
        this.#log("index_failed", { why: error.message, retryMs });
        this.#tickIn(retryMs, failed);
      }
    }, ms);
  }
}

/** How long the index keeps what it has of a topic: as the topic's stream says. */
function retentionsOf(streams: Streams): TopicRetentions {
  const retentions = new Map(
    streams.all.map((stream): [Stream, TopicRetention] => {
      return [stream, { maxAgeMs: stream.windowMs, keepLatest: stream.compacted }];
    }),
  );
  return {
    get: (topic) => {
      const stream = streams.get(topic);
      return stream && retentions.get(stream);
    },
  };
}

/** Whether a topic is exposed, and may be told how many subscribers its keys have. */
function tellsOccupancy(streams: Streams, path: string): boolean {
  const address = parseAddress(path);
  return address.ok && streams.get(address.address.topic)?.occupancy === "subscribers";
}

function isDiskFailure(error: unknown): error is IndexError {
  return error instanceof IndexError && error.code === "disk_failed";
}

/** An edge that exposes more than this origin asks for each endpoint: one line a topic is enough. */
function oncePerTopic(say: (path: string) => void): (path: string) => void {
  const said = new Set<string>();
  return (path) => {
    const topic = path.split("/", 2).join("/");
    if (said.has(topic) || said.size >= REFUSED_TOPICS) return;
    said.add(topic);
    say(path);
  };
}
