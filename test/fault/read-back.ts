/** What a topic holds, read by kafkajs's own consumer: neither the product's reader nor what producers were told. */
import type { Kafka, KafkaMessage } from "kafkajs";
import type { Logged } from "./history.ts";
import { idOf, isEnd, isTombstone } from "./record.ts";

const READ_MS = 60_000;

/** partition → endpoint → its records in the order of their offsets */
export type Contents = ReadonlyMap<number, ReadonlyMap<string, readonly Logged[]>>;

let readers = 0;

/** Rejects where `readAll` does. */
export async function readBack(kafka: Kafka, topic: string): Promise<Contents> {
  const contents = new Map<number, Map<string, Logged[]>>();
  const partitions = await readAll(kafka, topic, (partition, message) => {
    if (isEnd(message)) return;
    const records = contents.get(partition) ?? new Map<string, Logged[]>();
    if (records.size === 0) contents.set(partition, records);
    const endpoint = `/${topic}/${message.key}`;
    const list = records.get(endpoint) ?? [];
    if (list.length === 0) records.set(endpoint, list);
    const offset = Number(message.offset);
    list.push({ offset, id: idOf(message), ...(isTombstone(message) && { isTombstone: true }) });
  });
  return new Map(partitions.map((partition) => [partition, contents.get(partition) ?? new Map()]));
}

/**
 * Takes each record of a partition in the order of their offsets. Resolves with the partitions; rejects where the end that the
 * topic has now is not reached in a minute; so what each partition ends with must be a record that the consumer is shown,
 * and no end of a transaction.
 */
export async function readAll(
  kafka: Kafka,
  topic: string,
  take: (partition: number, message: KafkaMessage) => void,
): Promise<readonly number[]> {
  const admin = kafka.admin();
  await admin.connect();
  const bounds = await admin.fetchTopicOffsets(topic);
  await admin.disconnect();
  const partitions = bounds.map(({ partition }) => partition);
  const unread = new Map(
    bounds
      .filter(({ low, high }) => Number(high) > Number(low))
      .map(({ partition, high }) => [partition, Number(high)]),
  );
  if (unread.size === 0) return partitions;

  const consumer = kafka.consumer({ groupId: `read-back-${process.pid}-${++readers}` });
  const done = Promise.withResolvers<void>();
  const late = setTimeout(() => done.reject(new Error(`${topic} can't be read back`)), READ_MS);
  try {
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch: { partition, messages } }) => {
        for (const message of messages) {
          if (Number(message.offset) + 1 >= (unread.get(partition) ?? 0)) unread.delete(partition);
          take(partition, message);
        }
        if (unread.size === 0) done.resolve();
      },
    });
    await done.promise;
  } finally {
    clearTimeout(late);
    await consumer.disconnect();
  }
  return partitions;
}
