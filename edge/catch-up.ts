/**
 * How those who wait are served: S3, R1, R2 and R4 of PROTOCOL.md. From the window where it reaches back far
 * enough, else from answers of the origin, piece by piece until the window takes over.
 */
import type { ResetCause } from "../shared/protocol/codes.ts";
import { type Frame, routingOf } from "../shared/protocol/frame.ts";
import { type Position, reaches } from "../shared/protocol/position.ts";
import { encodeReset } from "../shared/protocol/subscriber.ts";
import type { Attached } from "../shared/protocol/uplink.ts";
import type { Ask } from "./attachment.ts";
import type { Replica, Span } from "./replica.ts";
import type { Subscriber, Subscribers } from "./subscribers.ts";

/**
 * What to ask for the first who waits and all whose positions have the same epochs: the lowest of each epoch.
 * undefined: nobody waits.
 */
export function groupFrom(
  waiting: readonly { readonly from: Position | undefined }[],
): { readonly from: Position | undefined } | undefined {
  const [first] = waiting;
  if (first?.from === undefined) return first && { from: undefined };
  const lowest = new Map(first.from);
  for (const { from } of waiting) {
    if (from === undefined || !sameEpochs(from, first.from)) continue;
    for (const [epoch, offset] of from) lowest.set(epoch, Math.min(offset, lowest.get(epoch) ?? offset));
  }
  return { from: lowest };
}

export class CatchUp {
  readonly #path: string;
  readonly #replica: Replica;
  readonly #subscribers: Subscribers;

  constructor(path: string, replica: Replica, subscribers: Subscribers) {
    this.#path = path;
    this.#replica = replica;
    this.#subscribers = subscribers;
  }

  /** Serves one who waits from what the object knows; false where only the origin can tell. */
  serve(subscriber: Subscriber, now: number): boolean {
    const { waiting } = subscriber;
    const head = this.#replica.position;
    if (waiting === undefined || head === undefined) return false;
    const resume = this.#replica.decide(waiting.from, now);
    if (resume.kind === "ask") return false;
    if (resume.kind === "snapshot")
      this.#subscribers.answer(subscriber, { position: resume.position, head }, resume.frames, "live");
    else this.#pass(subscriber, waiting.from ?? head, resume.kind === "replay" ? resume.frames : [], "live");
    return true;
  }

  /**
   * Hands an answer, which the replica knows by now, to those who wait. Its frames prove continuity for everyone
   * who stands between its two ends. `ask` is the question that it answers, where that was asked for a group:
   * each such answer settles or moves at least one of the group, so that asking comes to an end.
   */
  handOn(attached: Attached, span: Span, ask: Ask | undefined, now: number): void {
    const rest = this.#replica.decide(span.to, now);
    const onwards = rest.kind === "replay" ? rest.frames : [];
    const then = rest.kind === "ask" ? span.to : "live";
    const left: Subscriber[] = [];
    let moved = false;
    for (const subscriber of this.#subscribers.waiting()) {
      const { from } = subscriber.waiting;
      if (from === undefined) continue;
      const inGroup = ask?.from !== undefined && sameEpochs(from, ask.from) && reaches(from, ask.from);
      const frames = isBetween(from, span) ? after(span.frames, from) : [];
      if (isBetween(from, span) && (then === "live" || frames.length > 0)) {
        this.#pass(subscriber, from, [...frames, ...onwards], then);
        moved ||= inGroup;
      } else if (inGroup) left.push(subscriber);
    }
    if (ask === undefined) return;
    const { recovered, cause } = attached.verdict;
    for (const subscriber of left) {
      if (recovered !== false || !isLost(subscriber, attached, ask)) continue;
      this.#lose(subscriber, cause ?? "horizon");
      moved = true;
    }
    // An answer that helps none of those it was asked for contradicts itself; what it doesn't prove is lost.
    if (!moved) for (const subscriber of left) this.#lose(subscriber, "horizon");
  }

  /** Continuity is lost for one who waits: it begins anew just before the latest update. */
  #lose(subscriber: Subscriber, cause: ResetCause): void {
    const { position, frames } = this.#replica.snapshot();
    const head = this.#replica.position ?? position;
    if (subscriber.waiting?.answered) {
      const reset = encodeReset(this.#path, { position, head, cause });
      this.#subscribers.continue(subscriber, [reset, ...frames], "live");
    } else {
      const verdict = { position, head, recovered: false, cause };
      this.#subscribers.answer(subscriber, verdict, frames, "live");
    }
  }

  /** Nothing after `from` is missing: the frames follow it. */
  #pass(subscriber: Subscriber, from: Position, frames: readonly Frame[], then: "live" | Position): void {
    const head = this.#replica.position ?? from;
    if (subscriber.waiting?.answered) this.#subscribers.continue(subscriber, frames, then);
    else this.#subscribers.answer(subscriber, { position: from, head, recovered: true }, frames, then);
  }
}

/** Whether an answer that could not prove continuity for a group says so for this one of it. */
function isLost(subscriber: Subscriber, { since, verdict }: Attached, ask: Ask): boolean {
  if (verdict.cause !== "horizon") return true;
  const from = subscriber.waiting?.from;
  for (const [epoch, offset] of since) {
    const matters = ask.from?.has(epoch) || verdict.head.has(epoch);
    if (matters && (from?.get(epoch) ?? -1) < offset) return true;
  }
  return false;
}

function isBetween(from: Position, span: Span): boolean {
  return reaches(from, span.position) && reaches(span.to, from);
}

function sameEpochs(a: Position, b: Position): boolean {
  if (a.size !== b.size) return false;
  for (const epoch of a.keys()) if (!b.has(epoch)) return false;
  return true;
}

function after(frames: readonly Frame[], from: Position): Frame[] {
  return frames.filter((frame) => {
    const routing = routingOf(frame);
    return routing !== undefined && routing.offset > (from.get(routing.epoch) ?? -1);
  });
}
