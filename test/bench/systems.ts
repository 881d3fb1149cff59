/** What can be put under load: the product, and the floors that its figures are compared with. */
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { logPath } from "../../origin/embedded/log.ts";
import { Deployment, type DeploymentSettings, type StreamSettings } from "../support/deployment.ts";
import type { KafkaBroker } from "../support/kafka-broker.ts";
import { createTopic, deleteTopic } from "../support/kafka-topics.ts";
import { freePort } from "../support/ports.ts";
import { AUTH_ISSUERS } from "../support/tokens.ts";
import { serveKafkaFloor, serveWorkerdFloor } from "./floor/serve.ts";
import type { Dialect } from "./load/dialect.ts";
import { isInterrupted } from "./load/rpc.ts";
import { KEY, type Target } from "./load/sinks.ts";
import { descendants, servingBelow } from "./proc.ts";
import { serveCentrifugo } from "./rival/centrifugo.ts";

/**
 * - `distributary`: log → origin → edge, on workerd or on Node, as they are deployed.
 * - `floor-uplink`: log → origin → shards → a WebSocket to each endpoint's object, which broadcasts. All before the shards
 *   is the product's, so that they get the same messages, on a machine that is as busy.
 * - `floor-feeds`: a publisher's socket to each endpoint's object, which broadcasts.
 * - `floor-kafka`: Kafka → kafkajs's consumer and a `ws` server in one Node process.
 * - `centrifugo`: Kafka → Centrifugo, whose program `CENTRIFUGO` names.
 */
export const SYSTEMS = ["distributary", "floor-uplink", "floor-feeds", "floor-kafka", "centrifugo"] as const;

export type SystemName = (typeof SYSTEMS)[number];

/** Whether it reads a topic, and isn't fed by the publisher itself. */
export const readsLog = (name: SystemName) => name !== "floor-feeds";

/** Whether it reads Kafka by itself, and so has neither an origin nor the embedded log. */
export const readsKafkaItself = (name: SystemName) => name === "floor-kafka" || name === "centrifugo";

export interface System {
  readonly name: SystemName;
  readonly url: string;
  readonly topic: string;
  readonly target: Target;
  /** Processes under test, by what they are. */
  readonly parts: Readonly<Record<string, readonly number[]>>;
  readonly dialect: Dialect;
  /** Billable operations so far, by name; undefined if nobody counts them. */
  operations(): Promise<Readonly<Record<string, number>> | undefined>;
  stop(): Promise<void>;
}

export interface SystemSettings {
  readonly name: SystemName;
  /** Kafka to read; the embedded log where there is none. */
  readonly kafka: KafkaBroker | undefined;
  readonly partitions: number;
  /** That share the partitions; only the product has more than one. */
  readonly origins: number;
  readonly endpoints: number;
  /** The folder of another checkout whose edge and origin are to run instead of these: they start as its own tests start them. */
  readonly checkout?: string;
  /** The topic is for tokens, of the issuer in test/support/tokens.ts; only the product knows of that. */
  readonly tokens?: boolean | undefined;
  /** The edge runs on Node and not on workerd; only the product can. */
  readonly onNode?: boolean | undefined;
  /** Processes of the edge. */
  readonly workers?: number | undefined;
}

let topics = 0;

/** Starts it with a topic of its own, which is empty. */
export async function startSystem(settings: SystemSettings): Promise<System> {
  const { name, kafka, partitions } = settings;
  const topic = `bench-${process.pid}-${++topics}`;
  if (kafka === undefined || !readsLog(name)) return startBare(settings, topic);
  const admin = kafka.client().admin();
  await admin.connect();
  await createTopic(admin, topic, partitions);
  const removeTopic = async () => {
    // Kafka itself is about to be gone, or is already.
    if (!isInterrupted()) await deleteTopic(admin, topic);
    await admin.disconnect();
  };
  try {
    const system = await startOnKafka(settings, topic, kafka);
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

async function startOnKafka(settings: SystemSettings, topic: string, kafka: KafkaBroker): Promise<System> {
  const target = { kind: "kafka", brokers: kafka.brokers, topic } as const;
  const brokers = { kafka: descendants(process.pid, "java") };
  const { name } = settings;
  if (readsKafkaItself(name)) {
    const isFloor = name === "floor-kafka";
    const { pid, url, stop } = await (isFloor
      ? serveKafkaFloor(kafka.brokers, topic)
      : serveCentrifugo(kafka, topic));
    const parts = { server: pid === undefined ? [] : [pid], ...brokers };
    const served = { name, url, topic, parts, operations: async () => undefined, stop };
    if (isFloor) return { ...served, target, dialect: "bare" };
    return { ...served, target: { ...target, channels: true }, dialect: "centrifugo" };
  }
  const originEnv = { KAFKA_BROKERS: kafka.bootstrap };
  const deployment = await deploy(settings, topic, { ...exposed(settings, topic, {}), originEnv });
  return deployed(settings, deployment, topic, target, brokers);
}

async function startBare(settings: SystemSettings, topic: string): Promise<System> {
  const { name, partitions } = settings;
  switch (name) {
    case "distributary":
    case "floor-uplink": {
      const deployment = await deploy(settings, topic, exposed(settings, topic, { partitions }));
      const path = logPath(deployment.dataDir);
      return deployed(settings, deployment, topic, { kind: "embedded", path, topic }, {});
    }
    case "floor-kafka":
    case "centrifugo":
      throw new Error(`${name} needs Kafka`);
    case "floor-feeds": {
      const { url, pid, stop } = await serveWorkerdFloor(await freePort());
      const target: Target = { kind: "feeds", url: url.replace("http", "ws"), topic };
      const parts = { edge: pid === undefined ? [] : [pid] };
      return { name, url, topic, target, parts, dialect: "bare", operations: async () => undefined, stop };
    }
  }
}

function exposed(
  { tokens, onNode, workers = 1 }: SystemSettings,
  topic: string,
  log: StreamSettings,
): DeploymentSettings {
  const runtime = { RUNTIME: onNode ? "node" : "workerd", WORKERS: String(workers) };
  if (!tokens) return { topics: { [topic]: log }, edgeEnv: runtime };
  return {
    topics: { [topic]: { ...log, stream: { subscribe: "token" } } },
    edgeEnv: { ...runtime, AUTH_ISSUERS },
  };
}

/** Nothing is written before somebody comes, and what is measured is the objects of endpoints that have records. */
export const OWN_OBJECTS = { ROOMS: "0" } as const;

/** The product, or what stands in the edge's place with a link to each endpoint. */
async function deploy(
  { name, endpoints, origins, checkout }: SystemSettings,
  topic: string,
  settings: DeploymentSettings,
): Promise<Deployment> {
  if (name === "distributary") {
    const { start } =
      checkout === undefined
        ? { start: (given: DeploymentSettings) => Deployment.start(given) }
        : await deploymentOf(checkout);
    return start({ ...settings, slices: origins, edgeEnv: { ...OWN_OBJECTS, ...settings.edgeEnv } });
  }
  const deployment = await Deployment.start({ ...settings, edgeScript: "test/bench/floor/main.ts" });
  try {
    const paths = Array.from({ length: endpoints }, (_, i) => `/${topic}/${KEY}${i}`);
    const linked = await fetch(`${deployment.url}/$/links`, { method: "POST", body: JSON.stringify(paths) });
    if (!linked.ok) throw new Error(`the floor answers with status ${linked.status} when asked for links`);
    return deployment;
  } catch (error) {
    await deployment.stop();
    throw error;
  }
}

async function deploymentOf(checkout: string): Promise<{ start: typeof Deployment.start }> {
  const file = join(resolve(checkout), "test/support/deployment.ts");
  const { Deployment: theirs } = (await import(pathToFileURL(file).href)) as {
    Deployment: typeof Deployment;
  };
  return { start: (settings) => theirs.start(settings) };
}

function deployed(
  { name }: SystemSettings,
  deployment: Deployment,
  topic: string,
  target: Target,
  others: Readonly<Record<string, readonly number[]>>,
): System {
  const { edge, origins } = deployment;
  return {
    name,
    url: deployment.url,
    topic,
    target,
    parts: {
      edge: servingBelow(edge?.process.pid ?? 0),
      origin: origins.map(({ process }) => process.pid ?? 0),
      ...others,
    },
    dialect: name === "distributary" ? "distributary" : "bare",
    operations: () => deployment.operations(),
    stop: () => deployment.stop(),
  };
}
