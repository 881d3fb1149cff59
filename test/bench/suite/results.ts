/** What the suite measures, part by part, and the file of a day that holds it. */
import { globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Result } from "../bench.ts";
import { type CatchUp, catchUp } from "./catch-up.ts";
import { type Consumers, consumers } from "./consumers.ts";
import type { Context } from "./context.ts";
import { type Cost, cost } from "./cost.ts";
import {
  type Limits,
  limits,
  type Reference,
  type Replicated,
  reference,
  replicated,
  type StormResult,
  series,
  storm,
} from "./loads.ts";
import type { Machine } from "./machine.ts";

export interface Parts {
  readonly reference: Reference;
  readonly cost: Cost;
  readonly limits: Limits;
  readonly replicated: Replicated;
  readonly payload: readonly Result[];
  readonly subscribers: readonly Result[];
  readonly endpoints: readonly Result[];
  readonly partitions: readonly Result[];
  readonly consumers: Consumers;
  readonly catchUp: CatchUp;
  readonly storm: StormResult | undefined;
}

export type PartName = keyof Parts;

/** In the order in which they run. */
export const PARTS: { readonly [Name in PartName]: (context: Context) => Promise<Parts[Name]> } = {
  reference,
  limits,
  replicated,
  cost,
  payload: (context) => series(context, "payload"),
  subscribers: (context) => series(context, "subscribers"),
  endpoints: (context) => series(context, "endpoints"),
  partitions: (context) => series(context, "partitions"),
  consumers,
  storm,
  catchUp,
};

export const PART_NAMES = Object.keys(PARTS) as PartName[];

/** How a part was measured. */
export interface Taken {
  readonly commit: string;
  /** Durations were multiplied by this: what isn't 1 was a trial. */
  readonly scale: number;
}

export interface Results {
  /** YYYY-MM-DD. */
  readonly date: string;
  readonly machine: Machine;
  readonly parts: Partial<Parts>;
  readonly taken: Partial<Record<PartName, Taken>>;
}

const FOLDER = join(import.meta.dirname, "../results");

export function save(results: Results): string {
  mkdirSync(FOLDER, { recursive: true });
  const path = join(FOLDER, `${results.date}.json`);
  writeFileSync(path, `${JSON.stringify(results, rounded, 1)}\n`);
  return path;
}

/** Of a day, or the newest there are; undefined if there are none. */
export function load(date?: string): Results | undefined {
  const dated = globSync("*.json", { cwd: FOLDER })
    .filter((name) => /^\d{4}-\d\d-\d\d\.json$/.test(name))
    .sort();
  const name = date === undefined ? dated.at(-1) : dated.find((candidate) => candidate === `${date}.json`);
  return name === undefined ? undefined : JSON.parse(readFileSync(join(FOLDER, name), "utf8"));
}

/** Six digits are more than any figure here deserves. */
function rounded(_: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value;
}
