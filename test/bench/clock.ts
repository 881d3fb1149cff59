/**
 * One clock for all processes of a machine: Node reads both of these from its monotonic clock, so that an update's
 * way through several processes can be timed, and no adjustment of the time of day shows up as latency.
 */
const zero = Number(process.hrtime.bigint()) / 1_000 - performance.now() * 1_000;

/** Microseconds since the machine started. */
export function nowUs(): number {
  return zero + performance.now() * 1_000;
}

export async function sleepUntil(us: number): Promise<void> {
  const leftMs = (us - nowUs()) / 1_000;
  if (leftMs > 0) await new Promise((resolve) => setTimeout(resolve, leftMs));
}
