/**
 * `/$/health`: whether every slice of every shard has an origin that is ready, and how many stand by; for those who may know,
 * also their names. One call for each shard.
 */
import { VERSION } from "../../shared/protocol/version.ts";
import { logProblem } from "../answers.ts";
import type { Env } from "../env.ts";
import { requireShards, shardStub } from "../routing.ts";
import type { ShardStatus } from "../shard/shard-status.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import type { Insight } from "./insight.ts";

const SILENT: ShardStatus = {
  connected: false,
  ready: false,
  origin: null,
  generation: 0,
  standbys: [],
  slices: [],
  watched: 0,
  links: 0,
  revocations: 0,
};

/** 200 when all slices of all shards have an origin that is ready, else 503. */
export async function healthRoute(env: Env, insight: Insight): Promise<Response> {
  const numbers = Array.from({ length: requireShards(env) }, (_, shard) => shard);
  const shards = await Promise.all(numbers.map((shard) => statusOf(env, shard)));
  const healthy = shards.every(({ connected, ready }) => connected && ready);
  return Response.json(
    { version: VERSION, healthy, shards: insight === "all" ? shards : shards.map(withoutNames) },
    { status: healthy ? 200 : 503, headers: { "Cache-Control": "no-store" } },
  );
}

/** Origins are often called what their machines are. */
function withoutNames({ origin: _, ...status }: ShardStatus) {
  return {
    ...status,
    standbys: status.standbys.map(({ ready }) => ({ ready })),
    slices: status.slices.map(({ origin: _, standbys, ...slice }) => ({
      ...slice,
      standbys: standbys.map(({ ready }) => ({ ready })),
    })),
  };
}

async function statusOf(env: Env, shard: number): Promise<ShardStatus> {
  const timeout = AbortSignal.timeout(TIME_LIMITS.shardStatusMs);
  const silent = new Promise<ShardStatus>((resolve) => {
    timeout.addEventListener("abort", () => resolve(SILENT));
  });
  try {
    return await Promise.race([shardStub(env, shard).status(), silent]);
  } catch (error) {
    logProblem(`shard ${shard}`, error);
    return SILENT;
  }
}
