/** A game's leaderboard, and many who watch it: see README.md here. */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Kafka, logLevel } from "kafkajs";
import { subscribe } from "../../shared/client/client.ts";
import { KEY, LEADERBOARD, SCORES, startAggregator } from "./aggregator.ts";
import { run } from "./running.ts";

const PLAYERS = 1_000;
const SCORES_A_SECOND = 200;

const { values } = parseArgs({
  options: {
    kafka: { type: "string" },
    port: { type: "string", default: "8787" },
    watchers: { type: "string", default: "200" },
  },
});
const stopped = Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
const dataDir = mkdtempSync(join(tmpdir(), "leaderboard-"));
const own = values.kafka === undefined ? await run("test/kafka/run.ts", [], /^Kafka listens at /) : undefined;
const brokers = values.kafka ?? own?.said.match(/at (\S+)\. /)?.[1] ?? "";
const kafka = new Kafka({ brokers: brokers.split(","), logLevel: logLevel.ERROR });

const admin = kafka.admin();
await admin.connect();
await admin.createTopics({
  waitForLeaders: true,
  topics: [
    { topic: SCORES, numPartitions: 8 },
    {
      topic: LEADERBOARD,
      numPartitions: 1,
      configEntries: [{ name: "cleanup.policy", value: "compact" }],
    },
  ],
});
await admin.disconnect();

const topics = [SCORES, LEADERBOARD].flatMap((topic) => ["--topic", topic]);
const flags = ["--kafka", brokers, ...topics, "--port", values.port, "--data-dir", dataDir];
const product = await run("start.ts", flags, /^ready /);
const stopAggregator = await startAggregator(kafka);

const url = `127.0.0.1:${values.port}/${LEADERBOARD}/${KEY}`;
console.log(`The board is at http://${url}. Ctrl-C ends all.`);
const has = new Map<number, string>();
let newest = "";
let gaps = 0;
const subscriptions = Array.from({ length: Number(values.watchers) }, (_, watcher) => {
  const subscription = subscribe(`ws://${url}`);
  subscription.on("update", (update) => {
    newest = update.text() ?? "";
    has.set(watcher, newest);
  });
  subscription.on("gap", () => gaps++);
  return subscription;
});

const producer = kafka.producer();
await producer.connect();
let scores = 0;
const playing = setInterval(async () => {
  const messages = Array.from({ length: SCORES_A_SECOND / 10 }, () => {
    // The more are played, the better some are: so the board goes on changing.
    const score = Math.floor((1_000 + scores++) * Math.random() ** 3);
    return { key: `player-${Math.floor(Math.random() * PLAYERS)}`, value: String(score) };
  });
  await producer.send({ topic: SCORES, messages }).catch(({ message }) => console.error(message));
}, 100);
const telling = setInterval(() => {
  const up = [...has.values()].filter((board) => board === newest).length;
  const [first] = JSON.parse(newest || "[]");
  const leader = first === undefined ? "nobody" : `${first.player} with ${first.score}`;
  console.log(`${scores} scores; ${leader} leads; ${up} of ${values.watchers} watchers know; gaps: ${gaps}`);
}, 1_000);

await stopped;
clearInterval(playing);
clearInterval(telling);
for (const subscription of subscriptions) subscription.close();
await stopAggregator();
await producer.disconnect();
await product.stop();
await own?.stop();
rmSync(dataDir, { recursive: true, force: true });
