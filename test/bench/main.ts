/** `npm run bench`: see `--help`. Ends with 1 where something was lost, doubled or could not be started. */
import { readSettings } from "../../shared/node/settings.ts";
import type { KafkaBroker } from "../support/kafka-broker.ts";
import { Bench, DoesNotFit, type Result } from "./bench.ts";
import { NoKafka, startKafka } from "./kafka.ts";
import { findLimit, sentence, stepLine } from "./limit.ts";
import { interruptOnSignal, isInterrupted } from "./load/rpc.ts";
import { runScenarios } from "./log/run.ts";
import { command, readBench, type Switches, type Wanted } from "./options.ts";
import { report } from "./report.ts";
import { centrifugoProgram, NoCentrifugo } from "./rival/centrifugo.ts";
import { SWEEPS } from "./sweeps.ts";

const given = readSettings(command, {}, process.argv.slice(2));
if (given.kind === "help") process.stdout.write(given.text);
else if (given.kind === "misused") fail(2, given.problem);
else {
  const read = readBench(given.values, given.switches);
  if (read.ok) await run(read.wanted, given.switches);
  else fail(2, ...read.problems);
}

async function run(wanted: Wanted, asked: Switches): Promise<void> {
  const print = (result: Result) => {
    clear();
    process.stdout.write(asked.json ? `${JSON.stringify(result)}\n` : `${report(result)}\n`);
  };
  const progress = (line: string) => {
    clear();
    process.stderr.write(process.stderr.isTTY ? line : `${line}\n`);
  };
  const { bench: settings, stage, brokers, sweep, scenarios } = wanted;
  let kafka: KafkaBroker | undefined;
  interruptOnSignal();
  try {
    if (scenarios !== undefined) {
      const told = (said: string) => {
        clear();
        process.stdout.write(`${said}\n\n`);
      };
      if (!(await runScenarios(scenarios, progress, told))) process.exitCode = 1;
      return;
    }
    if (settings.system === "centrifugo") centrifugoProgram(process.env);
    if (brokers !== undefined) {
      progress("starting Kafka");
      kafka = await startKafka({ brokers });
    }
    const points =
      sweep === undefined ? [{ bench: settings, stage }] : SWEEPS[sweep]({ bench: settings, stage });
    for (const point of points) {
      const bench = await Bench.start(point.bench, kafka, progress);
      try {
        if (asked["find-limit"]) {
          const step = (result: Result) => progress(`${stepLine(result)}\n`);
          const limit = await findLimit(bench, { ...wanted.limit, stage: point.stage, step });
          clear();
          if (asked.json) process.stdout.write(`${JSON.stringify(limit)}\n`);
          else {
            if (limit.good !== undefined) print(limit.good);
            process.stdout.write(`${sentence(limit)}\n`);
          }
          if (limit.good === undefined || limit.steps.some(isFaulty)) process.exitCode = 1;
        } else {
          const result = await bench.stage(point.stage);
          print(result);
          if (isFaulty(result)) process.exitCode = 1;
        }
      } finally {
        await bench.stop();
      }
    }
  } catch (error) {
    if (isInterrupted()) return;
    if (!(error instanceof DoesNotFit || error instanceof NoKafka || error instanceof NoCentrifugo))
      throw error;
    fail(1, error.message);
  } finally {
    clear();
    await kafka?.stop();
    // What still tries to reach a Kafka that is gone would hold it up.
    if (isInterrupted()) process.exit();
  }
}

function isFaulty({ lost, duplicated, violations }: Result): boolean {
  return lost > 0 || duplicated > 0 || violations > 0;
}

/** The line of progress, which would stand before what comes next. */
function clear(): void {
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
}

function fail(code: 1 | 2, ...problems: readonly string[]): void {
  clear();
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  process.exitCode = code;
}
