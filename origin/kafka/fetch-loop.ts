/** One read of one partition: a loop that fetches from the leader, wherever that is. */

import { turns } from "../reading/turns.ts";
import { type Batch, type ReadRequest, SourceError } from "../source/source.ts";
import type { Mood, Next } from "./ask.ts";
import { isOlder, type Reached, UNKNOWN_EPOCH, wantedBytes, wholeTo } from "./batch-headers.ts";
import type { Cluster } from "./cluster.ts";
import type { Fetched } from "./fetch-request.ts";
import { type Fetcher, heldBackIn } from "./fetcher.ts";
import type { Memory } from "./memory.ts";
import { PartReader } from "./part-reader.ts";
import type { Part } from "./parts.ts";
import { kafkaError, patiently, telling } from "./patience.ts";
import { KAFKA_ERROR, type PartitionMetadata, type TopicMetadata } from "./requests.ts";
import { epochIn, ownIdOf } from "./topic-epoch.ts";
import { Turn } from "./turn.ts";
import { WireError } from "./wire.ts";

interface Place {
  readonly topicId: Buffer | undefined;
  readonly leaderEpoch: number;
  readonly fetcher: Fetcher;
}

export interface FetchLoopPorts {
  /** Undefined when there is no such topic. */
  readonly topic: (topic: string) => Promise<TopicMetadata | undefined>;
  readonly cluster: Cluster;
  /** By epoch of the partition: outlives a read, so that the next one knows, too, what was read before it. */
  readonly reached: Map<string, Reached>;
  /** To unpack batches in. */
  readonly memory: Memory;
  /** For how long what fails is tried again. */
  readonly patienceMs: number;
}

/** One answer, while it is handed on part by part. */
interface Handing {
  readonly fetched: Fetched;
  /** Where what follows is. */
  readonly next: Reached;
  readonly parts: PartReader;
  /** What became of what was waited for. */
  came: { readonly part: Part | undefined } | undefined;
  /** That isn't asked for: it was waited for, or there is nothing more. */
  hasTurn: boolean;
  /** Its last part was handed on. */
  isLast: boolean;
  /** Is to be waited for first. */
  wait: Promise<void> | undefined;
  /** What it was that went wrong. */
  failure: { readonly error: unknown } | undefined;
}

export class FetchLoop {
  readonly #request: ReadRequest;
  readonly #signal: AbortSignal;
  readonly #ports: FetchLoopPorts;
  readonly #alive: () => void;
  readonly #onBatch: (batch: Batch) => void | Promise<void>;
  /** Where the partition is fetched from, while that is known. */
  #place: Place | undefined;
  /** How far everything was handed on. */
  #at: Reached;
  /** What is being handed on. It stays there if that failed. */
  #handing: Handing | undefined;
  /** Whether a batch is due though it has no records. */
  #due = true;
  /** How much is asked for at once, if it is more than usual: of logs that cut even the first batch. */
  #leastBytes: number | undefined;
  /** What is held back, as was told last. */
  #heldBack = 0;
  readonly #turn = new Turn();
  /** Whether the signal has aborted: one that is made of others asks all of these each time. */
  #isOver: boolean;

  constructor(
    request: ReadRequest,
    signal: AbortSignal,
    ports: FetchLoopPorts,
    onBatch: (batch: Batch) => void | Promise<void>,
  ) {
    const { epoch, from } = request;
    this.#request = request;
    this.#signal = signal;
    this.#ports = ports;
    this.#onBatch = onBatch;
    this.#alive = request.alive ?? (() => {});
    const known = ports.reached.get(epoch);
    this.#at = known?.offset === from ? known : { offset: from, leaderEpoch: UNKNOWN_EPOCH };
    this.#isOver = signal.aborted;
    const end = () => {
      this.#isOver = true;
    };
    signal.addEventListener("abort", end, { once: true });
  }

  /**
   * Until it is aborted, or fails. Answers that can be handed on at once, as nearly all can where records trickle, don't come
   * by here (`#take`). Of others one is fetched ahead of what is handed on, and no more: that bounds what is in memory.
   */
  async run(): Promise<void> {
    let coming = this.#fetch("first", this.#at);
    for (;;) {
      let fetched: Fetched;
      try {
        fetched = await coming;
        this.#handing ??= this.#begin(fetched);
        if (this.#handing === undefined) {
          this.#leastBytes = this.#decoding(() => wantedBytes(fetched.records, this.#leastBytes));
          coming = this.#fetch("flowing", this.#at);
          continue;
        }
      } catch (error) {
        if (this.#isOver) return;
        throw error;
      }
      const handing = this.#handing;
      try {
        if (handing.failure !== undefined) throw handing.failure.error;
        coming = this.#fetch(this.#moodAfter(handing), handing.next);
        // It is looked at when its turn comes, if it does.
        coming.catch(() => {});
        let wait = handing.wait ?? this.#handOn(handing);
        for (; wait !== undefined; wait = this.#handOn(handing)) await wait;
      } finally {
        const ending = handing.parts.return();
        if (ending !== undefined) await ending;
      }
      if (this.#isOver) return;
      this.#handed(handing);
    }
  }

  /** Hands an answer on, all of it at once, and says what is wanted next; undefined if that takes its time, or fails. */
  #take(fetched: Fetched): Next | undefined {
    if (this.#isOver || this.#handing !== undefined || this.#place === undefined) return undefined;
    try {
      this.#check(fetched, this.#at, this.#place);
      const handing = this.#begin(fetched);
      if (handing === undefined) return undefined;
      this.#handing = handing;
    } catch {
      // Whoever waits for the answer meets the same.
      return undefined;
    }
    const handing = this.#handing;
    try {
      handing.wait = this.#handOn(handing);
    } catch (error) {
      handing.failure = { error };
    }
    // It is looked at when its turn comes, if it does.
    handing.wait?.catch(() => {});
    // Nobody waits for it any more.
    if (this.#isOver) void handing.parts.return();
    if (handing.wait !== undefined || handing.failure !== undefined || this.#isOver) return undefined;
    const mood = this.#moodAfter(handing);
    void handing.parts.return();
    this.#handed(handing);
    return this.#next(mood, this.#at, this.#place);
  }

  /** Undefined if there is no whole batch of what is wanted. */
  #begin(fetched: Fetched): Handing | undefined {
    const { records, aborted } = fetched;
    const next = this.#decoding(() => wholeTo(records, this.#at));
    if (next === this.#at && records.length > 0) return undefined;
    const heldBack = heldBackIn(fetched);
    this.#due ||= heldBack !== this.#heldBack;
    this.#heldBack = heldBack;
    const unpacking = { memory: this.#ports.memory, signal: this.#signal };
    const parts = new PartReader(records, this.#at.offset, aborted, unpacking);
    const [came, wait, failure] = [undefined, undefined, undefined];
    return { fetched, next, parts, came, wait, failure, hasTurn: false, isLast: false };
  }

  /** Hands on what it can at once; returns what is to be waited for before it is called again, if it is. */
  #handOn(handing: Handing): Promise<void> | undefined {
    const { reached, memory } = this.#ports;
    const { fetched, next, parts } = handing;
    while (!handing.isLast) {
      if (handing.came === undefined) {
        if (!handing.hasTurn && turns.isSpent()) {
          handing.hasTurn = true;
          return turns.later();
        }
        handing.hasTurn = false;
        const step = this.#decoding(() => parts.next());
        // Whoever waits for memory gets on as long as others do.
        if (step instanceof Promise)
          return telling(this.#unlessOver(step), () => memory.given, this.#alive).then((part) => {
            handing.came = { part };
          });
        handing.came = { part: step };
      }
      const { part } = handing.came;
      handing.came = undefined;
      if (this.#isOver) return undefined;
      handing.isLast = part === undefined;
      handing.hasTurn = part !== undefined && part.nextOffset >= next.offset;
      if (handing.isLast && !this.#due) return undefined;
      this.#due = false;
      const nextOffset = part?.nextOffset ?? this.#at.offset;
      const handled = this.#onBatch(batchOf(part ?? { records: [], nextOffset }, fetched));
      // Known even if the read ends before it looks again: only so a log that was truncated is noticed later.
      if (nextOffset >= next.offset) reached.set(this.#request.epoch, next);
      if (handled !== undefined) return handled;
    }
    return undefined;
  }

  #handed({ next }: Handing): void {
    this.#at = next;
    this.#ports.reached.set(this.#request.epoch, next);
    this.#handing = undefined;
  }

  #moodAfter({ next }: Handing): Mood {
    return next.offset > this.#at.offset ? "flowing" : "idle";
  }

  #fetch(mood: Mood, reached: Reached): Promise<Fetched> {
    let at = reached;
    return patiently(this.#ports.patienceMs, this.#signal, async (patient) => {
      const alive = () => {
        patient();
        this.#alive();
      };
      const take = (fetched: Fetched) => {
        const next = this.#take(fetched);
        if (next === undefined) return undefined;
        patient();
        at = this.#at;
        return next;
      };
      try {
        this.#place ??= await this.#locate();
        const place = this.#place;
        const { from, knownHeld } = this.#next(mood, at, place);
        const standing = { mood, knownHeld, turn: this.#turn };
        const fetched = await place.fetcher.fetch(from, standing, this.#signal, alive, take);
        this.#check(fetched, at, place);
        return fetched;
      } catch (error) {
        // That it fails is told of if it lasts.
        this.#alive();
        this.#place = undefined;
        // Whatever comes next is not what was read before, or is nothing.
        if (error instanceof SourceError && error.code !== "unavailable")
          this.#ports.reached.delete(this.#request.epoch);
        throw error;
      }
    });
  }

  #next(mood: Mood, at: Reached, { topicId, leaderEpoch }: Place): Next {
    const { topic, partition } = this.#request;
    const { offset, leaderEpoch: lastEpoch } = at;
    const from = { topic, topicId, partition, offset, leaderEpoch, lastEpoch, leastBytes: this.#leastBytes };
    return { from, mood, knownHeld: this.#heldBack };
  }

  /** Throws SourceError if what was fetched from there is not what follows. */
  #check(fetched: Fetched, at: Reached, { leaderEpoch }: Place): void {
    const { topic, partition } = this.#request;
    if (fetched.diverging || this.#decoding(() => isOlder(fetched.records, at, leaderEpoch)))
      throw new SourceError("truncated", `what was read before ${at.offset} is no longer what the log holds`);
    if (fetched.error === KAFKA_ERROR.none) return;
    if (fetched.error === KAFKA_ERROR.offsetOutOfRange)
      throw new SourceError("offset_out_of_range", `${topic}/${partition} does not hold ${at.offset}`);
    throw kafkaError(`${topic}/${partition}`, fetched.error);
  }

  async #locate(): Promise<Place> {
    const { topic, partition, epoch } = this.#request;
    const { cluster } = this.#ports;
    const found = await telling(this.#ports.topic(topic), () => cluster.allSigns, this.#alive);
    const { topicId, info } = partitionIn(found, topic, partition, epoch);
    const fetcher = cluster.fetcher(info.leader);
    if (fetcher === undefined) throw new Error(noLeader(info.leader));
    return { topicId, leaderEpoch: info.leaderEpoch, fetcher };
  }

  /** Undefined when the read ends. */
  async #unlessOver(coming: Promise<Part | undefined>): Promise<Part | undefined> {
    try {
      return await coming;
    } catch (error) {
      if (this.#isOver) return undefined;
      throw this.#corrupt(error);
    }
  }

  #decoding<T>(body: () => T): T {
    try {
      return body();
    } catch (error) {
      throw this.#corrupt(error);
    }
  }

  #corrupt(error: unknown): unknown {
    if (!(error instanceof WireError)) return error;
    const { topic, partition } = this.#request;
    const { message, nextOffset } = error;
    const wayOut =
      nextOffset === undefined
        ? ""
        : `; reading goes on by itself once Kafka has deleted that (DeleteRecords up to offset ${nextOffset})`;
    return new SourceError("corrupt", `${topic}/${partition} can't be read: ${message}${wayOut}`, {
      cause: error,
    });
  }
}

function batchOf(part: Part, fetched: Fetched): Batch {
  const heldBack = heldBackIn(fetched);
  const endOffset = Math.max(fetched.lastStableOffset, part.nextOffset);
  const { records, nextOffset, wholeFrom } = part;
  // As nearly all are.
  if (wholeFrom === undefined && heldBack === 0) return { records, nextOffset, endOffset };
  return { ...part, endOffset, ...(heldBack > 0 && { heldBack }) };
}

/** @param leader As the metadata name it; its address isn't known. */
export const noLeader = (leader: number) =>
  leader < 0 ? "it has no leader just now" : `its leader, broker ${leader}, isn't there just now`;

/** Throws SourceError if the partition is not the one that had this epoch. */
export function partitionIn(
  found: TopicMetadata | undefined,
  topic: string,
  partition: number,
  epoch: string,
): { readonly topicId: Buffer | undefined; readonly info: PartitionMetadata } {
  if (found === undefined)
    throw new SourceError("unknown_topic", `there is no topic ${JSON.stringify(topic)}`);
  if (epochIn(found, partition) !== epoch)
    throw new SourceError("epoch_changed", `${topic}/${partition} is no longer of epoch ${epoch}`);
  const info = found.partitions.find((candidate) => candidate.partition === partition);
  if (info === undefined) throw new SourceError("unknown_topic", `${topic} has no partition ${partition}`);
  return { topicId: ownIdOf(found), info };
}
