/** What was measured of the systems beside one another on a day, in a file of its own; a shape may be measured by itself. */
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Machine } from "../suite/machine.ts";
import type { ByRival, Grown, Measured, Shape } from "./figures.ts";

export interface RivalResults {
  /** YYYY-MM-DD. */
  readonly date: string;
  readonly machine: Machine;
  readonly shapes: readonly Measured[];
  /** By system, with few clients and with many. */
  readonly grown: ByRival<readonly Grown[]>;
}

const FOLDER = join(import.meta.dirname, "../results");

export function loadRivals(date?: string): RivalResults | undefined {
  const names = globSync("centrifugo-*.json", { cwd: FOLDER }).sort();
  const name = date === undefined ? names.at(-1) : names.find((one) => one === fileOf(date));
  return name === undefined ? undefined : JSON.parse(readFileSync(join(FOLDER, name), "utf8"));
}

export function saveRivals(results: RivalResults): void {
  const text = JSON.stringify(results, (_, value) => rounded(value), 1);
  writeFileSync(join(FOLDER, fileOf(results.date)), `${text}\n`);
}

/** In place of what there was of this shape. */
export function withShape(shapes: readonly Measured[], measured: Measured): readonly Measured[] {
  const other = (one: Shape) => JSON.stringify(one) !== JSON.stringify(measured.shape);
  return [...shapes.filter(({ shape }) => other(shape)), measured].sort(
    (a, b) => a.shape.endpoints - b.shape.endpoints,
  );
}

const fileOf = (date: string) => `centrifugo-${date}.json`;

function rounded(value: unknown): unknown {
  return typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value;
}
