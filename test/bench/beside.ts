/**
 * `npm run bench:beside`: what an update and a delivery cost here, as a share of what they cost in another checkout. Both
 * run at once and are under load in turns, so that what else the machine does befalls both.
 */
import { readSettings } from "../../shared/node/settings.ts";
import { Bench, type BenchSettings, type Result } from "./bench.ts";
import type { Sample } from "./fit.ts";
import { NoKafka, startKafka } from "./kafka.ts";
import { interruptOnSignal, isInterrupted } from "./load/rpc.ts";
import { costRatios, type Ratio } from "./ratios.ts";
import { BASE } from "./suite/context.ts";

/** Endpoints, and subscribers of each. */
const LOADS = [
  [1, 1_000],
  [10, 300],
  [100, 10],
  [300, 1],
  [1_000, 1],
  [1_000, 3],
] as const;

/** What workerd may take, roughly: chosen so that each load keeps it busy for about a third of the time. */
const UPDATE_US = 200;
const DELIVERY_US = 26;
const BUSY_US = 350_000;

/** From one turn to the next must pass less than the 10 s after which objects hibernate. */
const TURN = { warmUpSeconds: 1, seconds: 4 };

const command = {
  usage: "npm run bench:beside -- --checkout ../before [flags]",
  does: "Measures the edge's and the origin's CPU per update and per delivery here and in another checkout, in turns.",
  settings: {
    CHECKOUT: { means: "Its folder, with its packages installed (npm ci)." },
    ROUNDS: { means: "Turns of each, at each load.", default: "9" },
  },
  switches: {},
  flagsOnly: true,
} as const;

const given = readSettings(command, {}, process.argv.slice(2));
if (given.kind === "help") process.stdout.write(given.text);
else if (given.kind === "misused") fail(given.problem);
else {
  const { CHECKOUT: checkout, ROUNDS } = given.values;
  const rounds = Number(ROUNDS);
  if (checkout === undefined) fail("--checkout is missing");
  else if (!(Number.isInteger(rounds) && rounds >= 3 && rounds <= 100))
    fail("--rounds must be a whole number from 3 to 100");
  else {
    try {
      await run(checkout, rounds);
    } catch (error) {
      if (!(error instanceof NoKafka)) throw error;
      if (!isInterrupted()) fail(error.message, 1);
    }
  }
}

interface Turns {
  readonly now: readonly Result[];
  readonly before: readonly Result[];
}

async function run(checkout: string, rounds: number): Promise<void> {
  interruptOnSignal();
  const kafka = await startKafka();
  const measured: Turns[] = [];
  try {
    for (const [endpoints, each] of LOADS) {
      const load = { ...BASE, endpoints, clients: endpoints * each, popularity: "even" } as const;
      const rate = BUSY_US / (endpoints * (UPDATE_US + DELIVERY_US * each));
      say(`${endpoints} endpoints, ${each} subscribers of each`);
      const start = (settings: BenchSettings) => Bench.start(settings, kafka, () => {});
      const both: { bench: Bench; turns: Result[] }[] = [];
      try {
        for (const settings of [load, { ...load, checkout }])
          both.push({ bench: await start(settings), turns: [] });
        for (let round = 0; round < rounds; round++)
          // Nobody is always the first.
          for (const { bench, turns } of round % 2 === 0 ? both : both.toReversed())
            turns.push(await bench.stage({ ...TURN, rate }));
      } finally {
        for (const { bench } of both) await bench.stop();
      }
      const [now = [], before = []] = both.map(({ turns }) => turns);
      measured.push({ now, before });
      say(`  operations: ${operations(now)} here, ${operations(before)} there`);
      const faults = [...now, ...before].filter(
        ({ lost, duplicated, violations }) => lost + duplicated + violations > 0,
      );
      if (faults.length > 0) {
        process.exitCode = 1;
        say(`  lost, doubled or out of order in ${faults.length} turns`);
      }
    }
  } finally {
    await kafka.stop();
  }
  for (const part of ["edge", "origin"]) {
    const ratios = costRatios(
      Array.from({ length: rounds }, (_, round) => ({
        now: measured.flatMap(({ now }) => sample(part, now[round])),
        before: measured.flatMap(({ before }) => sample(part, before[round])),
      })),
    );
    if (ratios === undefined) continue;
    process.stdout.write(
      `${part}: an update costs ${words(ratios.a)} of what it did, a delivery ${words(ratios.b)}\n`,
    );
  }
}

function sample(part: string, result: Result | undefined): readonly Sample[] {
  const cost = (result?.cpu[part] ?? 0) * 10_000;
  if (result === undefined || cost === 0) return [];
  return [{ updates: result.watchedUpdatesPerSecond, deliveries: result.messagesPerSecond, cost }];
}

/** Billable operations for a thousand deliveries, of all turns. */
function operations(turns: readonly Result[]): string {
  const names = Object.keys(turns[0]?.operations ?? {});
  const mean = (name: string) =>
    turns.reduce((sum, { operations }) => sum + (operations?.[name] ?? 0), 0) / turns.length / 1_000;
  return names
    .map((name) => [name, mean(name)] as const)
    .filter(([, count]) => count >= 1)
    .map(([name, count]) => `${name} ${count.toFixed(0)}`)
    .join(", ");
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
