/**
 * Waits for something to become true that gives no event, looking often, up to a deadline.
 * @param what is said if it doesn't; a function is asked only then
 */
export async function eventually<T>(
  look: () => T | undefined | false | Promise<T | undefined | false>,
  what: string | (() => string),
  deadlineMs = 30_000,
): Promise<T> {
  const deadline = performance.now() + deadlineMs;
  let last: unknown;
  for (;;) {
    try {
      const found = await look();
      if (found !== undefined && found !== false) return found;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline)
      throw new Error(`not within ${deadlineMs} ms: ${typeof what === "string" ? what : what()}`, {
        cause: last,
      });
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Of those who wait for something of whose events they hear: they look after each. */
export class Happenings {
  readonly #waiting = new Set<() => void>();

  /** Something has happened. */
  happened(): void {
    for (const look of [...this.#waiting]) look();
  }

  /** @param what is said if it hasn't become true by the deadline */
  async until(isTrue: () => boolean, what: () => string, deadlineMs = 30_000): Promise<void> {
    const deadline = performance.now() + deadlineMs;
    while (!isTrue()) {
      const left = deadline - performance.now();
      if (left <= 0) throw new Error(`not within ${deadlineMs} ms: ${what()}`);
      await new Promise<void>((resolve) => {
        const look = () => {
          clearTimeout(timer);
          this.#waiting.delete(look);
          resolve();
        };
        const timer = setTimeout(look, left);
        this.#waiting.add(look);
      });
    }
  }
}
