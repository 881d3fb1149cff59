/**
 * Pays what is owed on uplinks, in small steps: attaches are answered and their links go live in the same
 * step (U5, U6), and endpoints that fell behind while the uplink was congested are caught up (U10).
 */

import { encodeAnswer } from "../../shared/core/answer.ts";
import type { AddressedTo } from "../../shared/protocol/addressed.ts";
import { encodeWaiting, UNASKED } from "../../shared/protocol/attach.ts";
import type { Frame } from "../../shared/protocol/frame.ts";
import { NOTHING, reaches } from "../../shared/protocol/position.ts";
import { isReady, isStopped } from "../reading/partitions.ts";
import { type AnswerPorts, answerRecent, answerRecovered } from "./answer.ts";
import type { BlockedAsks } from "./blocked-asks.ts";
import type { WatchCounts } from "./counts.ts";
import type { Ask, Interest, Shard } from "./interest.ts";
import { examine, type Gap, gapsIn, prove } from "./proof.ts";
import { isFilled, joined, leftOf } from "./replayed.ts";
import type { Replays } from "./replays.ts";
import { isNotHome } from "./subject.ts";

export interface ServingPorts extends AnswerPorts {
  readonly replays: Replays;
  /** Makes the topic be looked at soon. */
  readonly look: (topic: string) => void;
}

/** Turns of endpoints in one step at most, and of no more bytes than one answer has, so that others get on. */
const TURNS_PER_STEP = 16;

/** The index may drop more while the log is read, but not for ever faster than it is read. */
const REPLAYS_PER_ASK = 10;

export class Serving {
  readonly #ports: ServingPorts;
  readonly #blocked: BlockedAsks;
  readonly #counts: WatchCounts;

  constructor(ports: ServingPorts, blocked: BlockedAsks, counts: WatchCounts) {
    this.#ports = ports;
    this.#blocked = blocked;
    this.#counts = counts;
  }

  /** Returns whether more can be done at once. */
  step(shard: Shard): boolean {
    let bytes = 0;
    for (let turn = 0; turn < TURNS_PER_STEP && bytes < this.#ports.bounds.bytes; turn++) {
      const [interest] = shard.work;
      if (interest === undefined || shard.congested) break;
      shard.work.delete(interest);
      const mayCatchUp = interest.forwarding.kind !== "on" && !this.#isHeldBack(interest);
      bytes += mayCatchUp ? this.#catchUp(interest) : this.#answer(interest);
      if (mayCatchUp ? interest.hasWork : interest.nextAsk !== undefined) shard.work.add(interest);
    }
    shard.outbox.flush();
    return shard.work.size > 0 && !shard.congested;
  }

  /** Whether what would be told isn't known yet. A partition that can't be read any more holds nobody back. */
  #isHeldBack({ watch, forwarding }: Interest): boolean {
    if (forwarding.kind !== "lost") return false;
    return forwarding.until.some((epoch) => {
      const partition = this.#ports.partitions.find(watch.endpoint.topic, epoch);
      return partition !== undefined && !isReady(partition) && !isStopped(partition);
    });
  }

  /** Answers one ask, or tells it to wait. Returns the bytes sent. */
  #answer(interest: Interest): number {
    const ask = interest.nextAsk;
    if (ask === undefined) return 0;
    const { watch } = interest;
    const examined = examine(this.#ports, watch, ask);
    if (examined.kind === "blocked") {
      this.#blocked.add(ask, examined.blocked);
      if (examined.blocked.kind === "look") this.#ports.look(watch.endpoint.topic);
      return this.#tellToWait(ask);
    }
    const { proof } = examined;
    const gaps = proof === "horizon" ? gapsIn(this.#ports, watch, ask.from ?? NOTHING) : [];
    const filled = proof === "horizon" && isFilled(gaps, ask.replayed);
    if (proof === "horizon" && !filled && this.#replay(ask, gaps)) return this.#tellToWait(ask);
    interest.forget(ask);
    interest.goLive(ask.link);
    const answered =
      proof === "recovered" || filled
        ? answerRecovered(this.#ports, watch, ask.from ?? NOTHING, ask.replayed)
        : answerRecent(this.#ports, watch, ask.from, proof);
    for (const epoch of answered.attached.to.keys()) watch.stands.add(epoch);
    const notHome = isNotHome(this.#ports, watch, ask.from);
    const to = addressOf(ask);
    const { attached, frames } = answered;
    // An origin that is not home says that already.
    const withoutHome = attached.withoutHome && !notHome;
    const head = { ...attached, id: ask.id, notHome, withoutHome, log: filled };
    this.#counts.answered[filled ? "log" : proof]++;
    return this.#send(interest, to, encodeAnswer(head, frames), frames);
  }

  /** Once (U7). Returns the bytes sent, of which none counts. */
  #tellToWait(ask: Ask): number {
    if (!ask.told) {
      const { shard, watch } = ask.interest;
      shard.outbox.add(addressOf(ask), encodeWaiting(watch.endpoint.path, ask.id));
      this.#counts.waited++;
    }
    ask.told = true;
    return 0;
  }

  /** Reads the log again if the stream allows that much (R7); returns whether the ask waits for it. */
  #replay(ask: Ask, gaps: readonly Gap[]): boolean {
    const { interest } = ask;
    const { topic, key, stream } = interest.watch.endpoint;
    const records = gaps.reduce((sum, { after, until }) => sum + until - after - 1, 0);
    if (records > stream.replay || ask.replays >= REPLAYS_PER_ASK) return false;
    ask.replays++;
    const reading = new AbortController();
    const blocked = { kind: "log", patient: false, reading } as const;
    this.#blocked.add(ask, blocked);
    const before = ask.replayed;
    const left = gaps.map((gap) => leftOf(gap, before));
    void this.#ports.replays.read(topic, key, left, reading.signal).then((replayed) => {
      // Nobody waits for it any more.
      if (ask.blocked !== blocked) return;
      this.#blocked.remove(ask);
      ask.replayed = replayed?.map((more) => joined(more, before));
      if (replayed === undefined) ask.replays = REPLAYS_PER_ASK;
      interest.shard.queue(interest);
    });
    return true;
  }

  /**
   * Sends a page of what the live links of an endpoint missed, as if it were live; with the last page they are
   * forwarded to again. If continuity is lost they get an answer that nobody asked for instead. Returns the
   * bytes sent.
   */
  #catchUp(interest: Interest): number {
    const { forwarding, address, watch } = interest;
    if (forwarding.kind === "on") return 0;
    const { from } = forwarding;
    const proof = forwarding.kind === "lost" ? forwarding.cause : prove(this.#ports, watch, from);
    if (proof === "recovered") {
      const page = answerRecovered(this.#ports, watch, from);
      const { to, verdict } = page.attached;
      interest.step({ kind: "caughtUp", to, whole: reaches(to, verdict.head) });
      return this.#send(interest, address, page.frames, page.frames);
    }
    interest.step({ kind: "told" });
    const { attached, frames } = answerRecent(this.#ports, watch, from, proof);
    this.#counts.reset++;
    return this.#send(interest, address, encodeAnswer({ ...attached, id: UNASKED }, frames), frames);
  }

  /** Returns the bytes of the updates among what is sent. */
  #send({ shard }: Interest, to: AddressedTo, frames: readonly Frame[], updates: readonly Frame[]): number {
    this.#counts.replayed += updates.length;
    for (const frame of frames) shard.outbox.add(to, frame);
    return updates.reduce((bytes, update) => bytes + update.length, 0);
  }
}

function addressOf({ link }: Ask): AddressedTo {
  return { kind: "links", links: [link] };
}
