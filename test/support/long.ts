import { appendFileSync } from "node:fs";

/** Whether what takes minutes and shows the same once more is run, too: `npm run test:long`. */
export const LONG = process.env.TEST_LONG === "true";

/** Random histories of a test, and the seed of their chance: `npm run test:long` plays more, and others. */
export const HISTORIES = Number(process.env.SIMULATED_HISTORIES ?? 2_000);
export const SEED = Number(process.env.SIMULATED_SEED ?? 20261126);

/** Cases that are left to that. */
export function ifLong<T>(...cases: readonly T[]): readonly T[] {
  return LONG ? cases : [];
}

/** What a test measured, for LONG.md. */
export function figure(line: string): void {
  const { LONG_FIGURES } = process.env;
  if (LONG_FIGURES !== undefined) appendFileSync(LONG_FIGURES, `${line}\n`);
}
