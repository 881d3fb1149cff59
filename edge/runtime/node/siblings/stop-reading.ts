import type { Socket } from "node:net";

/**
 * For a connection that goes to another process. Until that has it, this process has it too, and would go on to take from it what is
 * the other's. Node has no other way to leave off: a stream that is paused still reads ahead.
 */
export function stopReading(connection: Socket): void {
  const { _handle: handle } = connection as unknown as { readonly _handle: Handle | null };
  if (handle === null) return;
  handle.reading = false;
  handle.readStop();
}

interface Handle {
  /** As `net` keeps it. */
  reading: boolean;
  readStop(): void;
}
