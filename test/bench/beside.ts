/**
 * `npm run bench:beside`: what an update and a delivery cost here, as a share of what they cost in another checkout. Both
 * run at once and are under load in turns, so that what else the machine does befalls both.
 */
import { readSettings } from "../../shared/node/settings.ts";
import { Bench, type BenchSettings, type Result } from "./bench.ts";
import { NoKafka, startKafka } from "./kafka.ts";
import { interruptOnSignal, isInterrupted } from "./load/rpc.ts";
import { costRatios } from "./ratios.ts";
import { fail, inTurns, loadOf, sample, say, tellFaults, words } from "./turns.ts";

/** Endpoints, and subscribers of each. */
const LOADS = [
  [1, 1_000],
  [10, 300],
  [100, 10],
  [300, 1],
  [1_000, 1],
  [1_000, 3],
] as const;

/** What workerd may take for a delivery, roughly. */
const DELIVERY_US = 26;

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
      const { settings, rate } = loadOf(endpoints, each, DELIVERY_US);
      const start = (settings: BenchSettings) => () => Bench.start(settings, kafka, () => {});
      const starts = [start(settings), start({ ...settings, checkout })];
      const [now = [], before = []] = await inTurns(starts, rounds, (bench) =>
        bench.stage({ ...TURN, rate }),
      );
      measured.push({ now, before });
      say(`  operations: ${operations(now)} here, ${operations(before)} there`);
      tellFaults([...now, ...before]);
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
