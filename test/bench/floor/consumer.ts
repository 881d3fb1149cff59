/**
 * kafkajs's consumer and nothing else: reads so many records of a topic and tells how long that took.
 * Usage: node consumer.ts BROKERS TOPIC RECORDS, with an IPC channel.
 */
import { Kafka, logLevel } from "kafkajs";

export interface Consumed {
  /** Milliseconds from the first batch to the last. */
  readonly readingMs: number;
  readonly cpuUs: number;
}

const [brokers = "", topic = "", records = "0"] = process.argv.slice(2);

const consumer = new Kafka({ brokers: brokers.split(","), logLevel: logLevel.NOTHING }).consumer({
  groupId: `floor-${process.pid}`,
});
await consumer.connect();
await consumer.subscribe({ topic, fromBeginning: true });
let left = Number(records);
let first: number | undefined;
await consumer.run({
  eachBatch: async ({ batch }) => {
    first ??= performance.now();
    left -= batch.messages.length;
    if (left > 0) return;
    const { user, system } = process.cpuUsage();
    const consumed: Consumed = { readingMs: performance.now() - first, cpuUs: user + system };
    process.send?.(consumed);
  },
});
process.on("disconnect", () => process.exit(0));
