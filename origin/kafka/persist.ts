/** How long a sink tries again what may pass, and what its errors are then. */
import { SinkError } from "../publish/sink.ts";
import { SourceError } from "../source/source.ts";
import { UnsupportedError } from "./apis.ts";
import { pause, wordsOf } from "./patience.ts";

/**
 * Tries until it works, or fails in a way that trying again won't mend, or its time is over. Rejects with SinkError, or with
 * UnsupportedError.
 */
export async function persist<T>(act: () => Promise<T>, until: number, signal: AbortSignal): Promise<T> {
  for (let failures = 0; ; failures++) {
    try {
      return await act();
    } catch (error) {
      if (error instanceof UnsupportedError) throw error;
      if (error instanceof SinkError && error.code !== "unavailable") throw error;
      if (signal.aborted || performance.now() > until) throw sinkErrorOf(error);
    }
    await pause(failures, signal);
  }
}

/** Undefined if the broker has no such request. */
export function ifSupported<T>(asked: Promise<T>): Promise<T | undefined> {
  return asked.catch((error: unknown) => {
    if (error instanceof UnsupportedError) return undefined;
    throw error;
  });
}

export function sinkErrorOf(error: unknown): SinkError {
  if (error instanceof SinkError) return error;
  const message = error instanceof SourceError ? error.message : wordsOf(error);
  return new SinkError("unavailable", message, { cause: error });
}
