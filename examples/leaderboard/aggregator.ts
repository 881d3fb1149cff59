/** Reads every score from the topic `scores` and writes the board to one key of the topic `leaderboard`. */
import { randomUUID } from "node:crypto";
import type { Kafka } from "kafkajs";
import { Leaderboard } from "./board.ts";

export const SCORES = "scores";
export const LEADERBOARD = "leaderboard";
export const KEY = "top";

/** Resolves once it runs, to what ends it. */
export async function startAggregator(kafka: Kafka): Promise<() => Promise<void>> {
  const producer = kafka.producer({ idempotent: true });
  const consumer = kafka.consumer({ groupId: `leaderboard-${randomUUID()}` });
  const behind = await endsOf(kafka);
  const leaderboard = new Leaderboard();
  let published = "";
  await producer.connect();
  await consumer.subscribe({ topic: SCORES, fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch }) => {
      for (const { key, value } of batch.messages) leaderboard.add(String(key), Number(value));
      if (Number(batch.lastOffset()) + 1 >= (behind.get(batch.partition) ?? 0))
        behind.delete(batch.partition);
      // Until all is read that was there at the start, the board would be one of the past.
      if (behind.size > 0) return;
      const board = JSON.stringify(leaderboard.places);
      if (board === published) return;
      await producer.send({ topic: LEADERBOARD, messages: [{ key: KEY, value: board }] });
      published = board;
    },
  });
  return async () => {
    await consumer.disconnect();
    await producer.disconnect();
  };
}

/** By partition, where the scores end now; empty partitions are left out. */
async function endsOf(kafka: Kafka): Promise<Map<number, number>> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const offsets = await admin.fetchTopicOffsets(SCORES);
    return new Map(
      offsets
        .filter(({ low, high }) => Number(high) > Number(low))
        .map(({ partition, high }) => [partition, Number(high)]),
    );
  } finally {
    await admin.disconnect();
  }
}
