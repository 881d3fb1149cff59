/** Brokers that go and come, leaders that move, topics that change. */
import { eventually } from "../../support/deadline.ts";
import { doneByOthers, NotInjected, needed } from "../not-injected.ts";
import { between, oneOf, type Random } from "../random.ts";
import type { Rig } from "../rig.ts";
import { type Kind, pause } from "./kind.ts";

const anyBroker = ({ settings }: Rig, random: Random) => 1 + Math.floor(random() * settings.brokers);

const oneBroker = ({ settings }: Rig) =>
  settings.brokers === 1 ? "there is one broker: nobody else could lead" : undefined;

/** For those who have to catch up while other faults are at work as well. */
const COME_MS = 150_000;

/** What was acknowledged until now comes to everyone, from where its partitions are now. */
async function allCome(rig: Rig, where: string): Promise<void> {
  const due = rig.targets();
  const late = () =>
    due.filter((target) => !rig.isReached(target)).map(({ subscriber }) => subscriber.endpoint);
  await eventually(
    () => late().length === 0,
    () => `${where} all that was written before comes, but of ${[...new Set(late())].join(", ")}`,
    COME_MS,
  ).catch((error: Error) => rig.wrong.push(error.message));
}

export const KAFKA: readonly Kind[] = [
  {
    name: "restart of a broker",
    perTenMinutes: 10,
    lastsMs: 10_000,
    parts: ["brokers"],
    inject: (rig, random) => doneByOthers(rig.kafka.restart(anyBroker(rig, random))),
  },
  {
    name: "kill -9 of a broker",
    perTenMinutes: 10,
    lastsMs: 11_000,
    parts: ["brokers"],
    missing: oneBroker,
    inject: async (rig, random) => {
      const broker = anyBroker(rig, random);
      await rig.kafka.kill(broker);
      await pause(between(random, 0, 1_000));
      await doneByOthers(rig.kafka.restart(broker));
    },
  },
  {
    name: "leaders moved to another broker",
    perTenMinutes: 12,
    lastsMs: 2_000,
    parts: ["brokers"],
    missing: oneBroker,
    inject: async ({ admin, topics }, random) => {
      const { topics: described } = await doneByOthers(admin.fetchTopicMetadata({ topics: ["load"] }));
      const current = described[0]?.partitions ?? [];
      const first = oneOf(random, [1, 2, 3]);
      const assignment = current.map(({ partitionId, replicas }) => ({
        partition: partitionId,
        replicas: [first, ...replicas.filter((id) => id !== first).sort()],
      }));
      await doneByOthers(
        admin.alterPartitionReassignments({ topics: [{ topic: "load", partitionAssignment: assignment }] }),
      );
      await needed(
        async () => {
          const { topics: now } = await admin.fetchTopicMetadata({ topics: ["load"] });
          return now[0]?.partitions.every(({ leader }) => leader === first);
        },
        `broker ${first} leads ${topics.partitions.get("load")} partitions`,
        15_000,
      );
    },
  },
  {
    name: "broker added, another drained and removed, and back",
    perTenMinutes: 4,
    lastsMs: 30_000,
    parts: ["brokers"],
    missing: oneBroker,
    inject: async (rig, random) => {
      const { cluster, kafka } = rig;
      const old = anyBroker(rig, random);
      const added = await doneByOthers(cluster.add());
      try {
        await doneByOthers(cluster.drain(old, added));
        try {
          await doneByOthers(cluster.remove(old));
          await allCome(rig, `while broker ${added} is there instead of ${old}`);
        } finally {
          await kafka.join(old);
        }
      } finally {
        // However far it came: the next fault finds the brokers that there were.
        await cluster.drain(added, old);
        await cluster.remove(added);
      }
    },
  },
  {
    name: "topic deleted and created again",
    perTenMinutes: 11,
    lastsMs: 8_500,
    parts: ["reborn", "brokers"],
    inject: async (rig) => {
      const writer = rig.writer("reborn");
      await writer.stop();
      try {
        await rig.topics.delete("reborn");
      } catch (error) {
        if (error instanceof NotInjected) await writer.start();
        throw error;
      }
      writer.forget();
      await rig.topics.create("reborn");
      await writer.start();
    },
  },
  {
    name: "partition added to a topic",
    perTenMinutes: 11,
    lastsMs: 600,
    parts: ["growing", "brokers"],
    inject: async (rig) => {
      const count = await doneByOthers(rig.topics.addPartition("growing"));
      rig.writer("growing").partitions = count;
    },
  },
];
