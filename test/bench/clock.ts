/**
 * One clock for all processes of a machine: the kernel's monotonic one, so that an update's way through several
 * processes can be timed, and no adjustment of the time of day shows up as latency. `performance.now()` would be cheaper,
 * but counts from each process's own start, and two clocks can't be read at the same moment to relate them.
 */

/** Microseconds since the machine started. */
export function nowUs(): number {
  return Number(process.hrtime.bigint()) / 1_000;
}

export async function sleepUntil(us: number): Promise<void> {
  const leftMs = (us - nowUs()) / 1_000;
  if (leftMs > 0) await new Promise((resolve) => setTimeout(resolve, leftMs));
}
