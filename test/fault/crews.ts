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
  /** Between each of them and the edge. */
  readonly uplinks: readonly TcpProxy[];
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
  readonly #edge: EdgeProcess;
  #atWork: Crew;
  #resting: Crew;

  constructor(edge: EdgeProcess, atWork: Crew, resting: Crew) {
    this.#edge = edge;
    this.#atWork = atWork;
    this.#resting = resting;
  }

  get atWork(): Crew {
    return this.#atWork;
  }

  get all(): readonly OriginProcess[] {
    return [...this.#atWork.origins, ...this.#resting.origins];
  }

  /** The other crew takes over. `gone`: the one before is, or hangs. Resolves when the other one is served. */
  async relieve(how: Leaving, gone: () => void): Promise<void> {
    const [before, next] = [this.#atWork, this.#resting];
    for (const origin of next.origins) origin.start();
    const ofSlice = Map.groupBy(next.origins, (_, i) => i % next.slices);
    const names = [...ofSlice.values()].map((origins) => origins.map(({ name }) => name));
    // One of each slice is enough to go on. Where the edge was started anew meanwhile, they may be served already.
    const areReady = ({ slices, standbys }: ShardHealth) =>
      names.every((ones) =>
        [...slices, ...standbys].some(
          ({ origin, ready }) => ready && origin !== null && ones.includes(origin),
        ),
      );
    try {
      await needed(() => this.#all(areReady), `${names.map((ones) => ones.join(" or "))} stand by`, READY_MS);
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

  /** Resolves when every shard has heard of an origin that it is ready, whether it is served or stands by. */
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

  async #all(is: (shard: ShardHealth) => boolean): Promise<boolean> {
    return (await this.#shards()).every(is);
  }

  async #shards(): Promise<readonly ShardHealth[]> {
    const response = await fetch(`${this.#edge.url}/$/health`, { signal: AbortSignal.timeout(3_000) });
    const { shards } = (await response.json()) as { readonly shards: readonly ShardHealth[] };
    return shards;
  }
}
