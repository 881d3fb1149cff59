/**
 * `npm run bench:access`: what clients with tokens cost the edge, as a share of what public ones do. Two edges run at once, one
 * of each, and are under load in turns, so that what else the machine does befalls both.
 */
import { readSettings } from "../../shared/node/settings.ts";
import { Bench, type Result } from "./bench.ts";
import { interruptOnSignal } from "./load/rpc.ts";
import { costRatios, ratio } from "./ratios.ts";
import { fail, inTurns, loadOf, sample, tellFaults, words } from "./turns.ts";

/** Endpoints, and subscribers of each. */
const LOADS = [
  [1, 1_000],
  [10, 200],
  [100, 10],
  [500, 1],
] as const;

/** What workerd may take for a delivery, roughly. */
const DELIVERY_US = 40;

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

interface Turn {
  readonly result: Result;
  /** Microseconds of the edge for each connect. */
  readonly connect: number;
}

async function run(rounds: number): Promise<void> {
  interruptOnSignal();
  const measured: { readonly withTokens: readonly Turn[]; readonly open: readonly Turn[] }[] = [];
  for (const [endpoints, each] of LOADS) {
    const { settings, rate } = loadOf(endpoints, each, DELIVERY_US);
    const start = (tokens: boolean) => () => Bench.start({ ...settings, tokens }, undefined, () => {});
    const turn = async (bench: Bench) => ({
      result: await bench.stage({ ...TURN, rate }),
      connect: (await bench.reconnect()).edge ?? Number.NaN,
    });
    const [withTokens = [], open = []] = await inTurns([start(true), start(false)], rounds, turn);
    measured.push({ withTokens, open });
  }
  const all = measured.flatMap(({ withTokens, open }) => [...withTokens, ...open]);
  tellFaults(all.map(({ result }) => result));
  const costs = costRatios(
    Array.from({ length: rounds }, (_, round) => ({
      now: measured.flatMap(({ withTokens }) => sample("edge", withTokens[round]?.result)),
      before: measured.flatMap(({ open }) => sample("edge", open[round]?.result)),
    })),
  );
  // Of each round all loads together: a connect of a load that has few of them is measured coarsely.
  const connects = ratio(
    Array.from({ length: rounds }, (_, round) => {
      const sum = (of: "withTokens" | "open") =>
        measured.reduce((total, turns) => total + (turns[of][round]?.connect ?? Number.NaN), 0);
      return sum("withTokens") / sum("open");
    }),
  );
  if (costs === undefined || connects === undefined) return fail("the rounds can't be compared", 1);
  process.stdout.write(
    `with a token a delivery costs ${words(costs.b)} of what a public one does, an update ${words(costs.a)}, a connect ${words(connects)}\n`,
  );
}
