/** Where a publisher writes: Kafka, the embedded log, or the sockets of a floor. */
import { once } from "node:events";
import { Kafka, logLevel, type Message } from "kafkajs";
import WebSocket from "ws";
import { EmbeddedLog } from "../../../origin/embedded/log.ts";
import { partitionOf } from "../../../shared/core/partitioner.ts";
import { encodeUpdate } from "../../../shared/protocol/frame.ts";

export type Target =
  /** `channels`: each record names in a header the channel that Centrifugo is to publish it to. */
  | {
      readonly kind: "kafka";
      readonly brokers: readonly string[];
      readonly topic: string;
      readonly channels?: boolean;
    }
  /** `path` of the log's file. */
  | { readonly kind: "embedded"; readonly path: string; readonly topic: string }
  /** A floor: a socket for each endpoint. */
  | { readonly kind: "feeds"; readonly url: string; readonly topic: string };

export interface Outgoing {
  readonly endpoint: number;
  /** Counts from 0 on each endpoint. */
  readonly sequence: number;
  readonly payload: Buffer;
}

export interface Sink {
  /** Resolves when they are acknowledged; calls may overlap, and keep their order. */
  send(batch: readonly Outgoing[]): Promise<void>;
  close(): Promise<void>;
}

/** The key of an endpoint; its path ends with it. */
export const KEY = "k";

/** The channel of an endpoint at Centrifugo, in the topic's namespace. */
export const channelOf = (topic: string, endpoint: number | "") => `${topic}:${KEY}${endpoint}`;

/** The header that names it, which Centrifugo's Kafka consumer knows by this name. */
const CHANNELS_HEADER = "centrifugo-channels";

export async function openSink(target: Target, endpoints: number): Promise<Sink> {
  switch (target.kind) {
    case "kafka":
      return kafkaSink(target, endpoints);
    case "embedded":
      return embeddedSink(target.path, target.topic);
    case "feeds":
      return feedsSink(target.url, target.topic, endpoints);
  }
}

/** kafkajs with acks=all. Partitions are those of Kafka's own partitioner, found once. */
async function kafkaSink(
  { brokers, topic, channels = false }: Extract<Target, { readonly kind: "kafka" }>,
  endpoints: number,
): Promise<Sink> {
  const kafka = new Kafka({ brokers: [...brokers], clientId: "benchpub", logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
  await admin.disconnect();
  const count = topics[0]?.partitions.length ?? 1;
  const places = Array.from({ length: endpoints }, (_, endpoint) => {
    const key = Buffer.from(`${KEY}${endpoint}`);
    const headers = channels && { headers: { [CHANNELS_HEADER]: channelOf(topic, endpoint) } };
    return { key, partition: partitionOf(key, count), ...headers };
  });
  const producer = kafka.producer({ allowAutoTopicCreation: false });
  await producer.connect();
  return {
    async send(batch) {
      const messages = batch.map(({ endpoint, payload }): Message => {
        const place = places[endpoint];
        if (place === undefined) throw new RangeError(`there is no endpoint ${endpoint}`);
        return { ...place, value: payload };
      });
      await producer.send({ topic, acks: -1, messages });
    },
    close: () => producer.disconnect(),
  };
}

function embeddedSink(path: string, topic: string): Sink {
  const log = new EmbeddedLog(path);
  return {
    async send(batch) {
      const records = batch.map(({ endpoint, payload }) => ({
        key: Buffer.from(`${KEY}${endpoint}`),
        value: payload,
      }));
      log.append(topic, records);
    },
    async close() {
      log.close();
    },
  };
}

async function feedsSink(url: string, topic: string, endpoints: number): Promise<Sink> {
  const sockets: WebSocket[] = [];
  for (let i = 0; i < endpoints; i++) sockets.push(await dial(`${url}/feed/${topic}/${KEY}${i}`));
  return {
    async send(batch) {
      for (const update of batch) sockets[update.endpoint]?.send(frameOf(topic, update));
    },
    async close() {
      for (const socket of sockets) socket.terminate();
    },
  };
}

async function dial(url: string): Promise<WebSocket> {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  await once(socket, "open");
  return socket;
}

/** The frame that an origin would send, so that a floor moves the same bytes. */
function frameOf(topic: string, { endpoint, sequence, payload }: Outgoing): Uint8Array {
  const frame = encodeUpdate({
    endpoint: `/${topic}/${KEY}${endpoint}`,
    epoch: "floor0.0",
    offset: sequence,
    previous: sequence === 0 ? undefined : sequence - 1,
    timestamp: Date.now(),
    headers: [],
    value: { kind: "bytes", bytes: payload },
  });
  return typeof frame === "string" ? Buffer.from(frame) : frame;
}
