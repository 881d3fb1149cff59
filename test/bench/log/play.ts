/** Plays the scenarios on a log. */
import { consume, described, type Span } from "./reading.ts";
import type { Part, Played } from "./scenarios.ts";
import { write } from "./writing.ts";

/** A log that speaks Kafka. */
export interface Log {
  readonly brokers: readonly string[];
  /** Resolves when there is a topic with so many partitions; rejects with what to do if there isn't one. */
  topic(name: string, partitions: number): Promise<void>;
  /** Undefined: it isn't ours to restart. */
  restart?(): Promise<void>;
}

export async function play(log: Log, part: Part): Promise<Played> {
  await log.topic(part.topic, part.partitions);
  const infos = (await described(log.brokers, part.topic)).slice(0, part.partitions);
  const count = part.records / part.partitions;
  // There may be records of earlier runs.
  const all = infos.map(
    ({ partition, epoch, endOffset }): Span => ({ partition, epoch, from: endOffset, first: 0, count }),
  );
  switch (part.scenario) {
    case "hot":
    case "sizes":
    case "partitions":
      return hot(log, part, all);
    case "recovery":
      return recovery(log, part, all);
    default:
      return backlog(log, part, all);
  }
}

async function hot({ brokers }: Log, part: Part, spans: readonly Span[]): Promise<Played> {
  const began = performance.now();
  const [{ tookMs: writtenMs, latency }, { delay, read, wrong }] = await Promise.all([
    write(brokers, part),
    consume(brokers, part.topic, spans),
  ]);
  const readMs = performance.now() - began;
  return { part, writtenMs, write: latency, readMs, read, delay, firstMs: undefined, wrong, notes: [] };
}

async function backlog(log: Log, part: Part, spans: readonly Span[]): Promise<Played> {
  const { brokers } = log;
  const { tookMs: writtenMs, latency } = await write(brokers, part);
  const notes = part.scenario === "cold" ? [await restarted(log)] : [];
  const began = performance.now();
  const all = await Promise.all(
    Array.from({ length: part.consumers }, () => consume(brokers, part.topic, spans)),
  );
  return {
    part,
    writtenMs,
    write: latency,
    readMs: performance.now() - began,
    read: all.reduce((sum, { read }) => sum + read, 0),
    delay: undefined,
    firstMs: Math.max(...all.map(({ firstMs }) => firstMs)),
    wrong: all.reduce((sum, { wrong }) => sum + wrong, 0),
    notes,
  };
}

async function restarted({ restart }: Log): Promise<string> {
  if (restart === undefined) return "not restarted: this log isn't the bench's own";
  const began = performance.now();
  await restart();
  return `restarted in ${((performance.now() - began) / 1_000).toFixed(1)} s`;
}

async function recovery({ brokers }: Log, part: Part, spans: readonly Span[]): Promise<Played> {
  const { tookMs: writtenMs, latency } = await write(brokers, part);
  const halves = spans.map((span) => ({ ...span, count: Math.floor(span.count / 2) }));
  const before = await consume(brokers, part.topic, halves);
  const rest = spans.map(({ from, first, count, ...span }, i) => {
    const had = halves[i]?.count ?? 0;
    return { ...span, from: from + had, first: first + had, count: count - had };
  });
  const after = await consume(brokers, part.topic, rest);
  return {
    part,
    writtenMs,
    write: latency,
    readMs: after.tookMs,
    read: after.read,
    delay: undefined,
    firstMs: after.firstMs,
    wrong: before.wrong + after.wrong,
    notes: [`the second consumer read ${after.read} of them`],
  };
}
