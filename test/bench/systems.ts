/** What can be put under load: the product, and the floors that its figures are compared with. */
import { logPath } from "../../origin/embedded/log.ts";
import { Deployment } from "../support/deployment.ts";
import type { KafkaBroker } from "../support/kafka-broker.ts";
import { createTopic, deleteTopic } from "../support/kafka-topics.ts";
import { type Floor, serveKafkaFloor, serveWorkerdFloor } from "./floor/serve.ts";
import { isInterrupted } from "./load/rpc.ts";
import type { Target } from "./load/sinks.ts";
import { descendants } from "./proc.ts";

/**
 * - `distributary`: log → origin → edge on workerd, as they are deployed.
 * - `floor-uplink`: a publisher's socket → one object → a WebSocket to each endpoint's object, which broadcasts.
 * - `floor-feeds`: a publisher's socket to each endpoint's object, which broadcasts.
 * - `floor-kafka`: Kafka → kafkajs's consumer and a `ws` server in one Node process.
 */
export const SYSTEMS = ["distributary", "floor-uplink", "floor-feeds", "floor-kafka"] as const;

export type SystemName = (typeof SYSTEMS)[number];

export interface System {
  readonly name: SystemName;
  readonly url: string;
  readonly topic: string;
  readonly target: Target;
  /** Processes under test, by what they are. */
  readonly parts: Readonly<Record<string, readonly number[]>>;
  /** Whether a subscribe is answered with a verdict. */
  readonly verdicts: boolean;
  /** Billable operations so far, by name; undefined where nobody counts them. */
  operations(): Promise<Readonly<Record<string, number>> | undefined>;
  stop(): Promise<void>;
}

export interface SystemSettings {
  readonly name: SystemName;
  /** Kafka to read; the embedded log where there is none. */
  readonly kafka: KafkaBroker | undefined;
  readonly partitions: number;
  /** That share the partitions; only the product has any. */
  readonly origins: number;
}

let topics = 0;

/** Starts it with a topic of its own, which is empty. */
export async function startSystem({ name, kafka, partitions, origins }: SystemSettings): Promise<System> {
  const topic = `bench-${process.pid}-${++topics}`;
  const needsTopic = name === "distributary" || name === "floor-kafka";
  if (kafka === undefined || !needsTopic) return startBare(name, topic, partitions, origins);
  const admin = kafka.client().admin();
  await admin.connect();
  await createTopic(admin, topic, partitions);
  const removeTopic = async () => {
    // Kafka itself is about to be gone, or is already.
    if (!isInterrupted()) await deleteTopic(admin, topic);
    await admin.disconnect();
  };
  try {
    const system = await startOnKafka(name, topic, kafka, origins);
    return {
      ...system,
      stop: async () => {
        await system.stop();
        await removeTopic();
      },
    };
  } catch (error) {
    await removeTopic();
    throw error;
  }
}

async function startOnKafka(
  name: SystemName,
  topic: string,
  kafka: KafkaBroker,
  origins: number,
): Promise<System> {
  const target: Target = { kind: "kafka", brokers: kafka.brokers, topic };
  const brokers = descendants(process.pid, "java");
  if (name === "floor-kafka") {
    const floor = await serveKafkaFloor(kafka.brokers, topic);
    const parts = { server: floor.pid === undefined ? [] : [floor.pid], kafka: brokers };
    return floorSystem({ name, topic, target, parts }, floor);
  }
  const deployment = await Deployment.start({
    topics: { [topic]: {} },
    originEnv: { KAFKA_BROKERS: kafka.bootstrap },
    ranges: origins,
  });
  return product(deployment, topic, target, { kafka: brokers });
}

async function startBare(
  name: SystemName,
  topic: string,
  partitions: number,
  origins: number,
): Promise<System> {
  switch (name) {
    case "distributary": {
      const deployment = await Deployment.start({ topics: { [topic]: { partitions } }, ranges: origins });
      const path = logPath(deployment.dataDir);
      return product(deployment, topic, { kind: "embedded", path, topic }, {});
    }
    case "floor-kafka":
      throw new Error("floor-kafka needs Kafka");
    case "floor-uplink":
    case "floor-feeds": {
      const floor = await serveWorkerdFloor();
      const kind = name === "floor-uplink" ? "uplink" : "feeds";
      const target: Target = { kind, url: floor.url.replace("http", "ws"), topic };
      const parts = { edge: descendants(process.pid, "workerd") };
      return floorSystem({ name, topic, target, parts }, floor);
    }
  }
}

function product(
  deployment: Deployment,
  topic: string,
  target: Target,
  others: Readonly<Record<string, readonly number[]>>,
): System {
  const { edge, origins } = deployment;
  return {
    name: "distributary",
    url: deployment.url,
    topic,
    target,
    parts: {
      edge: descendants(edge?.process.pid ?? 0, "workerd"),
      origin: origins.map(({ process }) => process.pid ?? 0),
      ...others,
    },
    verdicts: true,
    operations: () => deployment.operations(),
    stop: () => deployment.stop(),
  };
}

function floorSystem(
  system: Pick<System, "name" | "topic" | "target" | "parts">,
  { url, stop }: Floor,
): System {
  return { ...system, url, verdicts: false, operations: async () => undefined, stop };
}
