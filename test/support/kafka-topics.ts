/**
 * What tests do to topics besides writing to them. Each resolves when it has been done, however often brokers had to be
 * asked, and when all of them know.
 */
import kafkajs, { type AclOperationTypes, type Admin, type ITopicConfig } from "kafkajs";
import { BrokerConnection } from "../../origin/kafka/connection.ts";
import { KAFKA_ERROR, metadataRequest } from "../../origin/kafka/requests.ts";
import { eventually } from "./deadline.ts";
import type { KafkaBroker } from "./kafka-broker.ts";

/** Node finds only some of the names that a CommonJS package exports. */
const { AclPermissionTypes, AclResourceTypes, ConfigResourceTypes, ResourcePatternTypes } = kafkajs;

/** For brokers on a machine that has much else to do. */
const DONE_MS = 60_000;

/** Creates a topic whose partitions have these replicas, the first of each its leader, and waits until all have it. */
export async function createPlacedTopic(
  admin: Admin,
  topic: string,
  replicas: readonly (readonly number[])[],
  configs: Readonly<Record<string, string>> = {},
): Promise<void> {
  const replicaAssignment = replicas.map((ids, partition) => ({ partition, replicas: [...ids] }));
  await create(admin, { topic, replicaAssignment }, configs);
  await done(`all replicas of ${topic} are in sync`, async () => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    return topics[0]?.partitions.every(({ isr, replicas }) => isr.length === replicas.length) === true;
  });
}

/** Gives a topic so many partitions; resolves once a broker that is asked knows of them. */
export async function addPartitions(kafka: KafkaBroker, topic: string, count: number): Promise<void> {
  const admin = kafka.client().admin();
  await admin.connect();
  try {
    await done(`${topic} gets ${count} partitions`, async () => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      const partitions = topics[0]?.partitions ?? [];
      if (partitions.length === count) return partitions.every(({ leader }) => leader >= 0);
      await admin.createPartitions({ topicPartitions: [{ topic, count }] });
      return false;
    });
  } finally {
    await admin.disconnect();
  }
}

/** Moves a partition to other brokers, the first of which shall lead it; resolves once they have it. */
export async function moveTo(
  admin: Admin,
  topic: string,
  partition: number,
  replicas: readonly number[],
): Promise<void> {
  const partitionAssignment = [{ partition, replicas: [...replicas] }];
  const topics = [{ topic, partitionAssignment }];
  await done(`${topic}/${partition} is to move`, () => admin.alterPartitionReassignments({ topics }));
  await done(`${topic}/${partition} is at ${replicas}`, async () => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    const found = topics[0]?.partitions.find(({ partitionId }) => partitionId === partition);
    return found?.replicas.join() === replicas.join() && replicas.includes(found.leader);
  });
}

/** Adds partitions to a topic, so that it has so many. */
export async function growTo(admin: Admin, topic: string, count: number): Promise<void> {
  await done(`${topic} has ${count} partitions`, async () => {
    if ((await partitionsOf(admin, topic)) === count) return true;
    await admin.createPartitions({ topicPartitions: [{ topic, count }] });
    return false;
  });
}

async function partitionsOf(admin: Admin, topic: string): Promise<number | undefined> {
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
  return topics[0]?.partitions.length;
}

/**
 * Creates a topic and waits until every partition can be written to.
 * @param replicas As many as is the brokers' default, which those before 2.4 don't know.
 */
export function createTopic(
  admin: Admin,
  topic: string,
  partitions: number,
  configs: Readonly<Record<string, string>> = {},
  replicas = -1,
): Promise<void> {
  return create(admin, { topic, numPartitions: partitions, replicationFactor: replicas }, configs);
}

async function create(
  admin: Admin,
  topic: ITopicConfig,
  configs: Readonly<Record<string, string>>,
): Promise<void> {
  const { topic: name } = topic;
  const topics = [{ ...topic, configEntries: entriesOf(configs) }];
  let mayBeThere = false;
  await done(`${name} is created`, async () => {
    try {
      // With ZooKeeper, one that was deleted is in the way for a while after brokers no longer tell of it.
      if (await admin.createTopics({ topics, waitForLeaders: true })) return true;
      return mayBeThere && (await admin.listTopics()).includes(name);
    } catch (error) {
      // A broker that took too long to answer may create it all the same.
      mayBeThere = true;
      throw error;
    }
  });
  // Those who lead may hear of it later than those who ask who leads, and Java's producer can stumble over that.
  await done(`${name} can be asked`, () => admin.fetchTopicOffsets(name));
  await done(`all brokers know ${name}`, async () => {
    const { brokers } = await admin.describeCluster();
    const known = await Promise.all(brokers.map((broker) => isLedAsTold(broker, name)));
    return known.every(Boolean);
  });
}

/** Whether this broker, asked by itself, knows a leader of every partition. */
async function isLedAsTold(broker: { readonly host: string; readonly port: number }, topic: string) {
  const connection = new BrokerConnection({ brokers: [], clientId: "test's admin" }, broker);
  try {
    const { topics } = await connection.send(metadataRequest(topic));
    const [found] = topics;
    return (
      found?.error === KAFKA_ERROR.none &&
      found.partitions.length > 0 &&
      found.partitions.every(({ leader }) => leader >= 0)
    );
  } finally {
    connection.close();
  }
}

/** Deletes a topic and waits until it is gone from what the brokers say. */
export async function deleteTopic(admin: Admin, topic: string): Promise<void> {
  await done(`${topic} is gone`, async () => {
    if (!(await admin.listTopics()).includes(topic)) return true;
    await admin.deleteTopics({ topics: [topic] });
    return false;
  });
}

/** Lets an account do this to a topic. */
export async function allow(
  admin: Admin,
  account: string,
  operation: AclOperationTypes,
  topic: string,
): Promise<void> {
  const entry = {
    resourceType: AclResourceTypes.TOPIC,
    resourceName: topic,
    resourcePatternType: ResourcePatternTypes.LITERAL,
    principal: `User:${account}`,
    host: "*",
    operation,
    permissionType: AclPermissionTypes.ALLOW,
  };
  await done(`${account} is allowed ${topic}`, () => admin.createAcls({ acl: [entry] }));
}

/** Lets an account use transactional ids that begin so. */
export async function allowTransactions(admin: Admin, account: string, prefix: string): Promise<void> {
  const entry = {
    resourceType: AclResourceTypes.TRANSACTIONAL_ID,
    resourceName: prefix,
    resourcePatternType: ResourcePatternTypes.PREFIXED,
    principal: `User:${account}`,
    host: "*",
    operation: kafkajs.AclOperationTypes.WRITE,
    permissionType: AclPermissionTypes.ALLOW,
  };
  await done(`${account} is allowed ${prefix}`, () => admin.createAcls({ acl: [entry] }));
}

/** Takes from an account what it was allowed to do to a topic. */
export async function forbid(
  admin: Admin,
  account: string,
  operation: AclOperationTypes,
  topic: string,
): Promise<void> {
  const filter = {
    resourceType: AclResourceTypes.TOPIC,
    resourceName: topic,
    resourcePatternType: ResourcePatternTypes.LITERAL,
    principal: `User:${account}`,
    host: "*",
    operation,
    permissionType: AclPermissionTypes.ALLOW,
  };
  await done(`${account} is no longer allowed ${topic}`, () => admin.deleteAcls({ filters: [filter] }));
}

/** Gives a topic this configuration instead of the one it has. */
export async function configure(
  admin: Admin,
  topic: string,
  configs: Readonly<Record<string, string>>,
): Promise<void> {
  const resource = { type: ConfigResourceTypes.TOPIC, name: topic, configEntries: entriesOf(configs) };
  await done(`${topic} is configured`, () =>
    admin.alterConfigs({ validateOnly: false, resources: [resource] }),
  );
}

const entriesOf = (configs: Readonly<Record<string, string>>) =>
  Object.entries(configs).map(([name, value]) => ({ name, value }));

/** Drops what lies before an offset. A client that knows of topics that are gone could not do it. */
export async function trim(
  kafka: KafkaBroker,
  topic: string,
  partition: number,
  beforeOffset: number,
): Promise<void> {
  const partitions = [{ partition, offset: String(beforeOffset) }];
  await done(`${topic}/${partition} begins at ${beforeOffset}`, async () => {
    const admin = kafka.client().admin();
    await admin.connect();
    try {
      // It looks for the leader only in what it knows already.
      await admin.fetchTopicMetadata({ topics: [topic] });
      await admin.deleteTopicRecords({ topic, partitions });
      return true;
    } finally {
      await admin.disconnect();
    }
  });
}

/** Tries until it works, whatever a broker that starts, or has much to do, answers before. */
async function done(what: string, act: () => Promise<unknown>): Promise<void> {
  await eventually(async () => (await act()) !== false, what, DONE_MS);
}
