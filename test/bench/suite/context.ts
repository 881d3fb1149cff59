/** What every part of the suite works with. */
import type { KafkaBroker } from "../../support/kafka-broker.ts";
import {
  Bench,
  type BenchSettings,
  DoesNotFit,
  type Progress,
  type Result,
  type StageSettings,
} from "../bench.ts";
import { readsLog } from "../systems.ts";

export interface Context {
  /** One broker. */
  readonly kafka: KafkaBroker;
  /** Three, replicated; started by the first who asks. */
  readonly replicated: () => Promise<KafkaBroker>;
  readonly progress: Progress;
  /** Multiplies all durations: 1 for figures, less to try out. */
  readonly scale: number;
}

export const BASE: BenchSettings = {
  system: "distributary",
  endpoints: 100,
  clients: 1_000,
  payload: 512,
  json: false,
  popularity: "uniform",
  partitions: 6,
  origins: 1,
  processes: 2,
  lingerMs: 1,
  seed: 1,
};

export const STAGE: StageSettings = { rate: 1, warmUpSeconds: 3, seconds: 10 };

/** One run with a system of its own; undefined if it doesn't fit the machine, which is said. */
export async function measure(
  context: Context,
  bench: BenchSettings,
  stage: StageSettings,
  kafka = context.kafka,
): Promise<Result | undefined> {
  return using(context, bench, kafka, (running) => running.stage(scaled(context, stage)));
}

/** Starts a system and its clients, and stops them whatever happens. */
export async function using<T>(
  { progress }: Context,
  bench: BenchSettings,
  kafka: KafkaBroker,
  use: (running: Bench) => Promise<T>,
): Promise<T | undefined> {
  let running: Bench;
  try {
    running = await Bench.start(bench, readsLog(bench.system) ? kafka : undefined, progress);
  } catch (error) {
    if (!(error instanceof DoesNotFit)) throw error;
    progress(`left out: ${error.message}`);
    return undefined;
  }
  try {
    return await use(running);
  } finally {
    await running.stop();
  }
}

export function scaled({ scale }: Context, stage: StageSettings): StageSettings {
  return { ...stage, warmUpSeconds: stage.warmUpSeconds * scale, seconds: stage.seconds * scale };
}
