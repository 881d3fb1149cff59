/**
 * The origins of a run: a crew of which each reads everything, and one of two slices of the partitions. One of them is at
 * work; the other relieves it under load (N9), in the middle of everything else.
 */

import { eventually } from "../support/deadline.ts";
import type { TcpProxy } from "../support/tcp-proxy.ts";
import type { EdgeProcess } from "./edge-process.ts";
import { needed } from "./not-injected.ts";
import type { OriginProcess } from "./origin-process.ts";

export interface Crew {
  /** How many slices there are. */
  readonly slices: number;
  readonly origins: readonly OriginProcess[];
  /** Of each edge, between each of them and that. */
  readonly uplinks: readonly (readonly TcpProxy[])[];
}

/** How the crew that was at work goes: in order, at once, or not at all: it hangs until it was replaced. */
export type Leaving = "stop" | "kill" | "hang";

interface ShardHealth {
  readonly slices: readonly { readonly origin: string | null; readonly ready: boolean }[];
  readonly standbys: readonly { readonly origin: string; readonly ready: boolean }[];
}

/** To read what was written since it was last at work. */
const READY_MS = 30_000;
/** For a crew that hangs, past all the deadlines of the edge, doubled as they may be. */
const SERVED_MS = 45_000;

export class Crews {
  readonly #edges: readonly EdgeProcess[];
  #atWork: Crew;
  #resting: Crew;

  constructor(edges: readonly EdgeProcess[], atWork: Crew, resting: Crew) {
    this.#edges = edges;
    this.#atWork = atWork;
    this.#resting = resting;
  }

  get atWork(): Crew {
    return this.#atWork;
  }

  get all(): readonly OriginProcess[] {
    return [...this.#atWork.origins, ...this.#resting.origins];
  }

  /** Between all origins, of either crew, and one edge. */
  uplinksTo(edge: number): readonly TcpProxy[] {
    return [this.#atWork, this.#resting].flatMap(({ uplinks }) => uplinks[edge] ?? []);
  }

  /** The other crew takes over. `gone`: the one before is, or hangs. Resolves when the other one is served. */
  async relieve(how: Leaving, gone: () => void): Promise<void> {
    const [before, next] = [this.#atWork, this.#resting];
    for (const origin of next.origins) origin.start();
    const { areReady, names } = readiness(next);
    try {
      await needed(() => this.#all(areReady), `${names} stand by`, READY_MS);
    } catch (error) {
      await Promise.all(next.origins.map((origin) => origin.kill()));
      throw error;
    }
    this.#atWork = next;
    this.#resting = before;
    if (how === "stop") for (const origin of before.origins) await origin.stop();
    else if (how === "kill") await Promise.all(before.origins.map((origin) => origin.kill()));
    else for (const origin of before.origins) origin.freeze(true);
    gone();
    try {
      await eventually(
        () => this.#all(({ slices }) => slices.length === next.slices),
        `${next.slices} are served`,
        SERVED_MS,
      );
    } finally {
      await Promise.all(before.origins.map((origin) => origin.kill()));
    }
  }

  /**
   * The other crew takes over at the first of two edges, while it can't reach the second one, which those before go on
   * serving; and then there. `apart`: each edge is another crew's. `gone`: nothing keeps the other crew from the second edge.
   */
  async relieveInTurn(apart: () => Promise<void>, gone: () => void): Promise<void> {
    const [before, next] = [this.#atWork, this.#resting];
    const late = next.uplinks[1] ?? [];
    const { areReady, names } = readiness(next);
    const isServed = ({ slices }: ShardHealth) => slices.length === next.slices;
    await Promise.all(late.map((proxy) => proxy.refuse()));
    try {
      for (const origin of next.origins) origin.start();
      await needed(() => this.#all(areReady, 0), `${names} stand by at one edge`, READY_MS);
      await Promise.all(before.origins.map((origin) => origin.dial((edge) => edge !== 0)));
      await eventually(() => this.#all(isServed, 0), `${next.slices} are served at one edge`, SERVED_MS);
      await eventually(() => this.#all((shard) => !isServed(shard), 1), "the other one has those before", 0);
      await apart();
    } catch (error) {
      await Promise.all(next.origins.map((origin) => origin.kill()));
      await Promise.all(before.origins.map((origin) => origin.dial(() => true)));
      throw error;
    } finally {
      await Promise.all(late.map((proxy) => proxy.listen()));
    }
    gone();
    this.#atWork = next;
    this.#resting = before;
    try {
      await eventually(() => this.#all(areReady, 1), `${names} stand by at the other edge`, SERVED_MS);
      for (const origin of before.origins) await origin.stop();
      await eventually(() => this.#all(isServed), `${next.slices} are served`, SERVED_MS);
    } finally {
      await Promise.all(before.origins.map((origin) => origin.kill()));
      await Promise.all(before.origins.map((origin) => origin.dial(() => true)));
    }
  }

  /** Resolves when every shard of every edge has heard of an origin that it is ready, whether it is served or stands by. */
  async ready({ name }: OriginProcess, deadlineMs: number): Promise<void> {
    const is = ({ slices, standbys }: ShardHealth) =>
      [...slices, ...standbys].some(({ origin, ready }) => ready && origin === name);
    await needed(() => this.#all(is), `${name} is ready`, deadlineMs);
  }

  /** Who is active for a slice of a shard. */
  async active(choose: <T>(list: readonly T[]) => T): Promise<OriginProcess> {
    const name = await needed(async () => {
      const { slices } = choose(await this.#shards());
      return choose(slices).origin ?? undefined;
    }, "a slice has an active origin");
    const origin = this.#atWork.origins.find((one) => one.name === name);
    if (origin === undefined) throw new Error(`${name} is active, but not at work`);
    return origin;
  }

  /** Whether it is so of every shard of all edges, or of one. */
  async #all(is: (shard: ShardHealth) => boolean, edge?: number): Promise<boolean> {
    return (await this.#shards(edge)).every(is);
  }

  async #shards(edge?: number): Promise<readonly ShardHealth[]> {
    const asked = this.#edges.filter((_, number) => edge === undefined || number === edge);
    const all = await Promise.all(
      asked.map(async ({ url }) => {
        const response = await fetch(`${url}/$/health`, { signal: AbortSignal.timeout(3_000) });
        const { shards } = (await response.json()) as { readonly shards: readonly ShardHealth[] };
        return shards;
      }),
    );
    return all.flat();
  }
}

/** Whether a crew is ready at a shard, so far that it can go on there: one of each slice is enough. */
function readiness({ origins, slices }: Crew) {
  const ofSlice = Map.groupBy(origins, (_, i) => i % slices);
  const names = [...ofSlice.values()].map((ones) => ones.map(({ name }) => name));
  return {
    names: names.map((ones) => ones.join(" or ")).join(),
    // Where the edge was started anew meanwhile, they may be served already.
    areReady: ({ slices, standbys }: ShardHealth) =>
      names.every((ones) =>
        [...slices, ...standbys].some(
          ({ origin, ready }) => ready && origin !== null && ones.includes(origin),
        ),
      ),
  };
}
