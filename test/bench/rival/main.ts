/**
 * `npm run bench:centrifugo`: what a delivery costs and how long it takes on Centrifugo, on Distributary's edge on workerd and
 * on Node. All run at once and are under load in turns, so that what else the machine does befalls all.
 */
import { readSettings } from "../../../shared/node/settings.ts";
import type { KafkaBroker } from "../../support/kafka-broker.ts";
import { Bench, type BenchSettings, DoesNotFit } from "../bench.ts";
import { NoKafka, startKafka } from "../kafka.ts";
import { interruptOnSignal, isInterrupted } from "../load/rpc.ts";
import { short } from "../report.ts";
import { BASE } from "../suite/context.ts";
import { writeBetween } from "../suite/figures.ts";
import { machine } from "../suite/machine.ts";
import { writePlot } from "../suite/plots.ts";
import { fail, inTurns, say, tellFaults } from "../turns.ts";
import { centrifugoProgram, NoCentrifugo } from "./centrifugo.ts";
import {
  type Grown,
  memoryTable,
  RIVALS,
  type Rival,
  type Shape,
  shapeName,
  shapesTable,
  takenIn,
} from "./figures.ts";
import { costPlot } from "./plot.ts";
import { loadRivals, type RivalResults, saveRivals, withShape } from "./results.ts";

const SHAPES: Readonly<Record<string, Shape>> = {
  crowded: { clients: 5_000, endpoints: 5, rate: 2 },
  spread: { clients: 3_000, endpoints: 100, rate: 2 },
  single: { clients: 1_000, endpoints: 1_000, rate: 2 },
};
const MEMORY = "memory";
/** Between which the memory of a connection is a slope. */
const FEW = 5_000;
const MANY = 15_000;

const command = {
  usage: "npm run bench:centrifugo -- [flags]",
  does: "Measures CPU, latency, memory and connects beside Centrifugo, whose program CENTRIFUGO names, in turns.",
  settings: {
    ONLY: {
      means: `Some loads, separated by commas; the day's others stay: ${[...Object.keys(SHAPES), MEMORY].join(", ")}.`,
    },
    ROUNDS: { means: "Turns of each system.", default: "5" },
    SECONDS: { means: "Of each turn.", default: "4" },
    SCALE: {
      means: "Multiplies the clients: less than 1 to try out, and then nothing is kept.",
      default: "1",
    },
  },
  switches: { "no-run": "Measures nothing: figures and plot of the newest results." },
  flagsOnly: true,
} as const;

/** Of each turn, before what is measured: idle objects wake, and what runs for the first time is compiled. */
const WARM_UP_SECONDS = 1.5;

const settingsOf = (rival: Rival, { clients, endpoints }: Shape): BenchSettings => ({
  ...BASE,
  system: rival === "centrifugo" ? rival : "distributary",
  onNode: rival === "node",
  clients,
  endpoints,
  popularity: "even",
  json: true,
});

function scaled({ clients, endpoints, rate }: Shape, scale: number): Shape {
  const fewer = Math.ceil(clients * scale);
  return { clients: fewer, endpoints: Math.min(endpoints, fewer), rate };
}

async function measureShape(kafka: KafkaBroker, shape: Shape, rounds: number, seconds: number) {
  const starts = RIVALS.map((rival) => () => Bench.start(settingsOf(rival, shape), kafka, say));
  const turns = await inTurns(starts, rounds, async (bench) => ({
    result: await bench.stage({ rate: shape.rate, warmUpSeconds: WARM_UP_SECONDS, seconds }),
    redialsPerSecond: await bench.redial(),
  }));
  tellFaults(turns.flat().map(({ result }) => result));
  const taken = Object.fromEntries(RIVALS.map((rival, i) => [rival, takenIn(turns[i] ?? [])]));
  return { shape, taken };
}

/** Undefined where so many don't fit the machine. */
async function grownBy(
  kafka: KafkaBroker,
  rival: Rival,
  scale: number,
): Promise<readonly Grown[] | undefined> {
  const grown: Grown[] = [];
  try {
    for (const clients of [FEW, MANY].map((most) => Math.ceil(most * scale))) {
      const bench = await Bench.start(settingsOf(rival, { clients, endpoints: 100, rate: 1 }), kafka, say);
      const { bytesPerConnection } = await bench
        .stage({ rate: 0.5, warmUpSeconds: 0.1, seconds: 1 })
        .finally(() => bench.stop());
      grown.push({ clients, bytes: bytesPerConnection * clients });
    }
    return grown;
  } catch (error) {
    if (!(error instanceof DoesNotFit)) throw error;
    say(`left out: ${error.message}`);
    return undefined;
  }
}

interface Wanted {
  readonly only: readonly string[];
  readonly rounds: number;
  readonly seconds: number;
  readonly scale: number;
}

async function run({ only, rounds, seconds, scale }: Wanted): Promise<RivalResults> {
  interruptOnSignal();
  centrifugoProgram(process.env);
  const date = new Date().toISOString().slice(0, 10);
  const earlier = scale === 1 ? loadRivals(date) : undefined;
  const keep = () => {
    if (scale === 1) saveRivals(results);
  };
  let results: RivalResults = {
    date,
    machine: machine(),
    shapes: earlier?.shapes ?? [],
    grown: earlier?.grown ?? {},
  };
  const kafka = await startKafka();
  try {
    for (const [name, shape] of Object.entries(SHAPES)) {
      if (!only.includes(name)) continue;
      say(`— ${shapeName(shape)}`);
      const measured = await measureShape(kafka, scaled(shape, scale), rounds, seconds);
      results = { ...results, shapes: withShape(results.shapes, measured) };
      keep();
    }
    for (const rival of only.includes(MEMORY) ? RIVALS : []) {
      const grown = await grownBy(kafka, rival, scale);
      if (grown !== undefined) results = { ...results, grown: { ...results.grown, [rival]: grown } };
      keep();
    }
  } finally {
    await kafka.stop();
    // What still tries to reach a Kafka that is gone would hold it up.
    if (isInterrupted()) process.exit();
  }
  return results;
}

async function tell(results: RivalResults): Promise<void> {
  const { date, machine, shapes, grown } = results;
  const { cores, cpu, memoryGb, node, workerd, kafka, commit, loadBefore } = machine;
  const turns = Math.min(...shapes.flatMap(({ taken }) => Object.values(taken).map((one) => one.turns)));
  const intro = `Measured on ${date}, commit ${commit}: ${cores} cores (${cpu}), ${memoryGb} GB, Node ${node}, workerd ${workerd}, Kafka ${kafka}. JSON of 512 bytes; medians of ${turns} turns, in which all systems ran at once; connects and memory were measured once, as each started. ${short(loadBefore)} other processes wanted to run when it began.`;
  const memory = Object.keys(grown).length === 0 ? [] : [memoryTable(grown)];
  const plot = "![CPU for each delivery](results/centrifugo.svg)";
  const markdown = [intro, shapesTable(shapes), plot, ...memory].join("\n\n");
  writeBetween(
    "<!-- beside Centrifugo: written by npm run bench:centrifugo -->",
    "<!-- end of Centrifugo -->",
    `\n${markdown}\n`,
  );
  await writePlot("centrifugo", costPlot(shapes));
}

const given = readSettings(command, {}, process.argv.slice(2));
if (given.kind === "help") process.stdout.write(given.text);
else if (given.kind === "misused") fail(given.problem);
else {
  const all = [...Object.keys(SHAPES), MEMORY];
  const only = given.values.ONLY?.split(",") ?? all;
  const strangers = only.filter((name) => !all.includes(name));
  const [rounds, seconds] = [Number(given.values.ROUNDS), Number(given.values.SECONDS)];
  const scale = Number(given.values.SCALE);
  if (strangers.length > 0) fail(`--only: there is no ${strangers.join(", ")}; there are ${all.join(", ")}`);
  else if (!(Number.isInteger(rounds) && rounds >= 1 && rounds <= 100))
    fail("--rounds must be a whole number from 1 to 100");
  else if (!(seconds > 0 && seconds <= 3_600)) fail("--seconds must be a number above 0, at most 3600");
  else if (!(scale > 0 && scale <= 1)) fail("--scale must be a number above 0, at most 1");
  else {
    try {
      const results = given.switches["no-run"] ? loadRivals() : await run({ only, rounds, seconds, scale });
      if (results === undefined) fail("there are no results yet");
      else {
        process.stdout.write(`${shapesTable(results.shapes)}\n\n${memoryTable(results.grown)}\n`);
        if (scale === 1 && results.shapes.length > 0) await tell(results);
      }
    } catch (error) {
      if (!(error instanceof NoKafka || error instanceof NoCentrifugo || error instanceof DoesNotFit))
        throw error;
      if (!isInterrupted()) fail(error.message, 1);
    }
  }
}
