/** A read that can't hang in silence, whatever its source does: one that does is given up, and says so. */
import { setTimeout } from "node:timers/promises";
import type { Batch, ReadRequest } from "../source/source.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import type { ReadContext } from "./context.ts";
import { STALL, Stall } from "./stall.ts";

/** How long a read that was ended may take to return. What it still brings then is dropped. */
const LET_GO_MS = TIME_LIMITS.readLetGoMs;

/** Nothing was heard of a read for so long. */
export class StalledError extends Error {
  readonly code = "stalled";
}

/** Ends as the source's read does, or with a StalledError, or soon after the request's signal has aborted. */
export async function watchedRead(
  { source, partitions, timing }: Pick<ReadContext, "source" | "partitions" | "timing">,
  request: ReadRequest,
  onBatch: (batch: Batch) => void | Promise<void>,
): Promise<void> {
  const { stall: bounds = STALL } = timing;
  const givenUp = new AbortController();
  const signal = AbortSignal.any([request.signal, givenUp.signal]);
  const stall = new Stall(performance.now(), bounds);
  // Since the last look: the clock isn't asked at each of thousands of batches a second.
  let isAlive = false;
  let isAnswered = false;
  const look = setInterval(() => {
    if (isAlive) stall.alive(performance.now());
    if (isAnswered) stall.answered(performance.now());
    isAlive = false;
    isAnswered = false;
    const state = partitions.find(request.topic, request.epoch);
    const ms = state && stall.look(performance.now(), state);
    if (state === undefined || ms === undefined) return;
    clearInterval(look);
    const seconds = Math.round(ms / 100) / 10;
    const what = `offset ${state.next} is next, and the log is known to go on to ${state.end}`;
    givenUp.abort(new StalledError(`nothing was heard of it for ${seconds} s, though ${what}`));
  }, bounds.lookMs);
  const ended = Promise.withResolvers<void>();
  // One that is made of others asks all of these each time, and there may be thousands of batches a second.
  let isOver = signal.aborted;
  const end = () => {
    isOver = true;
    ended.resolve();
  };
  signal.addEventListener("abort", end, { once: true });
  const alive = () => {
    isAlive = true;
  };
  const answered = () => {
    isAnswered = true;
  };
  const read = source.read({ ...request, signal, alive }, (batch) => {
    if (isOver) return undefined;
    answered();
    return onBatch(batch)?.then(answered);
  });
  try {
    const letGo = ended.promise.then(() => setTimeout(LET_GO_MS, undefined, { ref: false }));
    await Promise.race([read, letGo]);
  } catch (error) {
    if (!givenUp.signal.aborted) throw error;
  } finally {
    clearInterval(look);
    ended.resolve();
  }
  givenUp.signal.throwIfAborted();
}
