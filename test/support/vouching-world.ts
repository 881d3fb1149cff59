/**
 * One key of a log that drops, origins that drop other things of it, and the replica of one object, without all that
 * lies between them: what is proved and answered, and for what a window vouches, alone.
 */

import { Replica } from "../../edge/endpoint/replica.ts";
import type { IndexedRecord } from "../../origin/index/record.ts";
import { type Answer, answerRecent, answerRecovered } from "../../origin/watch/answer.ts";
import { examine } from "../../origin/watch/proof.ts";
import { frameOf } from "../../origin/watch/record-frame.ts";
import { type Endpoint, tailsIn } from "../../origin/watch/subject.ts";
import type { Stream } from "../../shared/config/streams.ts";
import type { WindowLimits } from "../../shared/core/window.ts";
import { type Frame, routingOf } from "../../shared/protocol/frame.ts";
import { formatPosition, type Position, reaches } from "../../shared/protocol/position.ts";
import { WHOLE } from "../../shared/protocol/slice.ts";
import { ForgetfulIndex, type Memory } from "./forgetful-index.ts";
import { SimulatedProcess } from "./simulated-process.ts";
import { WrittenLog } from "./written-log.ts";

const PATH = "/t/a";
const OTHER = "/t/b";
const KEY = Buffer.from("a");
const EPOCHS = ["e.0", "e.1"];
/** The key's home is the first partition. */
const HOME = "e.0";
const BOUNDS = { updates: 3, bytes: 1024 * 1024 };
const PATIENT_MS = 60_000;

export type Command =
  | { readonly kind: "write"; readonly epoch: number; readonly other: boolean; readonly times: number }
  | { readonly kind: "read"; readonly who: number; readonly times: number }
  | { readonly kind: "drop"; readonly who: number; readonly epoch: number; readonly keep: number }
  | { readonly kind: "trim" | "compact"; readonly epoch: number; readonly keep: number }
  /** Its index is deleted, and it begins anew. */
  | { readonly kind: "wipe"; readonly who: number }
  /** It is active from now on, and the object goes on with it. */
  | { readonly kind: "attach"; readonly who: number }
  /** Somebody's question, which the window can't answer. */
  | { readonly kind: "ask"; readonly from: Chosen }
  | { readonly kind: "age"; readonly ms: number }
  | { readonly kind: "hibernate" };

/** One of the positions that somebody could have been told, perhaps without what it says of an epoch; or a made-up one. */
export type Chosen =
  | { readonly held: number; readonly without: number | undefined }
  | { readonly offsets: readonly (number | undefined)[] };

interface Origin {
  index: ForgetfulIndex;
  process: SimulatedProcess;
  /** The last record of each epoch, as far as it knew since it was watched. */
  tails: Map<string, number>;
}

export interface VouchingOptions {
  readonly window: WindowLimits;
  readonly stream: Pick<Stream, "start" | "compacted">;
  readonly memories: readonly Memory[];
}

export class VouchingWorld {
  readonly problems: string[] = [];
  /** How often something was served as recovered that had records in it. */
  served = 0;
  readonly #options: VouchingOptions;
  readonly #stream: Stream;
  readonly #log = new WrittenLog(EPOCHS);
  readonly #origins: Origin[];
  readonly #held: Position[] = [new Map()];
  #now = 1_000_000;
  #replica: Replica;
  #active = 0;
  /** Whether the active origin has answered, so that what it reads comes live. */
  #isLive = false;
  #isAttached = false;

  constructor(options: VouchingOptions) {
    this.#options = options;
    this.#stream = {
      ...{ topic: "t", title: "t", windowUpdates: 3, windowMs: 3_600_000, replay: 0 },
      ...options.stream,
    };
    this.#origins = options.memories.map((memory) => this.#origin(memory));
    this.#replica = new Replica(
      options.window,
      { position: undefined, latest: undefined, due: new Map() },
      this.#now,
    );
  }

  run(command: Command): void {
    const { kind } = command;
    if (kind === "write")
      for (let i = 0; i < command.times; i++)
        this.#log.append(command.other ? OTHER : PATH, i, EPOCHS[command.epoch] ?? HOME, this.#now);
    else if (kind === "read") for (let i = 0; i < command.times; i++) this.#read(command.who);
    else if (kind === "drop") this.#of(command.who).index.dropBefore(...this.#back(command));
    else if (kind === "trim" || kind === "compact") {
      const [offset, epoch] = this.#back(command);
      this.#log[kind](epoch, offset);
    } else if (kind === "wipe") this.#wipe(command.who);
    else if (kind === "attach") this.#attach(command.who);
    else if (kind === "ask") this.#ask(this.#chosen(command.from));
    else if (kind === "age") this.#age(command.ms);
    else this.#hibernate();
    const { position } = this.#replica;
    if (position !== undefined) this.#held.push(new Map(position));
  }

  /** Whoever comes back from wherever is served from the window only if all is there; nobody is told by the origin otherwise. */
  judge(chosen: Chosen): void {
    const from = this.#chosen(chosen);
    const { position } = this.#replica;
    const resume = this.#replica.decide(from, this.#now);
    if (position !== undefined && resume.kind === "replay")
      this.#expectAll("the window", from, position, resume.frames);
    const fresh = this.#replica.decide(undefined, this.#now);
    if (position !== undefined && fresh.kind === "snapshot") {
      this.#expectAll("the snapshot", fresh.position, position, fresh.frames);
      this.#held.push(fresh.position);
    }
    const answer = this.#answer(from);
    if (answer?.attached.verdict.recovered === true) this.#expectAnswered(from, answer);
  }

  #of(who: number): Origin {
    const origin = this.#origins[who % this.#origins.length];
    if (origin === undefined) throw new Error("there is no origin");
    return origin;
  }

  #origin(memory: Memory): Origin {
    const index = new ForgetfulIndex({ ...memory, keepLatest: this.#stream.compacted });
    return { index, process: this.#process(index), tails: new Map() };
  }

  #process(index: ForgetfulIndex): SimulatedProcess {
    return new SimulatedProcess({
      ...{ slice: WHOLE, log: this.#log, index, stream: this.#stream, bounds: BOUNDS },
      homeOf: (key) => (key === "a" ? 0 : 1),
      now: () => this.#now,
      lookSoon: () => undefined,
      readinessChanged: () => undefined,
    });
  }

  #wipe(who: number): void {
    const origin = this.#of(who);
    const memory = this.#options.memories[who % this.#origins.length];
    if (memory !== undefined) Object.assign(origin, this.#origin(memory));
    if (who % this.#origins.length === this.#active && this.#isAttached) this.#attach(this.#active);
  }

  /** One record more is read; the object gets it at once if it goes on with this origin. */
  #read(who: number): void {
    const origin = this.#of(who);
    const before = new Map(EPOCHS.map((epoch) => [epoch, origin.index.endOf(epoch) - 1]));
    origin.process.readOne();
    const { records } = origin.index.after("t", KEY, before, { maxRecords: 9, maxBytes: 1e9 });
    const isActive = this.#of(this.#active) === origin;
    for (const epoch of EPOCHS) {
      // It reads all of it again.
      if ((origin.tails.get(epoch) ?? -1) >= origin.index.endOf(epoch)) origin.tails.delete(epoch);
      // It began anew there: whoever is live is told so.
      const horizon = origin.index.horizonOf(epoch);
      if (horizon <= (before.get(epoch) ?? 0) + 1) continue;
      if (origin.tails.has(epoch)) origin.tails.set(epoch, horizon - 1);
      if (!isActive || !this.#isLive) continue;
      // What retention took is told at once; what compaction took, when all was read.
      if (horizon <= this.#log.startOf(epoch)) this.#reset(origin);
      else this.#attach(this.#active, origin.tails);
    }
    for (const record of records) {
      const frame = this.#forwarded(origin, record);
      const routing = routingOf(frame);
      if (!isActive || !this.#isLive || routing === undefined) continue;
      if (this.#replica.apply(frame, routing, this.#now) === "gap") this.#attach(this.#active, origin.tails);
    }
    // It may have had to wait for that.
    if (isActive && !this.#isLive && this.#isAttached) this.#attach(this.#active, origin.tails);
  }

  /** Whoever is live is told that something is lost, and begins anew. */
  #reset(origin: Origin): void {
    const subject = { endpoint: this.#endpoint(), tails: origin.tails };
    const { attached, frames } = answerRecent(
      this.#ports(origin),
      subject,
      this.#replica.position,
      "horizon",
    );
    const { verdict, to, horizon } = attached;
    this.#held.push(verdict.position);
    this.#replica.adopt({ position: verdict.position, to, horizon, frames }, this.#now);
  }

  #forwarded(origin: Origin, record: IndexedRecord): Frame {
    const frame = frameOf(PATH, record, origin.tails.get(record.epoch));
    origin.tails.set(record.epoch, record.offset);
    return frame;
  }

  /** @param tails What the origin remembers of them, if the object goes on with it. */
  #attach(who: number, tails?: Map<string, number>): void {
    this.#active = who % this.#origins.length;
    this.#isAttached = true;
    this.#isLive = false;
    const origin = this.#of(who);
    origin.tails = tails ?? tailsIn(this.#ports(origin), this.#endpoint());
    // An answer may be but a page.
    for (let page = 0; page < 50; page++) {
      const { position } = this.#replica;
      const answer = this.#answer(position && new Map(position));
      if (answer === undefined) return;
      this.#isLive = true;
      const { verdict, to, horizon } = answer.attached;
      const span = { position: verdict.position, to, horizon, frames: answer.frames };
      if (position === undefined || verdict.recovered === false) {
        this.#held.push(verdict.position);
        this.#replica.adopt(span, this.#now);
        return;
      }
      this.#take(answer);
      if (reaches(this.#replica.position ?? to, verdict.head)) return;
    }
    this.problems.push("the answers lead nowhere");
  }

  #ask(from: Position): void {
    const answer = this.#answer(from);
    if (answer?.attached.verdict.recovered === true) this.#take(answer);
  }

  #take({ attached, frames }: Answer): void {
    let whole = true;
    for (const frame of frames) {
      const routing = routingOf(frame);
      if (
        routing === undefined ||
        this.#replica.apply(frame, routing, this.#now, attached.verdict.position) === "gap"
      )
        whole = false;
    }
    const { verdict, to, horizon } = attached;
    if (whole) this.#replica.learn({ position: verdict.position, to, horizon, frames }, this.#now);
  }

  #hibernate(): void {
    const { position, latest, due } = this.#replica;
    const frame = latest === undefined || latest === "none" ? latest : latest.frame;
    this.#replica = new Replica(this.#options.window, { position, latest: frame, due }, this.#now);
  }

  #age(ms: number): void {
    this.#now += ms;
    for (const { process } of this.#origins) process.tick();
  }

  #endpoint(): Endpoint {
    return { topic: "t", key: KEY, path: PATH, stream: this.#stream };
  }

  #ports({ index, process }: Origin) {
    const { partitions } = process;
    // Nobody waits for what the log doesn't hold.
    const now = () => this.#now + PATIENT_MS;
    return { history: index, partitions, bounds: BOUNDS, now, homeOf: () => 0 };
  }

  /** What the active origin answers; undefined if it must wait. */
  #answer(from: Position | undefined): Answer | undefined {
    const origin = this.#of(this.#active);
    const ports = this.#ports(origin);
    const subject = { endpoint: this.#endpoint(), tails: origin.tails };
    const examined = examine(ports, subject, { from, at: this.#now, looked: false });
    if (examined.kind === "blocked") return undefined;
    const { proof } = examined;
    if (proof === "recovered") return answerRecovered(ports, subject, from ?? new Map());
    return answerRecent(ports, subject, from, proof);
  }

  /** An answer that says to be all that there is must be that, as far as its origin has read. */
  #expectAnswered(from: Position, { attached, frames }: Answer): void {
    const { to, verdict } = attached;
    const isLast = reaches(to, verdict.head);
    const origin = this.#of(this.#active);
    const read = new Map(EPOCHS.map((epoch) => [epoch, origin.index.endOf(epoch) - 1]));
    this.#expectAll("the answer", from, isLast ? read : to, frames);
  }

  #expectAll(what: string, from: Position, to: Position, frames: readonly Frame[]): void {
    const sent = new Set(frames.map((frame) => componentOf(frame)));
    if (sent.size > 0) this.served++;
    for (const { epoch, offset } of this.#log.records(PATH)) {
      const after = from.get(epoch) ?? -1;
      if (offset <= after || offset > (to.get(epoch) ?? -1) || sent.has(`${epoch}:${offset}`)) continue;
      if (!from.has(epoch) && this.#isDropped(epoch, offset) && this.#isNotCovered(epoch, from)) continue;
      this.problems.push(`${what} lacks ${epoch}:${offset} after ${formatPosition(from)}`);
    }
  }

  /** R6: not its home, or its receiver names another partition in which the key was seen. */
  #isNotCovered(epoch: string, from: Position): boolean {
    return epoch !== HOME || this.#log.records(PATH).some((written) => from.has(written.epoch));
  }

  /** By some origin. */
  #isDropped(epoch: string, offset: number): boolean {
    return this.#origins.some(({ index }) => index.horizonOf(epoch) > offset);
  }

  #chosen(chosen: Chosen): Position {
    if ("offsets" in chosen) {
      const made = chosen.offsets.map((back, at) => [EPOCHS[at] ?? HOME, back] as const);
      return new Map(
        made.flatMap(([epoch, back]) => {
          const offset = this.#log.endOf(epoch) - 1 - (back ?? Number.POSITIVE_INFINITY);
          return offset < 0 ? [] : [[epoch, offset] as const];
        }),
      );
    }
    const position = new Map(this.#held[this.#held.length - 1 - (chosen.held % this.#held.length)]);
    if (chosen.without !== undefined) position.delete(EPOCHS[chosen.without] ?? HOME);
    return position;
  }

  #back({ epoch, keep }: { readonly epoch: number; readonly keep: number }): [number, string] {
    const name = EPOCHS[epoch] ?? HOME;
    return [Math.max(0, this.#log.endOf(name) - keep), name];
  }
}

function componentOf(frame: Frame): string {
  const routing = routingOf(frame);
  return routing === undefined ? "" : `${routing.epoch}:${routing.offset}`;
}
