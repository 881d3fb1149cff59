/** Where partitions are led, and what whoever leads one knows of its topic. */
import { type ClaimRequest, SinkError } from "../publish/sink.ts";
import type { Cluster } from "./cluster.ts";
import { publishable } from "./publishable.ts";
import { metadataRequest, type TopicMetadata } from "./requests.ts";
import { epochIn } from "./topic-epoch.ts";

export type Where = Pick<ClaimRequest, "topic" | "partition" | "epoch">;

/** Where a partition is led. */
export interface Place {
  /** As in TopicMetadata. */
  readonly id: Buffer;
  readonly hasOwnId: boolean;
  readonly leader: number;
  readonly leaderEpoch: number;
  /** How many the topic has, as whoever was asked knows. */
  readonly partitions: number;
}

export class Leaders {
  readonly #cluster: Pick<Cluster, "topic" | "send">;

  constructor(cluster: Pick<Cluster, "topic" | "send">) {
    this.#cluster = cluster;
  }

  /** As any broker knows it; undefined when there is no such topic. Rejects with SinkError, or with what may pass. */
  async topic(name: string): Promise<TopicMetadata | undefined> {
    return publishable(await this.#cluster.topic(name), name);
  }

  /** The same. */
  async locate(where: Where): Promise<Place> {
    return placeOf(await this.topic(where.topic), where);
  }

  /**
   * What whoever leads the partition knows of the topic. Whoever leads it later knows no less, since a broker learns of an
   * election after all that came before it. So of two who claim the partition one after the other, and ask its leader before
   * and after, the later one is told of as many partitions as the earlier, or of more.
   * @param led Where it must still be led. Rejects if it isn't.
   */
  async ask(where: Where, led?: Place): Promise<Place> {
    const { leader, leaderEpoch } = led ?? (await this.locate(where));
    const { topics } = await this.#cluster.send(leader, metadataRequest(where.topic));
    const [found] = topics;
    const place = placeOf(found && publishable(found, where.topic), where);
    if (place.leader !== leader || (led !== undefined && place.leaderEpoch !== leaderEpoch))
      throw new Error(`${where.topic}/${where.partition} is led by another broker now`);
    return place;
  }
}

function placeOf(found: TopicMetadata | undefined, { topic, partition, epoch }: Where): Place {
  const info = found?.partitions.find((candidate) => candidate.partition === partition);
  if (found === undefined || info === undefined || epochIn(found, partition) !== epoch)
    throw new SinkError("changed", `${topic}/${partition} is no longer there, or is another one`);
  const { leader, leaderEpoch } = info;
  if (leader < 0) throw new Error(`nobody leads ${topic}/${partition} just now`);
  const { id, hasOwnId, partitions } = found;
  return { id, hasOwnId, leader, leaderEpoch, partitions: partitions.length };
}
