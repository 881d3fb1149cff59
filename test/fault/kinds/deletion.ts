/** Records that Kafka is told to delete (`DeleteRecords`): those that were read, and those that were not. */
import { NotInjected } from "../not-injected.ts";
import { between, oneOf, type Random } from "../random.ts";
import type { Rig } from "../rig.ts";
import { TOPICS } from "../topics.ts";
import { type Kind, pause } from "./kind.ts";

const TOPIC = "purged";
/** Up to the end that a partition has. */
const ALL = "-1";
/** Elections are over in less. What takes longer would keep origins off for as long as kafkajs has patience: minutes. */
const DELETE_MS = 10_000;
const RETRY_MS = 500;

/** So many of the records before, any of which somebody may have had last. */
const RECENT = 300;

async function deleteAll({ admin }: Rig): Promise<void> {
  const partitions = Array.from({ length: TOPICS[TOPIC].partitions }, (_, partition) => partition);
  const request = { topic: TOPIC, partitions: partitions.map((partition) => ({ partition, offset: ALL })) };
  const deadline = performance.now() + DELETE_MS;
  const late = async () => {
    await pause(DELETE_MS);
    throw new Error(`Kafka hasn't deleted records within ${DELETE_MS} ms`);
  };
  // Other faults may be at work: a partition without a leader just now is asked for again.
  for (;;) {
    try {
      return await Promise.race([admin.deleteTopicRecords(request), late()]);
    } catch (error) {
      // All that it takes is Kafka's.
      if (performance.now() > deadline) throw new NotInjected((error as Error).message, { cause: error });
      await pause(RETRY_MS);
    }
  }
}

/** Somebody who has been away since before what was deleted. */
function comesBack(rig: Rig, random: Random): void {
  rig.comeBack(TOPIC, oneOf(random, rig.writer(TOPIC).placed.slice(-RECENT)));
}

/** Until something was written that nobody has read. */
const unread = (random: Random) => pause(between(random, 1_000, 2_500));

export const DELETION: readonly Kind[] = [
  {
    name: "DeleteRecords of what was read",
    perTenMinutes: 12,
    lastsMs: 1_000,
    parts: ["purged", "brokers"],
    inject: async (rig, random) => {
      await deleteAll(rig);
      comesBack(rig, random);
    },
  },
  {
    name: "DeleteRecords of what no origin has read: all are off",
    perTenMinutes: 11,
    lastsMs: 3_500,
    parts: ["purged", "origin"],
    inject: async (rig, random) => {
      const { origins } = rig;
      await Promise.all(origins.map((origin) => origin.kill()));
      try {
        await unread(random);
        await deleteAll(rig);
      } finally {
        for (const origin of origins) origin.start();
      }
      comesBack(rig, random);
    },
  },
  {
    name: "DeleteRecords of what no origin has read: all are cut off",
    perTenMinutes: 11,
    lastsMs: 3_000,
    parts: ["purged", "origin-kafka"],
    inject: async (rig, random) => {
      const { brokers } = rig.links;
      for (const proxy of brokers) proxy.silence();
      try {
        await unread(random);
        await deleteAll(rig);
      } finally {
        for (const proxy of brokers) proxy.speak();
      }
      comesBack(rig, random);
    },
  },
];
