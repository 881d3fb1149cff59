/** How much code runs, counted and not timed: how often the pieces of some modules are run through while something is done. */
import { Session } from "node:inspector/promises";

/**
 * @param modules How the paths of the modules end whose pieces count. Functions count as often as they are called, and each
 *   block within one, a loop's body for instance, as often as it is run.
 */
export async function countedWork(modules: readonly string[], run: () => void | Promise<void>): Promise<number> {
  const session = new Session();
  session.connect();
  try {
    await session.post("Profiler.enable");
    await session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
    await run();
    const { result } = await session.post("Profiler.takePreciseCoverage");
    const counted = result.filter(({ url }) => modules.some((module) => url.endsWith(module)));
    if (counted.length < modules.length) throw new Error(`not all of these ran: ${modules.join(", ")}`);
    return counted
      .flatMap(({ functions }) => functions.flatMap(({ ranges }) => ranges))
      .reduce((sum, { count }) => sum + count, 0);
  } finally {
    session.disconnect();
  }
}
