/** `npm run test:hostile`: see `--help`. Ends with 1 if an honest client missed something unannounced, or a process ended. */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { interruptOnSignal } from "../bench/load/rpc.ts";
import { ATTACKS } from "./attacks.ts";
import { type Flags, readFlags, USAGE } from "./flags.ts";
import { hostileRun } from "./hostile-run.ts";
import { DOCUMENT, renewed } from "./readme.ts";
import { failures, table, unserved } from "./report.ts";

const ROOT = join(import.meta.dirname, "../..");

const flags = read();

function read(): Flags {
  try {
    return readFlags(process.argv.slice(2), ATTACKS);
  } catch (error) {
    const [problem] = (error instanceof Error ? error.message : String(error)).split(". ", 1);
    process.stderr.write(`${problem} (--help lists all flags, --list all attacks)\n`);
    return process.exit(2);
  }
}

const say = (line: string) => process.stdout.write(`${line}\n`);

if (flags.help) say(USAGE);
else if (flags.list) for (const { name, row, by, how } of ATTACKS) say(`${name} (row ${row}, ${by}): ${how}`);
else process.exit(await main(flags));

async function main({ names, seconds, addresses, runtime, checkout, readme }: Flags): Promise<number> {
  interruptOnSignal();
  const attack = (root: string) =>
    hostileRun({
      attacks: ATTACKS.filter(({ name }) => names.includes(name)),
      seconds,
      addresses,
      runtime,
      together: names.length > 1,
      checkout: root,
      say: (line) => say(`${new Date().toISOString().slice(11, 19)} ${line}`),
    });
  const before = checkout === undefined ? undefined : await attack(resolve(checkout));
  for (const line of before ? failures(before) : []) say(`before: ${line}`);
  const results = await attack(ROOT);
  say(`\n${table(results, before)}\n`);
  say(`${results.records} records were written; waits are the middle one / the slowest hundredth`);
  for (const line of unserved(results)) say(`not served: ${line}`);
  for (const [code, times] of results.closes)
    say(`honest subscribers were closed with ${code}: ${times} times`);
  const wrong = failures(results);
  for (const line of wrong.slice(0, 60)) say(`FAILED ${line}`);
  say(wrong.length === 0 ? "passed" : "failed");
  if (readme && wrong.length === 0) {
    const commit = execFileSync("git", ["rev-parse", "--short=10", "HEAD"], { cwd: ROOT, encoding: "utf8" });
    const path = join(ROOT, DOCUMENT);
    const when = { runtime, date: new Date().toISOString().slice(0, 10), commit: commit.trim(), seconds };
    writeFileSync(path, renewed(readFileSync(path, "utf8"), table(results, before), when));
  }
  return wrong.length === 0 ? 0 : 1;
}
