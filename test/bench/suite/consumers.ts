/** Several origins that share the partitions of a topic: how fast they read a backlog, and how many live updates they bear. */
import type { Limit } from "../limit.ts";
import { type Backlog, type Starts, startOrigins, withBacklog } from "./backlog.ts";
import { BASE, type Context } from "./context.ts";
import { limitOf } from "./loads.ts";

export interface Consumers {
  readonly partitions: number;
  readonly backlog: Omit<Backlog, "topic">;
  readonly starts: readonly (Starts & { readonly origins: number })[];
  readonly live: readonly (Limit & { readonly origins: number })[];
}

const ORIGINS = [1, 2, 4];
const PARTITIONS = 12;
/** Many updates that few watch: what origins do for each update counts, and not what the edge does for each delivery. */
const LIVE = { ...BASE, endpoints: 5_000, partitions: PARTITIONS, lingerMs: 5 };
const FIRST_STEP = { rate: 1, warmUpSeconds: 1.5, seconds: 4 };

export async function consumers(context: Context): Promise<Consumers> {
  const { kafka, progress } = context;
  const read = await withBacklog(context, PARTITIONS, async (full) => {
    const starts: (Starts & { origins: number })[] = [];
    for (const origins of ORIGINS) {
      progress(`reading them with ${origins === 1 ? "one origin" : `${origins} origins`}`);
      starts.push({ origins, ...(await startOrigins(full, kafka, origins)) });
    }
    const { topic: _, ...backlog } = full;
    return { backlog, starts };
  });
  const live: (Limit & { origins: number })[] = [];
  for (const origins of ORIGINS) {
    const limit = await limitOf(context, { ...LIVE, origins }, FIRST_STEP);
    if (limit !== undefined) live.push({ origins, ...limit });
  }
  return { partitions: PARTITIONS, ...read, live };
}
