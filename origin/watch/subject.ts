/** What the index and the partitions know of an endpoint, and which partitions speak for it. */

import type { Stream } from "../../shared/config/streams.ts";
import { LIMITS } from "../../shared/protocol/limits.ts";
import { offsetIn, type Position } from "../../shared/protocol/position.ts";
import { isWhole, type Slice, WHOLE } from "../../shared/protocol/slice.ts";
import type { PartitionView } from "../index/views.ts";
import { isReadAgain, type Partition, type Partitions } from "../reading/partitions.ts";
import type { History } from "./history.ts";

export interface Endpoint {
  readonly topic: string;
  readonly key: Uint8Array;
  /** Canonical. */
  readonly path: string;
  readonly stream: Stream;
}

/** An endpoint with what is known of it. */
export interface Subject {
  readonly endpoint: Endpoint;
  /** The last offset in each epoch in which it is known; the index may have dropped that record since. */
  readonly tails: Position;
}

export interface SubjectPorts {
  readonly history: History;
  readonly partitions: Partitions;
  /** Of which this origin's answers speak. */
  readonly slice?: Slice;
  /** Which of `count` partitions the default partitioner gives a key to. */
  readonly homeOf: (key: Uint8Array, count: number) => number;
}

/** The last offset of the endpoint in each epoch of its topic in which the index knows it. */
export function tailsIn(
  { history, partitions }: SubjectPorts,
  { topic, key }: Endpoint,
): Map<string, number> {
  const tails = new Map<string, number>();
  for (const { epoch, tail } of history.views(topic, key))
    if (tail !== undefined && partitions.find(topic, epoch) !== undefined) tails.set(epoch, tail);
  return tails;
}

/** The epochs of the endpoint's topic; the index may still know some that it had before. */
function viewsOf(
  { history, partitions }: SubjectPorts,
  { endpoint, tails }: Subject,
): readonly PartitionView[] {
  const { topic, key } = endpoint;
  return history
    .views(topic, key)
    .filter(({ epoch }) => partitions.find(topic, epoch) !== undefined)
    .map((view) => ({ ...view, tail: tails.get(view.epoch) }));
}

/**
 * The partitions that speak for an endpoint: its homes and, if its key is known nowhere, those that are being read
 * again, in which it may have been known. No other partition ever holds it up.
 */
export function speakersOf(ports: SubjectPorts, subject: Subject): readonly Partition[] {
  const partitions = ports.partitions.of(subject.endpoint.topic) ?? [];
  const homes = homesOf(ports, subject);
  if (subject.tails.size > 0) return homes;
  return partitions.filter((partition) => isReadAgain(partition) || homes.includes(partition));
}

/** The partitions in which the endpoint's key is known or, if it is known nowhere, its home. */
function homesOf(ports: SubjectPorts, { endpoint, tails }: Subject): readonly Partition[] {
  const partitions = ports.partitions.of(endpoint.topic) ?? [];
  if (tails.size > 0) return partitions.filter(({ epoch }) => tails.has(epoch));
  return partitions.filter(({ epoch }) => isHome(ports, endpoint, epoch));
}

/** Whether the default partitioner gives an endpoint's key to the partition of this epoch, which this origin reads. */
export function isHome(ports: SubjectPorts, { topic, key }: Endpoint, epoch: string): boolean {
  const count = ports.partitions.count(topic) ?? 0;
  if (count === 0) return false;
  return ports.partitions.find(topic, epoch)?.partition === ports.homeOf(key, count);
}

/**
 * The partitions of which an answer speaks: those that `from` names, and those that speak for the endpoint. A key that is
 * known nowhere may have had records at home that were forgotten, so what is said of it says how far its home was read.
 */
export function spokenOf(
  ports: SubjectPorts,
  subject: Subject,
  from: Position | undefined,
): readonly PartitionView[] {
  const homes = new Set(homesOf(ports, subject).map(({ epoch }) => epoch));
  const named = namesTooMuch(ports, subject, from) ? undefined : from;
  return viewsOf(ports, subject).filter(({ epoch }) => homes.has(epoch) || named?.has(epoch));
}

/**
 * Whether an answer that spoke of all that `from` names would name more than a client may say. The partitions in which the
 * key lives are never too much: without them nothing could be said of it.
 */
export function namesTooMuch(ports: SubjectPorts, subject: Subject, from: Position | undefined): boolean {
  const { tails } = subject;
  // Nearly always.
  if (from === undefined || from.size + tails.size < LIMITS.positionComponents) return false;
  const epochs = new Set(tails.keys());
  const partitions = ports.partitions.of(subject.endpoint.topic) ?? [];
  for (const { epoch } of partitions) if (isHome(ports, subject.endpoint, epoch)) epochs.add(epoch);
  const before = epochs.size;
  for (const epoch of from.keys()) epochs.add(epoch);
  return epochs.size > Math.max(before, LIMITS.positionComponents);
}

/**
 * The partitions that matter to a proof of continuity from `from`: also the home, for a receiver that names no partition in
 * which the key is known. (One that names such a partition was told of the key where it lives.)
 */
export function neededOf(ports: SubjectPorts, subject: Subject, from: Position): readonly PartitionView[] {
  const spoken = new Set(spokenOf(ports, subject, from).map(({ epoch }) => epoch));
  const isAtHome = [...subject.tails.keys()].every((epoch) => !from.has(epoch));
  return viewsOf(ports, subject).filter(
    ({ epoch }) => spoken.has(epoch) || (isAtHome && isHome(ports, subject.endpoint, epoch)),
  );
}

/**
 * The partitions of which an answer that proved continuity from `from` speaks: also the home, if that was proved, too, by the
 * index or by the log, of which these epochs were read again.
 */
export function provedOf(
  ports: SubjectPorts,
  subject: Subject,
  from: Position,
  replayed: ReadonlySet<string>,
): readonly PartitionView[] {
  const spoken = new Set(spokenOf(ports, subject, from).map(({ epoch }) => epoch));
  return viewsOf(ports, subject).filter(({ epoch, horizon }) => {
    const isProved = offsetIn(from, epoch) >= horizon - 1 || replayed.has(epoch);
    return spoken.has(epoch) || (isProved && isHome(ports, subject.endpoint, epoch));
  });
}

/** Where somebody stands in a partition that has had everything that was read there. */
export function endOf({ tail, checkpoint }: PartitionView): number {
  return tail ?? checkpoint - 1;
}

/** The same in all of which an answer speaks. */
export function standingOf(ports: SubjectPorts, subject: Subject): Map<string, number> {
  const standing = new Map<string, number>();
  for (const view of spokenOf(ports, subject, undefined))
    if (endOf(view) >= 0) standing.set(view.epoch, endOf(view));
  return standing;
}

/**
 * From where on all that there was of an endpoint can be proved, and so followed (U8). `latest` is the epoch of its latest
 * record.
 */
export function oldestOf(ports: SubjectPorts, subject: Subject, latest: string | undefined): Position {
  const oldest = new Map<string, number>();
  const homes = new Set(homesOf(ports, subject).map(({ epoch }) => epoch));
  for (const view of viewsOf(ports, subject)) {
    // Its home, too, though it may be known elsewhere only: a position that names neither proves nothing (R3).
    if (!homes.has(view.epoch) && !isHome(ports, subject.endpoint, view.epoch)) continue;
    const before = oldestIn(view, view.epoch === latest);
    if (before >= 0) oldest.set(view.epoch, before);
  }
  return oldest;
}

function oldestIn({ horizon, deletedTo, checkpoint, tail }: PartitionView, isLatest: boolean): number {
  // Its last record may be held from before the horizon. If that is the latest of all it must be shown, though nothing proves
  // that it alone was there.
  if (tail !== undefined && tail < horizon) return isLatest ? tail - 1 : tail;
  // A receiver that stands before what was deleted may hold some of that, so nothing is proved to it.
  const before = deletedTo > 0 ? Math.max(horizon - 1, deletedTo) : horizon - 1;
  return Math.min(before, (tail ?? checkpoint) - 1);
}

/** Whether an answer that speaks of these doesn't speak of the key's home (U5). Without partitions there is none to speak of. */
export function isWithoutHome(
  ports: SubjectPorts,
  { endpoint }: Subject,
  views: readonly PartitionView[],
): boolean {
  const hasHome = (ports.partitions.count(endpoint.topic) ?? 0) > 0;
  return hasHome && !views.some(({ epoch }) => isHome(ports, endpoint, epoch));
}

/** Whether other slices answer for an endpoint, as far as this origin can tell (N4). */
export function isNotHome(ports: SubjectPorts, subject: Subject, from: Position | undefined): boolean {
  if (isWhole(ports.slice ?? WHOLE) || subject.tails.size > 0 || (from?.size ?? 0) > 0) return false;
  const { endpoint } = subject;
  return (ports.partitions.count(endpoint.topic) ?? 0) > 0 && speakersOf(ports, subject).length === 0;
}
