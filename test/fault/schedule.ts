/** Which fault comes when, by a seed. Pure: the same seed gives the same schedule. */
import { type Random, seeded } from "./random.ts";

/** What at most one fault at a time acts upon. */
export type Part =
  | "origin"
  | "pause"
  | "edge"
  | "second edge"
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
  /** How often in ten minutes, if that leaves its parts enough of their time: else less often. */
  readonly perTenMinutes: number;
  /** How long it keeps its parts, about, what it needs first and puts in order later included: measured on two busy cores. */
  readonly lastsMs: number;
  readonly parts: readonly Part[];
}

/** One that comes by itself has no time of its own: it comes when all before it have settled. */
export interface Alone {
  readonly kind: string;
  /** For what the fault itself leaves to chance. */
  readonly seed: number;
}

export interface Injection extends Alone {
  /** Since the beginning of the run. */
  readonly atMs: number;
}

export interface Plan {
  readonly together: readonly Injection[];
  /** When those are over. */
  readonly togetherMs: number;
  readonly alone: readonly Alone[];
  /** When those are over, too. */
  readonly endMs: number;
}

interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

const TEN_MINUTES = 600_000;
/** One of so many comes together with the one before it, if they act on different parts. */
const TOGETHER = 4;
/** Of the time, what faults may keep a part: the rest is for those that take longer than planned. */
export const PART_SHARE = 0.75;
/** Until everyone has all, after a fault that comes by itself. */
const SETTLE_MS = 1_500;
/** Of the time, what those that come together have at least. */
const TOGETHER_SHARE = 0.35;

/** Those that come by itself are within the time, too, unless they would take more than their share of it. */
export function planOf(
  kinds: readonly Planned[],
  { seed, alone, fromMs, toMs }: Span & { readonly seed: number; readonly alone: number },
): Plan {
  const aloneMs = alone * kinds.reduce((sum, { lastsMs }) => sum + lastsMs + SETTLE_MS, 0);
  const togetherMs = Math.max(toMs - aloneMs, fromMs + TOGETHER_SHARE * (toMs - fromMs));
  return {
    together: schedule(kinds, { seed, fromMs, toMs: togetherMs }),
    togetherMs,
    alone: oneByOne(kinds, { seed, times: alone }),
    endMs: togetherMs + aloneMs,
  };
}

/**
 * In the order of their times. Each kind comes at least once, and is spread over the whole time by itself, so that any
 * two may meet; but one whose part is taken comes at the nearest time at which that is free.
 */
export function schedule(
  kinds: readonly Planned[],
  { seed, ...span }: Span & { readonly seed: number },
): Injection[] {
  const random = seeded(seed);
  const length = span.toMs - span.fromMs;
  const times = timesOf(kinds, length);
  // In a short run not even one of each fits: they come closer together, and wait for one another.
  const squeeze = Math.min(1, (PART_SHARE * length) / mostKept(kinds, () => 1));
  const wanted = kinds.flatMap((kind) => {
    const count = times.get(kind) ?? 1;
    const lastsMs = kind.lastsMs * squeeze;
    const room = Math.max(0, length - lastsMs);
    return Array.from({ length: count }, (_, i) => {
      return { kind, lastsMs, isFirst: i === 0, atMs: span.fromMs + ((i + random()) / count) * room };
    });
  });
  wanted.sort((a, b) => a.atMs - b.atMs);
  let before = span.fromMs;
  const seeds = wanted.map((one) => {
    if (random() * TOGETHER < 1) one.atMs = before;
    before = one.atMs;
    return { ...one, seed: seedOf(random) };
  });
  // Where there is room for all of a kind is found more easily the earlier it is looked for.
  seeds.sort((a, b) => Number(b.isFirst) - Number(a.isFirst) || b.lastsMs - a.lastsMs);
  const taken = new Taken(span);
  return seeds
    .flatMap(({ kind, lastsMs, isFirst, atMs, seed: own }) => {
      // In a short run one may have no room: it waits for its parts in the end.
      const start = taken.take(kind.parts, lastsMs, atMs) ?? (isFirst ? span.toMs : undefined);
      return start === undefined ? [] : [{ atMs: start, kind: kind.name, seed: own }];
    })
    .sort((a, b) => a.atMs - b.atMs);
}

/** How often each comes: so often that no part is kept longer than its share, if once each isn't too much already. */
function timesOf(kinds: readonly Planned[], length: number): ReadonlyMap<Planned, number> {
  const times = new Map(
    kinds.map((kind) => [kind, Math.max(1, Math.round((kind.perTenMinutes * length) / TEN_MINUTES))]),
  );
  const timesNow = (kind: Planned) => times.get(kind) ?? 1;
  for (;;) {
    const kept = keptMs(kinds, timesNow);
    const isFull = (part: Part) => (kept.get(part) ?? 0) > PART_SHARE * length;
    // What takes the most time gives way, so that what takes little goes on as often as was asked.
    const [longest] = kinds
      .filter((kind) => timesNow(kind) > 1 && kind.parts.some(isFull))
      .sort((a, b) => timesNow(b) * b.lastsMs - timesNow(a) * a.lastsMs);
    if (longest === undefined) return times;
    times.set(longest, timesNow(longest) - 1);
  }
}

function keptMs(kinds: readonly Planned[], times: (kind: Planned) => number): Map<Part, number> {
  const kept = new Map<Part, number>();
  for (const kind of kinds)
    for (const part of kind.parts) kept.set(part, (kept.get(part) ?? 0) + times(kind) * kind.lastsMs);
  return kept;
}

const mostKept = (kinds: readonly Planned[], times: (kind: Planned) => number) =>
  Math.max(...keptMs(kinds, times).values());

/** What of the time of each part is taken. */
class Taken {
  readonly #span: Span;
  readonly #parts = new Map<Part, Span[]>();

  constructor(span: Span) {
    this.#span = span;
  }

  /** From when on it has all the parts; undefined if it has no room. */
  take(parts: readonly Part[], lastsMs: number, atMs: number): number | undefined {
    const { fromMs: first, toMs: end } = this.#span;
    const taken = parts.flatMap((part) => this.#parts.get(part) ?? []);
    const isFree = (at: number) =>
      at >= first &&
      at + lastsMs <= end &&
      taken.every(({ fromMs, toMs }) => at >= toMs || at + lastsMs <= fromMs);
    const nearest = (a: number, b: number) => Math.abs(a - atMs) - Math.abs(b - atMs);
    const beside = () => taken.flatMap(({ fromMs, toMs }) => [fromMs - lastsMs, toMs]).sort(nearest);
    const start = isFree(atMs) ? atMs : beside().find(isFree);
    if (start === undefined) return undefined;
    for (const part of parts) {
      const spans = this.#parts.get(part) ?? [];
      spans.push({ fromMs: start, toMs: start + lastsMs });
      this.#parts.set(part, spans);
    }
    return start;
  }
}

/** Each kind so often, in an order by the seed: one begins when all before it have settled. */
export function oneByOne(
  kinds: readonly Planned[],
  { seed, times }: { readonly seed: number; readonly times: number },
): Alone[] {
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
