/** What GET says of each key in the end, against what the log holds: nobody who was deleted may be alive. */
import { eventually } from "../support/deadline.ts";
import type { Logged, WrittenLog } from "./history.ts";

/** An edge that was started a moment ago has no origin yet. */
const ANSWER_MS = 20_000;
const OK = 200;
const NOT_FOUND = 404;
const UNAVAILABLE = 503;

/** The id of the record that is there, `gone` if there is none; undefined if the log doesn't tell. */
export type Expected = number | "gone" | undefined;

export function expectedLatest(records: readonly Logged[]): Expected {
  const last = records.at(-1);
  if (last === undefined) return undefined;
  // A replica that is off while a tombstone comes and goes keeps what that deleted. If it leads later, Kafka has that again.
  if (last.vanished && records.some(({ vanished }) => !vanished)) return undefined;
  if (last.isTombstone) return "gone";
  // What took its place was never acknowledged, or it was deleted by offset: either may be known or not.
  return last.vanished ? undefined : last.id;
}

/** endpoint → what is due; those that live in several offset spaces, and those that an index forgets, are left out. */
export function expectedOf(log: WrittenLog): Map<string, Expected> {
  const expected = new Map<string, Expected>();
  for (const { isVoid, isForgotten, records } of log.values()) {
    if (isVoid || isForgotten) continue;
    for (const [endpoint, list] of records)
      expected.set(endpoint, expected.has(endpoint) ? undefined : expectedLatest(list));
  }
  return expected;
}

/** What is wrong, in lines. */
export async function staleLatest(edgeUrl: string, log: WrittenLog): Promise<string[]> {
  const wrong: string[] = [];
  for (const [endpoint, expected] of expectedOf(log)) {
    if (expected === undefined) continue;
    const found = await latestOf(edgeUrl, endpoint).catch((error: Error) => error.message);
    if (found !== expected) wrong.push(`GET ${endpoint} has ${found}; the log has ${expected}`);
  }
  return wrong;
}

/** The id of the record that a GET answers with, or `gone`. */
export function latestOf(edgeUrl: string, endpoint: string): Promise<number | "gone"> {
  return eventually(
    async () => {
      const response = await fetch(`${edgeUrl}${endpoint}`, { signal: AbortSignal.timeout(3_000) });
      const body = (await response.json()) as { readonly id: number };
      if (response.status === UNAVAILABLE) throw new Error("unavailable");
      if (response.status === NOT_FOUND) return "gone";
      if (response.status !== OK) throw new Error(`${response.status}: ${JSON.stringify(body)}`);
      return body.id;
    },
    `an answer to GET ${endpoint}`,
    ANSWER_MS,
  );
}
