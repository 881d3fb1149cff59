/**
 * The leaderboard's players, in one process: each has a token and a key of its own and posts one score, over connections that
 * many of them share.
 */
import type { Agent } from "node:http";
import { Game } from "../../../examples/leaderboard/game.ts";
import { connections, Player } from "../../../examples/leaderboard/player.ts";
import { nowUs, sleepUntil } from "../clock.ts";
import { Latencies } from "../histogram.ts";
import { answer } from "../load/rpc.ts";

export interface OpenPlayers {
  readonly url: string;
  readonly players: number;
  readonly connections: number;
}

export interface Posted {
  readonly positions: number;
  readonly failed: number;
  readonly problem: string | undefined;
  readonly wallUs: number;
  readonly acknowledged: string;
}

/** On a machine on which an edge answers fewer than due, the others wait here, and not at the edge until their time is over. */
const MOST_UNDER_WAY = 500;

const game = new Game();
const agents: Agent[] = [];
const players: Player[] = [];

const handlers = {
  /** For the edge, which must know the issuer before it starts. */
  async authIssuers(): Promise<string> {
    return game.authIssuers;
  },

  async open(given: OpenPlayers): Promise<void> {
    for (let i = 0; i < given.connections; i++) agents.push(connections(1));
    for (let i = 0; i < given.players; i++) {
      const agent = agents[i % agents.length];
      if (agent === undefined) throw new Error("there are no connections");
      const name = `player-${i}`;
      players.push(new Player(name, await game.tokenOf(name), given.url, agent));
    }
  },

  /** So many in a second. Latencies from when each was due. */
  async post({ perSecond }: { readonly perSecond: number }): Promise<Posted> {
    const acknowledged = new Latencies();
    const positions = new Set<string>();
    let failed = 0;
    let problem: string | undefined;
    const from = nowUs();
    const due = players.entries();
    const run = async () => {
      for (const [i, player] of due) {
        const at = from + (i / perSecond) * 1e6;
        await sleepUntil(at);
        try {
          positions.add(await player.post(i));
          acknowledged.record(nowUs() - at);
        } catch (error) {
          failed++;
          problem ??= String(error);
        }
      }
    };
    await Promise.all(Array.from({ length: MOST_UNDER_WAY }, run));
    return {
      ...{ positions: positions.size, failed, problem },
      wallUs: nowUs() - from,
      acknowledged: acknowledged.encode(),
    };
  },

  async close(): Promise<void> {
    for (const agent of agents) agent.destroy();
  },
};

export type PlayersHandlers = typeof handlers;

answer(handlers);
