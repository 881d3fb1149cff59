/**
 * What is open between one watch and the slices: N5–N7 of INTERNALS.md. An ask goes to each slice, and their parts of the
 * answer go down as one. A part is held until the others have come, which takes a moment: a slice that is missing, or
 * takes time, or is silent, isn't waited for if the others can tell.
 *
 *   ask ──▶ every slice ──▶ part ──▶ all are there, or enough ──▶ one answer ──▶ what came live since
 *                            │ a slice that wasn't waited for
 *                            └──▶ is asked again, from what the link has by then (L7)
 *
 * An object may have several questions open (L4). Each is answered by itself, and none waits for another.
 */
import { ownedFrame } from "../../../shared/core/owned.ts";
import { type Attach, encodeWaiting, UNASKED } from "../../../shared/protocol/attach.ts";
import type { Frame, Routing } from "../../../shared/protocol/frame.ts";
import { NOTHING, type Position, raise, raiseComponent, reaches } from "../../../shared/protocol/position.ts";
import type { Linger } from "../links/linger.ts";
import { encodeLeads, type Watch } from "../links/links.ts";
import type { OriginItem } from "../uplinks/origin-items.ts";
import type { AnsweringPorts } from "./answering.ts";
import { type Combined, combine } from "./combine.ts";
import type { HeldBytes, LiveUpdate } from "./held-parts.ts";
import { Incoming } from "./incoming.ts";
import { passAnswer, passUpdate } from "./passing.ts";
import {
  type AttachPart,
  attachOf,
  newScatteredAsk,
  ofMissing,
  type Parts,
  type ScatteredAsk,
  slicesWithout,
  suffices,
} from "./scattered-ask.ts";
import type { Unheard } from "./unheard.ts";

/** What the watches of a shard have in common. */
export interface Slicing {
  readonly ports: AnsweringPorts;
  /** How many slices there are. */
  readonly count: number;
  readonly bytes: HeldBytes;
  /** For slices that say nothing. */
  readonly patience: Linger<ScatteredAsk>;
  readonly unheard: Unheard;
  /** Watches whose objects may have got but a part of an answer, from an origin of the count before. */
  readonly cutShort: Set<Watch>;
}

export class ScatteredWatch {
  readonly #watch: Watch;
  readonly #slicing: Slicing;
  /** By the id of the question, in the order in which they were asked. */
  readonly #open = new Map<number, ScatteredAsk>();
  readonly #incoming = new Incoming<AttachPart["head"]>();

  constructor(watch: Watch, slicing: Slicing) {
    this.#watch = watch;
    this.#slicing = slicing;
  }

  /** Whether what comes live is just passed on. */
  get isIdle(): boolean {
    return this.#open.size === 0 && this.#incoming.isEmpty;
  }

  /** What its object has asked origins of another count is open: these are asked as they come. */
  resume(): void {
    for (const ask of this.#watch.asks.values()) this.#begin(ask);
  }

  /** The object asks. */
  ask(ask: Attach): void {
    this.cancel(ask.id);
    const scattered = this.#begin(ask);
    for (const slice of this.#slicing.ports.present()) this.#put(scattered, slice);
    this.#settle(scattered);
  }

  /** Nobody waits for the answer any more. */
  cancel(id: number): void {
    const scattered = this.#open.get(id);
    if (scattered === undefined) return;
    for (const slice of scattered.scatter.answers().keys()) this.#forgetPart(scattered, slice);
    this.#close(scattered);
  }

  end(): void {
    for (const scattered of this.#all()) this.#close(scattered);
  }

  /** What an origin that has just become active for a slice is to be asked, after where the link is (L7). */
  repeat(slice: number): string[] {
    this.#incoming.drop(slice);
    return this.#all().map((scattered) => {
      this.#forgetPart(scattered, slice);
      this.#wait(scattered, slice);
      return attachOf(scattered);
    });
  }

  /** What a slice said of open asks will be asked of its next origin, which must be live after it. */
  lost(slice: number): void {
    this.#incoming.drop(slice);
    for (const scattered of this.#all()) {
      this.#forgetPart(scattered, slice);
      scattered.scatter.step(slice, { kind: "lost", keeps: false });
      this.#settle(scattered);
    }
  }

  take(slice: number, { frame, says, update }: OriginItem): void {
    if (says?.kind === "waiting") this.#takesTime(slice, says.id);
    else if (says?.kind === "attached") {
      const part = this.#incoming.begin(slice, says.attached);
      if (part !== undefined) this.#complete(slice, part);
    } else if (update !== undefined) {
      const part = this.#incoming.take(slice, frame);
      if (part === "live") this.#live(slice, frame, update);
      else if (part !== "part") this.#complete(slice, part);
    }
  }

  /** Slices that haven't answered by now aren't waited for. */
  hurry(scattered: ScatteredAsk): void {
    scattered.scatter.stepAll({ kind: "late" });
    this.#settle(scattered);
  }

  #begin(ask: Attach): ScatteredAsk {
    const { count, bytes, ports } = this.#slicing;
    const scattered = newScatteredAsk(this.#watch, ask, ports.now(), count, bytes);
    this.#open.set(ask.id, scattered);
    return scattered;
  }

  #all(): readonly ScatteredAsk[] {
    return [...this.#open.values()];
  }

  #wait(scattered: ScatteredAsk, slice: number): void {
    scattered.scatter.step(slice, { kind: "put" });
    this.#slicing.patience.start(scattered);
  }

  #put(scattered: ScatteredAsk, slice: number): void {
    this.#wait(scattered, slice);
    this.#send(scattered, slice);
  }

  #send(scattered: ScatteredAsk, slice: number): void {
    const { ports } = this.#slicing;
    // A subscriber that waits may be ahead of the object there, which must not hear of what that one has when it is live.
    const first = this.#slicing.unheard.leads(this.#watch, slice) ? encodeLeads(this.#watch) : [];
    ports.send([...first, attachOf(scattered, ports.now())], slice);
  }

  #complete(slice: number, part: AttachPart): void {
    const { id } = part.head;
    const scattered = this.#open.get(id);
    if (id === UNASKED) this.#unasked(slice, part);
    else if (scattered === undefined || scattered.scatter.answerOf(slice) !== undefined)
      this.#late(slice, part);
    else {
      const { scatter, held } = scattered;
      scatter.step(slice, { kind: "answers", answer: part });
      held.addPart(part.frames);
      for (const other of scatter.released()) {
        scatter.step(other, { kind: "press" });
        this.#slicing.patience.start(scattered);
        this.#send(scattered, other);
      }
      this.#settle(scattered);
    }
  }

  /** L7, or continuity was lost in this slice. */
  #unasked(slice: number, part: AttachPart): void {
    for (const scattered of this.#all()) {
      if (scattered.scatter.answerOf(slice) === undefined) continue;
      this.#forgetPart(scattered, slice);
      this.#put(scattered, slice);
    }
    this.#slicing.unheard.heard(this.#watch, slice);
    const { sent } = this.#watch;
    // Before the first answer the object has nothing to which this could be added.
    if (sent === undefined) return;
    // Most keys are unknown to most slices: their objects needn't wake for that, unless they wait for more of an answer.
    const { count, verdict } = part.head;
    const isNews = count > 0 || verdict.recovered !== true || !reaches(sent, verdict.head);
    if (isNews || this.#slicing.cutShort.has(this.#watch)) this.#add(slice, part, sent);
  }

  /**
   * It was not waited for. Its origin may have gone live with it, and what comes live need not name what is in it. So it goes
   * down now if it leads on from where the link is, or if the object was refused. Else what it has to add is asked
   * for from there.
   */
  #late(slice: number, part: AttachPart): void {
    const { sent, first } = this.#watch;
    const { id, notHome, verdict } = part.head;
    if (notHome || sent === undefined) return;
    const isRefused = verdict.recovered === false && id === first;
    if (!isRefused && reaches(sent, verdict.head)) return;
    const leadsOn = verdict.recovered === true && reaches(sent, verdict.position);
    if (isRefused || leadsOn) this.#add(slice, part, sent);
    else this.#slicing.ports.send(encodeLeads(this.#watch), slice);
  }

  /** What a slice has for a link by itself. Of the others it says that they are where the link is. */
  #add(slice: number, part: AttachPart, sent: Position): void {
    const parts = new Map([[slice, part]]);
    const missing = ofMissing(sent, parts, this.#slicing.count);
    const asked = { endpoint: this.#watch.path, id: UNASKED, from: sent };
    this.#pass(combine(asked, parts, missing, NOTHING), parts);
  }

  /** An object that was told to wait by one slice may be answered by the others. */
  #takesTime(slice: number, id: number): void {
    const scattered = this.#open.get(id);
    if (scattered === undefined) return;
    scattered.scatter.step(slice, { kind: "takesTime" });
    this.#settle(scattered);
  }

  #live(slice: number, frame: Frame, routing: Routing): void {
    // Subscribers that were told to wait delay nobody. But the object must have what its own question brings (U6).
    const answered = this.#all().filter(
      ({ told, ask, scatter }) =>
        (!told || ask.id === this.#watch.first) && scatter.answerOf(slice) !== undefined,
    );
    // One of them holds all, so that they stay in order.
    const holder =
      answered.find(({ held }) => held.holdsLiveOf(slice)) ??
      answered.find(({ scatter }) => isNews(scatter.answerOf(slice)));
    if (holder === undefined) {
      this.#passOn({ slice, frame, routing });
      return;
    }
    holder.held.addLive({ slice, frame: ownedFrame(frame), routing });
    if (this.#slicing.bytes.isFull) this.hurry(holder);
  }

  /** The object takes it if it is where a part of an answer began; if not, that answer's head tells it to ask again. */
  #passOn({ slice, frame, routing }: LiveUpdate): void {
    for (const { scatter, passed } of this.#open.values())
      if (scatter.answerOf(slice) !== undefined) raiseComponent(passed, routing.epoch, routing.offset);
    passUpdate(this.#slicing.ports.down, this.#watch, frame, routing);
  }

  #settle(scattered: ScatteredAsk): void {
    const { scatter, held, ask } = scattered;
    if (!this.#isOpen(scattered)) return;
    if (this.#slicing.bytes.isFull) scatter.stepAll({ kind: "full" });
    const { progress } = scatter;
    if (progress === "open") return;
    const parts = scatter.answers();
    if (progress === "whole" || suffices(scattered, parts, this.#slicing.count)) {
      this.#answer(scattered, parts);
      return;
    }
    for (const [slice, part] of parts) {
      if (!isNews(part)) continue;
      scatter.step(slice, { kind: "release" });
      held.dropPart(part.frames);
      // Its origin is live with the answer to the first question.
      const at = ask.id === this.#watch.first ? (this.#watch.sent ?? ask.from) : undefined;
      if (at !== undefined) this.#add(slice, part, at);
      this.#free(scattered, slice);
      if (!this.#isOpen(scattered)) return;
    }
    if (scattered.told) return;
    scattered.told = true;
    const { link, path } = this.#watch;
    this.#slicing.ports.down.addAll(link, [encodeWaiting(path, ask.id)]);
  }

  #answer(scattered: ScatteredAsk, parts: Parts): void {
    const { ask, passed } = scattered;
    const { count } = this.#slicing;
    const watch = this.#watch;
    const live = this.#close(scattered);
    if (ask.from === undefined) this.#slicing.unheard.note(watch, slicesWithout(parts, count));
    const unheard = ofMissing(watch.sent ?? NOTHING, parts, count);
    const missing = ofMissing(ask.from ?? NOTHING, parts, count);
    raise(passed, unheard);
    this.#pass(combine(ask, parts, missing, passed), parts);
    // Their objects have more of these than was asked for.
    if (watch.sent !== undefined) raise(watch.sent, passed);
    for (const update of live) this.#passOn(update);
  }

  #pass(combined: Combined, parts: Parts): void {
    const { ports, count, cutShort } = this.#slicing;
    cutShort.delete(this.#watch);
    passAnswer(ports.down, this.#watch, combined, parts, count);
  }

  /** The slice's answer comes anew. What was held after this one may be beyond what that can hold. */
  #forgetPart(scattered: ScatteredAsk, slice: number): void {
    const { scatter, held } = scattered;
    const part = scatter.answerOf(slice);
    if (part === undefined) return;
    scatter.step(slice, { kind: "lost", keeps: false });
    held.dropPart(part.frames);
    this.#free(scattered, slice);
  }

  #free({ held }: ScatteredAsk, slice: number): void {
    for (const update of held.freeLiveOf(slice)) this.#passOn(update);
  }

  /** What is passed on may be too much for the link, which is closed then. */
  #isOpen(scattered: ScatteredAsk): boolean {
    return this.#open.get(scattered.ask.id) === scattered;
  }

  /** Returns what came live and was held. */
  #close(scattered: ScatteredAsk): readonly LiveUpdate[] {
    this.#open.delete(scattered.ask.id);
    this.#slicing.patience.end(scattered);
    return scattered.held.end();
  }
}

/** Whether what comes live must follow it: it has updates, or says that some were lost before that. */
function isNews(part: AttachPart | undefined): boolean {
  return part !== undefined && (part.frames.length > 0 || part.head.verdict.recovered === false);
}
