/** Looks up a key: what is held of its records, and how far that reaches in each partition of its topic. */
import type { Position } from "../../shared/protocol/position.ts";
import type { Batches } from "./batches.ts";
import { Chain, latestOf, newestOf, type PageLimits, pageAfter } from "./history.ts";
import { horizonOf, type IndexedPartitions } from "./indexed-partitions.ts";
import type { IndexedRecord } from "./record.ts";
import type { TopicRetentions } from "./retention.ts";
import { tailName } from "./tail-table.ts";
import type { Tails } from "./tails.ts";
import type { Latest, Page, PartitionView, RecentLimits } from "./views.ts";

/** RecordIndex says what each of these answers. */
export class Lookup {
  readonly #partitions: IndexedPartitions;
  readonly #batches: Batches;
  readonly #tails: Tails;
  readonly #topics: TopicRetentions;

  constructor(partitions: IndexedPartitions, batches: Batches, tails: Tails, topics: TopicRetentions) {
    this.#partitions = partitions;
    this.#batches = batches;
    this.#tails = tails;
    this.#topics = topics;
  }

  tails(topic: string, key: Uint8Array): Position {
    return positionOf(this.#chains(topic, key));
  }

  latest(topic: string, key: Uint8Array): Latest {
    const chains = this.#chains(topic, key);
    return { record: latestOf(chains), position: positionOf(chains) };
  }

  views(topic: string, key: Uint8Array): readonly PartitionView[] {
    const tails = positionOf(this.#chains(topic, key));
    return Array.from(this.#partitions.ofTopic(topic), (partition) => ({
      partition: partition.number,
      epoch: partition.epoch,
      horizon: horizonOf(partition),
      wholeFrom: partition.wholeFrom,
      checkpoint: partition.checkpoint,
      deletedTo: partition.deletedTo,
      tail: tails.get(partition.epoch),
    }));
  }

  after(topic: string, key: Uint8Array, from: Position, limits: PageLimits): Page {
    return pageAfter(this.#chains(topic, key), from, limits);
  }

  recent(topic: string, key: Uint8Array, limits: RecentLimits): readonly IndexedRecord[] {
    return newestOf(this.#chains(topic, key), limits, limits.now - limits.maxAgeMs);
  }

  #chains(topic: string, key: Uint8Array): Chain[] {
    const partitions = [...this.#partitions.ofTopic(topic)];
    const name = tailName(key);
    const tails = this.#tails.lastIn(
      partitions.map(({ id }) => id),
      name,
    );
    const chains: Chain[] = [];
    for (const partition of partitions) {
      const tail = tails.get(partition.id);
      if (tail === undefined || tail < partition.logStart) continue;
      if (tail >= partition.stored.horizon)
        chains.push(new Chain(partition, key, tail, this.#batches, undefined));
      else if (partition.stored.kept > 0 && this.#topics.get(topic)?.keepLatest) {
        const kept = this.#batches.kept(partition.id, name);
        if (kept?.lastOffset === tail) chains.push(new Chain(partition, key, tail, this.#batches, kept));
      }
    }
    return chains;
  }
}

function positionOf(chains: readonly Chain[]): Position {
  return new Map(chains.map((chain) => [chain.partition.epoch, chain.tail]));
}
