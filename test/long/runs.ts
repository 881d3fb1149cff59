/** What a long run is made of, what of it is left to do, and what is said of it in the end. Pure. */

/** One run of a test file; of random histories so many, from a seed. */
export interface Run {
  readonly file: string;
  readonly histories: number;
  readonly seed: number;
}

export interface Ran extends Run {
  readonly passed: boolean;
  /** How many tests the file has. */
  readonly tests: number;
  readonly seconds: number;
  readonly commit: string;
  /** When it ended, in ISO 8601. */
  readonly at: string;
  /** What its tests measured, in words. */
  readonly figures?: readonly string[];
}

export interface Machine {
  readonly cores: number;
  readonly model: string;
  readonly memoryGiB: number;
  readonly node: string;
}

/** Of the files whose cases are random, runs of `chunk` histories each, with seeds that follow one another; of any other file one. */
export function plan(
  files: readonly string[],
  isRandom: (file: string) => boolean,
  { histories, chunk, seed }: { readonly histories: number; readonly chunk: number; readonly seed: number },
): Run[] {
  const starts = Array.from({ length: Math.ceil(histories / chunk) }, (_, i) => i * chunk);
  return files.flatMap((file) =>
    isRandom(file)
      ? starts.map((start, i) => ({ file, histories: Math.min(chunk, histories - start), seed: seed + i }))
      : [{ file, histories: 0, seed: 0 }],
  );
}

/** One chunk of each file after another, with seeds that follow one another, without an end. */
export function* rounds(
  files: readonly string[],
  { chunk, seed }: { readonly chunk: number; readonly seed: number },
): Generator<readonly Run[], never, void> {
  for (let round = 0; ; round++) yield files.map((file) => ({ file, histories: chunk, seed: seed + round }));
}

/** What hasn't passed yet. */
export function left(runs: readonly Run[], ran: readonly Ran[]): Run[] {
  return runs.filter((run) => !ran.some((done) => done.passed && isSame(done, run)));
}

function isSame(a: Run, b: Run): boolean {
  return a.file === b.file && a.histories === b.histories && a.seed === b.seed;
}

/** Of each file the last result of each run on the commit on which it ran last, as a document. */
export function summary(ran: readonly Ran[], machine: Machine): string {
  const last = ran.filter(
    (one, i) => !ran.slice(i + 1).some((later) => later.commit === one.commit && isSame(later, one)),
  );
  const files = [...new Set(last.map(({ file }) => file))].sort();
  const shown = files.map((file) => onLastCommit(last.filter((one) => one.file === file)));
  return `# What the long tests last showed

Written by \`npm run test:long -- --write\`; what runs is in [README.md](README.md#long-tests). Each file is shown as it ran on
the commit on which it ran last, on ${machine.cores} cores (${machine.model}) with ${machine.memoryGiB} GiB of memory and Node.js ${machine.node}.

| File | Ran | Seeds | Minutes | Date | Commit | Result |
|---|---|---|---|---|---|---|
${shown.map(row).join("\n")}
${figuresOf(shown.flat())}`;
}

function onLastCommit(of: readonly Ran[]): readonly Ran[] {
  const newest = of.toSorted((a, b) => a.at.localeCompare(b.at)).at(-1);
  return of.filter(({ commit }) => commit === newest?.commit);
}

function figuresOf(shown: readonly Ran[]): string {
  const lines = shown.flatMap(({ file, figures = [] }) => figures.map((said) => `- \`${file}\`: ${said}`));
  return lines.length === 0 ? "" : `\n## What was measured\n\n${lines.sort().join("\n")}\n`;
}

function row(of: readonly Ran[]): string {
  const [first] = of;
  if (first === undefined) return "";
  const histories = of.reduce((sum, one) => sum + one.histories, 0);
  const seeds = of.map(({ seed }) => seed).sort((a, b) => a - b);
  const minutes = of.reduce((sum, { seconds }) => sum + seconds, 0) / 60;
  const days = of.map(({ at }) => at.slice(0, 10)).sort();
  const failed = of.filter(({ passed }) => !passed);
  const what = histories > 0 ? `${histories.toLocaleString("en")} random histories` : `${first.tests} tests`;
  const result = failed.map(({ seed }) => (seed > 0 ? `failed with seed ${seed}` : "failed")).join(", ");
  const from = histories > 0 ? between(seeds) : "";
  return `| \`${first.file}\` | ${what} | ${from} | ${minutes.toFixed(1)} | ${between(days)} | ${first.commit} | ${result || "passed"} |`;
}

function between(sorted: readonly (string | number)[]): string {
  return [...new Set([sorted[0], sorted.at(-1)])].join("–");
}
