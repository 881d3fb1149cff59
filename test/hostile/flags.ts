/** The flags of `npm run test:hostile`. Pure. */
import { parseArgs } from "node:util";
import type { RuntimeName } from "../support/runtimes.ts";

export const USAGE = `npm run test:hostile -- [flags]

Attacks the real edge and the real origin in every known way, by each by itself and then by all at once, beside honest
clients that check each update, and says what a request costs and how long the honest ones wait.

  --seconds N    How long each attack takes; 30 if not given. A quiet stretch of half of that comes before each. What is held
                 is looked at in the end: with less than 30, what the product gives up after 30 s counts as held.
  --addresses N  From how many addresses attackers come, in turn, up to 10,000; 1 if not given.
  --only A,B     Only attacks whose names contain one of these, or rows, as in row4.
  --runtime NAME On what the edge runs: workerd, if not given, or node.
  --checkout DIR Attacks the product of another tree first, an earlier one of this project, and shows it below each row.
  --readme       Writes the runtime's table into docs/security.md, if the run doesn't fail.
  --list         The attacks.
  --help         This text.
`;

const OPTIONS = {
  seconds: { type: "string", default: "30" },
  addresses: { type: "string", default: "1" },
  runtime: { type: "string", default: "workerd" },
  only: { type: "string" },
  checkout: { type: "string" },
  readme: { type: "boolean", default: false },
  list: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

const RUNTIMES: readonly RuntimeName[] = ["workerd", "node"];
const MOST_SECONDS = 600;
const MOST_ADDRESSES = 10_000;

export interface Flags {
  readonly seconds: number;
  readonly addresses: number;
  /** Names of those that were chosen. */
  readonly names: readonly string[];
  readonly runtime: RuntimeName;
  readonly checkout: string | undefined;
  readonly readme: boolean;
  readonly list: boolean;
  readonly help: boolean;
}

/** Throws what is wrong, in a sentence. */
export function readFlags(
  args: readonly string[],
  attacks: readonly { readonly name: string; readonly row: number }[],
): Flags {
  const { values } = parseArgs({ options: OPTIONS, args: [...args] });
  const seconds = whole("seconds", values.seconds, MOST_SECONDS);
  const addresses = whole("addresses", values.addresses, MOST_ADDRESSES);
  const runtime = RUNTIMES.find((name) => name === values.runtime);
  if (runtime === undefined)
    throw new Error(`--runtime is ${JSON.stringify(values.runtime)}; it must be ${RUNTIMES.join(" or ")}`);
  const { checkout, readme, list, help } = values;
  if (readme && values.only !== undefined)
    throw new Error("--readme writes what all attacks did, so --only can't be given");
  return { seconds, addresses, names: chosen(values.only, attacks), runtime, checkout, readme, list, help };
}

function whole(name: string, text: string, most: number): number {
  const number = /^\d+$/.test(text) ? Number(text) : 0;
  if (!(number >= 1 && number <= most))
    throw new Error(`--${name} is ${JSON.stringify(text)}; it must be a whole number from 1 to ${most}`);
  return number;
}

/** Each word must be of use: one that is misspelt would leave out what was meant. */
function chosen(
  text: string | undefined,
  attacks: readonly { readonly name: string; readonly row: number }[],
): readonly string[] {
  if (text === undefined) return attacks.map(({ name }) => name);
  const words = text.split(",").map((word) => word.trim());
  const fits = (word: string, { name, row }: (typeof attacks)[number]) =>
    /^row\d+$/.test(word) ? word === `row${row}` : word !== "" && name.includes(word);
  for (const word of words)
    if (!attacks.some((attack) => fits(word, attack)))
      throw new Error(`--only has ${JSON.stringify(word)}, which is no attack's name or row`);
  return attacks.filter((attack) => words.some((word) => fits(word, attack))).map(({ name }) => name);
}
