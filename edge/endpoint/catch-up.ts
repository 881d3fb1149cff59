/**
 * How those who wait are served: S3, R1, R2 and R4. From the window where it reaches back far
 * enough, else from answers of the origin, piece by piece until the window takes over.
 */
import type { Kept } from "../../shared/core/window.ts";
import type { Attached } from "../../shared/protocol/attach.ts";
import type { Verdict } from "../../shared/protocol/down.ts";
import type { Frame } from "../../shared/protocol/frame.ts";
import {
  afterTaking,
  componentsOf,
  isAfter,
  later,
  lower,
  offsetIn,
  type Position,
  reaches,
  sameEpochs,
  samePosition,
} from "../../shared/protocol/position.ts";
import { encodeReset } from "../../shared/protocol/subscriber.ts";
import type { Peer } from "../peer.ts";
import { isLittle } from "./replays.ts";
import type { Replica, Span } from "./replica.ts";
import type { Subscribers, WaitingSubscriber } from "./subscribers.ts";

/** From where continuity was proved: what was in memory, an origin's index, or the log itself (R7). */
export type Proof = "window" | "index" | "log";

/** How a subscribe was answered. `fresh` and `lost` begin with the latest update. */
export type Answered = Proof | "fresh" | "lost";

export class CatchUp<S extends Peer> {
  readonly #path: string;
  readonly #replica: Replica;
  readonly #subscribers: Subscribers<S>;
  readonly #replays: boolean;
  readonly #answered: (how: Answered) => void;

  /** @param replays Whether the source reads again from the log what its index no longer holds (R7). */
  constructor(
    path: string,
    replica: Replica,
    subscribers: Subscribers<S>,
    replays: boolean,
    answered: (how: Answered) => void,
  ) {
    this.#path = path;
    this.#replays = replays;
    this.#replica = replica;
    this.#subscribers = subscribers;
    this.#answered = answered;
  }

  /**
   * Serves one who waits from what is known here, or sees that it must wait for its quota; false if only the origin can tell.
   * `learned`: what that was learned from just now, where this one couldn't be served before.
   */
  serve(subscriber: WaitingSubscriber<S>, now: number, learned: Proof = "window"): boolean {
    const { from } = subscriber.subscription;
    const resume = this.#replica.decide(from, now);
    const mayBeLittle = resume.kind === "ask" ? from === undefined : isLittle(resume.frames);
    if (!mayBeLittle && this.#subscribers.mustWait(subscriber, now)) return true;
    if (resume.kind === "ask") return false;
    const { frames, head } = resume;
    if (resume.kind === "snapshot")
      this.#answer(subscriber, { position: resume.position, head }, frames, "live", "fresh");
    else this.#pass(subscriber, from ?? head, frames, head, "live", learned);
    return true;
  }

  /**
   * Hands an answer, which the replica knows by now, to those who wait. Its frames prove continuity for everyone
   * who stands between its two ends. `from` is where the question was asked from, if it was for those who wait, and on whose behalf.
   * `steady`: nothing of the endpoint is missing here.
   */
  handOn(
    attached: Attached,
    span: Span,
    { from: asked, asker }: { readonly from?: Position | undefined; readonly asker?: S | undefined },
    steady: boolean,
    now: number,
  ): void {
    // A position can name offsets past the last record of the endpoint: there the origin has found nothing.
    const known = steady ? asFarAs(attached, this.#replica.position ?? span.to) : span.to;
    const onwards = this.#replica.after(known, now);
    const then = onwards === undefined ? span.to : "live";
    // Who has nothing is told that nothing is missing only of all that counts (R1), the key's home, too.
    const isOfAll = span.speaksOfHome || (asked?.size === 0 && attached.verdict.recovered === true);
    for (const subscriber of this.#subscribers.waiting()) {
      const { from } = subscriber.subscription;
      if (from === undefined) continue;
      const isProved = isBetween(from, span) && (from.size > 0 || isOfAll);
      const updates = isProved ? span.updates.filter((update) => isAfter(update, from)) : [];
      if (isProved && (then === "live" || updates.length > 0)) {
        const following: Kept[] = [...updates, ...(onwards ?? [])];
        const all = following.map(({ frame }) => frame);
        // On whose behalf it was asked is sent it, whatever was before: or it would be asked for again.
        const isAsker = subscriber.socket === asker;
        if (!isAsker && !isLittle(all) && this.#subscribers.mustWait(subscriber, now)) continue;
        const head = then === "live" ? afterTaking(from, following) : later(attached.verdict.head, from);
        this.#pass(subscriber, from, all, head, then, proofOf(attached));
        if (isAsker) this.#subscribers.wasAnswered(subscriber.socket, all);
      } else if (asked !== undefined && isLost(from, asked, attached, steady, this.#replays))
        this.#lose(subscriber, attached.verdict.cause ?? "horizon");
    }
  }

  /** Continuity is lost for one who waits: it begins anew just before the latest update. */
  #lose(subscriber: WaitingSubscriber<S>, cause: string): void {
    const { position, frames, head } = this.#replica.snapshot();
    if (subscriber.subscription.kind === "lagging") {
      const reset = encodeReset(this.#path, { position, head, cause });
      this.#subscribers.continue(subscriber, [reset, ...frames], "live");
    } else {
      const verdict = { position, head, recovered: false, cause };
      this.#answer(subscriber, verdict, frames, "live", "lost");
    }
  }

  /** Nothing after `from` is missing: the frames follow it. */
  #pass(
    subscriber: WaitingSubscriber<S>,
    from: Position,
    frames: readonly Frame[],
    head: Position,
    then: "live" | Position,
    how: Proof,
  ): void {
    const beyond = then === "live" ? beyondOf(head, this.#replica.position) : undefined;
    if (subscriber.subscription.kind === "lagging")
      this.#subscribers.continue(subscriber, frames, then, beyond);
    else this.#answer(subscriber, { position: from, head, recovered: true }, frames, then, how, beyond);
  }

  #answer(
    subscriber: WaitingSubscriber<S>,
    verdict: Verdict,
    frames: readonly Frame[],
    then: "live" | Position,
    how: Answered,
    beyond?: Position,
  ): void {
    this.#answered(how);
    this.#subscribers.answer(subscriber, verdict, frames, then, beyond);
  }
}

/** Where a receiver stands in epochs of which its replica has nothing. */
function beyondOf(position: Position, replica: Position | undefined): Position | undefined {
  const beyond = componentsOf(position, (epoch) => !replica?.has(epoch));
  return beyond.size > 0 ? beyond : undefined;
}

/** What an origin's answer proves continuity with. */
export function proofOf({ log }: Attached): "index" | "log" {
  return log ? "log" : "index";
}

/** Whether a replica holds updates that the source of an answer doesn't know, and hasn't dropped. */
export function knowsLess({ verdict, to, horizon }: Attached, position: Position): boolean {
  const known = later(verdict.head, to);
  for (const [epoch, offset] of position)
    if (offset > Math.max(offsetIn(known, epoch), (horizon.get(epoch) ?? 0) - 1)) return true;
  return false;
}

/** Whether an answer that doesn't help a subscriber at `from` shows that none will. */
function isLost(
  from: Position,
  asked: Position,
  { horizon, verdict, to }: Attached,
  steady: boolean,
  replays: boolean,
): boolean {
  const refused = verdict.recovered === false;
  // Asked for exactly: no better answer can be had, unless there was more to come (U5).
  if (samePosition(from, asked)) return refused || (steady && reaches(to, verdict.head));
  if (!refused || !sameEpochs(from, asked)) return false;
  if (verdict.cause !== "horizon") return verdict.cause === "epoch" || reaches(from, asked);
  // Less may lie before the horizon for one who stands further on, and so little may be read again (R7).
  if (replays && !reaches(asked, from)) return false;
  for (const [epoch, oldest] of horizon) {
    const head = verdict.head.get(epoch);
    const at = offsetIn(from, epoch);
    // At the key's last record nothing can be missing, however far the horizon has moved (R3).
    if (at < oldest - 1 && (head === undefined || at < head)) return true;
  }
  return false;
}

function isBetween(from: Position, span: Span): boolean {
  return reaches(from, span.position) && reaches(span.to, from);
}

/**
 * Where an answer leads, as far as the replica is there. An epoch in which it has nothing needs no more of it where
 * the answer has told all.
 */
function asFarAs({ to, horizon, verdict }: Attached, position: Position): Position {
  const both = lower(to, position);
  for (const [epoch, offset] of to) {
    const isAll = horizon.has(epoch) && offset >= offsetIn(verdict.head, epoch);
    if (!position.has(epoch) && !isAll) both.set(epoch, offset);
  }
  return both;
}
