/** What must not outlive this process: ended when it exits, by one listener for all. */

const endings = new Set<() => void>();

process.once("exit", () => {
  for (const end of endings)
    try {
      end();
    } catch {
      // The others must be ended all the same.
    }
});

/** Returns what calls it off. */
export function atExit(end: () => void): () => void {
  endings.add(end);
  return () => endings.delete(end);
}
