/** `npm run test:fault`: see `--help`. Ends with 1 where a subscriber missed something unannounced. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { faultRun } from "./fault-run.ts";
import { again, type Flags, readFlags, USAGE } from "./flags.ts";
import { KINDS } from "./kinds/kinds.ts";
import { publishTable } from "./publishing/publish-report.ts";
import { DOCUMENTS, renewed } from "./readme.ts";
import { failures, table } from "./report.ts";

const SIGNALS = [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const;

const NAMES = KINDS.map(({ name }) => name);

const flags = read();

function read(): Flags {
  try {
    return readFlags(process.argv.slice(2), NAMES, Date.now() % 1_000_000);
  } catch (error) {
    const [problem] = (error instanceof Error ? error.message : String(error)).split(". ", 1);
    process.stderr.write(`${problem} (--help lists all flags, --list all kinds)\n`);
    return process.exit(2);
  }
}

const say = (line: string) => process.stdout.write(`${line}\n`);
const stamped = (line: string) => say(`${new Date().toISOString().slice(11, 19)} ${line}`);

if (flags.help) say(USAGE);
else if (flags.list)
  for (const { name, perTenMinutes, lastsMs } of KINDS)
    say(`${name}: up to ${perTenMinutes} in 10 minutes, ${lastsMs / 1_000} s each`);
else process.exit(await main());

async function main(): Promise<number> {
  // A signal ends a process without "exit", which is when all that was started is killed.
  for (const [signal, code] of SIGNALS) process.once(signal, () => process.exit(code));
  const { seed, minutes, alone, kinds, runtimes, brokers, origins, connections, verbose } = flags;
  stamped(`seed ${seed}`);
  const results = await faultRun({
    seed,
    seconds: minutes * 60,
    alone,
    kinds,
    runtimes,
    brokers,
    origins,
    connections,
    say: stamped,
    verbose,
  });
  const { produced, failed } = results;
  say(`\n${table(results)}\n\n${publishTable(results)}\n`);
  say(
    `${Math.round(results.seconds)} s, seed ${seed}; ${produced} updates produced, ${failed} of them not acknowledged`,
  );
  for (const line of results.leftovers) say(line);
  const events = Array.from(results.events, ([name, times]) => `${name} ${times}`);
  say(`the origins said: ${events.join(", ")}`);
  const wrong = failures(results);
  for (const line of wrong.slice(0, 60)) say(`FAILED ${line}`);
  const repeat = () => `npm run test:fault -- ${again(process.argv.slice(2), seed)}`;
  say(wrong.length === 0 ? "passed" : `failed; repeat with: ${repeat()}`);
  for (const document of flags.readme && wrong.length === 0 ? DOCUMENTS : []) {
    const path = join(import.meta.dirname, "../..", document.path);
    writeFileSync(path, renewed(readFileSync(path, "utf8"), document, results, flags));
  }
  return wrong.length === 0 ? 0 : 1;
}
