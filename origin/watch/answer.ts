/**
 * The answers to attaches (U5) and to questions (U8). An attach gets what follows, if continuity was proved, else the recent
 * updates: as much as one answer may hold. Reads only; sending and going live are the watch list's.
 */
import type { Attached } from "../../shared/protocol/attach.ts";
import type { ResetCause } from "../../shared/protocol/codes.ts";
import type { Frame } from "../../shared/protocol/frame.ts";
import { later, type Position, raiseComponent } from "../../shared/protocol/position.ts";
import { encodeLatest } from "../../shared/protocol/uplink.ts";
import type { IndexedRecord } from "../index/record.ts";
import type { PartitionView } from "../index/views.ts";
import { isReady } from "../reading/partitions.ts";
import type { AnswerBounds } from "./answer-bounds.ts";
import type { BriefAnswers, ToldRecord } from "./brief-answers.ts";
import type { ProofPorts } from "./proof.ts";
import { frameOf, latestFrameOf } from "./record-frame.ts";
import type { Replayed } from "./replayed.ts";
import {
  type Endpoint,
  endOf,
  isNotHome,
  isWithoutHome,
  oldestOf,
  provedOf,
  type Subject,
  speakersOf,
  spokenOf,
  standingOf,
  tailsIn,
} from "./subject.ts";

export interface AnswerPorts extends ProofPorts {
  /** What one answer may hold; at least one update whatever its size. */
  readonly bounds: AnswerBounds;
}

/** An answer but for the id of its question. How many updates it has is counted as it is written. */
export interface Answer {
  readonly attached: Omit<Attached, "id" | "count">;
  readonly frames: readonly Frame[];
}

/**
 * The answer if continuity from `from` was proved: what follows it, a page at a time. `replayed` fills the
 * gaps of the index; if it doesn't reach the index, neither does this page.
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
  const cut = replayed.findIndex(({ records, whole }) => !records.every(take) || !whole);
  let isWhole = false;
  if (cut < 0) {
    const page = ports.history.after(topic, key, indexed, { maxRecords: updates, maxBytes });
    const records = page.records.filter(({ epoch }) => ports.partitions.find(topic, epoch) !== undefined);
    isWhole = records.every(take) && !page.more;
  }
  const head = later(later(from, subject.tails), to);
  // What was cut off may have more, though nobody else knows of it: the asker goes on from where this page ends.
  for (const { gap } of cut < 0 ? [] : replayed.slice(cut)) raiseComponent(head, gap.epoch, gap.until - 1);
  const verdict = { position: from, head, recovered: true, cause: undefined };
  const views = provedOf(ports, subject, from, new Set(replayed.map(({ gap }) => gap.epoch)));
  // With the last page nothing more was found: up to the key's last record or, if none is known, as far as was read.
  for (const view of isWhole ? views : []) if (endOf(view) >= 0) raiseComponent(to, view.epoch, endOf(view));
  const horizon = horizonOf(views);
  const withoutHome = isWithoutHome(ports, subject, views);
  return { attached: { endpoint: path, verdict, to, horizon, withoutHome }, frames };
}

/** The answer if no proof was asked for, or none can be given: the recent updates, and where they begin. */
export function answerRecent(
  ports: AnswerPorts,
  subject: Subject,
  from: Position | undefined,
  proof: "fresh" | ResetCause,
): Answer {
  const { endpoint, tails } = subject;
  const views = spokenOf(ports, subject, from);
  const { frames, oldest } = recentOf(ports, endpoint);
  const position = new Map<string, number>();
  for (const view of views) {
    const before = positionBefore(oldest.get(view.epoch), view);
    if (before >= 0) position.set(view.epoch, before);
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
      horizon: horizonOf(views),
      withoutHome: isWithoutHome(ports, subject, views),
    },
    frames,
  };
}

/**
 * What a question for the latest record is answered (U8); undefined while that can't be told.
 * @param brief Nobody wants the value, if it is large.
 */
export function answerLatest(
  ports: AnswerPorts,
  endpoint: Endpoint,
  brief: boolean,
  briefs: BriefAnswers,
): readonly Frame[] | undefined {
  const { topic, path } = endpoint;
  if (ports.partitions.of(topic) === undefined) return undefined;
  const subject = { endpoint, tails: tailsIn(ports, endpoint) };
  if (speakersOf(ports, subject).some((partition) => !isReady(partition))) return undefined;
  const known = brief ? briefs.find(path, subject.tails) : undefined;
  const answer = known ?? latestFrame(ports, endpoint, brief);
  const { epoch, frame, value } = answer ?? {};
  if (brief && known === undefined && answer?.value !== undefined) briefs.note(path, subject.tails, answer);
  const notHome = isNotHome(ports, subject, undefined);
  const more = { oldest: oldestOf(ports, subject, epoch), notHome, value };
  const position = standingOf(ports, subject);
  return frame === undefined
    ? [encodeLatest(path, position, 0, more)]
    : [encodeLatest(path, position, 1, more), frame];
}

/** undefined if there is no record, or none of a partition that there is now. */
function latestFrame(
  ports: AnswerPorts,
  { topic, key, path }: Endpoint,
  brief: boolean,
): ToldRecord | undefined {
  const { record } = ports.history.latest(topic, key);
  if (record === undefined || ports.partitions.find(topic, record.epoch) === undefined) return undefined;
  return { epoch: record.epoch, ...latestFrameOf(path, record, brief) };
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
    // Between one without a predecessor and a record that is held from before, the log has removed something.
    const next = oldest.get(record.epoch);
    if (next !== undefined && next.previous === undefined) continue;
    const frame = frameOf(path, record, record.previous);
    if (frames.length > 0 && bytes + frame.length > maxBytes) break;
    bytes += frame.length;
    frames.push(frame);
    oldest.set(record.epoch, record);
  }
  return { frames: frames.reverse(), oldest };
}

/** Where an answer begins in one epoch: just before the oldest record that it holds of it. −1: at the beginning. */
function positionBefore(oldest: IndexedRecord | undefined, view: PartitionView): number {
  // The latest record of a key may be held from before the horizon.
  if (oldest !== undefined) return oldest.previous ?? Math.min(view.horizon, oldest.offset) - 1;
  // No record known is not that none was: what there may have been, up to where the log was read, is declared lost.
  return endOf(view);
}

function horizonOf(views: readonly PartitionView[]): Position {
  return new Map(views.map(({ epoch, horizon }) => [epoch, horizon]));
}
