/** One read of one partition: a loop that fetches from the leader, wherever that is. */

import { turns } from "../reading/turns.ts";
import { type Batch, type ReadRequest, SourceError } from "../source/source.ts";
import type { Mood } from "./ask.ts";
import { isOlder, type Reached, UNKNOWN_EPOCH, wantedBytes, wholeTo } from "./batch-headers.ts";
import type { Cluster } from "./cluster.ts";
import { type Fetcher, heldBackIn } from "./fetcher.ts";
import type { Memory } from "./memory.ts";
import { PartReader } from "./part-reader.ts";
import type { Part } from "./parts.ts";
import { kafkaError, patiently, telling } from "./patience.ts";
import {
  type Fetched,
  type FetchFrom,
  KAFKA_ERROR,
  type PartitionMetadata,
  type TopicMetadata,
} from "./requests.ts";
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

export class FetchLoop {
  readonly #request: ReadRequest;
  readonly #signal: AbortSignal;
  readonly #ports: FetchLoopPorts;
  readonly #alive: () => void;
  /** Where the partition is fetched from, while that is known. */
  #place: Place | undefined;
  /** How much is asked for at once, if it is more than usual: of logs that cut even the first batch. */
  #leastBytes: number | undefined;
  /** What is held back, as was told last. */
  #heldBack = 0;
  readonly #turn = new Turn();
  /** Whether the signal has aborted: one that is made of others asks all of these each time. */
  #isOver: boolean;

  constructor(request: ReadRequest, signal: AbortSignal, ports: FetchLoopPorts) {
    this.#request = request;
    this.#signal = signal;
    this.#ports = ports;
    this.#alive = request.alive ?? (() => {});
    this.#isOver = signal.aborted;
    const end = () => {
      this.#isOver = true;
    };
    signal.addEventListener("abort", end, { once: true });
  }

  /** Fetches one answer ahead of what is handled, and no more: that bounds what is in memory. */
  async run(onBatch: (batch: Batch) => void | Promise<void>): Promise<void> {
    const { epoch, from } = this.#request;
    const { reached, memory } = this.#ports;
    const known = reached.get(epoch);
    let at: Reached = known?.offset === from ? known : { offset: from, leaderEpoch: UNKNOWN_EPOCH };
    // Whether a batch is due though it has no records.
    let due = true;
    let coming = this.#fetch(at, "first");
    for (;;) {
      let fetched: Fetched;
      let next: Reached;
      try {
        fetched = await coming;
        next = this.#decoding(() => wholeTo(fetched.records, at));
        if (next === at && fetched.records.length > 0) {
          this.#leastBytes = this.#decoding(() => wantedBytes(fetched.records, this.#leastBytes));
          coming = this.#fetch(at, "flowing");
          continue;
        }
      } catch (error) {
        if (this.#isOver) return;
        throw error;
      }
      const heldBack = heldBackIn(fetched);
      due ||= heldBack !== this.#heldBack;
      this.#heldBack = heldBack;
      coming = this.#fetch(next, next.offset > at.offset ? "flowing" : "idle");
      // It is looked at when its turn comes, if it does.
      coming.catch(() => {});

      const { records, aborted } = fetched;
      const parts = new PartReader(records, at.offset, aborted, { memory, signal: this.#signal });
      try {
        for (;;) {
          if (turns.isSpent()) await turns.later();
          const step = this.#decoding(() => parts.next());
          // Whoever waits for memory gets on as long as others do.
          let part =
            step instanceof Promise
              ? await telling(this.#unlessOver(step), () => memory.given, this.#alive)
              : step;
          if (this.#isOver) return;
          const isLast = part === undefined;
          if (isLast && !due) break;
          due = false;
          const nextOffset = part?.nextOffset ?? at.offset;
          const handled = onBatch(batchOf(part ?? { records: [], nextOffset }, fetched));
          // Known even if the read ends before it looks again: only so a log that was truncated is noticed later.
          if (nextOffset >= next.offset) reached.set(epoch, next);
          // A reader that waits for others to have their turn doesn't keep what it has handled.
          part = undefined;
          if (handled !== undefined) await handled;
          if (isLast) break;
        }
      } finally {
        const ending = parts.return();
        if (ending !== undefined) await ending;
      }
      at = next;
      reached.set(epoch, at);
    }
  }

  #fetch({ offset, leaderEpoch }: Reached, mood: Mood): Promise<Fetched> {
    return patiently(this.#ports.patienceMs, this.#signal, async (patient) => {
      const { topic, partition, epoch } = this.#request;
      const alive = () => {
        patient();
        this.#alive();
      };
      try {
        this.#place ??= await this.#locate();
        const { topicId, fetcher, leaderEpoch: leader } = this.#place;
        const from: FetchFrom = {
          ...{ topic, topicId, partition, offset, leaderEpoch: leader, lastEpoch: leaderEpoch },
          leastBytes: this.#leastBytes,
        };
        const standing = { mood, knownHeld: this.#heldBack, turn: this.#turn };
        const fetched = await fetcher.fetch(from, standing, this.#signal, alive);
        const isOther = () => isOlder(fetched.records, { offset, leaderEpoch }, leader);
        if (fetched.diverging || this.#decoding(isOther))
          throw new SourceError(
            "truncated",
            `what was read before ${offset} is no longer what the log holds`,
          );
        if (fetched.error === KAFKA_ERROR.none) return fetched;
        if (fetched.error === KAFKA_ERROR.offsetOutOfRange)
          throw new SourceError("offset_out_of_range", `${topic}/${partition} does not hold ${offset}`);
        throw kafkaError(`${topic}/${partition}`, fetched.error);
      } catch (error) {
        // That it fails is told of if it lasts.
        this.#alive();
        this.#place = undefined;
        // Whatever comes next is not what was read before, or is nothing.
        if (error instanceof SourceError && error.code !== "unavailable") this.#ports.reached.delete(epoch);
        throw error;
      }
    });
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
