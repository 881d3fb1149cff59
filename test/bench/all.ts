/**
 * `npm run bench:all`: measures everything that README.md tells of, and makes its figures and plots anew. A part that
 * fails is told of and left out; what the others measured stays.
 */
import { readSettings } from "../../shared/node/settings.ts";
import type { KafkaBroker } from "../support/kafka-broker.ts";
import { NoKafka, startKafka } from "./kafka.ts";
import { interruptOnSignal, isInterrupted } from "./load/rpc.ts";
import { writeFigures } from "./suite/figures.ts";
import { machine } from "./suite/machine.ts";
import { writePlots } from "./suite/plots.ts";
import { load, PART_NAMES, PARTS, type PartName, type Parts, type Results, save } from "./suite/results.ts";

const command = {
  usage: "npm run bench:all -- [flags]",
  does: "Measures everything, writes results/ and the figures of README.md.",
  settings: {
    ONLY: { means: `Some parts, separated by commas; the day's others stay: ${PART_NAMES.join(", ")}.` },
    SCALE: { means: "Multiplies all durations: less than 1 to try out.", default: "1" },
  },
  switches: { "no-run": "Measures nothing: figures and plots of the newest results." },
  flagsOnly: true,
} as const;

const given = readSettings(command, {}, process.argv.slice(2));
if (given.kind === "help") process.stdout.write(given.text);
else if (given.kind === "misused") fail(given.problem);
else {
  const only = given.values.ONLY?.split(",") ?? PART_NAMES;
  const strangers = only.filter((name) => !(name in PARTS));
  const scale = Number(given.values.SCALE);
  if (strangers.length > 0)
    fail(`--only: there is no part ${strangers.join(", ")}; there are ${PART_NAMES.join(", ")}`);
  else if (!(scale > 0 && scale <= 10)) fail("--scale must be a number above 0, at most 10");
  else {
    const chosen = PART_NAMES.filter((name) => only.includes(name));
    try {
      const results = given.switches["no-run"] ? load() : await run(chosen, scale);
      if (results === undefined) fail("there are no results yet");
      else if (!isInterrupted()) {
        await writePlots(results);
        writeFigures(results);
      }
    } catch (error) {
      if (!(error instanceof NoKafka)) throw error;
      if (!isInterrupted()) fail(error.message, 1);
    }
  }
}

async function run(names: readonly PartName[], scale: number): Promise<Results> {
  const date = new Date().toISOString().slice(0, 10);
  const here = machine();
  const earlier = load(date);
  let results: Results = { date, machine: here, parts: earlier?.parts ?? {}, taken: earlier?.taken ?? {} };
  const say = (line: string) => process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${line}\n`);
  interruptOnSignal();
  const kafka = await startKafka();
  let three: KafkaBroker | undefined;
  const replicated = async () => {
    three ??= await startKafka({ brokers: 3 });
    return three;
  };
  try {
    for (const name of names) {
      say(`— ${name}`);
      try {
        const context = { kafka, replicated, scale, progress: (line: string) => say(`  ${line}`) };
        const part: Partial<Parts> = { [name]: await PARTS[name](context) };
        const taken = { ...results.taken, [name]: { commit: here.commit, scale } };
        results = { ...results, parts: { ...results.parts, ...part }, taken };
        say(`wrote ${save(results)}`);
      } catch (error) {
        if (isInterrupted()) break;
        process.exitCode = 1;
        say(`${name} failed: ${error instanceof Error ? error.stack : String(error)}`);
      }
      // Brokers that nobody needs any more would take CPU from what is measured next.
      await three?.stop();
      three = undefined;
    }
  } finally {
    await kafka.stop();
    // What still tries to reach a Kafka that is gone would hold it up.
    if (isInterrupted()) process.exit();
  }
  return results;
}

function fail(problem: string, code: 1 | 2 = 2): void {
  process.stderr.write(`${problem}\n`);
  process.exitCode = code;
}
