/** A random history as it happens: each of its steps, then everything recovers and comes to rest. */
import type { Position } from "../../../shared/protocol/position.ts";
import { type Slice, WHOLE } from "../../../shared/protocol/slice.ts";
import { SimulatedEdge } from "../../support/simulated-edge.ts";
import { type Forgetting, type ForgettingStep, forgettingActs } from "./forgetting.ts";
import { PATHS } from "./steps.ts";

/** A small generator of its own, so that a history is the same whenever it is played. */
function mulberry(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** JSON, bytes, and now and then a value that no attachment can hold. */
function valueNo(value: number): unknown {
  if (value % 7 === 0) return "x".repeat(16_000);
  return value % 4 === 0 ? new Uint8Array([value, 0xff]) : { value };
}

/** One to three that read everything, two for each of two slices, or some of both kinds. */
function slicesOf(seed: number): readonly Slice[] {
  const halves = [1, 2].map((number) => ({ number, count: 2 }));
  if (seed % 5 === 4) return [WHOLE, ...halves];
  return seed % 2 === 0 ? [...halves, ...halves] : [WHOLE, WHOLE, WHOLE].slice(seed % 3);
}

export async function play(
  history: readonly ForgettingStep[],
  seed: number,
  forgetting: Partial<Forgetting> = {},
): Promise<SimulatedEdge> {
  const { stream, memories } = forgetting;
  const edge = new SimulatedEdge({
    window: forgetting.window ?? { updates: 5, ageMs: 30_000, bytes: 40_000 },
    log: { window: 4, page: 3 },
    origins: slicesOf(seed),
    random: mulberry(seed),
    epochs: ["t0.0", "t0.1"],
    ...(stream && { stream }),
    ...(memories && { memories: memories.map((of) => ({ ...of, keepLatest: stream?.compacted ?? false })) }),
  });
  if (seed % 4 !== 0) for (const origin of edge.origins) origin.start();
  const origin = (who: number) => edge.origins[who % edge.origins.length];
  let incarnation = 0;
  let value = 0;
  const epochOf = (epoch: number) => `t${incarnation}.${epoch}`;
  const positionOf = (wanted: { back: number; epochs: number } | undefined): Position | undefined => {
    if (wanted === undefined) return undefined;
    const position = new Map<string, number>();
    for (const epoch of [0, 1, 2]) {
      const offset = edge.log.endOf(epochOf(epoch)) - 1 - wanted.back;
      if (wanted.epochs & (1 << epoch) && offset >= 0) position.set(epochOf(epoch), offset);
    }
    return position;
  };
  const act: {
    [K in ForgettingStep["do"]]: (step: Extract<ForgettingStep, { do: K }>) => Promise<void> | void;
  } = {
    ...forgettingActs(edge, epochOf),
    append: ({ path, epoch, times }) => {
      for (let i = 0; i < times; i++) {
        value++;
        edge.append(PATHS[path] ?? "", valueNo(value), epochOf(epoch));
      }
    },
    subscribe: ({ path, from }) => void edge.subscribe(PATHS[path] ?? "", positionOf(from)),
    resubscribe: ({ who, from }) => {
      const receiver = edge.receivers[who];
      if (receiver !== undefined) edge.resubscribe(receiver, positionOf(from));
    },
    crowd: ({ path, epoch, past, many }) => {
      const first = edge.log.endOf(epochOf(epoch)) + past;
      for (let offset = first; offset < first + many; offset++)
        if (offset >= 0) edge.subscribe(PATHS[path] ?? "", new Map([[epochOf(epoch), offset]]));
    },
    leave: ({ who }) => void (edge.receivers[who] && edge.leave(edge.receivers[who])),
    slow: ({ who }) => void (edge.receivers[who] && edge.slow(edge.receivers[who])),
    deliver: async ({ choice, times }) => {
      for (let i = 0; i < times; i++) await edge.deliver(choice + i);
    },
    pass: ({ ms }) => edge.pass(ms),
    setClock: ({ hours }) => edge.setClock(hours * 3_600_000),
    evict: ({ path }) => void edge.evict(PATHS[path] ?? ""),
    cutLink: ({ path }) => edge.cutLink(PATHS[path] ?? ""),
    start: ({ who }) => origin(who)?.start(),
    kill: ({ who }) => origin(who)?.kill(),
    stop: ({ who }) => origin(who)?.stop(),
    resume: ({ who }) => origin(who)?.resume(),
    cutUplink: ({ who }) => origin(who)?.cutUplink(),
    handOver: ({ who }) => origin(who)?.leave(),
    unready: ({ who }) => origin(who)?.setReady(false),
    ready: ({ who }) => origin(who)?.setReady(true),
    lag: ({ who }) => origin(who)?.lag(),
    readOne: ({ who }) => void origin(who)?.readOne(),
    readAll: ({ who }) => origin(who)?.readAll(),
    crashShard: () => edge.crashShard(),
    evictShard: () => void edge.evictShard(),
    drop: ({ who, epoch, keep }) => {
      const index = origin(who)?.index;
      index?.dropBefore(Math.max(0, index.endOf(epochOf(epoch)) - keep), epochOf(epoch));
    },
    recreate: () => {
      incarnation++;
      edge.recreate([epochOf(0), epochOf(1)]);
    },
  };
  for (const step of history) await (act[step.do] as (step: ForgettingStep) => Promise<void> | void)(step);
  for (const origin of edge.origins) origin.recover();
  await edge.quiet();
  // Longer than an endpoint stays attached after its last subscriber has gone (L5).
  edge.pass(40_000);
  await edge.quiet();
  for (const { name, open } of edge.origins)
    if (open > 0) edge.problems.push(`${name} has not answered ${open} questions`);
  if (seed % 3 === 0) await findForgotten(edge);
  return edge;
}

/** Whoever takes over is asked again what the shard holds to be unanswered (L7): by now that must be nothing. */
async function findForgotten(edge: SimulatedEdge): Promise<void> {
  const before = new Set(edge.asked.splice(0));
  for (const origin of edge.origins) origin.cutUplink();
  await edge.quiet();
  const forgotten = edge.asked.filter((ask) => before.has(ask) && !ask.endsWith(":0"));
  if (forgotten.length > 0) edge.problems.push(`still open: ${forgotten}`);
}
