/** How much code runs, counted and not timed: how often the pieces of some modules are run through while something is done. */
import { Session } from "node:inspector/promises";
import { setFlagsFromString } from "node:v8";
import { onTestFinished, vi } from "vitest";

export interface Counted<M> {
  readonly module: M;
  /** Functions count as often as they are called, and each block within one, a loop's body for instance, as it is run. */
  count(run: () => void | Promise<void>): Promise<number>;
}

/**
 * A module that was loaded anew, so that its pieces can be counted.
 * @param files How the paths end of what counts: this module, and some that it uses.
 */
export async function countedModule<M>(
  files: readonly string[],
  load: () => Promise<M>,
): Promise<Counted<M>> {
  const session = new Session();
  session.connect();
  onTestFinished(() => session.disconnect());
  await session.post("Profiler.enable");
  // What was compiled before has no counters.
  setFlagsFromString("--no-compilation-cache");
  await session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  vi.resetModules();
  const module = await load();
  return {
    module,
    count: async (run) => {
      await session.post("Profiler.takePreciseCoverage");
      await run();
      const { result } = await session.post("Profiler.takePreciseCoverage");
      const counted = result.filter(({ url }) => files.some((file) => url.endsWith(file)));
      if (counted.length < files.length) throw new Error(`not all of these ran: ${files.join(", ")}`);
      return counted
        .flatMap(({ functions }) => functions.flatMap(({ ranges }) => ranges))
        .reduce((sum, { count }) => sum + count, 0);
    },
  };
}
