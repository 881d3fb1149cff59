/** The example of examples/leaderboard: a board that many watch while scores come in. */
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { KEY, LEADERBOARD, SCORES, startAggregator } from "../../examples/leaderboard/aggregator.ts";
import type { Place } from "../../examples/leaderboard/board.ts";
import { Game } from "../../examples/leaderboard/game.ts";
import { connections, Player } from "../../examples/leaderboard/player.ts";
import example from "../../examples/leaderboard/streams.json" with { type: "json" };
import { range } from "../support/contract-records.ts";
import { eventually } from "../support/deadline.ts";
import { Deployment } from "../support/deployment.ts";
import { KafkaBroker } from "../support/kafka-broker.ts";
import { createTopic } from "../support/kafka-topics.ts";
import type { RawSubscriber } from "../support/raw-subscriber.ts";
import { describeWithKafka } from "../support/with-kafka.ts";

const WATCHERS = 200;
const PLAYERS = 500;
const ROUNDS = 60;
const SCORES_A_ROUND = 300;
const { scores, leaderboard } = example.streams;

describeWithKafka("the leaderboard:", () => {
  let kafka: KafkaBroker;
  let deployment: Deployment;
  const game = new Game();

  beforeAll(async () => {
    kafka = await KafkaBroker.start();
    const admin = kafka.client().admin();
    await admin.connect();
    await createTopic(admin, SCORES, 8);
    await createTopic(admin, LEADERBOARD, 1, { "cleanup.policy": "compact" });
    await admin.disconnect();
    deployment = await Deployment.start({
      topics: { [SCORES]: { stream: scores }, [LEADERBOARD]: { stream: leaderboard } },
      originEnv: {
        KAFKA_BROKERS: kafka.bootstrap,
        PUBLISH_SECRET: "a secret of the tests of 32 bytes or more",
      },
      edgeEnv: { AUTH_ISSUERS: game.authIssuers },
    });
  });
  afterAll(async () => {
    await deployment?.stop();
    await kafka?.stop();
  });

  test(`[P5] [P6] ${WATCHERS} watchers come to the right board, none misses one, and none sees it go backwards, though the aggregator is replaced`, async () => {
    const client = kafka.client();
    const producer = client.producer();
    await producer.connect();
    const all: Place[] = range(0, ROUNDS * SCORES_A_ROUND).map((i) => ({
      player: `player-${(i * 7_919) % PLAYERS}`,
      // Without a pattern, with equals, and better as time goes by.
      score: ((i * 2_654_435_761) % 1_000) + Math.floor(i / 1_000),
    }));
    const play = async (from: number, to: number) => {
      for (const round of range(from, to)) {
        const scores = all.slice(round * SCORES_A_ROUND, (round + 1) * SCORES_A_ROUND);
        const messages = scores.map(({ player, score }) => ({ key: player, value: String(score) }));
        await producer.send({ topic: SCORES, messages });
      }
    };
    const watchers: RawSubscriber[] = [];
    const watch = async (count: number) => {
      const coming = range(0, count).map(() => deployment.subscribe(`/${LEADERBOARD}/${KEY}`));
      watchers.push(...coming);
      await Promise.all(coming.map((watcher) => watcher.verdict()));
    };

    await watch(WATCHERS / 2);
    const stopFirst = await startAggregator(client);
    await play(0, ROUNDS / 3);
    const playing = play(ROUNDS / 3, (2 * ROUNDS) / 3);
    await watch(WATCHERS / 2);
    await stopFirst();
    await playing;
    const stopSecond = await startAggregator(client);
    await play((2 * ROUNDS) / 3, ROUNDS);

    const best = new Map<string, number>();
    for (const { player, score } of all) best.set(player, Math.max(score, best.get(player) ?? 0));
    const expected = [...best]
      .map(([player, score]) => ({ player, score }))
      .sort((a, b) => b.score - a.score || a.player.localeCompare(b.player))
      .slice(0, 10);
    const boardsOf = ({ updates }: RawSubscriber) =>
      updates.map(({ value }): Place[] => JSON.parse(String(value)));
    await eventually(
      () =>
        watchers.every((watcher) => JSON.stringify(boardsOf(watcher).at(-1)) === JSON.stringify(expected)),
      "all have the last board",
    );
    const [first] = watchers;
    expect(first?.updates.length).toBeGreaterThan(5);
    for (const watcher of watchers) {
      expect([watcher.violations, watcher.resets, watcher.verdicts.length]).toEqual([[], [], 1]);
      const last = first?.updates.slice(-watcher.updates.length).map(({ offset }) => offset);
      expect(watcher.updates.map(({ offset }) => offset)).toEqual(last);
      let before: readonly Place[] = [];
      for (const board of boardsOf(watcher)) {
        for (const [i, { score }] of before.entries())
          expect(board[i]?.score ?? 0).toBeGreaterThanOrEqual(score);
        before = board;
      }
    }
    await Promise.all(watchers.map((watcher) => watcher.close()));
    await stopSecond();
    await producer.disconnect();
  }, 120_000);

  test("[W3] [W4] players post their own scores through the edge, whatever dies, each counts once, and the board comes back live", async () => {
    const agent = connections(20);
    onTestFinished(() => agent.destroy());
    const players = await Promise.all(
      range(0, 100).map(async (i) => {
        const name = `poster ${i}`;
        return new Player(name, await game.tokenOf(name), deployment.url, agent);
      }),
    );
    const watcher = deployment.subscribe(`/${LEADERBOARD}/${KEY}`);
    onTestFinished(() => watcher.close());
    const stopAggregator = await startAggregator(kafka.client());
    onTestFinished(stopAggregator);
    // Better than any of the scores before.
    const best = 1_000_000;

    const posting = Promise.all(
      players.map(async (player, i) => {
        const positions: string[] = [];
        for (const round of range(0, 10)) positions.push(await player.post(best + 10 * i + round));
        return positions;
      }),
    );
    await deployment.origin?.stop("SIGKILL");
    deployment.origin = deployment.startOrigin();
    const positions = (await posting).flat();

    expect(new Set(positions).size).toBe(1_000);
    const expected = range(0, 10).map((i) => ({
      player: `poster ${99 - i}`,
      score: best + 10 * (99 - i) + 9,
    }));
    const lastBoard = () => JSON.parse(String(watcher.updates.at(-1)?.value ?? "[]"));
    await watcher.until(() => JSON.stringify(lastBoard()) === JSON.stringify(expected), "the last board");
    expect(watcher.violations).toEqual([]);

    const cheat = new Player("poster 7", await game.tokenOf("poster 8"), deployment.url, agent);
    await expect(cheat.post(2 * best)).rejects.toThrow("unknown_topic");
  }, 120_000);
});
