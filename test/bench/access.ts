/**
 * `npm run bench:access`: what clients with tokens cost the edge, as a share of what public ones do. Two edges run at once, one
 * of each, and are under load in turns, so that what else the machine does befalls both.
 */
import { readSettings } from "../../shared/node/settings.ts";
import { Bench, type Result } from "./bench.ts";
import type { Sample } from "./fit.ts";
import { interruptOnSignal } from "./load/rpc.ts";
import { costRatios, type Ratio, ratio } from "./ratios.ts";
import { BASE } from "./suite/context.ts";

/** Endpoints, and subscribers of each. */
const LOADS = [
  [1, 1_000],
  [10, 200],
  [100, 10],
  [500, 1],
] as const;

/** What workerd may take, roughly: chosen so that each load keeps it busy for about a third of the time. */
const UPDATE_US = 200;
const DELIVERY_US = 40;
const BUSY_US = 350_000;

/** From one turn to the next must pass less than the 10 s after which objects hibernate. */
const TURN = { warmUpSeconds: 1, seconds: 3 };

const command = {
  usage: "npm run bench:access -- [flags]",
  does: "Measures the edge's CPU per delivery and per connect of clients with tokens beside public ones, in turns.",
  settings: { ROUNDS: { means: "Turns of each, at each load.", default: "9" } },
  switches: {},
  flagsOnly: true,
} as const;

const given = readSettings(command, {}, process.argv.slice(2));
if (given.kind === "help") process.stdout.write(given.text);
else if (given.kind === "misused") fail(given.problem);
else {
  const rounds = Number(given.values.ROUNDS);
  if (Number.isInteger(rounds) && rounds >= 5 && rounds <= 100) await run(rounds);
  else fail("--rounds must be a whole number from 5 to 100");
}

interface Turns {
  readonly bench: Bench;
  readonly results: Result[];
  /** Microseconds of the edge for each connect. */
  readonly connects: number[];
}

async function run(rounds: number): Promise<void> {
  interruptOnSignal();
  const measured: { readonly withTokens: Turns; readonly open: Turns }[] = [];
  for (const [endpoints, each] of LOADS) {
    say(`${endpoints} endpoints, ${each} subscribers of each`);
    const load = { ...BASE, endpoints, clients: endpoints * each, popularity: "even" } as const;
    const rate = BUSY_US / (endpoints * (UPDATE_US + DELIVERY_US * each));
    const started: Turns[] = [];
    try {
      for (const tokens of [true, false]) {
        const bench = await Bench.start({ ...load, tokens }, undefined, () => {});
        started.push({ bench, results: [], connects: [] });
      }
      const [withTokens, open] = started;
      if (withTokens === undefined || open === undefined) throw new Error("there are no two to compare");
      for (let round = 0; round < rounds; round++)
        // Nobody is always the first.
        for (const { bench, results, connects } of round % 2 === 0 ? started : started.toReversed()) {
          results.push(await bench.stage({ ...TURN, rate }));
          connects.push((await bench.reconnect()).edge ?? Number.NaN);
        }
      measured.push({ withTokens, open });
    } finally {
      for (const { bench } of started) await bench.stop();
    }
  }
  const faults = measured
    .flatMap(({ withTokens, open }) => [...withTokens.results, ...open.results])
    .filter(({ lost, duplicated, violations }) => lost + duplicated + violations > 0);
  if (faults.length > 0) {
    process.exitCode = 1;
    say(`lost, doubled or out of order in ${faults.length} turns`);
  }
  const costs = costRatios(
    Array.from({ length: rounds }, (_, round) => ({
      now: measured.flatMap(({ withTokens }) => sample(withTokens.results[round])),
      before: measured.flatMap(({ open }) => sample(open.results[round])),
    })),
  );
  // Of each round all loads together: a connect of a load that has few of them is measured coarsely.
  const connects = ratio(
    Array.from({ length: rounds }, (_, round) => {
      const sum = (of: "withTokens" | "open") =>
        measured.reduce((total, turns) => total + (turns[of].connects[round] ?? Number.NaN), 0);
      return sum("withTokens") / sum("open");
    }),
  );
  if (costs === undefined || connects === undefined) return fail("the rounds can't be compared", 1);
  process.stdout.write(
    `with a token a delivery costs ${words(costs.b)} of what a public one does, an update ${words(costs.a)}, a connect ${words(connects)}\n`,
  );
}

function sample(result: Result | undefined): readonly Sample[] {
  const cost = (result?.cpu.edge ?? 0) * 10_000;
  if (result === undefined || cost === 0) return [];
  return [{ updates: result.watchedUpdatesPerSecond, deliveries: result.messagesPerSecond, cost }];
}

function words({ median, low, high }: Ratio): string {
  return `${median.toFixed(3)} (${low.toFixed(3)}–${high.toFixed(3)})`;
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

function fail(problem: string, code: 1 | 2 = 2): void {
  process.stderr.write(`${problem}\n`);
  process.exitCode = code;
}
