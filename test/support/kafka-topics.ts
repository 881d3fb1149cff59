/** What tests do to topics besides writing to them. */
import type { Admin } from "kafkajs";
import { eventually } from "./deadline.ts";
import type { KafkaBroker } from "./kafka-broker.ts";

/** Creates a topic and waits until every partition can be written to. */
export async function createTopic(
  admin: Admin,
  topic: string,
  partitions: number,
  configs: Readonly<Record<string, string>> = {},
): Promise<void> {
  await admin.createTopics({
    topics: [
      {
        topic,
        numPartitions: partitions,
        replicationFactor: -1,
        configEntries: Object.entries(configs).map(([name, value]) => ({ name, value })),
      },
    ],
    waitForLeaders: true,
  });
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
