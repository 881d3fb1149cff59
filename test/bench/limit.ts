/**
 * How much a system can take: the rate is raised step by step, on the same connections, until a bound is passed. workerd
 * and Node have one thread for what they do here, so that a part's bound is a share of one core.
 */
import type { Bench, Result, StageSettings } from "./bench.ts";

export interface Bounds {
  readonly p99Ms: number;
  /** Of one core, for each process under test but Kafka's; several origins count together. */
  readonly cpuPercent: number;
}

export interface LimitSettings extends Bounds {
  /** The first step. */
  readonly stage: StageSettings;
  readonly step: (result: Result) => void;
}

export interface Limit {
  readonly bounds: Bounds;
  readonly steps: readonly Result[];
  /** The last step that kept within the bounds; undefined if none did. */
  readonly good: Result | undefined;
  /** What ended it. */
  readonly why: string;
}

const GROWTH = 1.25;
const STEPS = 24;
/** A process of the load that is busier than this may be what the latency comes from. */
const LOAD_PERCENT = 90;

export async function findLimit(
  bench: Pick<Bench, "stage">,
  { stage, step, p99Ms, cpuPercent }: LimitSettings,
): Promise<Limit> {
  const bounds = { p99Ms, cpuPercent };
  const steps: Result[] = [];
  let good: Result | undefined;
  let why = `${STEPS} steps were made`;
  for (let rate = stage.rate; steps.length < STEPS; rate *= GROWTH) {
    let problem: string | undefined;
    // One that fails is tried once more: something else may have run on the machine.
    for (let tries = 0; tries < 2; tries++) {
      const result = await bench.stage({ ...stage, rate });
      steps.push(result);
      step(result);
      problem = exceeded(result, bounds);
      if (problem !== undefined) continue;
      good = result;
      break;
    }
    if (problem === undefined) continue;
    why = problem;
    break;
  }
  return { bounds, steps, good, why };
}

/** What a result passes, in words; undefined if it keeps within the bounds. */
export function exceeded(result: Result, { p99Ms, cpuPercent }: Bounds): string | undefined {
  const { latency, cpu, settings, lost, duplicated } = result;
  const over = (part: string, percent: number) => (cpu[part] ?? 0) > percent;
  if (lost > 0 || duplicated > 0) return `${lost} updates were lost and ${duplicated} came twice`;
  if (latency.p99 > p99Ms) return `p99 is above ${p99Ms} ms`;
  for (const part of ["edge", "server"])
    if (over(part, cpuPercent)) return `the ${part} uses more than ${cpuPercent}% of a core`;
  const { origins } = settings;
  if (over("origin", cpuPercent * origins))
    return `${origins === 1 ? "the origin uses" : `${origins} origins use`} more than ${cpuPercent * origins}% of a core`;
  if (over("publisher", LOAD_PERCENT)) return "the publisher is busy: not the system's limit";
  if (over("clients", LOAD_PERCENT * settings.processes))
    return "the clients are busy: not the system's limit";
  return undefined;
}

export function sentence({ good, why }: Limit): string {
  if (good === undefined) return `No step kept within the bounds: ${why}.`;
  const { messagesPerSecond, clients, settings } = good;
  return `The last good step: ${Math.round(messagesPerSecond)} messages/s to ${clients} clients, ${settings.rate.toFixed(2)} updates/s on each endpoint. Past it ${why}.`;
}

export function stepLine({ messagesPerSecond, latency, cpu }: Result): string {
  const parts = Object.entries(cpu).map(([part, percent]) => `${part} ${Math.round(percent)}%`);
  return `${Math.round(messagesPerSecond)} messages/s: p99 ${latency.p99.toFixed(1)} ms, ${parts.join(", ")}`;
}
