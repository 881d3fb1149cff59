/**
 * The origin's publishing by itself, beside bare producers, and beside trouble with another partition: without edge and index.
 */

import { BrokerConnection } from "../../../origin/kafka/connection.ts";
import { metadataRequest } from "../../../origin/kafka/requests.ts";
import { eventually } from "../../support/deadline.ts";
import type { KafkaBroker } from "../../support/kafka-broker.ts";
import { createPlacedTopic } from "../../support/kafka-topics.ts";
import { startKafka } from "../kafka.ts";
import { LoadProcess } from "../load/rpc.ts";
import type { AskedRound, BesideRound, WriterRound } from "./figures.ts";
import { BYTES, newTopic, PACED, say, script, summaryOf } from "./parts.ts";
import type { ProducerHandlers } from "./producer.ts";
import type { ShardHandlers } from "./shard.ts";
import { OTHERS_PARTITION, type WriterHandlers } from "./writer.ts";

export const WRITER = { count: 20_000, bytes: BYTES, underWay: 500 };
/** Partition by partition: the first is led by a broker that leads nothing else. */
const BESIDE_REPLICAS = [[3], [1], [2]];
const BESIDE_PARTITIONS = BESIDE_REPLICAS.length;
const TRANSACTION_SPARE_S = 60;
const WARM_UP_S = 4;
const LEADER_MS = 60_000;

/** The origin's publishing by itself, and the producer with batches as large as it had. */
export async function writerRounds(kafka: KafkaBroker, rounds: number): Promise<WriterRound[]> {
  say("the origin's publishing by itself");
  const [broker = ""] = kafka.brokers;
  const writer = new LoadProcess<WriterHandlers>(script("writer"));
  const producer = new LoadProcess<ProducerHandlers>(script("producer"));
  try {
    await writer.ask("open", { broker, topic: await newTopic(kafka, "alone", 1) });
    await producer.ask("open", { broker, topic: await newTopic(kafka, "floor", 1) });
    const measured: WriterRound[] = [];
    // The first is to warm up.
    for (let round = 0; round <= rounds; round++) {
      const own = await writer.ask("burst", WRITER);
      const perBatch = own.count / own.batches;
      const floor = await producer.ask("burst", { ...WRITER, perBatch });
      if (round > 0) measured.push({ own, floor, perBatch });
    }
    return measured;
  } finally {
    await Promise.all([writer.stop(), producer.stop()]);
  }
}

/** The same, asked by what plays a shard; and the producer, asked in the same way, with the batches that come of it. */
export async function askedRounds(kafka: KafkaBroker, rounds: number): Promise<AskedRound[]> {
  say("asked over a WebSocket");
  const [broker = ""] = kafka.brokers;
  const topics = { own: await newTopic(kafka, "asked", 1), floor: await newTopic(kafka, "asked-floor", 1) };
  const own = new LoadProcess<WriterHandlers>(script("writer"));
  const floor = new LoadProcess<ProducerHandlers>(script("producer"));
  const shards = { own: newShard(), floor: newShard() };
  const burst = async (which: keyof AskedRound) => {
    const used = () => (which === "own" ? own.ask("used", undefined) : floor.ask("used", undefined));
    const before = await used();
    const wallUs = await shards[which].ask("burst", { ...WRITER, topic: topics[which] });
    const after = await used();
    const { count } = WRITER;
    return { count, wallUs, cpuUs: after.cpuUs - before.cpuUs, batches: after.batches - before.batches };
  };
  try {
    await own.ask("open", { broker, topic: topics.own });
    await own.ask("dial", await shards.own.ask("listen", undefined));
    await floor.ask("open", { broker, topic: topics.floor });
    await floor.ask("dial", await shards.floor.ask("listen", undefined));
    const measured: AskedRound[] = [];
    // The first is to warm up.
    for (let round = 0; round <= rounds; round++) {
      const one = { own: await burst("own"), floor: await burst("floor") };
      if (round > 0) measured.push(one);
    }
    return measured;
  } finally {
    await Promise.all([own, floor, shards.own, shards.floor].map((process) => process.stop()));
  }
}

function newShard(): LoadProcess<ShardHandlers> {
  return new LoadProcess<ShardHandlers>(script("shard"));
}

/** The origin's publishing by itself, while another one's transaction is open on a partition of the same topic, and without. */
export async function besideRounds(
  kafka: KafkaBroker,
  rounds: number,
  seconds: number,
): Promise<BesideRound[]> {
  say("beside another one's open transaction");
  const [broker = ""] = kafka.brokers;
  const topic = await newTopic(kafka, "beside", BESIDE_PARTITIONS);
  const writer = new LoadProcess<WriterHandlers>(script("writer"));
  const other = kafka.client().producer({
    ...{ transactionalId: "other", maxInFlightRequests: 1, idempotent: true },
    // It shall be ended by nobody but the bench.
    transactionTimeout: (seconds + TRANSACTION_SPARE_S) * 1_000,
  });
  const paced = async (forSeconds = seconds) =>
    summaryOf(await writer.ask("paced", { ...PACED, seconds: forSeconds, partitions: BESIDE_PARTITIONS }));
  try {
    await writer.ask("open", { broker, topic });
    await other.connect();
    await paced(WARM_UP_S);
    const measured: BesideRound[] = [];
    for (let round = 0; round < rounds; round++) {
      const without = await paced();
      const transaction = await other.transaction();
      await transaction.send({ topic, messages: [{ partition: OTHERS_PARTITION, value: "open" }] });
      const beside = await paced();
      // It was open all the time: one that Kafka has ended can't be committed.
      await transaction.commit();
      measured.push({ without, beside });
    }
    return measured;
  } finally {
    await other.disconnect();
    await writer.stop();
  }
}

/** The same of a cluster of three, while the broker is away that alone has the third partition, and before. */
export async function leaderlessRounds(rounds: number, seconds: number): Promise<BesideRound[]> {
  say("beside a partition that nobody leads");
  const cluster = await startKafka({ brokers: 3 });
  const writer = new LoadProcess<WriterHandlers>(script("writer"));
  const admin = cluster.client().admin();
  const [first = ""] = cluster.brokers;
  const [host = "", port] = first.split(":");
  const asked = new BrokerConnection({ brokers: [first], clientId: "bench" }, { host, port: Number(port) });
  const topic = "leaderless";
  const [[broker = Number.NaN] = []] = BESIDE_REPLICAS;
  const led = (isLed: boolean) =>
    eventually(
      async () => {
        const { topics } = await asked.send(metadataRequest(topic));
        const found = topics[0]?.partitions.find(({ partition }) => partition === OTHERS_PARTITION);
        return found !== undefined && found.leader >= 0 === isLed;
      },
      isLed ? "a leader" : "no leader",
      LEADER_MS,
    );
  const paced = async (forSeconds = seconds) =>
    summaryOf(await writer.ask("paced", { ...PACED, seconds: forSeconds, partitions: BESIDE_PARTITIONS }));
  try {
    await admin.connect();
    await createPlacedTopic(admin, topic, BESIDE_REPLICAS, { "min.insync.replicas": "1" });
    await writer.ask("open", { broker: first, topic });
    await paced(WARM_UP_S);
    const measured: BesideRound[] = [];
    for (let round = 0; round < rounds; round++) {
      const without = await paced();
      await cluster.kill(broker);
      await led(false);
      const beside = await paced();
      await cluster.restart(broker);
      await led(true);
      measured.push({ without, beside });
    }
    return measured;
  } finally {
    asked.close();
    await admin.disconnect();
    await writer.stop();
    await cluster.stop();
  }
}
