/** The process of the attackers: it attacks, says what came of it, and leaves when it is told. */
import { answer } from "../bench/load/rpc.ts";
import { Ground, type Tally, type Target } from "./attack.ts";
import { ATTACKS } from "./attacks.ts";

export interface Order {
  readonly names: readonly string[];
  readonly target: Target;
  readonly seconds: number;
}

let grounds: Ground[] = [];

const handlers = {
  /** Resolves when the time is over; of several at once all together. */
  async attack({ names, target, seconds }: Order): Promise<Record<string, Tally>> {
    const tallies: Record<string, Tally> = {};
    await Promise.all(
      ATTACKS.filter(({ name }) => names.includes(name)).map(async ({ name, run }) => {
        const ground = new Ground(target, seconds);
        grounds.push(ground);
        await run(ground);
        await ground.rest();
        tallies[name] = ground.tally;
      }),
    );
    return tallies;
  },
  leave(): void {
    for (const ground of grounds) ground.leave();
    grounds = [];
  },
};

export type AttackerHandlers = typeof handlers;

answer(handlers);
