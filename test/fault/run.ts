/** `npm run test:fault`: see `--help`. Ends with 1 where a subscriber missed something unannounced. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { faultRun } from "./fault-run.ts";
import { KINDS } from "./kinds/kinds.ts";
import { DOCUMENTS, renewed } from "./readme.ts";
import { failures, table } from "./report.ts";

const USAGE = `npm run test:fault -- [flags]

Injects faults into Kafka, origins, the edge and every link while subscribers check each update.

  --minutes N    How long faults come together; 10 if not given.
  --alone N      How often each comes by itself after that; 2 if not given.
  --seed N       Which faults come when; another one each time if not given.
  --kinds A,B    Only kinds whose names contain one of these.
  --brokers N    1 or 3; 3 if not given.
  --origins N    For each slice, 1 or 2; 2 if not given.
  --readme       Writes what was found into README.md and docs/guarantees.md, if the run doesn't fail.
  --verbose      Says what each fault did, and what the processes say.
  --list         The kinds.
  --help         This text.
`;

const OPTIONS = {
  minutes: { type: "string", default: "10" },
  alone: { type: "string", default: "2" },
  seed: { type: "string", default: String(Date.now() % 1_000_000) },
  kinds: { type: "string", default: "" },
  brokers: { type: "string", default: "3" },
  origins: { type: "string", default: "2" },
  readme: { type: "boolean", default: false },
  verbose: { type: "boolean", default: false },
  list: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

const values = flags();

function flags() {
  try {
    return parseArgs({ options: OPTIONS }).values;
  } catch (error) {
    const [problem] = (error instanceof Error ? error.message : String(error)).split(". ", 1);
    process.stderr.write(`${problem} (--help lists all flags)\n`);
    return process.exit(2);
  }
}

const say = (line: string) => process.stdout.write(`${line}\n`);
const stamped = (line: string) => say(`${new Date().toISOString().slice(11, 19)} ${line}`);

if (values.help) say(USAGE);
else if (values.list)
  for (const { name, perTenMinutes } of KINDS) say(`${name}: ${perTenMinutes} in 10 minutes`);
else process.exit(await main());

async function main(): Promise<number> {
  const seed = Number(values.seed);
  const words = values.kinds.split(",");
  const kinds = KINDS.map(({ name }) => name).filter((name) => words.some((word) => name.includes(word)));
  stamped(`seed ${seed}`);
  const results = await faultRun({
    seed,
    seconds: Number(values.minutes) * 60,
    alone: Number(values.alone),
    kinds,
    brokers: values.brokers === "1" ? 1 : 3,
    origins: values.origins === "1" ? 1 : 2,
    say: stamped,
    verbose: values.verbose,
  });
  const { produced, failed } = results;
  say(`\n${table(results)}\n`);
  say(
    `${Math.round(results.seconds)} s, seed ${seed}; ${produced} updates produced, ${failed} of them not acknowledged`,
  );
  for (const line of results.leftovers) say(line);
  const events = Array.from(results.events, ([name, times]) => `${name} ${times}`);
  say(`the origins said: ${events.join(", ")}`);
  const wrong = failures(results);
  for (const line of wrong.slice(0, 60)) say(`FAILED ${line}`);
  say(
    wrong.length === 0
      ? "passed"
      : `failed; repeat with: npm run test:fault -- --minutes ${values.minutes} --seed ${seed}`,
  );
  for (const document of values.readme && wrong.length === 0 ? DOCUMENTS : []) {
    const path = join(import.meta.dirname, "../..", document.path);
    writeFileSync(path, renewed(readFileSync(path, "utf8"), document, results, values.minutes));
  }
  return wrong.length === 0 ? 0 : 1;
}
