/** Objects that the platform takes out of memory, or ends. */
import { doneByOthers } from "../not-injected.ts";
import { oneOf, type Random } from "../random.ts";
import { keysOf } from "../topics.ts";
import type { Kind } from "./kind.ts";

const SHARDS = 2;
const AT_ONCE = 4;

const endpoints = [
  ...keysOf("load").map((key) => `/load/${key}`),
  ...keysOf("growing").map((key) => `/growing/${key}`),
  ...keysOf("brief").map((key) => `/brief/${key}`),
];

/** One that is just busy or being started may refuse; that all do shows that it didn't take place. */
async function each(paths: readonly string[], act: (path: string) => Promise<unknown>): Promise<void> {
  const done = await Promise.allSettled(paths.map(act));
  const refused = done.find((one) => one.status === "rejected");
  if (refused !== undefined && done.every((one) => one.status === "rejected"))
    await doneByOthers(Promise.reject(refused.reason));
}

const some = (random: Random) => Array.from({ length: AT_ONCE }, () => oneOf(random, endpoints));

export const OBJECTS: readonly Kind[] = [
  {
    name: "eviction of Endpoint objects",
    perTenMinutes: 70,
    lastsMs: 500,
    parts: ["edge"],
    inject: async ({ edge }, random) => {
      await each(some(random), (path) => edge.hook("evict", { path }));
    },
  },
  {
    name: "crash of Endpoint objects",
    perTenMinutes: 60,
    lastsMs: 300,
    parts: ["edge"],
    inject: async ({ edge }, random) => {
      await each(some(random), (path) => edge.hook("crash", { path }));
    },
  },
  {
    name: "crash of a shard",
    perTenMinutes: 45,
    lastsMs: 300,
    parts: ["edge"],
    inject: async ({ edge }, random) => {
      await doneByOthers(edge.hook("crash", { shard: String(Math.floor(random() * SHARDS)) }));
    },
  },
];
