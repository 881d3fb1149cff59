/** The process of the attackers: it attacks, says what came of it, and leaves when it is told. */
import { constants, setPriority } from "node:os";
import { answer } from "../bench/load/rpc.ts";
import { Ground, type Tally, type Target } from "./attack.ts";
import { ATTACKS } from "./attacks.ts";

export interface Order {
  readonly names: readonly string[];
  readonly target: Target;
  readonly seconds: number;
}

/** Until what was opened in the first of the time has been held for all of it. */
const HOLDS_TIMES = 1.2;

/** They would have machines of their own: what their own work takes away from the product is no part of an attack. */
setPriority(constants.priority.PRIORITY_LOW);

let grounds: Ground[] = [];

const handlers = {
  /** Resolves when the time is over; of several at once all together. */
  attack({ names, target, seconds }: Order): Promise<Tally[]> {
    return Promise.all(
      ATTACKS.filter(({ name }) => names.includes(name)).map(async ({ run, holds }) => {
        const ground = new Ground(target, holds ? HOLDS_TIMES * seconds : seconds);
        grounds.push(ground);
        await run(ground);
        await ground.rest();
        return ground.tally;
      }),
    );
  },
  leave(): void {
    for (const ground of grounds) ground.leave();
    grounds = [];
  },
};

export type AttackerHandlers = typeof handlers;

answer(handlers);
