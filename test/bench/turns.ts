/**
 * Benches that run at once and are under load in turns, so that what else the machine does befalls all of them: how
 * `bench:access` and `bench:beside` compare.
 */
import type { Bench, BenchSettings, Result } from "./bench.ts";
import type { Sample } from "./fit.ts";
import type { Ratio } from "./ratios.ts";
import { BASE } from "./suite/context.ts";

/** What workerd may take for an update, roughly. */
const UPDATE_US = 200;
/** For so much of a second each load keeps it busy. */
const BUSY_US = 350_000;

export interface Load {
  readonly settings: BenchSettings;
  /** Updates of each endpoint in a second. */
  readonly rate: number;
}

/** Says which it is. `deliveryUs` is what workerd may take for a delivery, roughly. */
export function loadOf(endpoints: number, each: number, deliveryUs: number): Load {
  say(`${endpoints} endpoints, ${each} subscribers of each`);
  return {
    settings: { ...BASE, endpoints, clients: endpoints * each, popularity: "even" },
    rate: BUSY_US / (endpoints * (UPDATE_US + deliveryUs * each)),
  };
}

/** What the turns of each bench gave, one in each round. */
export async function inTurns<T>(
  starts: readonly (() => Promise<Bench>)[],
  rounds: number,
  turn: (bench: Bench) => Promise<T>,
): Promise<readonly T[][]> {
  const started: { readonly bench: Bench; readonly turns: T[] }[] = [];
  try {
    for (const start of starts) started.push({ bench: await start(), turns: [] });
    for (let round = 0; round < rounds; round++)
      // Nobody is always the first.
      for (const { bench, turns } of round % 2 === 0 ? started : started.toReversed())
        turns.push(await turn(bench));
    return started.map(({ turns }) => turns);
  } finally {
    for (const { bench } of started) await bench.stop();
  }
}

/** What a part took for what it did; nothing where that wasn't measured. */
export function sample(part: string, result: Result | undefined): readonly Sample[] {
  const cost = (result?.cpu[part] ?? 0) * 10_000;
  if (result === undefined || cost === 0) return [];
  return [{ updates: result.watchedUpdatesPerSecond, deliveries: result.messagesPerSecond, cost }];
}

/** Says it, and makes it a failure, if something was. */
export function tellFaults(results: readonly Result[]): void {
  const faults = results.filter(({ lost, duplicated, violations }) => lost + duplicated + violations > 0);
  if (faults.length === 0) return;
  process.exitCode = 1;
  say(`lost, doubled or out of order in ${faults.length} turns`);
}

export function words({ median, low, high }: Ratio): string {
  return `${median.toFixed(3)} (${low.toFixed(3)}–${high.toFixed(3)})`;
}

export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

export function fail(problem: string, code: 1 | 2 = 2): void {
  say(problem);
  process.exitCode = code;
}
