/** On whose behalf code runs, over whatever it awaits: a life of an object. Work of the Worker is on nobody's. */
import { AsyncLocalStorage, AsyncResource } from "node:async_hooks";

export interface Holder {
  /** It was taken out of memory, or has failed: what is left of it can do nothing any more. */
  readonly isOver: boolean;
  /** Runs on behalf of it, now. */
  enter<T>(run: () => T): T;
  /** Something keeps it awake, until what is returned is called. */
  hold(): () => void;
  /** For its sockets that don't hibernate: until what is returned is called, and `lost` if it ends before. */
  holdSocket(lost: () => void): () => void;
  /** Resolves when all that it wrote until now is stored; rejects if it can't be. */
  stored(): Promise<void>;
  /** Writes something down that has gone wrong in it. */
  failed(what: string, error: unknown): void;
}

export const running = new AsyncLocalStorage<Holder | undefined>();

/**
 * What `Holder.enter` is: runs things on behalf of a holder, over and over. `AsyncLocalStorage.run` makes two maps each time,
 * which takes longer than what most events do.
 */
export function entranceOf(holder: Holder): <T>(run: () => T) => T {
  const resource = running.run(holder, () => new AsyncResource("holder"));
  return (run) => resource.runInAsyncScope(run);
}

/** Throws in what is left of a life that is over. */
export function requireAlive(holder: Holder | undefined): void {
  if (holder?.isOver)
    throw new Error("this object was taken out of memory, and what is left of it does nothing");
}
