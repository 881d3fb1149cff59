/**
 * Where several origins share the partitions, an object's ask goes to each of them, and their answers go down as one:
 * N5–N7 of INTERNALS.md. An answer that came is held until the others have, which takes a moment: a slice that is
 * missing, or waits, or is slow, isn't waited for where the others can tell.
 *
 *   ask ──▶ every slice ──▶ part ──▶ all are there, or enough ──▶ one answer ──▶ what came live since
 *                            │ a slice that wasn't waited for
 *                            └──▶ is asked again, from what the link has by then (L7)
 *
 * An object may have several questions open (L4). Each is gathered by itself, and none waits for another.
 */
import { ownedFrame } from "../../shared/core/owned.ts";
import {
  type Attach,
  encodeAttach,
  encodeAttached,
  encodeWaiting,
  UNASKED,
} from "../../shared/protocol/attach.ts";
import { type Frame, type Routing, routingOf } from "../../shared/protocol/frame.ts";
import { LIMITS } from "../../shared/protocol/limits.ts";
import { NOTHING, raise, raiseComponent, reaches } from "../../shared/protocol/position.ts";
import { type Combined, combine, type Part } from "./combine.ts";
import { Incoming, isWhole } from "./incoming.ts";
import { Linger, type LingerPorts } from "./linger.ts";
import { noteAnswer, noteUpdate, type Watch } from "./links.ts";
import type { OriginItem } from "./origin-items.ts";
import {
  attachOf,
  newScatteredAsk,
  ofMissing,
  type ScatteredAsk,
  SILENT_SLICE_MS,
  suffices,
} from "./scattered-ask.ts";

export interface ScatterGatherPorts extends LingerPorts {
  /** Numbers of the slices that have an active origin. */
  present(): readonly number[];
  /** Asks the active origin of a slice. */
  ask(slice: number, frames: readonly string[]): void;
  /** To the object of a watch, after all that was passed to it before. */
  pass(watch: Watch, frames: readonly Frame[]): void;
}

export class ScatterGather {
  readonly #ports: ScatterGatherPorts;
  #count = 1;
  /** By the id of the question, in the order in which they were asked. */
  readonly #open = new Map<Watch, Map<number, ScatteredAsk>>();
  readonly #incoming = new Incoming();
  /** Slices that were not waited for when an object asked for the first time: of them it has nothing to go on from. */
  readonly #unheard = new Map<Watch, Set<number>>();
  /** Watches whose object may have got but a part of an answer, from an origin of the count before. */
  readonly #cutShort = new Set<Watch>();
  readonly #patience: Linger<ScatteredAsk>;
  #bytes = 0;

  constructor(ports: ScatterGatherPorts) {
    this.#ports = ports;
    this.#patience = new Linger(ports, SILENT_SLICE_MS, (scattered) => this.#hurry(scattered));
  }

  /** Another number of slices is served: what they were asked is asked anew, as they come (`attaches`). */
  restart(count: number, watches: Iterable<Watch>): void {
    for (const scattered of this.#all()) this.#close(scattered);
    this.#incoming.clear();
    this.#unheard.clear();
    this.#cutShort.clear();
    this.#count = count;
    if (count === 1) return;
    for (const watch of watches) {
      this.#cutShort.add(watch);
      for (const ask of watch.asks.values()) this.#begin(watch, ask);
    }
  }

  /** An object asks. */
  ask(watch: Watch, ask: Attach): void {
    this.cancel(watch, ask.id);
    const scattered = this.#begin(watch, ask);
    for (const slice of this.#ports.present()) this.#askFor(scattered, slice);
    this.#settle(scattered);
  }

  /** Nobody waits for the answer any more. */
  cancel(watch: Watch, id: number): void {
    const scattered = this.#open.get(watch)?.get(id);
    if (scattered === undefined) return;
    for (const slice of [...scattered.parts.keys()]) this.#forgetPart(scattered, slice);
    this.#close(scattered);
  }

  /** Nobody watches it any more. */
  forget(watch: Watch): void {
    this.#incoming.forget(watch);
    this.#unheard.delete(watch);
    this.#cutShort.delete(watch);
    for (const scattered of this.#of(watch)) this.#close(scattered);
  }

  /** What an origin that has just become active is to be asked of a watch; what one before it said doesn't count. */
  attaches(watch: Watch, slice: number): string[] {
    const frames = leadOn(watch);
    this.#incoming.drop(watch, slice);
    for (const scattered of this.#of(watch)) {
      this.#forgetPart(scattered, slice);
      scattered.again.delete(slice);
      scattered.dropped.delete(slice);
      scattered.waitedFor.add(slice);
      this.#patience.start(scattered);
      frames.push(attachOf(scattered));
    }
    return frames;
  }

  /** A slice has no active origin any more; what it said of open asks will be asked of the next one. */
  lost(slice: number): void {
    this.#incoming.lost(slice);
    for (const scattered of this.#all()) {
      this.#forgetPart(scattered, slice);
      scattered.again.delete(slice);
      scattered.dropped.delete(slice);
      scattered.waitedFor.delete(slice);
      this.#settle(scattered);
    }
  }

  /** What the origin of a slice says to the link of a watch. */
  take(watch: Watch, slice: number, { frame, says, update }: OriginItem): void {
    if (says?.kind === "waiting") this.#waits(watch, slice, says.id);
    else if (says?.kind === "attached") {
      const part = this.#incoming.begin(watch, slice, says.attached);
      if (isWhole(part)) this.#complete(watch, slice, part);
    } else if (update !== undefined) {
      const part = this.#incoming.take(watch, slice, frame);
      if (part === undefined) this.#live(watch, slice, frame, update);
      else if (isWhole(part)) this.#complete(watch, slice, part);
    }
  }

  #begin(watch: Watch, ask: Attach): ScatteredAsk {
    const scattered = newScatteredAsk(watch, ask, this.#ports.now());
    const open = this.#open.get(watch) ?? new Map<number, ScatteredAsk>();
    this.#open.set(watch, open.set(ask.id, scattered));
    return scattered;
  }

  #of(watch: Watch): readonly ScatteredAsk[] {
    return [...(this.#open.get(watch)?.values() ?? [])];
  }

  #all(): readonly ScatteredAsk[] {
    return [...this.#open.values()].flatMap((open) => [...open.values()]);
  }

  #askFor(scattered: ScatteredAsk, slice: number): void {
    scattered.dropped.delete(slice);
    scattered.waitedFor.add(slice);
    this.#patience.start(scattered);
    const { watch } = scattered;
    // Whoever asks may be ahead of the object there, which must not hear of what they have when they are live.
    const first = this.#unheard.get(watch)?.has(slice) ? leadOn(watch) : [];
    this.#ports.ask(slice, [...first, attachOf(scattered, this.#ports.now())]);
  }

  #complete(watch: Watch, slice: number, part: Part): void {
    const { id } = part.attached;
    const scattered = this.#open.get(watch)?.get(id);
    if (id === UNASKED) this.#unasked(watch, slice, part);
    else if (scattered === undefined || scattered.parts.has(slice)) this.#late(watch, slice, part);
    else {
      scattered.parts.set(slice, part);
      scattered.waitedFor.delete(slice);
      for (const frame of part.frames) this.#hold(scattered, frame.length);
      for (const other of scattered.dropped) {
        if (other === slice) continue;
        // To let go meanwhile of what has come would have the two slices undo one another's answers for ever.
        scattered.again.add(other);
        this.#askFor(scattered, other);
      }
      this.#settle(scattered);
    }
  }

  /** L7, or continuity was lost in this slice. Of the others it says that they are where the link is. */
  #unasked(watch: Watch, slice: number, part: Part): void {
    for (const scattered of this.#of(watch)) {
      if (!scattered.parts.has(slice)) continue;
      this.#forgetPart(scattered, slice);
      this.#askFor(scattered, slice);
    }
    const unheard = this.#unheard.get(watch);
    if (unheard?.delete(slice) && unheard.size === 0) this.#unheard.delete(watch);
    // Before the first answer the object has nothing to which this could be added.
    if (watch.sent === undefined) return;
    // Most keys are unknown to most slices: their objects needn't wake for that, unless they wait for more of an answer.
    const { count, verdict } = part.attached;
    const isNews = count > 0 || verdict.recovered !== true || !reaches(watch.sent, verdict.head);
    if (!isNews && !this.#cutShort.has(watch)) return;
    const asked = { endpoint: watch.path, id: UNASKED, from: watch.sent };
    const parts = new Map([[slice, part]]);
    this.#pass(watch, combine(asked, parts, ofMissing(watch.sent, parts, this.#count), NOTHING), parts);
  }

  /** It was not waited for, and its link has moved on: where it has something to add, it is asked from there. */
  #late(watch: Watch, slice: number, { attached }: Part): void {
    if (attached.notHome || watch.sent === undefined || reaches(watch.sent, attached.verdict.head)) return;
    this.#ports.ask(slice, leadOn(watch));
  }

  /** An object that was told to wait by one slice may be answered by the others. */
  #waits(watch: Watch, slice: number, id: number): void {
    const scattered = this.#open.get(watch)?.get(id);
    if (scattered === undefined || scattered.parts.has(slice)) return;
    if (scattered.again.has(slice)) return;
    scattered.waitedFor.delete(slice);
    this.#settle(scattered);
  }

  #live(watch: Watch, slice: number, frame: Frame, routing: Routing): void {
    const answered = this.#of(watch).filter(({ parts }) => parts.has(slice));
    // One of them holds all, so that they stay in order.
    const holder =
      answered.find(({ liveAfter }) => liveAfter.some((other) => other.slice === slice)) ??
      answered.find(({ parts }) => isNews(parts.get(slice)));
    if (holder !== undefined) {
      holder.liveAfter.push({ slice, frame: ownedFrame(frame), routing });
      this.#hold(holder, frame.length);
      if (this.#bytes > LIMITS.scatterGatherBytes) this.#hurry(holder);
      return;
    }
    this.#passOn(watch, { slice, frame, routing });
  }

  /** The object takes it if it is where a part of an answer began; if not, that answer's head tells it to ask again. */
  #passOn(watch: Watch, { slice, frame, routing }: ScatteredAsk["liveAfter"][number]): void {
    for (const { parts, passed } of this.#of(watch))
      if (parts.has(slice)) raiseComponent(passed, routing.epoch, routing.offset);
    noteUpdate(watch, routing);
    this.#ports.pass(watch, [frame]);
  }

  /** Whoever hasn't answered by now isn't waited for. */
  #hurry(scattered: ScatteredAsk): void {
    for (const slice of [...scattered.waitedFor])
      if (!scattered.again.has(slice)) scattered.waitedFor.delete(slice);
    this.#settle(scattered);
  }

  #settle(scattered: ScatteredAsk): void {
    const { watch, parts, waitedFor, ask } = scattered;
    if (this.#bytes > LIMITS.scatterGatherBytes) waitedFor.clear();
    if (parts.size < this.#count && waitedFor.size > 0) return;
    if (parts.size === this.#count || suffices(scattered, this.#count)) {
      this.#answer(scattered);
      return;
    }
    for (const [slice, part] of [...parts]) {
      if (part.frames.length === 0) continue;
      this.#forgetPart(scattered, slice);
      scattered.dropped.add(slice);
    }
    if (scattered.told) return;
    scattered.told = true;
    this.#ports.pass(watch, [encodeWaiting(watch.path, ask.id)]);
  }

  #answer(scattered: ScatteredAsk): void {
    const { watch, ask, parts, liveAfter, passed } = scattered;
    this.#close(scattered);
    if (ask.from === undefined) this.#noteUnheard(watch, parts);
    const unheard = ofMissing(watch.sent ?? NOTHING, parts, this.#count);
    // An object that has nothing goes on from where the link is, as those slices will when they come.
    const missing = ask.from === undefined ? unheard : ofMissing(ask.from, parts, this.#count);
    raise(passed, unheard);
    this.#pass(watch, combine(ask, parts, missing, passed), parts);
    // Their objects have more of these than was asked for.
    if (watch.sent !== undefined) raise(watch.sent, passed);
    for (const update of liveAfter) this.#passOn(watch, update);
  }

  #noteUnheard(watch: Watch, parts: ScatteredAsk["parts"]): void {
    const slices = Array.from({ length: this.#count }, (_, i) => i + 1).filter((slice) => !parts.has(slice));
    if (slices.length > 0) this.#unheard.set(watch, new Set(slices));
    else this.#unheard.delete(watch);
  }

  #pass(watch: Watch, { attached, frames }: Combined, parts: ScatteredAsk["parts"]): void {
    this.#cutShort.delete(watch);
    const refused = [...parts].filter(([, part]) => part.attached.verdict.recovered === false);
    const kept = ofMissing(watch.sent ?? NOTHING, new Map(refused), this.#count);
    noteAnswer(watch, attached);
    for (const frame of frames) {
      const routing = routingOf(frame);
      if (routing !== undefined) noteUpdate(watch, routing);
    }
    // What one slice can't prove takes nothing away in the others.
    if (watch.sent !== undefined) raise(watch.sent, kept);
    this.#ports.pass(watch, [encodeAttached(attached), ...frames]);
  }

  /** The slice's answer comes anew. What was held after this one may be beyond what that can hold. */
  #forgetPart(scattered: ScatteredAsk, slice: number): void {
    const part = scattered.parts.get(slice);
    if (part === undefined) return;
    scattered.parts.delete(slice);
    for (const frame of part.frames) this.#hold(scattered, -frame.length);
    const freed = scattered.liveAfter.filter((update) => update.slice === slice);
    scattered.liveAfter = scattered.liveAfter.filter((update) => update.slice !== slice);
    for (const update of freed) {
      this.#hold(scattered, -update.frame.length);
      this.#passOn(scattered.watch, update);
    }
  }

  #hold(scattered: ScatteredAsk, bytes: number): void {
    scattered.bytes += bytes;
    this.#bytes += bytes;
  }

  #close(scattered: ScatteredAsk): void {
    const open = this.#open.get(scattered.watch);
    if (open?.delete(scattered.ask.id) && open.size === 0) this.#open.delete(scattered.watch);
    this.#patience.end(scattered);
    this.#bytes -= scattered.bytes;
  }
}

/** L7: an attach from where the link is, on behalf of the object. */
function leadOn({ sent, path, link }: Watch): string[] {
  return sent === undefined ? [] : [encodeAttach({ endpoint: path, id: UNASKED, from: sent }, link.number)];
}

/** Whether what comes live must follow it: it has updates, or says that some were lost before that. */
function isNews(part: Part | undefined): boolean {
  return part !== undefined && (part.frames.length > 0 || part.attached.verdict.recovered === false);
}
