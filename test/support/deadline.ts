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
