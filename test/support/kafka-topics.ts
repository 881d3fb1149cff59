/** What tests do to topics besides writing to them. */
import type { Admin, ITopicConfig } from "kafkajs";
import { eventually } from "./deadline.ts";
import type { KafkaBroker } from "./kafka-broker.ts";

/** Creates a topic whose partitions have these replicas, the first of each its leader, and waits for the leaders. */
export function createPlacedTopic(
  admin: Admin,
  topic: string,
  replicas: readonly (readonly number[])[],
  configs: Readonly<Record<string, string>> = {},
): Promise<void> {
  const replicaAssignment = replicas.map((ids, partition) => ({ partition, replicas: [...ids] }));
  return create(admin, { topic, replicaAssignment }, configs);
}

/** Moves a partition to other brokers, the first of which shall lead it; resolves once they have it. */
export async function moveTo(
  admin: Admin,
  topic: string,
  partition: number,
  replicas: readonly number[],
): Promise<void> {
  const partitionAssignment = [{ partition, replicas: [...replicas] }];
  await admin.alterPartitionReassignments({ topics: [{ topic, partitionAssignment }] });
  await eventually(async () => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    const found = topics[0]?.partitions.find(({ partitionId }) => partitionId === partition);
    return found?.replicas.join() === replicas.join() && replicas.includes(found.leader);
  }, `${topic}/${partition} is at ${replicas}`);
}

/** Creates a topic and waits until every partition can be written to. */
export function createTopic(
  admin: Admin,
  topic: string,
  partitions: number,
  configs: Readonly<Record<string, string>> = {},
): Promise<void> {
  return create(admin, { topic, numPartitions: partitions, replicationFactor: -1 }, configs);
}

async function create(
  admin: Admin,
  topic: ITopicConfig,
  configs: Readonly<Record<string, string>>,
): Promise<void> {
  const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }));
  const topics = [{ ...topic, configEntries }];
  // With ZooKeeper, one that was deleted is in the way for a while after brokers no longer tell of it.
  await eventually(() => admin.createTopics({ topics, waitForLeaders: true }), `${topic.topic} is created`);
  // Those who lead may hear of it later than those who ask who leads, and Java's producer can stumble over that.
  await eventually(() => admin.fetchTopicOffsets(topic.topic), `${topic.topic} can be asked`);
}

/** Deletes a topic and waits until it is gone from what the brokers say. */
export async function deleteTopic(admin: Admin, topic: string): Promise<void> {
  await admin.deleteTopics({ topics: [topic] });
  await eventually(async () => !(await admin.listTopics()).includes(topic), `${topic} is gone`);
}

/** Drops what lies before an offset. A client that knows of topics that are gone could not do it. */
export async function trim(
  kafka: KafkaBroker,
  topic: string,
  partition: number,
  beforeOffset: number,
): Promise<void> {
  const admin = kafka.client().admin();
  await admin.connect();
  try {
    // It looks for the leader only in what it knows already.
    await admin.fetchTopicMetadata({ topics: [topic] });
    await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(beforeOffset) }] });
  } finally {
    await admin.disconnect();
  }
}
