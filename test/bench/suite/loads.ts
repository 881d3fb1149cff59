/** The loads that are compared with what others have published, the series, the limit and half of it, and the storm. */
import type { BenchSettings, Result, StageSettings } from "../bench.ts";
import { findLimit, type Limit, stepLine } from "../limit.ts";
import type { Stormed } from "../load/load.ts";
import { type Point, SWEEPS } from "../sweeps.ts";
import { BASE, type Context, measure, STAGE, scaled, using } from "./context.ts";
import type { Series } from "./series.ts";

export interface Reference {
  /** 1,000 clients of 100 endpoints; the same with three brokers; and with JSON. */
  readonly base: Result | undefined;
  readonly replicated: Result | undefined;
  readonly json: Result | undefined;
  /**
   * 10,000 endpoints, each updated once a second. Everything shares two cores: hence the fewer clients, and the linger
   * of Kafka's own producers.
   */
  readonly many: Result | undefined;
}

export async function reference(context: Context): Promise<Reference> {
  const stage: StageSettings = { ...STAGE, seconds: 20 };
  const base = await measure(context, BASE, stage);
  const json = await measure(context, { ...BASE, json: true }, STAGE);
  const many = await measure(context, { ...BASE, endpoints: 10_000, clients: 2_000, lingerMs: 5 }, stage);
  const replicated = await measure(context, BASE, stage, await context.replicated());
  return { base, replicated, json, many };
}

export async function series(context: Context, sweep: Series["field"]): Promise<Result[]> {
  const results: Result[] = [];
  for (const { bench, stage } of SWEEPS[sweep](seriesBase[sweep])) {
    const result = await measure(context, bench, stage);
    if (result !== undefined) results.push(result);
  }
  return results;
}

const busy = { bench: BASE, stage: { ...STAGE, rate: 5, warmUpSeconds: 2, seconds: 7 } };

const seriesBase: Readonly<Record<Series["field"], Point>> = {
  payload: { bench: { ...BASE, endpoints: 10, clients: 100 }, stage: { ...busy.stage, rate: 20 } },
  subscribers: busy,
  endpoints: busy,
  partitions: busy,
};

export interface Limits {
  readonly distributary: Limit | undefined;
  readonly floor: Limit | undefined;
  /** Both at half of the product's limit. */
  readonly half: { readonly distributary: Result | undefined; readonly floor: Result | undefined };
}

/** The product alone, on three brokers. */
export interface Replicated {
  readonly limit: Limit | undefined;
  readonly half: Result | undefined;
}

/**
 * As many clients as a limit of 20,000 open files allows: the fewer updates each gets, the less can several of them share
 * a write to its socket, which would flatter both.
 */
const MANY = { ...BASE, clients: 9_000 };
/** 4,500 deliveries a second, so that some steps follow. */
const FIRST_STEP: StageSettings = { rate: 0.5, warmUpSeconds: 2, seconds: 5 };
/** What the floor takes without effort. */
const FLOOR_RATE = 2;

/** Raised from a stage on, with the bounds of all limits here. */
export function limitOf(
  context: Context,
  bench: BenchSettings,
  stage: StageSettings,
  kafka = context.kafka,
): Promise<Limit | undefined> {
  return using(context, bench, kafka, (running) =>
    findLimit(running, {
      p99Ms: 100,
      cpuPercent: 75,
      stage: scaled(context, stage),
      step: (result) => context.progress(stepLine(result)),
    }),
  );
}

export async function limits(context: Context): Promise<Limits> {
  const distributary = await limitOf(context, MANY, FIRST_STEP);
  const rising = { ...FIRST_STEP, rate: FLOOR_RATE };
  const floor = await limitOf(context, { ...MANY, system: "floor-kafka" }, rising);
  const rate = (distributary?.good?.settings.rate ?? FIRST_STEP.rate) / 2;
  const half = { ...STAGE, rate, seconds: 20 };
  return {
    distributary,
    floor,
    half: {
      distributary: await measure(context, MANY, half),
      floor: await measure(context, { ...MANY, system: "floor-kafka" }, half),
    },
  };
}

/** Every update on 3 brokers, acknowledged when it is on 2 of them at least. */
export async function replicated(context: Context): Promise<Replicated> {
  const kafka = await context.replicated();
  const bench = { ...MANY, partitions: 10 };
  const limit = await limitOf(context, bench, FIRST_STEP, kafka);
  if (limit?.good === undefined) return { limit, half: undefined };
  const half = { ...STAGE, rate: limit.good.settings.rate / 2, seconds: 15 };
  return { limit, half: await measure(context, bench, half, kafka) };
}

export interface StormResult extends Stormed {
  readonly clients: number;
  readonly endpoints: number;
  readonly updatesPerSecond: number;
  readonly lost: number;
  /** Messages from objects to their shards meanwhile: no more questions than these went to the origin. */
  readonly asked: number;
}

export async function storm(context: Context): Promise<StormResult | undefined> {
  const bench = { ...BASE, clients: 4_000 };
  const rate = 2;
  const stormed = await using(context, bench, context.kafka, (running) => running.storm(rate, 12));
  const { clients, endpoints } = bench;
  return stormed && { ...stormed, clients, endpoints, updatesPerSecond: rate * endpoints };
}
