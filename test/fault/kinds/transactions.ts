/** A transaction that stays open, while others write behind it what nobody may read before it ends. */
import { doneByOthers } from "../not-injected.ts";
import { between, oneOf, type Random } from "../random.ts";
import type { Rig } from "../rig.ts";
import { keysOf } from "../topics.ts";
import { type Kind, pause } from "./kind.ts";

/** One for this alone, and the one that is published to. */
const TOPICS = ["pinned", "posted"] as const;
const TIMEOUT_MS = 8_000;

let transactions = 0;

type End = "commit" | "abort" | "time out";

async function leftOpen(rig: Rig, random: Random, gone: () => void): Promise<void> {
  const end = oneOf<End>(random, ["commit", "abort", "time out"]);
  const producer = rig.kafka.client().producer({
    transactionalId: `open-${++transactions}`,
    transactionTimeout: TIMEOUT_MS,
    maxInFlightRequests: 1,
    idempotent: true,
  });
  await producer.connect();
  try {
    const transaction = await producer.transaction();
    const began = performance.now();
    const acknowledge: (() => void)[] = [];
    for (const topic of TOPICS) {
      const writer = rig.writer(topic);
      const messages = keysOf(topic).map((key) => writer.message(key, 0));
      const results = await transaction.send({ topic, acks: -1, messages });
      acknowledge.push(() => writer.acknowledge(messages, results));
    }
    if (end === "time out") {
      // Kafka ends it within half a second from then on.
      await pause(began + TIMEOUT_MS - performance.now());
      gone();
      return;
    }
    await pause(between(random, 3_000, TIMEOUT_MS - 1_500));
    if (end === "abort") await transaction.abort();
    else {
      await transaction.commit();
      for (const one of acknowledge) one();
    }
    gone();
  } finally {
    await producer.disconnect();
  }
}

export const TRANSACTIONS: readonly Kind[] = [
  {
    name: "transaction open until committed or aborted or timed out",
    perTenMinutes: 11,
    lastsMs: 9_000,
    parts: ["pinned", "brokers"],
    inject: (rig, random, gone) => doneByOthers(leftOpen(rig, random, gone)),
  },
];
