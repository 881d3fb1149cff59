/**
 * `npm run bench:publish`: what a publish costs origin and edge, how many are acknowledged in a second, and how long that takes,
 * beside the floor: a bare idempotent producer with the same batches. They take turns, so that what else the machine does
 * befalls all alike.
 */
import { readFileSync } from "node:fs";
import { SCORES } from "../../examples/leaderboard/aggregator.ts";
import { readSettings } from "../../shared/node/settings.ts";
import { Deployment } from "../support/deployment.ts";
import type { KafkaBroker } from "../support/kafka-broker.ts";
import { NoKafka, startKafka } from "./kafka.ts";
import { interruptOnSignal, isInterrupted, LoadProcess } from "./load/rpc.ts";
import { cpuUs, descendants } from "./proc.ts";
import { askedRounds, besideRounds, leaderlessRounds, WRITER, writerRounds } from "./publish/alone.ts";
import { contentsOf } from "./publish/batches.ts";
import type { ClientsHandlers, Heard } from "./publish/clients.ts";
import { figures, type PathRound, playersLine } from "./publish/figures.ts";
import { BYTES, newTopic, PACED, say, script, summaryOf } from "./publish/parts.ts";
import type { PlayersHandlers } from "./publish/players.ts";
import type { ProducerHandlers } from "./publish/producer.ts";
import { OWN_OBJECTS } from "./systems.ts";

/** A partition remembers 200,000 publishes, and takes no more. */
const MOST_ROUNDS = 8;
const CLIENTS = { clients: 64, keys: 1_000, watched: 16 };
const PLAYERS = { connections: 2_000, partitions: 8 };
const MOST_PLAYERS = 200_000;
const PUBLISH_SECRET = "a secret of the bench of 32 bytes or more";

const command = {
  usage: "npm run bench:publish -- [flags]",
  does: "Measures publishing beside a bare idempotent producer, in turns.",
  settings: {
    ROUNDS: { means: "Turns of each.", default: "7" },
    SECONDS: { means: "Of each turn that goes by a schedule.", default: "4" },
    PLAYERS: { means: "Instead: so many of the leaderboard's players post a score each." },
    RATE: { means: "Of these in a second.", default: "400" },
  },
  switches: { alone: "Only the origin's publishing by itself, and the producer." },
  flagsOnly: true,
} as const;

const given = readSettings(command, {}, process.argv.slice(2));
if (given.kind === "help") process.stdout.write(given.text);
else if (given.kind === "misused") fail(given.problem);
else {
  const [rounds, seconds] = [Number(given.values.ROUNDS), Number(given.values.SECONDS)];
  const rate = Number(given.values.RATE);
  const players = given.values.PLAYERS === undefined ? 0 : Number(given.values.PLAYERS);
  if (!(Number.isInteger(rounds) && rounds >= 1 && rounds <= MOST_ROUNDS))
    fail(`--rounds must be a whole number from 1 to ${MOST_ROUNDS}`);
  else if (!(seconds > 0 && seconds <= 600)) fail("--seconds must be a number above 0, at most 600");
  else if (!(Number.isInteger(players) && players >= 0 && players <= MOST_PLAYERS))
    fail(`--players must be a whole number from 1 to ${MOST_PLAYERS}`);
  else if (!(rate > 0 && rate <= 10_000)) fail("--rate must be a number above 0, at most 10000");
  else {
    interruptOnSignal();
    try {
      if (players > 0) await play(players, rate);
      else await run(rounds, seconds, given.switches.alone);
    } catch (error) {
      if (!(error instanceof NoKafka)) throw error;
      if (!isInterrupted()) fail(error.message, 1);
    }
  }
}

async function run(rounds: number, seconds: number, isAlone: boolean): Promise<void> {
  const kafka = await startKafka();
  try {
    const alone = await writerRounds(kafka, rounds);
    const asked = await askedRounds(kafka, rounds);
    const transaction = await besideRounds(kafka, rounds, seconds);
    const paths: (readonly [partitions: number, rounds: readonly PathRound[]])[] = [];
    for (const partitions of isAlone ? [] : [1, 3])
      paths.push([partitions, await pathRounds(kafka, partitions, rounds, seconds)]);
    const leaderless = await leaderlessRounds(rounds, seconds);
    const beside = { transaction, leaderless };
    process.stdout.write(`${figures(alone, asked, beside, paths, { ...WRITER, ...CLIENTS, ...PACED })}\n`);
  } finally {
    await kafka.stop();
  }
}

/** The whole path: clients, edge, origin, Kafka, and subscribers. */
async function pathRounds(
  kafka: KafkaBroker,
  partitions: number,
  rounds: number,
  seconds: number,
): Promise<PathRound[]> {
  say(`over HTTP, ${partitions} ${partitions === 1 ? "partition" : "partitions"}`);
  const [broker = ""] = kafka.brokers;
  const topic = await newTopic(kafka, `posted-${partitions}`, partitions);
  const floorTopic = await newTopic(kafka, `floor-${partitions}`, 1);
  const deployment = await Deployment.start({
    topics: { [topic]: { stream: { publish: "public" } } },
    originEnv: { KAFKA_BROKERS: kafka.bootstrap, PUBLISH_SECRET },
    edgeEnv: OWN_OBJECTS,
  });
  const clients = new LoadProcess<ClientsHandlers>(script("clients"));
  const producer = new LoadProcess<ProducerHandlers>(script("producer"));
  try {
    await clients.ask("open", { url: deployment.url, topic, ...CLIENTS });
    await producer.ask("open", { broker, topic: floorTopic });
    const edge = descendants(deployment.edge?.process.pid ?? 0, "workerd");
    const origin = deployment.origins.map(({ process }) => process.pid ?? 0);
    const used = (pids: readonly number[]) => pids.reduce((sum, pid) => sum + cpuUs(pid), 0);
    const measured: PathRound[] = [];
    for (let round = 0; round <= rounds; round++) {
      const segments = () =>
        Array.from({ length: partitions }, (_, partition) => readFileSync(kafka.segment(topic, partition)));
      const sizes = segments().map(({ length }) => length);
      const before = [used(edge), used(origin)] as const;
      const closed = await clients.ask("closed", { seconds, bytes: BYTES });
      const cpu = { edge: used(edge) - before[0], origin: used(origin) - before[1] };
      const { records, batches } = contentsOf(segments().map((bytes, i) => bytes.subarray(sizes[i])));
      const perBatch = batches === 0 ? 1 : records / batches;
      const floor = await producer.ask("burst", { count: closed.published, bytes: BYTES, perBatch });
      const paced = await clients.ask("paced", { ...PACED, seconds });
      const floorPaced = summaryOf(await producer.ask("paced", { ...PACED, seconds }));
      for (const { failed } of [closed, paced])
        if (failed > 0) throw new Error(`${failed} publishes were not acknowledged`);
      if (round > 0)
        measured.push({
          ...{ perBatch, floor, floorPaced },
          perSecond: closed.published / (closed.wallUs / 1e6),
          edgeUs: cpu.edge / closed.published,
          originUs: cpu.origin / closed.published,
          closed: latenciesOf(closed),
          paced: latenciesOf(paced),
        });
    }
    return measured;
  } finally {
    await Promise.all([clients.stop(), producer.stop()]);
    await deployment.stop();
  }
}

/** The leaderboard's players: each has a token and a key of its own. */
async function play(count: number, perSecond: number): Promise<void> {
  const kafka = await startKafka();
  const players = new LoadProcess<PlayersHandlers>(script("players"));
  try {
    const { connections, partitions } = PLAYERS;
    await newTopic(kafka, SCORES, partitions);
    const deployment = await Deployment.start({
      topics: { [SCORES]: { stream: { publish: "token", subscribe: "token" } } },
      originEnv: { KAFKA_BROKERS: kafka.bootstrap, PUBLISH_SECRET },
      edgeEnv: { ...OWN_OBJECTS, AUTH_ISSUERS: await players.ask("authIssuers", undefined) },
    });
    try {
      say(`${count} players get their tokens`);
      await players.ask("open", { url: deployment.url, players: count, connections });
      const edge = descendants(deployment.edge?.process.pid ?? 0, "workerd");
      const origin = deployment.origins.map(({ process }) => process.pid ?? 0);
      const used = (pids: readonly number[]) => pids.reduce((sum, pid) => sum + cpuUs(pid), 0);
      const before = [used(edge), used(origin)] as const;
      say(`they post, ${perSecond} in a second`);
      const posted = await players.ask("post", { perSecond });
      const cpu = { edgeUs: used(edge) - before[0], originUs: used(origin) - before[1] };
      const segments = Array.from({ length: partitions }, (_, i) => readFileSync(kafka.segment(SCORES, i)));
      const { records } = contentsOf(segments);
      const { positions, failed, problem } = posted;
      if (failed > 0 || positions !== count || records !== count)
        fail(`${failed} failed (${problem}), ${positions} positions, ${records} records of ${count}`, 1);
      else {
        const latency = summaryOf(posted.acknowledged);
        const line = playersLine({ count, connections, ...cpu, latency, wallUs: posted.wallUs });
        process.stdout.write(`${line}\n`);
      }
    } finally {
      await deployment.stop();
    }
  } finally {
    await players.stop();
    await kafka.stop();
  }
}

function latenciesOf({ acknowledged, delivered }: Heard) {
  return { acknowledged: summaryOf(acknowledged), delivered: summaryOf(delivered) };
}

function fail(problem: string, code: 1 | 2 = 2): void {
  process.stderr.write(`${problem}\n`);
  process.exitCode = code;
}
