/** Moves partitions from brokers to others: those of a whole cluster at once. */
import type { Admin } from "kafkajs";
import { eventually } from "./deadline.ts";

/** For brokers on a machine that has much else to do. */
const DONE_MS = 60_000;

interface Partition {
  readonly topic: string;
  readonly partition: number;
  /** Brokers, of which the first is to lead. */
  readonly replicas: readonly number[];
}

/** Has `to` hold what `from` holds, first in line to lead what that leads; resolves when `from` holds nothing any more. */
export async function handOver(admin: Admin, from: number, to: number): Promise<void> {
  const moved = (await partitionsOf(admin))
    .filter(({ replicas }) => replicas.includes(from))
    .map(({ replicas, ...rest }) => {
      // Of one that is on its way already, both are named.
      return { ...rest, replicas: [...new Set(replicas.map((id) => (id === from ? to : id)))] };
    });
  const topics = Array.from(
    Map.groupBy(moved, ({ topic }) => topic),
    ([topic, partitions]) => ({
      topic,
      partitionAssignment: partitions.map(({ partition, replicas }) => ({ partition, replicas })),
    }),
  );
  if (topics.length === 0) return;
  await eventually(
    async () => {
      await admin.alterPartitionReassignments({ topics });
      return true;
    },
    `broker ${to} is to have what ${from} has`,
    DONE_MS,
  );
  const isMoved = (now: readonly Led[]) =>
    moved.every(({ topic, partition, replicas }) => {
      const found = now.find((one) => one.topic === topic && one.partition === partition);
      return found?.replicas.join() === replicas.join() && replicas.includes(found.leader);
    });
  await eventually(
    async () => isMoved(await partitionsOf(admin)),
    `broker ${to} has what ${from} had`,
    DONE_MS,
  );
}

interface Led extends Partition {
  readonly leader: number;
}

/** Of every topic, Kafka's own ones, too. */
async function partitionsOf(admin: Admin): Promise<Led[]> {
  const { topics } = await admin.fetchTopicMetadata();
  return topics.flatMap(({ name: topic, partitions }) =>
    partitions.map(({ partitionId: partition, replicas, leader }) => ({
      topic,
      partition,
      replicas,
      leader,
    })),
  );
}
