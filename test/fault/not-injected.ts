/** A fault that could not be had just now: a busy machine didn't make in time what it needs. */
import { eventually } from "../support/deadline.ts";

/** Says nothing of the product, and so is counted and told, and fails no run. What a guarantee promises is never this. */
export class NotInjected extends Error {}

/** Waits for what a fault needs first, as `eventually` does. */
export function needed<T>(
  look: () => T | undefined | false | Promise<T | undefined | false>,
  what: string,
  deadlineMs?: number,
): Promise<T> {
  return doneByOthers(eventually(look, what, deadlineMs));
}

/** What others than the product do for a fault: Kafka, or the hooks of the rig. */
export async function doneByOthers<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw new NotInjected(error instanceof Error ? error.message : String(error), { cause: error });
  }
}
