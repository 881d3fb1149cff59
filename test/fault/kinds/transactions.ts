/** A transaction that stays open, while others write behind it what nobody may read before it ends. */
import { doneByOthers } from "../not-injected.ts";
import { between, oneOf, type Random } from "../random.ts";
import type { Rig } from "../rig.ts";
import { keysOf } from "../topics.ts";
import { type Kind, pause } from "./kind.ts";

const TOPIC = "pinned";
const TIMEOUT_MS = 8_000;

let transactions = 0;

type End = "commit" | "abort" | "time out";

async function leftOpen(rig: Rig, random: Random, gone: () => void): Promise<void> {
  const writer = rig.writer(TOPIC);
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
    const messages = keysOf(TOPIC).map((key) => writer.message(key, 0));
    const began = performance.now();
    const results = await transaction.send({ topic: TOPIC, acks: -1, messages });
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
      writer.acknowledge(messages, results);
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
