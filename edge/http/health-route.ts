/**
 * `/$/health`: whether every slice of every shard has an origin that is ready, which one, and who stands by. One call for each shard.
 */
import { VERSION } from "../../shared/protocol/version.ts";
import type { Env } from "../env.ts";
import { requireShards, shardStub } from "../routing.ts";
import type { ShardStatus } from "../shard/shard-status.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import { logProblem } from "./answers.ts";

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
export async function healthRoute(env: Env): Promise<Response> {
  const numbers = Array.from({ length: requireShards(env) }, (_, shard) => shard);
  const shards = await Promise.all(numbers.map((shard) => statusOf(env, shard)));
  const healthy = shards.every(({ connected, ready }) => connected && ready);
  return Response.json(
    { version: VERSION, healthy, shards },
    { status: healthy ? 200 : 503, headers: { "Cache-Control": "no-store" } },
  );
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
