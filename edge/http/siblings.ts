/**
 * Other edges at the address of this one, to which a client of either comes: on a machine, a process each (D5 of INTERNALS.md). Each
 * is complete in itself; what is told of the whole is asked of all.
 */
import { logProblem } from "../answers.ts";
import type { Env, Siblings } from "../env.ts";

const ALONE: Siblings = { number: 0, count: 1, others: new Map() };

export function siblingsOf({ SIBLINGS }: Pick<Env, "SIBLINGS">): Siblings {
  return SIBLINGS ?? ALONE;
}

/** Whether another edge asks, for a client of its own. */
export function isSiblingAsking(env: Pick<Env, "SIBLINGS">): boolean {
  const { count, others } = siblingsOf(env);
  return count > 1 && others.size === 0;
}

/**
 * Asks each of the others what a client asks this one, with the same rights. By number, what it says; undefined for one that doesn't
 * answer, or refuses.
 */
export async function askSiblings<T>(
  request: Request,
  env: Pick<Env, "SIBLINGS">,
  isAnswer: (status: number) => boolean = (status) => status === 200,
): Promise<ReadonlyMap<number, T | undefined>> {
  const { others } = siblingsOf(env);
  const asked = Array.from(others, async ([number, sibling]) => {
    try {
      const answer = await sibling.fetch(new Request(request, { method: "GET" }));
      return [number, isAnswer(answer.status) ? await answer.json<T>() : undefined] as const;
    } catch (error) {
      logProblem(`edge ${number} here`, error);
      return [number, undefined] as const;
    }
  });
  return new Map(await Promise.all(asked));
}
