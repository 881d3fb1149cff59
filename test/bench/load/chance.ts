/** Chance that can be repeated, and who listens to what. Pure. */

/** A small generator with a seed; numbers from 0 up to 1. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/**
 * - `uniform`: each client takes one random endpoint, as likely any as another.
 * - `zipf`: the endpoint of rank r is taken 1/r as often as the first.
 * - `even`: all endpoints get equally many clients, up to one.
 */
export const POPULARITIES = ["uniform", "zipf", "even"] as const;

export type Popularity = (typeof POPULARITIES)[number];

/** The endpoint of each client. */
export function assign(
  popularity: Popularity,
  clients: number,
  endpoints: number,
  random: () => number,
): number[] {
  const choose = chooser(popularity, endpoints, random);
  return Array.from({ length: clients }, (_, client) => choose(client));
}

function chooser(
  popularity: Popularity,
  endpoints: number,
  random: () => number,
): (client: number) => number {
  switch (popularity) {
    case "even":
      return (client) => client % endpoints;
    case "uniform":
      return () => Math.floor(random() * endpoints);
    case "zipf": {
      const upTo: number[] = [];
      let sum = 0;
      for (let rank = 1; rank <= endpoints; rank++) {
        sum += 1 / rank;
        upTo.push(sum);
      }
      return () => firstAtLeast(upTo, random() * sum);
    }
  }
}

/** Index of the first of these ascending numbers that is at least as large; the last where none is. */
function firstAtLeast(ascending: readonly number[], wanted: number): number {
  let low = 0;
  let high = ascending.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ascending[middle] ?? 0) < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}
