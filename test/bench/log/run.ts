/** `npm run bench -- --scenario …`: plays scenarios on a log of its own, or on another one, and prints their reports. */
import { Kafka, logLevel } from "kafkajs";
import type { KafkaBroker } from "../../support/kafka-broker.ts";
import { createTopic } from "../../support/kafka-topics.ts";
import { startKafka } from "../kafka.ts";
import { type Log, play } from "./play.ts";
import { healthIn } from "./s3-health.ts";
import { type Load, partsOf, type ScenarioName, template } from "./scenarios.ts";

export interface ScenariosWanted {
  readonly names: readonly ScenarioName[];
  readonly load: Load;
  /** Undefined: a Kafka that is started for it. */
  readonly brokers: readonly string[] | undefined;
  /** Where the log tells how its storage is. */
  readonly metricsUrl: string | undefined;
}

const METRICS_MS = 5_000;

/** Resolves to whether every record came once and in order. */
export async function runScenarios(
  { names, load, brokers, metricsUrl }: ScenariosWanted,
  progress: (line: string) => void,
  print: (report: string) => void,
): Promise<boolean> {
  let kafka: KafkaBroker | undefined;
  let isRight = true;
  try {
    if (brokers === undefined) {
      progress("starting Kafka");
      kafka = await startKafka();
    }
    const log = kafka === undefined ? othersLog(brokers ?? []) : ownLog(kafka);
    for (const part of names.flatMap((name) => partsOf(name, load))) {
      progress(`playing ${part.scenario}: ${part.records} messages of ${part.bytes} bytes`);
      const played = await play(log, part);
      isRight &&= played.wrong === 0;
      const ownHealth = kafka === undefined ? "not asked: --metrics says where" : "none: Kafka's own disk";
      print(template(played, metricsUrl === undefined ? ownHealth : await health(metricsUrl)));
    }
    return isRight;
  } finally {
    await kafka?.stop();
  }
}

function ownLog(kafka: KafkaBroker): Log {
  return {
    brokers: kafka.brokers,
    async topic(name, partitions) {
      const admin = kafka.client().admin();
      await admin.connect();
      try {
        // Parts of one scenario share a topic.
        if (!(await admin.listTopics()).includes(name)) await createTopic(admin, name, partitions);
      } finally {
        await admin.disconnect();
      }
    },
    restart: () => kafka.restart(),
  };
}

function othersLog(brokers: readonly string[]): Log {
  return {
    brokers,
    async topic(name, partitions) {
      const admin = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).admin();
      const { created, why } = await admin
        .connect()
        .then(() => admin.createTopics({ topics: [{ topic: name, numPartitions: partitions }] }))
        .then(
          () => ({ created: true, why: "" }),
          (error: Error) => ({ created: false, why: error.message }),
        );
      const topics = created ? [name] : await admin.listTopics().catch(() => [] as string[]);
      await admin.disconnect();
      if (!topics.includes(name))
        throw new Error(
          `create ${name} with ${partitions} partitions: the log doesn't let it be created: ${why}`,
        );
    },
  };
}

async function health(url: string): Promise<string> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(METRICS_MS) });
    return healthIn(await answer.text());
  } catch (error) {
    return `${url} doesn't answer: ${error instanceof Error ? error.message : String(error)}`;
  }
}
