/**
 * What an asker can be told: whether it must wait (R5), and whether continuity from where it stands can be proved
 * from the index (R3), and else why not (R4).
 */
import type { ResetCause } from "../../shared/protocol/codes.ts";
import { offsetIn, type Position } from "../../shared/protocol/position.ts";
import { isReady, isRetried } from "../reading/partitions.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import { namesTooMuch, neededOf, type Subject, type SubjectPorts, speakersOf } from "./subject.ts";

export interface ProofPorts extends SubjectPorts {
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/**
 * Until when a question waits. `patient`: not for ever, since what it names may not exist: another origin may have
 * sent what this one hasn't seen yet, but positions can also be made up, and logs can lose records. Before it is told that
 * there is no such thing, the log is looked at.
 */
export type Blocked =
  /** Until the topic has been described. */
  | { readonly kind: "topic"; readonly patient: false }
  /** Until the topic was looked at after the question came, or is another one. */
  | { readonly kind: "look"; readonly patient: false }
  /** Until the partition has been read past `offset` or, if that is undefined, is ready. */
  | {
      readonly kind: "partition";
      readonly epoch: string;
      readonly offset: number | undefined;
      readonly patient: boolean;
    }
  /** Until the log has been read again, which is given up when it needn't wait any more. */
  | { readonly kind: "log"; readonly patient: false; readonly reading: AbortController };

/** `fresh` if nobody asked for a proof. */
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

/** What is asked. */
export interface Inquiry {
  readonly from: Position | undefined;
  /** What must have been read before it is answered, besides. */
  readonly reached?: Position | undefined;
  /** When its asker began to wait, in milliseconds since 1970. */
  readonly at: number;
  /** Whether the topic was looked at since: what isn't known by now to be there, isn't. */
  readonly looked: boolean;
}

/** What an attach must wait for or, if it needn't, what can be proved. */
export function examine(ports: ProofPorts, subject: Subject, inquiry: Inquiry): Examined {
  const { from, reached, at, looked } = inquiry;
  const { endpoint } = subject;
  const all = ports.partitions.of(endpoint.topic);
  if (all === undefined) return { kind: "blocked", blocked: { kind: "topic", patient: false } };
  const isPatient = ports.now() - at < TIME_LIMITS.askAheadMs;
  for (const [epoch, offset] of [...(from ?? []), ...(reached ?? [])]) {
    const partition = ports.partitions.find(endpoint.topic, epoch);
    const isNew = partition === undefined && all.some((other) => isOfOneTopic(other.epoch, epoch));
    if (isNew && !looked) return LOOK;
    if (partition === undefined || offset < partition.next) continue;
    // A ready partition may lag: what its log is known to hold, or can't be asked for, is still waited for.
    const isComing = !isReady(partition) || offset < partition.end || isRetried(partition);
    if (isComing || isPatient)
      return { kind: "blocked", blocked: { kind: "partition", epoch, offset, patient: !isComing } };
    if (!looked) return LOOK;
  }
  const proof = from === undefined ? "fresh" : prove(ports, subject, from);
  if (proof === "recovered") return { kind: "open", proof };
  // The recent updates of a partition that isn't fully read would be old ones.
  const unready = speakersOf(ports, subject).find((partition) => !isReady(partition));
  if (unready === undefined) return { kind: "open", proof };
  return {
    kind: "blocked",
    blocked: { kind: "partition", epoch: unready.epoch, offset: undefined, patient: false },
  };
}

const LOOK: Examined = { kind: "blocked", blocked: { kind: "look", patient: false } };

/** Whether two epochs name partitions of the same incarnation of a topic (P4): one of them may just have been added. */
function isOfOneTopic(a: string, b: string): boolean {
  const dot = a.lastIndexOf(".");
  return dot > 0 && dot === b.lastIndexOf(".") && a.slice(0, dot) === b.slice(0, dot);
}

/** Whether nothing of the endpoint after `from` is missing in the index (R3), and else why (R4). */
export function prove(ports: SubjectPorts, subject: Subject, from: Position): "recovered" | ResetCause {
  let ahead = false;
  for (const [epoch, offset] of from) {
    const partition = ports.partitions.find(subject.endpoint.topic, epoch);
    if (partition === undefined) return "epoch";
    ahead ||= offset >= partition.next;
  }
  if (namesTooMuch(ports, subject, from)) return "epoch";
  if (ahead) return "ahead";
  return gapsIn(ports, subject, from).length === 0 ? "recovered" : "horizon";
}

/** What the index no longer holds of what may lie after `from` (R3), in the partitions that the topic has. */
export function gapsIn(ports: SubjectPorts, subject: Subject, from: Position): Gap[] {
  const gaps: Gap[] = [];
  for (const { partition, epoch, horizon, wholeFrom, deletedTo, tail } of neededOf(ports, subject, from)) {
    const at = offsetIn(from, epoch);
    // At its last record nothing can lie between, however far the horizon has moved since.
    const isLast =
      tail !== undefined && at >= tail && (tail >= wholeFrom || isEpochReady(ports, subject, epoch));
    // Where it stands may be at a record that the log has deleted, and that must not be shown any more.
    const isStale = from.has(epoch) && at < deletedTo;
    if ((at < horizon - 1 || isStale) && !isLast)
      gaps.push({ partition, epoch, after: isStale ? at - 1 : at, until: horizon });
  }
  return gaps;
}

function isEpochReady({ partitions }: SubjectPorts, { endpoint }: Subject, epoch: string): boolean {
  const partition = partitions.find(endpoint.topic, epoch);
  return partition !== undefined && isReady(partition);
}
