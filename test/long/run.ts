/**
 * Runs the tests that take minutes or hours: `npm run test:long`. Random histories run in chunks, each with a seed of its
 * own, others for each commit. It ends at the first failure and says how to see it again. What has passed on a commit isn't
 * run again, so a run that was stopped goes on where it was.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { cpus, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { left, plan, type Ran, type Run, rounds, summary } from "./runs.ts";

const HELP = `npm run test:long -- [options]
  --histories N  random histories of each kind (200,000)
  --chunk N      histories of one chunk (10,000)
  --minutes N    random histories only, and more of them, chunk by chunk, until the time is over: at each kind in turn
  --seed N       of the first chunk (by the commit)
  --only TEXT    only files whose names hold it; several runs may work side by side
  --write        runs nothing, and writes test/LONG.md from what has run here, on whatever commit
`;

const ROOT = join(import.meta.dirname, "../..");
const git = (...args: string[]) => execFileSync("git", args, { cwd: ROOT, encoding: "utf8" }).trim();

const { values } = parseArgs({
  options: {
    histories: { type: "string", default: "200000" },
    chunk: { type: "string", default: "10000" },
    minutes: { type: "string" },
    seed: { type: "string" },
    only: { type: "string", default: "" },
    write: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}

const commit = git("rev-parse", "--short=10", "HEAD");
const changed = git("status", "--porcelain", "--untracked-files=no", "--", ":!test/LONG.md") !== "";
const folder = join(ROOT, "dist/long");
const done = join(folder, `${commit}${changed ? "-changed" : ""}.jsonl`);
mkdirSync(folder, { recursive: true });

const sourceOf = (file: string) => readFileSync(join(ROOT, file), "utf8");
const files = globSync("test/**/*.test.ts", { cwd: ROOT })
  .filter((file) => file.includes(values.only) && sourceOf(file).includes("support/long.ts"))
  .sort();
const isRandom = (file: string) => sourceOf(file).includes("HISTORIES");
const size = {
  histories: numberOf("histories", values.histories),
  chunk: numberOf("chunk", values.chunk),
  seed: numberOf("seed", values.seed ?? `${Number.parseInt(commit.slice(0, 7), 16)}`),
};

if (files.length === 0) end(`no long test's name holds "${values.only}"`);
if (values.write) {
  const all = globSync("*.jsonl", { cwd: folder }).flatMap((file) => readRan(join(folder, file)));
  if (all.length === 0) end("nothing has run here: run it without --write first");
  const [{ model = "unknown" } = {}] = cpus();
  const machine = {
    cores: cpus().length,
    model,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
  };
  writeFileSync(join(ROOT, "test/LONG.md"), summary(all, machine));
} else if (values.minutes !== undefined) {
  const until = performance.now() + numberOf("minutes", values.minutes) * 60_000;
  const random = files.filter(isRandom);
  if (random.length === 0) end(`no file whose name holds "${values.only}" has random histories`);
  for (const round of rounds(random, size)) {
    if (performance.now() >= until) break;
    for (const run of left(round, readRan(done))) if (performance.now() < until) await play(run);
  }
} else for (const run of left(plan(files, isRandom, size), readRan(done))) await play(run);

function numberOf(option: string, text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) end(`--${option} takes a whole number from 1 on, not "${text}"`);
  return Number(text);
}

function end(problem: string): never {
  process.stderr.write(`${problem}\n`);
  process.exit(1);
}

function readRan(file: string): Ran[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").split("\n").filter(Boolean);
  return lines.map((line): Ran => JSON.parse(line));
}

async function play(run: Run): Promise<void> {
  const { file, histories, seed } = run;
  const what = histories > 0 ? `${file}: ${histories} histories, seed ${seed}` : file;
  process.stdout.write(`${what} ... `);
  const report = join(tmpdir(), `distributary-long-${process.pid}.json`);
  const measured = `${report}.figures`;
  const began = performance.now();
  const vitest = join(ROOT, "node_modules/vitest/vitest.mjs");
  const args = ["run", "--config", "test/vitest.config.ts", file];
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const child = spawn(process.execPath, [vitest, ...args, ...reporters], {
    cwd: ROOT,
    env: {
      ...process.env,
      TEST_LONG: "true",
      LONG_FIGURES: measured,
      ...(histories > 0 && { SIMULATED_HISTORIES: `${histories}`, SIMULATED_SEED: `${seed}` }),
      // What a history leaves behind dies young.
      NODE_OPTIONS: "--max-semi-space-size=64",
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes) => (output += bytes));
  const [code] = await once(child, "close");
  const seconds = Math.round((performance.now() - began) / 1000);
  const passed = code === 0;
  const tests = existsSync(report) ? JSON.parse(readFileSync(report, "utf8")).numTotalTests : 0;
  const figures = existsSync(measured) ? readFileSync(measured, "utf8").split("\n").filter(Boolean) : [];
  for (const file of [report, measured]) rmSync(file, { force: true });
  const at = new Date().toISOString();
  const on = changed ? `${commit}, changed` : commit;
  const result: Ran = { ...run, passed, tests, seconds, commit: on, at, figures };
  appendFileSync(done, `${JSON.stringify(result)}\n`);
  process.stdout.write(passed ? `passed in ${seconds} s\n` : "FAILED\n");
  if (passed) return;
  process.stderr.write(`${output}\nFAILED: ${what}\n`);
  if (histories > 0)
    process.stderr.write(
      `again: SIMULATED_HISTORIES=${histories} SIMULATED_SEED=${seed} npx vitest run --config test/vitest.config.ts ${file}\n`,
    );
  process.exit(1);
}
