/**
 * How an attach is answered (U5): whether it must wait (R5), whether continuity can be proved (R3, R4), and
 * the updates that belong to the answer. Reads only; sending and going live are the watch list's.
 */

import type { Attached } from "../../shared/protocol/attach.ts";
import type { ResetCause } from "../../shared/protocol/codes.ts";
import type { Frame } from "../../shared/protocol/frame.ts";
import { LIMITS } from "../../shared/protocol/limits.ts";
import type { Position } from "../../shared/protocol/position.ts";
import { isWhole, type Range, WHOLE } from "../../shared/protocol/range.ts";
import type { Stream } from "../../shared/protocol/streams.ts";
import type { IndexedRecord } from "../index/record.ts";
import type { PartitionView } from "../index/views.ts";
import type { Partition, Partitions } from "../partitions.ts";
import { frameOf } from "../record.ts";
import type { History } from "./history.ts";
import type { Replayed } from "./replays.ts";

export interface Endpoint {
  readonly topic: string;
  readonly key: Uint8Array;
  /** Canonical. */
  readonly path: string;
  readonly stream: Stream;
}

export interface AnswerPorts {
  readonly history: History;
  readonly partitions: Partitions;
  /** Of which this origin's answers speak. */
  readonly range?: Range;
  /** Which of `count` partitions the default partitioner gives a key to. */
  readonly homeOf: (key: Uint8Array, count: number) => number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** What one answer may hold; at least one update whatever its size. */
  readonly bounds: AnswerBounds;
}

export interface AnswerBounds {
  readonly updates: number;
  readonly bytes: number;
}

export const ANSWER_BOUNDS: AnswerBounds = { updates: LIMITS.answerUpdates, bytes: LIMITS.answerBytes };

/** An endpoint with what is known of it. */
export interface Subject {
  readonly endpoint: Endpoint;
  /** The last offset in each epoch in which it is known; the index may have dropped that record since. */
  readonly tails: Position;
}

/** An answer but for the id of its question. */
export interface Answer {
  readonly attached: Omit<Attached, "id">;
  readonly frames: readonly Frame[];
}

/**
 * Until when a question waits. `patient`: not for ever, since what it names may not exist: another origin may have
 * sent what this one hasn't seen yet, but positions can also be made up, and logs can lose records.
 */
export type Blocked =
  /** Until the topic has been described, or described anew. */
  | { readonly kind: "topic"; readonly patient: boolean }
  /** Until the partition has been read past `offset` or, where that is undefined, is ready. */
  | {
      readonly kind: "partition";
      readonly epoch: string;
      readonly offset: number | undefined;
      readonly patient: boolean;
    }
  /** Until the log has been read again. */
  | { readonly kind: "log"; readonly patient: false };

/** How long that patience lasts (R5), in milliseconds. Partitions that were added are found in less. */
export const PATIENCE_MS = 15_000;

/** `fresh` where nobody asked for a proof. */
export type Proof = "recovered" | "fresh" | ResetCause;

export type Examined =
  | { readonly kind: "blocked"; readonly blocked: Blocked }
  | { readonly kind: "open"; readonly proof: Proof };

/** Offsets of one partition, `after` and `until` excluded, of which the index can't tell what they held of a key. */
export interface Gap {
  readonly partition: number;
  readonly epoch: string;
  readonly after: number;
  readonly until: number;
}

/** The last offset of the endpoint in each epoch of its topic in which the index knows it. */
export function tailsIn({ history, partitions }: AnswerPorts, { topic, key }: Endpoint): Map<string, number> {
  const tails = new Map<string, number>();
  for (const { epoch, tail } of history.views(topic, key))
    if (tail !== undefined && partitions.find(topic, epoch) !== undefined) tails.set(epoch, tail);
  return tails;
}

/** The epochs of the endpoint's topic; the index may still know some that it had before. */
function viewsOf(
  { history, partitions }: AnswerPorts,
  { endpoint, tails }: Subject,
): readonly PartitionView[] {
  const { topic, key } = endpoint;
  return history
    .views(topic, key)
    .filter(({ epoch }) => partitions.find(topic, epoch) !== undefined)
    .map((view) => ({ ...view, tail: tails.get(view.epoch) }));
}

/**
 * The partitions that speak for an endpoint: those in which its key is known or, where it is known nowhere,
 * the one that the default partitioner gives it to, if that is in this origin's range. No other partition ever
 * holds it up.
 */
export function homesOf(ports: AnswerPorts, { endpoint, tails }: Subject): readonly Partition[] {
  const partitions = ports.partitions.of(endpoint.topic) ?? [];
  if (tails.size > 0) return partitions.filter(({ epoch }) => tails.has(epoch));
  const count = ports.partitions.count(endpoint.topic) ?? 0;
  const number = count === 0 ? undefined : ports.homeOf(endpoint.key, count);
  return partitions.filter(({ partition }) => partition === number);
}

/** Whether other ranges answer for an endpoint, as far as this origin can tell (N4). */
export function isElsewhere(ports: AnswerPorts, subject: Subject, from: Position | undefined): boolean {
  if (isWhole(ports.range ?? WHOLE) || subject.tails.size > 0 || (from?.size ?? 0) > 0) return false;
  const { endpoint } = subject;
  return (ports.partitions.count(endpoint.topic) ?? 0) > 0 && homesOf(ports, subject).length === 0;
}

/** What an attach that came at `askedAt` must wait for or, where it needn't, what can be proved. */
export function examine(
  ports: AnswerPorts,
  subject: Subject,
  from: Position | undefined,
  askedAt: number,
): Examined {
  const { endpoint } = subject;
  const all = ports.partitions.of(endpoint.topic);
  if (all === undefined) return { kind: "blocked", blocked: { kind: "topic", patient: false } };
  const isPatient = ports.now() - askedAt < PATIENCE_MS;
  for (const [epoch, offset] of from ?? []) {
    const partition = ports.partitions.find(endpoint.topic, epoch);
    if (partition === undefined && isPatient && all.some((other) => isOfOneTopic(other.epoch, epoch)))
      return { kind: "blocked", blocked: { kind: "topic", patient: true } };
    if (partition === undefined || offset < partition.next) continue;
    // A ready partition may lag: what its log is known to hold is still waited for.
    const isComing = !partition.ready || offset < partition.end;
    if (isComing || isPatient)
      return { kind: "blocked", blocked: { kind: "partition", epoch, offset, patient: !isComing } };
  }
  const proof = from === undefined ? "fresh" : prove(ports, subject, from);
  if (proof === "recovered") return { kind: "open", proof };
  // The recent updates of a partition that isn't fully read would be old ones.
  const unready = homesOf(ports, subject).find(({ ready }) => !ready);
  if (unready === undefined) return { kind: "open", proof };
  return {
    kind: "blocked",
    blocked: { kind: "partition", epoch: unready.epoch, offset: undefined, patient: false },
  };
}

/** Whether two epochs name partitions of the same incarnation of a topic (P4): one of them may just have been added. */
function isOfOneTopic(a: string, b: string): boolean {
  const dot = a.lastIndexOf(".");
  return dot > 0 && dot === b.lastIndexOf(".") && a.slice(0, dot) === b.slice(0, dot);
}

/** Whether nothing of the endpoint after `from` is missing in the index (R3), and else why (R4). */
export function prove(ports: AnswerPorts, subject: Subject, from: Position): "recovered" | ResetCause {
  let ahead = false;
  for (const [epoch, offset] of from) {
    const partition = ports.partitions.find(subject.endpoint.topic, epoch);
    if (partition === undefined) return "epoch";
    ahead ||= offset >= partition.next;
  }
  if (ahead) return "ahead";
  return gapsIn(ports, subject, from).length === 0 ? "recovered" : "horizon";
}

/** What the index no longer holds of what may lie after `from` (R3), in the partitions that the topic has. */
export function gapsIn(ports: AnswerPorts, subject: Subject, from: Position): Gap[] {
  const gaps: Gap[] = [];
  for (const { partition, epoch, horizon, tail } of viewsOf(ports, subject)) {
    const at = from.get(epoch) ?? -1;
    // Nothing of the key is known there, and nobody says that there was.
    if (tail === undefined && !from.has(epoch)) continue;
    // At its last record nothing can lie between, however far the horizon has moved since.
    if (at < horizon - 1 && !(tail !== undefined && at >= tail))
      gaps.push({ partition, epoch, after: at, until: horizon });
  }
  return gaps;
}

/**
 * The answer where continuity from `from` was proved: what follows it, a page at a time. `replayed` fills the
 * gaps of the index; where it doesn't reach the index, neither does this page.
 */
export function answerRecovered(
  ports: AnswerPorts,
  subject: Subject,
  from: Position,
  replayed: readonly Replayed[] = [],
): Answer {
  const { topic, key, path } = subject.endpoint;
  const { updates, bytes: maxBytes } = ports.bounds;
  const to = new Map(from);
  const frames: Frame[] = [];
  let bytes = 0;
  const take = (record: IndexedRecord): boolean => {
    const frame = frameOf(path, record, record.previous);
    // Frames can be larger than what they hold.
    if (frames.length >= updates || (frames.length > 0 && bytes + frame.length > maxBytes)) return false;
    bytes += frame.length;
    frames.push(frame);
    to.set(record.epoch, record.offset);
    return true;
  };
  const indexed = new Map(from);
  for (const { gap } of replayed) indexed.set(gap.epoch, gap.until - 1);
  const isWhole = replayed.every(({ records, whole }) => records.every(take) && whole);
  if (isWhole) {
    const { records } = ports.history.since(topic, key, indexed, { maxRecords: updates, maxBytes });
    records.filter(({ epoch }) => ports.partitions.find(topic, epoch) !== undefined).every(take);
  }
  const head = later(later(from, subject.tails), to);
  const verdict = { position: from, head, recovered: true, cause: undefined };
  const since = sinceOf(viewsOf(ports, subject), from);
  return { attached: { endpoint: path, verdict, to, since, count: frames.length }, frames };
}

/** The answer where nothing was asked for or nothing can be proved: the recent updates, and where they begin. */
export function answerRecent(
  ports: AnswerPorts,
  subject: Subject,
  from: Position | undefined,
  proof: "fresh" | ResetCause,
): Answer {
  const { endpoint, tails } = subject;
  const views = viewsOf(ports, subject);
  const { frames, oldest } = recentOf(ports, endpoint);
  const position = new Map<string, number>();
  for (const { epoch, horizon, tail } of views) {
    const before = positionBefore(oldest.get(epoch), tail, horizon, from?.has(epoch) ?? false);
    if (before >= 0) position.set(epoch, before);
  }
  const head = later(position, tails);
  const verdict =
    proof === "fresh"
      ? { position, head, recovered: undefined, cause: undefined }
      : { position, head, recovered: false, cause: proof };
  return {
    attached: {
      endpoint: endpoint.path,
      verdict,
      to: head,
      since: sinceOf(views, from),
      count: frames.length,
    },
    frames,
  };
}

/** As many of the newest updates as an answer may hold, oldest first, and the oldest of each epoch. */
function recentOf(ports: AnswerPorts, { topic, key, path, stream }: Endpoint) {
  const { updates, bytes: maxBytes } = ports.bounds;
  const records = ports.history.recent(topic, key, {
    maxRecords: Math.min(stream.windowUpdates, updates),
    maxBytes,
    maxAgeMs: stream.windowMs,
    now: ports.now(),
  });
  const frames: Frame[] = [];
  const oldest = new Map<string, IndexedRecord>();
  let bytes = 0;
  for (const record of records.toReversed()) {
    if (ports.partitions.find(topic, record.epoch) === undefined) continue;
    const frame = frameOf(path, record, record.previous);
    if (frames.length > 0 && bytes + frame.length > maxBytes) break;
    bytes += frame.length;
    frames.push(frame);
    oldest.set(record.epoch, record);
  }
  return { frames: frames.reverse(), oldest };
}

/** Where an answer begins in one epoch: just before the oldest record that it holds of it. −1: at the beginning. */
function positionBefore(
  oldest: IndexedRecord | undefined,
  tail: number | undefined,
  horizon: number,
  wasThere: boolean,
): number {
  // The latest record of a key may be held from before the horizon.
  if (oldest !== undefined) return oldest.previous ?? Math.min(horizon, oldest.offset) - 1;
  if (tail !== undefined) return tail;
  // What the receiver had there is no longer known: everything before the horizon is declared lost.
  return wasThere ? horizon - 1 : -1;
}

/** For each epoch that matters the offset just before the horizon (U5). */
function sinceOf(views: readonly PartitionView[], from: Position | undefined): Position {
  const since = new Map<string, number>();
  for (const { epoch, horizon, tail } of views)
    if (horizon > 0 && (tail !== undefined || from?.has(epoch))) since.set(epoch, horizon - 1);
  return since;
}

/** Component by component the later of the two. */
function later(a: Position, b: Position): Position {
  const merged = new Map(a);
  for (const [epoch, offset] of b) if (offset > (merged.get(epoch) ?? -1)) merged.set(epoch, offset);
  return merged;
}
