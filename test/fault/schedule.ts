/** Which fault comes when, by a seed. Pure: the same seed gives the same schedule. */
import { type Random, seeded } from "./random.ts";

/** What at most one fault at a time acts upon. */
export type Part =
  | "origin"
  | "pause"
  | "edge"
  | "clients"
  | "origin-edge"
  | "origin-kafka"
  | "brokers"
  | "reborn"
  | "growing"
  | "bulky"
  | "compacted"
  | "purged"
  | "pinned"
  | "crowded"
  | "quota"
  | "disk"
  | "origin-clock";

/** What a schedule must know of a kind of fault. */
export interface Planned {
  readonly name: string;
  /** How often in ten minutes, at least. */
  readonly perTenMinutes: number;
  /** How long one takes, about. */
  readonly lastsMs: number;
  readonly parts: readonly Part[];
}

export interface Injection {
  /** Since the beginning of the run. */
  readonly atMs: number;
  readonly kind: string;
  /** For what the fault itself leaves to chance. */
  readonly seed: number;
}

const TEN_MINUTES = 600_000;
/** One of so many comes together with the one before it, if they act on different parts. */
const TOGETHER = 4;

/**
 * In the order of their times. Each kind is spread over the whole time by itself, so that any two may meet; but
 * one whose part is taken comes when that is free.
 */
export function schedule(
  kinds: readonly Planned[],
  { seed, fromMs, toMs }: { readonly seed: number; readonly fromMs: number; readonly toMs: number },
): Injection[] {
  const random = seeded(seed);
  const length = toMs - fromMs;
  const wanted = kinds.flatMap((kind) => {
    const times = Math.max(1, Math.round((kind.perTenMinutes * length) / TEN_MINUTES));
    const room = Math.max(0, length - kind.lastsMs);
    return Array.from({ length: times }, (_, i) => ({
      kind,
      atMs: fromMs + ((i + random()) / times) * room,
    }));
  });
  wanted.sort((a, b) => a.atMs - b.atMs);
  const busyUntil = new Map<Part, number>();
  const placed: Injection[] = [];
  let before = fromMs;
  for (const { kind, atMs } of wanted) {
    const early = random() * TOGETHER < 1 ? before : atMs;
    const start = kind.parts.reduce((latest, part) => Math.max(latest, busyUntil.get(part) ?? 0), early);
    for (const part of kind.parts) busyUntil.set(part, start + kind.lastsMs);
    placed.push({ atMs: start, kind: kind.name, seed: seedOf(random) });
    before = start;
  }
  return placed.sort((a, b) => a.atMs - b.atMs);
}

/** Each kind so often, in an order by the seed: one begins when all before it have settled. */
export function oneByOne(
  kinds: readonly Planned[],
  { seed, times }: { readonly seed: number; readonly times: number },
): Omit<Injection, "atMs">[] {
  const random = seeded(seed);
  const wanted = Array.from({ length: times }, () => kinds.map(({ name }) => name)).flat();
  return wanted
    .map((kind) => ({ kind, seed: seedOf(random), order: random() }))
    .sort((a, b) => a.order - b.order)
    .map(({ kind, seed }) => ({ kind, seed }));
}

function seedOf(random: Random): number {
  return Math.floor(random() * 2 ** 32);
}
