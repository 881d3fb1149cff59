/** How long what can pass is tried again, and what Kafka's errors mean for who reads. */
/// <reference path="./kafkajs-parts.d.ts" />

import { setTimeout } from "node:timers/promises";
import { createErrorFromCode } from "kafkajs/src/protocol/error.js";
import { backoff } from "../../shared/core/backoff.ts";
import { SourceError } from "../source/source.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import { KAFKA_ERROR } from "./requests.ts";

/** Short, since dials are spaced by themselves: what can be reached again shall be read again soon. */
const RETRY = TIME_LIMITS.kafkaAgain;

/** How often those that wait are told of signs of life. */
const SIGN_MS = TIME_LIMITS.kafkaSignMs;

/** Sleeps before the next try after so many. An abort ends it early, and is to be looked for. */
export async function pause(failures: number, signal: AbortSignal): Promise<void> {
  await setTimeout(backoff(failures, RETRY, Math.random()), undefined, { signal }).catch(() => {});
}

/**
 * Tries until it works, or fails in a way that trying again won't mend, or `patienceMs` have passed since the
 * first failure, or since the last sign of life that the body then told of. Rejects with SourceError, or as it may where
 * the signal aborted.
 */
export function patiently<T>(
  patienceMs: number,
  signal: AbortSignal,
  body: (alive: () => void) => Promise<T>,
): Promise<T> {
  let failedAt: number | undefined;
  const alive = () => {
    failedAt = undefined;
  };
  const again = async (first: unknown): Promise<T> => {
    let failure = first;
    for (let failures = 0; ; failures++) {
      if (failure instanceof SourceError && failure.code !== "unavailable") throw failure;
      failedAt ??= performance.now();
      if (signal.aborted || performance.now() - failedAt > patienceMs) {
        if (failure instanceof SourceError) throw failure;
        throw new SourceError("unavailable", wordsOf(failure), { cause: failure });
      }
      // An abort is seen after the next try, which it ends.
      await pause(failures, signal);
      try {
        return await body(alive);
      } catch (error) {
        failure = error;
      }
    }
  };
  // Nearly always it works at once, and each fetch goes through here.
  return body(alive).catch(again);
}

/**
 * Rejects with `problem` if for `ms` there was no sign of life and the promise didn't settle; what becomes of it then
 * is nobody's concern.
 * @param signs Another number after every sign.
 */
export async function unlessSilent<T>(
  ms: number,
  promise: Promise<T>,
  signs: () => number,
  problem: string,
): Promise<T> {
  const over = new AbortController();
  const silent = async (): Promise<never> => {
    for (let before = Number.NaN; before !== signs(); ) {
      before = signs();
      await setTimeout(ms, undefined, { signal: over.signal });
    }
    throw new Error(problem);
  };
  try {
    return await Promise.race([promise, silent()]);
  } finally {
    over.abort();
  }
}

/** Calls `alive` now and then while it waits for what gives signs of life. */
export class Waiting {
  readonly #signs: () => number;
  readonly #alive: () => void;
  #before = 0;

  constructor(signs: () => number, alive: () => void) {
    this.#signs = signs;
    this.#alive = alive;
  }

  begin(): void {
    this.#before = this.#signs();
    waiting.add(this);
    looking ??= setInterval(look, SIGN_MS).unref();
  }

  end(): void {
    waiting.delete(this);
  }

  look(): void {
    const now = this.#signs();
    if (now !== this.#before) this.#alive();
    this.#before = now;
  }
}

/** Whoever waits just now. Each fetch waits, mostly for a moment: a timer for each would cost more than all the looks. */
const waiting = new Set<Waiting>();
let looking: NodeJS.Timeout | undefined;

function look(): void {
  if (waiting.size === 0) {
    clearInterval(looking);
    looking = undefined;
  }
  for (const one of waiting) one.look();
}

/** Calls `alive` now and then while the promise hasn't settled and there are signs of life. */
export async function telling<T>(promise: Promise<T>, signs: () => number, alive: () => void): Promise<T> {
  const one = new Waiting(signs, alive);
  one.begin();
  try {
    return await promise;
  } finally {
    one.end();
  }
}

/** Of a host with several addresses Node says only that all of them failed, and of TLS where in OpenSSL it failed. */
export function wordsOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(wordsOf).join("; ");
  if (error instanceof Error && "library" in error && "reason" in error) return `TLS: ${error.reason}`;
  return error instanceof Error ? error.message : String(error);
}

export function kafkaError(what: string, error: number): SourceError {
  if (error === KAFKA_ERROR.corruptMessage)
    return new SourceError("corrupt", `${what} is damaged on the broker's disk`);
  if (error === KAFKA_ERROR.topicAuthorizationFailed)
    return new SourceError("unavailable", `${what} must not be read by this client`);
  const { message } = createErrorFromCode(error);
  return new SourceError("unavailable", `${what}: ${message} (Kafka's error ${error})`);
}
