/** Whether what takes minutes and shows the same once more is run, too: `npm run test:long`. */
export const LONG = process.env.TEST_LONG === "true";

/** Cases that are left to that. */
export function ifLong<T>(...cases: readonly T[]): readonly T[] {
  return LONG ? cases : [];
}
