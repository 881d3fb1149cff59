/**
 * What origins tell one another of how many partitions a topic has had for long enough: by a transactional id that says so by
 * being known. No partition is touched for it, and Kafka knows it for a week.
 */
import type { TopicCount } from "../publish/sink.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import type { Cluster } from "./cluster.ts";
import { isTaken, takeId, type WriterIds } from "./fence.ts";
import type { Leaders } from "./leaders.ts";
import { ifSupported, persist } from "./persist.ts";

export class Settling {
  readonly #cluster: Cluster;
  readonly #leaders: Leaders;
  readonly #ids: WriterIds;
  readonly #signal: AbortSignal;

  constructor(cluster: Cluster, leaders: Leaders, ids: WriterIds, signal: AbortSignal) {
    this.#cluster = cluster;
    this.#leaders = leaders;
    this.#ids = ids;
    this.#signal = signal;
  }

  /** Brokers without transactions promise nothing that this would be asked for. */
  async isSettled(topic: TopicCount): Promise<boolean> {
    if ((await ifSupported(this.#isSaid(topic))) ?? true) return true;
    if (!(await this.#isUnwritten(topic))) return this.#isSaid(topic);
    // Before anything is written: who comes then finds that something was.
    await this.settle(topic);
    return true;
  }

  async settle(topic: TopicCount): Promise<void> {
    await this.#asking(topic, (any, id) => takeId(this.#cluster, any, id));
  }

  #isSaid(topic: TopicCount): Promise<boolean> {
    return this.#asking(topic, (any, id) => isTaken(this.#cluster, any, id));
  }

  #asking<T>({ topic, epochs }: TopicCount, act: (any: number, id: string) => Promise<T>): Promise<T> {
    const [epoch = ""] = epochs;
    const until = performance.now() + TIME_LIMITS.describePatienceMs;
    const ask = async () => {
      const { leader, id } = await this.#leaders.locate({ topic, partition: 0, epoch });
      return act(leader, this.#ids.ofCount(id, epochs.length));
    };
    return persist(ask, until, this.#signal);
  }

  /**
   * Whether nobody has claimed any partition for a week, and all leaders know of as many: then nobody writes by a smaller count,
   * nor will.
   */
  async #isUnwritten({ topic, epochs }: TopicCount): Promise<boolean> {
    for (const [partition, epoch] of epochs.entries()) {
      const { leader, id, partitions } = await this.#leaders.ask({ topic, partition, epoch });
      if (partitions !== epochs.length) return false;
      if (await isTaken(this.#cluster, leader, this.#ids.ofPartition(id, partition))) return false;
    }
    return true;
  }
}
