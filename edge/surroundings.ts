/** Time and chance as the runtime has them: what the cores of both kinds of objects take as ports. */
export const SURROUNDINGS = {
  /** Milliseconds since 1970. */
  now: () => Date.now(),
  /** In [0, 1). */
  random: () => Math.random(),
  /** Runs once after `ms` milliseconds, unless the function returned is called before. Keeps the object awake. */
  after: (ms: number, run: () => void) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
} as const;
