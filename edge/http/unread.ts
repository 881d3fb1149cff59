/**
 * Large answers to GETs lie in the isolate's memory until they are taken. There are no more at once than fit into a budget,
 * and one that isn't taken is cut off.
 *
 * They are handed over in pieces, the next one when the runtime has passed on the one before. If there is no room for another
 * answer, that waits for a moment, and those that are stuck meanwhile make room for it. Work for a request ends without a word
 * if its client has gone, so an answer counts only while it goes on saying that it is there.
 */
import { TIME_LIMITS } from "../time-limits.ts";
import type { AnswerBudget } from "./answer-budget.ts";

/** A smaller answer goes into the network's own buffers at once. */
export const LARGE_ANSWER_BYTES = 64 * 1024;

const PIECE_BYTES = 64 * 1024;
const LOOK_MS = TIME_LIMITS.unsentLookMs;

export interface Handing {
  readonly budget: AnswerBudget;
  now(): number;
  /** How long this request waits for room. */
  readonly until: number;
  /** Lets work go on when the answer has begun. */
  keepAlive(work: Promise<unknown>): void;
}

/** Whether there is room for a large answer in time. */
export async function hasRoom({ budget, now, until }: Handing): Promise<boolean> {
  while (budget.refuses(now())) {
    budget.refused(now());
    if (now() >= until) return false;
    await new Promise((resolve) => setTimeout(resolve, TIME_LIMITS.roomLookMs));
  }
  return now() < until;
}

/** A body of these bytes; undefined if there is no room for it. */
export function unreadBody(bytes: Uint8Array, handing: Handing): ReadableStream | undefined {
  const { readable, writable } = new FixedLengthStream(bytes.length);
  if (!handing.budget.begin(readable, bytes.length, handing.now())) return undefined;
  handing.keepAlive(hand(readable, bytes, writable.getWriter(), handing));
  return readable;
}

async function hand(
  answer: object,
  bytes: Uint8Array,
  writer: WritableStreamDefaultWriter<Uint8Array>,
  { budget, now }: Handing,
): Promise<void> {
  try {
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
      const begun = now();
      const written = writer.write(bytes.subarray(at, at + PIECE_BYTES)).then(() => true);
      const goesOn = () => budget.goesOn(answer, bytes.length - at, now() - begun, now());
      if (await isTaken(written, goesOn)) continue;
      written.catch(() => undefined);
      await writer.abort(new Error("the answer isn't taken"));
      return;
    }
    await writer.close();
  } catch {
    // Whoever asked has gone.
  } finally {
    budget.end(answer, now());
  }
}

/** False once it doesn't go on. */
async function isTaken(written: Promise<boolean>, goesOn: () => boolean): Promise<boolean> {
  for (;;) {
    let stop = () => {};
    const look = new Promise<false>((resolve) => {
      const timer = setTimeout(() => resolve(false), LOOK_MS);
      stop = () => clearTimeout(timer);
    });
    const taken = await Promise.race([written, look]).finally(stop);
    if (taken) return true;
    if (!goesOn()) return false;
  }
}
