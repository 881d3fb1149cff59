/**
 * `/$/health`: whether every slice of every shard has an origin that is ready, and how many stand by; for those who may know,
 * also their names. One call for each shard. With several edges at the address, of all of them. Strangers may be told what others
 * were told within the last second, so that however often they ask, shards and edges are asked once in that time (H10).
 */
import { VERSION } from "../../shared/protocol/version.ts";
import { logProblem } from "../answers.ts";
import type { Env } from "../env.ts";
import { requireShards, shardStub } from "../routing.ts";
import type { ShardStatus } from "../shard/shard-status.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import type { Insight } from "./insight.ts";
import { askSiblings, isSiblingAsking, siblingsOf } from "./siblings.ts";

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

type Told = Pick<ShardStatus, "connected" | "ready">;

interface Health {
  readonly healthy: boolean;
  readonly shards: readonly Told[];
}

/** What strangers were told last, while all was well. */
export class RecentHealth {
  readonly #now: () => number;
  #last: { readonly health: Health; readonly at: number } | undefined;

  /** @param now Milliseconds that never go back. */
  constructor(now: () => number) {
    this.#now = now;
  }

  get(): Health | undefined {
    const { health, at } = this.#last ?? {};
    return at !== undefined && this.#now() - at < TIME_LIMITS.healthFreshMs ? health : undefined;
  }

  /** Trouble isn't kept: whoever waits for its end sees that at once. */
  keep(health: Health): void {
    this.#last = health.healthy ? { health, at: this.#now() } : undefined;
  }
}

/** 200 when all slices of all shards have an origin that is ready, else 503. */
export async function healthRoute(
  request: Request,
  env: Env,
  insight: Insight,
  recent: RecentHealth,
): Promise<Response> {
  // Another edge has kept its own.
  const isForStranger = insight === "counts" && !isSiblingAsking(env);
  const kept = isForStranger ? recent.get() : undefined;
  const { healthy, shards } = kept ?? (await healthOf(request, env, insight));
  if (isForStranger && kept === undefined) recent.keep({ healthy, shards });
  return Response.json(
    { version: VERSION, healthy, shards },
    { status: healthy ? 200 : 503, headers: { "Cache-Control": "no-store" } },
  );
}

async function healthOf(request: Request, env: Env, insight: Insight): Promise<Health> {
  const numbers = Array.from({ length: requireShards(env) }, (_, shard) => shard);
  const [own, others] = await Promise.all([
    Promise.all(numbers.map((shard) => statusOf(env, shard))),
    askSiblings<{ readonly shards: readonly Told[] }>(request, env, (status) => [200, 503].includes(status)),
  ]);
  const told: readonly Told[] = insight === "all" ? own : own.map(withoutNames);
  const { number, count } = siblingsOf(env);
  const shards =
    others.size === 0
      ? told
      : Array.from({ length: count }, (_, edge) => {
          const silent = () => numbers.map(() => SILENT);
          const of = edge === number ? told : (others.get(edge)?.shards ?? silent());
          return of.map((shard) => ({ edge, ...shard }));
        }).flat();
  return { healthy: shards.every(({ connected, ready }) => connected && ready), shards };
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
