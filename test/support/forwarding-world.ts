/** A log, an index, an origin's watch list and what is below it, for tests that do things to them in any order. */
import { expect } from "vitest";
import { IndexError } from "../../origin/index/error.ts";
import { Forwarder } from "../../origin/reading/forwarder.ts";
import { isReady, Partitions } from "../../origin/reading/partitions.ts";
import { Progress } from "../../origin/reading/progress.ts";
import { isTorn, type PartitionInfo } from "../../origin/source/source.ts";
import type { WritableHistory } from "../../origin/watch/history.ts";
import { Replays } from "../../origin/watch/replays.ts";
import { WatchList } from "../../origin/watch/watch-list.ts";
import { type Stream, Streams } from "../../shared/config/streams.ts";
import { partitionOf } from "../../shared/core/partitioner.ts";
import { endpointPath } from "../../shared/protocol/address.ts";
import { LogModel } from "./log-model.ts";
import { ScriptedSource } from "./scripted-source.ts";
import { SimulatedShard, type WatchingObject } from "./watching.ts";

const KEYS = [Buffer.from("a"), Buffer.from([0xff, 0x00]), Buffer.alloc(0)];
const PATHS = KEYS.map((key) => endpointPath("t", key));
const NOW = 1_000_000;
const STREAM: Stream = {
  topic: "t",
  title: "t",
  subscribe: "public",
  publish: "public",
  discover: "public",
  occupancy: "subscribers",
  windowUpdates: 4,
  windowMs: 1_000_000,
  start: "earliest",
  compacted: false,
  replay: 0,
  maxAgeSeconds: 1,
};

interface AtLink {
  readonly shard: number;
  readonly link: number;
  readonly key: number;
}

export type Command =
  /** A tombstone where there are no bytes. */
  | { kind: "write"; partition: number; key: number; bytes: number; skip: number }
  | { kind: "read"; partition: number; max: number }
  | ({ kind: "watch" } & AtLink)
  | ({ kind: "leave" } & AtLink)
  | { kind: "step"; shard: number }
  | { kind: "congest"; shard: number }
  | { kind: "drain"; shard: number }
  /** The uplink breaks. */
  | { kind: "break"; shard: number }
  /** The index drops a part of what it holds. */
  | { kind: "forget"; partition: number; share: number }
  /** The log drops a part of what it holds. */
  | { kind: "expire"; partition: number; share: number }
  /** The log is compacted in part. */
  | { kind: "compact"; partition: number; share: number }
  | { kind: "describe" }
  | { kind: "grow" }
  | { kind: "recreate" };

export interface WorldOptions<H extends WritableHistory> {
  readonly history: H;
  /** What one answer may hold. */
  readonly bounds: { readonly updates: number; readonly bytes: number };
  readonly shards: number;
  /** Drops what the index has of a partition below an offset. */
  readonly forget: (history: H, partition: number, below: number) => void;
}

export class ForwardingWorld<H extends WritableHistory> {
  readonly log = new LogModel(2, NOW);
  /** How often a partition was read again since the log had removed what came next. */
  rereads = 0;
  readonly partitions = new Partitions(["t"]);
  readonly watchList: WatchList;
  readonly forwarder: Forwarder;
  readonly shards: SimulatedShard[];
  readonly #options: WorldOptions<H>;
  /** Epochs of partitions that were read to the log's end since they were begun. */
  readonly #settled = new Set<string>();
  /** What an object can't have, though its position says nothing of it (R6), by epoch. */
  readonly #exempt = new Map<WatchingObject, Map<string, number>>();

  constructor(options: WorldOptions<H>) {
    this.#options = options;
    const { history, bounds } = options;
    const { partitions } = this;
    this.watchList = new WatchList({
      history,
      partitions,
      bounds,
      replays: new Replays({ source: new ScriptedSource(), random: () => 0, bounds }),
      homeOf: partitionOf,
      now: () => NOW,
      look: () => undefined,
      streams: new Streams([STREAM]),
      refused: () => undefined,
    });
    this.forwarder = new Forwarder({
      history,
      partitions,
      watchList: this.watchList,
      progress: new Progress({ partitions, log: () => undefined, now: () => NOW }),
      log: () => undefined,
      readinessChanged: () => undefined,
    });
    this.shards = Array.from({ length: options.shards }, () => new SimulatedShard(this.watchList));
  }

  run(command: Command): void {
    const at = "partition" in command ? command.partition % this.log.partitions.length : 0;
    const shard = "shard" in command ? this.shards[command.shard] : undefined;
    switch (command.kind) {
      case "write":
        this.log.write(at, KEYS[command.key] ?? null, value(command.bytes), command.skip);
        break;
      case "read":
        this.#read(at, command.max);
        break;
      case "watch":
        if (shard !== undefined) this.#watch(shard, command.link, command.key);
        break;
      case "leave":
        shard?.leave(command.link, PATHS[command.key] ?? "");
        break;
      case "step":
        shard?.step();
        break;
      case "congest":
        if (shard !== undefined) shard.congested = true;
        break;
      case "drain":
        shard?.drain();
        break;
      case "break":
        if (shard !== undefined) this.#break(command.shard, shard);
        break;
      case "forget":
        this.#options.forget(this.#options.history, at, this.#offsetAt(at, command.share));
        break;
      case "expire":
        this.log.drop(at, this.#offsetAt(at, command.share));
        break;
      case "compact":
        this.log.compact(at, this.#offsetAt(at, command.share), !this.#isUnderWay(at));
        break;
      case "describe":
        this.#describe();
        break;
      case "grow":
        this.log.grow();
        break;
      case "recreate":
        this.log.recreate(2);
        break;
    }
    this.#ask();
  }

  /** Everything is read, sent and asked, until nothing is left to do. */
  settle(): void {
    for (const shard of this.shards) shard.drain();
    this.#describe();
    for (let round = 0, busy = true; busy; round++) {
      if (round > 1_000) throw new Error("it never comes to rest");
      busy = false;
      for (const { partition, epoch, endOffset } of this.log.describe()) {
        const known = this.partitions.find("t", epoch);
        if (known?.next === endOffset && isReady(known)) continue;
        this.#read(partition, 3);
        busy = true;
      }
      for (const shard of this.shards) busy = shard.step() || busy;
      busy = this.#ask() || busy;
    }
  }

  /** Every record after the place where continuity began for an object came to it, once and in order. */
  check(): void {
    for (const object of this.objects()) {
      expect(object.position, "every attach is answered").toBeDefined();
      const key = KEYS[PATHS.indexOf(object.path)];
      for (const { epoch, records } of this.log.partitions) {
        const begin = Math.max(object.base.get(epoch) ?? -1, this.#exempt.get(object)?.get(epoch) ?? -1);
        const truth = records.filter((record) => record.offset > begin && record.key === key);
        const received = object.received.filter((update) => update.epoch === epoch && update.offset > begin);
        expect(received.map(({ offset }) => offset)).toEqual(truth.map(({ offset }) => offset));
      }
    }
  }

  /** What the index gives as a key's last record in a partition is that, and not one that was replaced or deleted since. */
  checkLatest(): void {
    for (const key of KEYS)
      for (const { partition, tail } of this.#options.history.views("t", key))
        if (tail !== undefined) expect(tail).toBe(this.log.last(partition, key)?.offset);
  }

  objects(): WatchingObject[] {
    return this.shards.flatMap(({ objects }) =>
      [...objects.values()].flatMap((paths) => [...paths.values()]),
    );
  }

  /** Whether a partition is being read for the first time, or again: tombstones stay in the log for longer than that. */
  #isUnderWay(partition: number): boolean {
    const { epoch = "" } = this.log.describe()[partition] ?? {};
    return this.partitions.find("t", epoch) !== undefined && !this.#settled.has(epoch);
  }

  #offsetAt(partition: number, share: number): number {
    return Math.floor((this.log.describe()[partition]?.endOffset ?? 0) * share);
  }

  /** Objects that are new, found a gap, or were cut off, ask. */
  #ask(): boolean {
    let asked = false;
    for (const shard of this.shards)
      for (const [link, objects] of shard.objects)
        for (const object of objects.values()) asked = shard.ask(link, object) || asked;
    return asked;
  }

  /** The shard attaches all that its links watch, from where they are, on its next uplink (L7). */
  #break(index: number, shard: SimulatedShard): void {
    this.watchList.shardLost(shard);
    const next = new SimulatedShard(this.watchList);
    this.shards[index] = next;
    for (const [link, objects] of shard.objects) {
      next.objects.set(link, objects);
      for (const object of objects.values()) object.cutOff();
    }
  }

  #watch(shard: SimulatedShard, link: number, key: number): void {
    const path = PATHS[key] ?? "";
    if (shard.objects.get(link)?.has(path)) return;
    const object = shard.watch(link, path);
    const exempt = new Map<string, number>();
    this.#exempt.set(object, exempt);
    object.onAnswer = ({ verdict, horizon: spoken }, ask) => {
      for (const { epoch, horizon } of this.#options.history.views("t", KEYS[key] ?? Buffer.alloc(0))) {
        // R6: nobody says anything of a partition that isn't the key's home.
        if (!spoken.has(epoch) && horizon > 0)
          exempt.set(epoch, Math.max(exempt.get(epoch) ?? -1, horizon - 1));
      }
      if (verdict.recovered && ask?.from) expect(verdict.position).toEqual(ask.from);
    };
  }

  #read(index: number, max: number): void {
    const info = this.log.describe()[index % this.log.partitions.length];
    const known = info && this.partitions.find("t", info.epoch);
    // The source would say that the topic is another one.
    if (info === undefined || known === undefined) this.#describe();
    else if (known.next < info.startOffset) this.#rejoin(info, "hole");
    else {
      const { next } = known;
      const batch = this.log.read(info.partition, next, max);
      if (isTorn(batch, next)) this.#exemptStrangers(info.epoch, batch.wholeFrom);
      try {
        this.forwarder.batch("t", info.partition, info.epoch, batch);
        if (batch.nextOffset === batch.endOffset) this.#settled.add(info.epoch);
      } catch (error) {
        if (!(error instanceof IndexError && error.code === "removed")) throw error;
        this.#rejoin(info, "removed");
      }
    }
  }

  #describe(): void {
    const before = this.partitions.of("t");
    this.forwarder.described("t", this.log.describe(), "earliest");
    for (const info of this.log.describe())
      if (!before?.some(({ epoch }) => epoch === info.epoch))
        this.#exemptStrangers(info.epoch, info.startOffset);
  }

  #rejoin(info: PartitionInfo, why: "hole" | "removed"): void {
    this.rereads += why === "removed" ? 1 : 0;
    this.#settled.delete(info.epoch);
    this.forwarder.rejoin("t", info, why);
    this.#exemptStrangers(info.epoch, info.startOffset);
  }

  #isHome({ path }: WatchingObject, epoch: string): boolean {
    const count = this.partitions.count("t") ?? 0;
    return epoch.endsWith(`.${partitionOf(KEYS[PATHS.indexOf(path)] ?? Buffer.alloc(0), count)}`);
  }

  /** Of a key that it doesn't know in a partition nobody can say that records of it were lost there. */
  #exemptStrangers(epoch: string, before: number): void {
    for (const object of this.objects()) {
      const exempt = this.#exempt.get(object);
      if (!object.position?.has(epoch) && !this.#isHome(object, epoch))
        exempt?.set(epoch, Math.max(exempt.get(epoch) ?? -1, before - 1));
    }
  }
}

function value(bytes: number): Buffer | null {
  return bytes === 0 ? null : Buffer.alloc(bytes, "x");
}
