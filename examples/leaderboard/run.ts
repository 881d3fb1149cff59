/** A game's leaderboard, players who post their scores, and many who watch it: see README.md here. */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Kafka, logLevel } from "kafkajs";
import { subscribe } from "../../shared/client/client.ts";
import { run } from "../running.ts";
import { KEY, LEADERBOARD, SCORES, startAggregator } from "./aggregator.ts";
import { Game } from "./game.ts";
import { connections, Player } from "./player.ts";

const SCORES_A_SECOND = 200;
const CONNECTIONS = 50;

const { values } = parseArgs({
  options: {
    kafka: { type: "string" },
    port: { type: "string", default: "8787" },
    watchers: { type: "string", default: "200" },
    players: { type: "string", default: "1000" },
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

const game = new Game();
const streams = join(import.meta.dirname, "streams.json");
const flags = ["--kafka", brokers, "--streams", streams, "--port", values.port, "--data-dir", dataDir];
const product = await run("start.ts", flags, /^ready /, { AUTH_ISSUERS: game.authIssuers });
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

const agent = connections(CONNECTIONS);
const players = await Promise.all(
  Array.from({ length: Number(values.players) }, async (_, i) => {
    const name = `player-${i}`;
    return new Player(name, await game.tokenOf(name), `http://127.0.0.1:${values.port}`, agent);
  }),
);
let scores = 0;
let posted = 0;
const playing = setInterval(() => {
  for (let i = 0; i < SCORES_A_SECOND / 10; i++) {
    // The more are played, the better some are: so the board goes on changing.
    const score = Math.floor((1_000 + scores++) * Math.random() ** 3);
    const player = players[Math.floor(Math.random() * players.length)];
    player?.post(score).then(
      () => posted++,
      ({ message }) => console.error(`${player.name}: ${message}`),
    );
  }
}, 100);
const telling = setInterval(() => {
  const up = [...has.values()].filter((board) => board === newest).length;
  const [first] = JSON.parse(newest || "[]");
  const leader = first === undefined ? "nobody" : `${first.player} with ${first.score}`;
  console.log(`${posted} scores; ${leader} leads; ${up} of ${values.watchers} watchers know; gaps: ${gaps}`);
}, 1_000);

await stopped;
clearInterval(playing);
clearInterval(telling);
for (const subscription of subscriptions) subscription.close();
await stopAggregator();
agent.destroy();
await product.stop();
await own?.stop();
rmSync(dataDir, { recursive: true, force: true });
