/**
 * Where several origins share the partitions, an object's ask goes to each of them, and their answers go down as one:
 * N5–N7 of PROTOCOL.md. An answer that came is held until the others have, which takes a moment: a range that is
 * missing, or waits, or is slow, isn't waited for where the others can tell.
 *
 *   ask ──▶ every range ──▶ part ──▶ all are there, or enough ──▶ one answer ──▶ what came live since
 *                            │ a range that wasn't waited for
 *                            └──▶ is asked again, from what the link has by then (L7)
 *
 * An object may have several questions open (L4). Each is gathered by itself, and none waits for another.
 */
import { type Attach, encodeAttach, encodeAttached, encodeWaiting } from "../../shared/protocol/attach.ts";
import { type Frame, type Routing, routingOf } from "../../shared/protocol/frame.ts";
import { LIMITS } from "../../shared/protocol/limits.ts";
import { NOTHING, reaches } from "../../shared/protocol/position.ts";
import { type Combined, combine, type Part, raise } from "./combine.ts";
import { attachOf, type Gather, newGather, ofMissing, own, suffices } from "./gather.ts";
import { Incoming, isWhole } from "./incoming.ts";
import { Linger, type LingerPorts } from "./linger.ts";
import { noteAnswer, noteUpdate, UNASKED, type Watch } from "./links.ts";
import type { OriginItem } from "./origin-items.ts";

export interface GathersPorts extends LingerPorts {
  /** Numbers of the ranges that have an active origin. */
  present(): readonly number[];
  /** Asks the active origin of a range. */
  ask(range: number, frames: readonly string[]): void;
  /** To the object of a watch, after all that was passed to it before. */
  pass(watch: Watch, frames: readonly Frame[]): void;
}

/** How long a range that says nothing is waited for, where another one can answer. */
const PATIENCE_MS = 1_000;

export class Gathers {
  readonly #ports: GathersPorts;
  #count = 1;
  /** By the id of the question, in the order in which they were asked. */
  readonly #open = new Map<Watch, Map<number, Gather>>();
  readonly #incoming = new Incoming();
  /** Ranges that were not waited for when an object asked for the first time: of them it has nothing to go on from. */
  readonly #unheard = new Map<Watch, Set<number>>();
  /** Watches whose object may have got but a part of an answer, from an origin of the count before. */
  readonly #cutShort = new Set<Watch>();
  readonly #patience: Linger<Gather>;
  #bytes = 0;

  constructor(ports: GathersPorts) {
    this.#ports = ports;
    this.#patience = new Linger(ports, PATIENCE_MS, (gather) => this.#hurry(gather));
  }

  /** Another number of ranges is served: what they were asked is asked anew, as they come (`attaches`). */
  restart(count: number, watches: Iterable<Watch>): void {
    for (const gather of this.#all()) this.#close(gather);
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
    const gather = this.#begin(watch, ask);
    for (const range of this.#ports.present()) this.#askFor(gather, range);
    this.#settle(gather);
  }

  /** Nobody waits for the answer any more. */
  cancel(watch: Watch, id: number): void {
    const gather = this.#open.get(watch)?.get(id);
    if (gather === undefined) return;
    for (const range of [...gather.parts.keys()]) this.#forgetPart(gather, range);
    this.#close(gather);
  }

  /** Nobody watches it any more. */
  forget(watch: Watch): void {
    this.#incoming.forget(watch);
    this.#unheard.delete(watch);
    this.#cutShort.delete(watch);
    for (const gather of this.#of(watch)) this.#close(gather);
  }

  /** What an origin that has just become active is to be asked of a watch; what one before it said doesn't count. */
  attaches(watch: Watch, range: number): string[] {
    const frames = leadOn(watch);
    this.#incoming.drop(watch, range);
    for (const gather of this.#of(watch)) {
      this.#forgetPart(gather, range);
      gather.again.delete(range);
      gather.dropped.delete(range);
      gather.waitedFor.add(range);
      this.#patience.start(gather);
      frames.push(attachOf(gather));
    }
    return frames;
  }

  /** A range has no active origin any more; what it said of open asks will be asked of the next one. */
  lost(range: number): void {
    this.#incoming.lost(range);
    for (const gather of this.#all()) {
      this.#forgetPart(gather, range);
      gather.again.delete(range);
      gather.dropped.delete(range);
      gather.waitedFor.delete(range);
      this.#settle(gather);
    }
  }

  /** What the origin of a range says to the link of a watch. */
  take(watch: Watch, range: number, { frame, says, update }: OriginItem): void {
    if (says?.kind === "waiting") this.#waits(watch, range, says.id);
    else if (says?.kind === "attached") {
      const part = this.#incoming.begin(watch, range, says.attached);
      if (isWhole(part)) this.#complete(watch, range, part);
    } else if (update !== undefined) {
      const part = this.#incoming.take(watch, range, frame);
      if (part === undefined) this.#live(watch, range, frame, update);
      else if (isWhole(part)) this.#complete(watch, range, part);
    }
  }

  #begin(watch: Watch, ask: Attach): Gather {
    const gather = newGather(watch, ask, this.#ports.now());
    const open = this.#open.get(watch) ?? new Map<number, Gather>();
    this.#open.set(watch, open.set(ask.id, gather));
    return gather;
  }

  #of(watch: Watch): readonly Gather[] {
    return [...(this.#open.get(watch)?.values() ?? [])];
  }

  #all(): readonly Gather[] {
    return [...this.#open.values()].flatMap((open) => [...open.values()]);
  }

  #askFor(gather: Gather, range: number): void {
    gather.dropped.delete(range);
    gather.waitedFor.add(range);
    this.#patience.start(gather);
    const { watch } = gather;
    // Whoever asks may be ahead of the object there, which must not hear of what they have when they are live.
    const first = this.#unheard.get(watch)?.has(range) ? leadOn(watch) : [];
    this.#ports.ask(range, [...first, attachOf(gather, this.#ports.now())]);
  }

  #complete(watch: Watch, range: number, part: Part): void {
    const { id } = part.attached;
    const gather = this.#open.get(watch)?.get(id);
    if (id === UNASKED) this.#unasked(watch, range, part);
    else if (gather === undefined || gather.parts.has(range)) this.#late(watch, range, part);
    else {
      gather.parts.set(range, part);
      gather.waitedFor.delete(range);
      for (const frame of part.frames) this.#hold(gather, frame.length);
      for (const other of gather.dropped) {
        if (other === range) continue;
        // To let go meanwhile of what has come would have the two ranges undo one another's answers for ever.
        gather.again.add(other);
        this.#askFor(gather, other);
      }
      this.#settle(gather);
    }
  }

  /** L7, or continuity was lost in this range. Of the others it says that they are where the link is. */
  #unasked(watch: Watch, range: number, part: Part): void {
    for (const gather of this.#of(watch)) {
      if (!gather.parts.has(range)) continue;
      this.#forgetPart(gather, range);
      this.#askFor(gather, range);
    }
    const unheard = this.#unheard.get(watch);
    if (unheard?.delete(range) && unheard.size === 0) this.#unheard.delete(watch);
    // Before the first answer the object has nothing to which this could be added.
    if (watch.sent === undefined) return;
    // Most keys are unknown to most ranges: their objects needn't wake for that, unless they wait for more of an answer.
    const { count, verdict } = part.attached;
    const isNews = count > 0 || verdict.recovered !== true || !reaches(watch.sent, verdict.head);
    if (!isNews && !this.#cutShort.has(watch)) return;
    const asked = { endpoint: watch.path, id: UNASKED, from: watch.sent };
    const parts = new Map([[range, part]]);
    this.#pass(watch, combine(asked, parts, ofMissing(watch.sent, parts, this.#count), NOTHING), parts);
  }

  /** It was not waited for, and its link has moved on: where it has something to add, it is asked from there. */
  #late(watch: Watch, range: number, { attached }: Part): void {
    if (attached.elsewhere || watch.sent === undefined || reaches(watch.sent, attached.verdict.head)) return;
    this.#ports.ask(range, leadOn(watch));
  }

  /** An object that was told to wait by one range may be answered by the others. */
  #waits(watch: Watch, range: number, id: number): void {
    const gather = this.#open.get(watch)?.get(id);
    if (gather === undefined || gather.parts.has(range)) return;
    if (gather.again.has(range)) return;
    gather.waitedFor.delete(range);
    this.#settle(gather);
  }

  #live(watch: Watch, range: number, frame: Frame, routing: Routing): void {
    const answered = this.#of(watch).filter(({ parts }) => parts.has(range));
    // One of them holds all, so that they stay in order.
    const holder =
      answered.find(({ held }) => held.some((other) => other.range === range)) ??
      answered.find(({ parts }) => isNews(parts.get(range)));
    if (holder !== undefined) {
      holder.held.push({ range, frame: own(frame), routing });
      this.#hold(holder, frame.length);
      if (this.#bytes > LIMITS.gatheredBytes) this.#hurry(holder);
      return;
    }
    this.#passOn(watch, { range, frame, routing });
  }

  /** The object takes it if it is where a part of an answer began; if not, that answer's head tells it to ask again. */
  #passOn(watch: Watch, { range, frame, routing }: Gather["held"][number]): void {
    for (const { parts, passed } of this.#of(watch))
      if (parts.has(range)) raise(passed, new Map([[routing.epoch, routing.offset]]));
    noteUpdate(watch, routing);
    this.#ports.pass(watch, [frame]);
  }

  /** Whoever hasn't answered by now isn't waited for. */
  #hurry(gather: Gather): void {
    for (const range of [...gather.waitedFor]) if (!gather.again.has(range)) gather.waitedFor.delete(range);
    this.#settle(gather);
  }

  #settle(gather: Gather): void {
    const { watch, parts, waitedFor, ask } = gather;
    if (this.#bytes > LIMITS.gatheredBytes) waitedFor.clear();
    if (parts.size < this.#count && waitedFor.size > 0) return;
    if (parts.size === this.#count || suffices(gather, this.#count)) {
      this.#answer(gather);
      return;
    }
    for (const [range, part] of [...parts]) {
      if (part.frames.length === 0) continue;
      this.#forgetPart(gather, range);
      gather.dropped.add(range);
    }
    if (gather.told) return;
    gather.told = true;
    this.#ports.pass(watch, [encodeWaiting(watch.path, ask.id)]);
  }

  #answer(gather: Gather): void {
    const { watch, ask, parts, held, passed } = gather;
    this.#close(gather);
    if (ask.from === undefined) this.#noteUnheard(watch, parts);
    const unheard = ofMissing(watch.sent ?? NOTHING, parts, this.#count);
    // An object that has nothing goes on from where the link is, as those ranges will when they come.
    const missing = ask.from === undefined ? unheard : ofMissing(ask.from, parts, this.#count);
    raise(passed, unheard);
    this.#pass(watch, combine(ask, parts, missing, passed), parts);
    // Their objects have more of these than was asked for.
    if (watch.sent !== undefined) raise(watch.sent, passed);
    for (const update of held) this.#passOn(watch, update);
  }

  #noteUnheard(watch: Watch, parts: Gather["parts"]): void {
    const ranges = Array.from({ length: this.#count }, (_, i) => i + 1).filter((range) => !parts.has(range));
    if (ranges.length > 0) this.#unheard.set(watch, new Set(ranges));
    else this.#unheard.delete(watch);
  }

  #pass(watch: Watch, { attached, frames }: Combined, parts: Gather["parts"]): void {
    this.#cutShort.delete(watch);
    const refused = [...parts].filter(([, part]) => part.attached.verdict.recovered === false);
    const kept = ofMissing(watch.sent ?? NOTHING, new Map(refused), this.#count);
    noteAnswer(watch, attached);
    for (const frame of frames) {
      const routing = routingOf(frame);
      if (routing !== undefined) noteUpdate(watch, routing);
    }
    // What one range can't prove takes nothing away in the others.
    if (watch.sent !== undefined) raise(watch.sent, kept);
    this.#ports.pass(watch, [encodeAttached(attached), ...frames]);
  }

  /** The range's answer comes anew. What was held after this one may be beyond what that can hold. */
  #forgetPart(gather: Gather, range: number): void {
    const part = gather.parts.get(range);
    if (part === undefined) return;
    gather.parts.delete(range);
    for (const frame of part.frames) this.#hold(gather, -frame.length);
    const freed = gather.held.filter((held) => held.range === range);
    gather.held = gather.held.filter((held) => held.range !== range);
    for (const update of freed) {
      this.#hold(gather, -update.frame.length);
      this.#passOn(gather.watch, update);
    }
  }

  #hold(gather: Gather, bytes: number): void {
    gather.bytes += bytes;
    this.#bytes += bytes;
  }

  #close(gather: Gather): void {
    const open = this.#open.get(gather.watch);
    if (open?.delete(gather.ask.id) && open.size === 0) this.#open.delete(gather.watch);
    this.#patience.end(gather);
    this.#bytes -= gather.bytes;
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
