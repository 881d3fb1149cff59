/** The flags of `npm run test:fault`. Pure. */
import { parseArgs } from "node:util";
import type { RuntimeName } from "../support/runtimes.ts";

const DEFAULT_RUNTIMES = "workerd,node";

export const USAGE = `npm run test:fault -- [flags]

Injects faults into Kafka, origins, the edge and every link while subscribers check each update.

  --minutes N    How long faults come, first together and then one by one; 10 if not given.
  --alone N      How often each comes by itself in the end; 1 if not given. Six tenths of the time are for that
                 at most: what needs more makes a run longer.
  --seed N       Which faults come when; another one each time if not given.
  --kinds A,B    Only kinds whose names contain one of these.
  --runtime A,B  What each edge runs on, workerd or node: one edge or two; ${DEFAULT_RUNTIMES} if not given.
  --brokers N    1 or 3; 3 if not given.
  --origins N    For each slice, 1 or 2; 2 if not given.
  --connections N  How many connections follow many endpoints each; 8 if not given.
  --each N       How many each follows; 30 if not given. The first follows nearly all that they follow together.
  --over N       How many that is; 1000 if not given, at most 2000.
  --readme       Writes what was found into README.md and docs/guarantees.md, if the run doesn't fail.
  --verbose      Says what each fault did, and what the processes say.
  --list         The kinds.
  --help         This text.
`;

const OPTIONS = {
  minutes: { type: "string", default: "10" },
  alone: { type: "string", default: "1" },
  seed: { type: "string" },
  kinds: { type: "string", default: "" },
  runtime: { type: "string", default: DEFAULT_RUNTIMES },
  brokers: { type: "string", default: "3" },
  origins: { type: "string", default: "2" },
  connections: { type: "string", default: "8" },
  each: { type: "string", default: "30" },
  over: { type: "string", default: "1000" },
  readme: { type: "boolean", default: false },
  verbose: { type: "boolean", default: false },
  list: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

/** A day: more is a mistake. */
const MOST_MINUTES = 1_440;
const MOST_ALONE = 1_000;
const MOST_SEED = 2 ** 32 - 1;
const MOST_EDGES = 2;
const MOST_CONNECTIONS = 2_000;
/** Of one connection, and of all. */
const MOST_EACH = 1_000;
const MOST_OVER = 2_000;

export interface Flags {
  readonly minutes: number;
  readonly alone: number;
  readonly seed: number;
  /** Names of those that were chosen. */
  readonly kinds: readonly string[];
  /** Of each edge. */
  readonly runtimes: readonly RuntimeName[];
  readonly brokers: 1 | 3;
  readonly origins: 1 | 2;
  /** That follow many endpoints. */
  readonly connections: { readonly count: number; readonly each: number; readonly over: number };
  readonly readme: boolean;
  readonly verbose: boolean;
  readonly list: boolean;
  readonly help: boolean;
}

/**
 * Throws what is wrong, in a sentence.
 * @param names Of all kinds.
 * @param anySeed Where none is given.
 */
export function readFlags(args: readonly string[], names: readonly string[], anySeed: number): Flags {
  const { values } = parseArgs({ options: OPTIONS, args: [...args] });
  const minutes = decimal(values.minutes);
  if (!(minutes > 0 && minutes <= MOST_MINUTES))
    throw new Error(wrong("minutes", values.minutes, `a number above 0, up to ${MOST_MINUTES}`));
  return {
    minutes,
    alone: whole("alone", values.alone, MOST_ALONE),
    seed: values.seed === undefined ? anySeed : whole("seed", values.seed, MOST_SEED),
    kinds: chosen(values.kinds, names),
    runtimes: runtimes(values.runtime),
    brokers: oneOf("brokers", values.brokers, [1, 3]),
    origins: oneOf("origins", values.origins, [1, 2]),
    connections: {
      count: whole("connections", values.connections, MOST_CONNECTIONS),
      each: whole("each", values.each, MOST_EACH, 1),
      over: whole("over", values.over, MOST_OVER, 1),
    },
    readme: values.readme,
    verbose: values.verbose,
    list: values.list,
    help: values.help,
  };
}

/** The flags that bring the same faults again. Nothing is written into documents then. */
export function again(args: readonly string[], seed: number): string {
  const { tokens } = parseArgs({ options: OPTIONS, args: [...args], tokens: true });
  const kept = tokens.flatMap((token) => {
    if (token.kind !== "option" || token.name === "seed" || token.name === "readme") return [];
    const { rawName, value } = token;
    if (value === undefined) return [rawName];
    return [rawName, /^[\w.,-]+$/.test(value) ? value : JSON.stringify(value)];
  });
  return [...kept, "--seed", seed].join(" ");
}

const wrong = (name: string, text: string, wanted: string) =>
  `--${name} is ${JSON.stringify(text)}; it must be ${wanted}`;

const decimal = (text: string) => (/^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN);

function whole(name: string, text: string, most: number, least = 0): number {
  const number = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(number >= least && number <= most))
    throw new Error(wrong(name, text, `a whole number from ${least} to ${most}`));
  return number;
}

function oneOf<T extends number>(name: string, text: string, numbers: readonly T[]): T {
  const number = numbers.find((one) => String(one) === text);
  if (number === undefined) throw new Error(wrong(name, text, numbers.join(" or ")));
  return number;
}

function runtimes(text: string): readonly RuntimeName[] {
  const names = text.split(",").map((word) => word.trim());
  const known = names.filter((name) => name === "workerd" || name === "node");
  if (known.length < names.length || known.length > MOST_EDGES)
    throw new Error(wrong("runtime", text, "workerd or node, or two of them with a comma between"));
  return known;
}

/** Each word must be of use: one that is misspelt would leave out what was meant. */
function chosen(text: string, names: readonly string[]): readonly string[] {
  if (text === "") return names;
  const words = text.split(",").map((word) => word.trim());
  // The empty one is in all, which nobody means who names some.
  for (const word of words)
    if (word === "" || !names.some((name) => name.includes(word)))
      throw new Error(`--kinds has ${JSON.stringify(word)}, which is in the name of no kind`);
  return names.filter((name) => words.some((word) => name.includes(word)));
}
