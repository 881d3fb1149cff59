/**
 * One key of a log that drops, origins that drop other things of it, and one object, without all that lies between them:
 * what is proved and answered, what comes live and whom a loss is told, and for what a window vouches, alone. Whatever
 * decides is the product's own.
 */

import { type Answer, answerRecovered } from "../../origin/watch/answer.ts";
import { examine } from "../../origin/watch/proof.ts";
import { tailsIn } from "../../origin/watch/subject.ts";
import type { Stream } from "../../shared/config/streams.ts";
import type { WindowLimits } from "../../shared/core/window.ts";
import { type Attach, type Attached, UNASKED } from "../../shared/protocol/attach.ts";
import type { Frame } from "../../shared/protocol/frame.ts";
import { decodeLinkDown } from "../../shared/protocol/link.ts";
import { later, type Position, reaches } from "../../shared/protocol/position.ts";
import { WHOLE } from "../../shared/protocol/slice.ts";
import { isUpdate } from "../../shared/protocol/subscriber.ts";
import { ForgetfulIndex, type Memory } from "./forgetful-index.ts";
import { SimulatedProcess } from "./simulated-process.ts";
import { VouchingObject } from "./vouching-object.ts";
import { VouchingTruth } from "./vouching-truth.ts";
import { VouchingUplink } from "./vouching-uplink.ts";
import { WrittenLog } from "./written-log.ts";

const PATH = "/t/a";
const OTHER = "/t/b";
const KEY = Buffer.from("a");
const EPOCHS = ["e.0", "e.1"];
/** The key's home is the first partition. */
const HOME = "e.0";
const BOUNDS = { updates: 3, bytes: 1024 * 1024 };
const PATIENT_MS = 60_000;
const LINK = 1;
/** Questions of others begin here: the object's own have smaller ids. */
const OTHERS = 1_000_000;
/** What one command can make happen, by far. */
const TURNS = 10_000;

export type Command =
  | { readonly kind: "write"; readonly epoch: number; readonly other: boolean; readonly times: number }
  | { readonly kind: "read"; readonly who: number; readonly times: number }
  /** It reads all that the log holds. */
  | { readonly kind: "finish"; readonly who: number }
  | { readonly kind: "drop"; readonly who: number; readonly epoch: number; readonly keep: number }
  | { readonly kind: "trim" | "compact"; readonly epoch: number; readonly keep: number }
  /** Its process begins anew, with its index or without. */
  | { readonly kind: "restart" | "wipe"; readonly who: number }
  /** It is active from now on, and the object goes on with it: over another link, or over the one that it has (L7). */
  | { readonly kind: "attach" | "grant"; readonly who: number }
  /** Somebody's question, which the window can't answer. */
  | { readonly kind: "ask"; readonly from: Chosen }
  /** The uplink is full, or empty again. */
  | { readonly kind: "congest" | "drain" }
  | { readonly kind: "age"; readonly ms: number }
  | { readonly kind: "hibernate" };

/** One of the positions that somebody could have been told, perhaps without what it says of an epoch; or a made-up one. */
export type Chosen =
  | { readonly held: number; readonly without: number | undefined }
  | { readonly offsets: readonly (number | undefined)[] };

interface Origin {
  index: ForgetfulIndex;
  process: SimulatedProcess;
}

export interface VouchingOptions {
  readonly window: WindowLimits;
  readonly stream: Pick<Stream, "start" | "compacted">;
  readonly memories: readonly Memory[];
}

export class VouchingWorld {
  readonly #options: VouchingOptions;
  readonly #stream: Stream;
  readonly #log = new WrittenLog(EPOCHS);
  readonly truth = new VouchingTruth(this.#log, PATH, HOME);
  readonly #origins: Origin[];
  readonly #object: VouchingObject;
  readonly #held: Position[] = [new Map()];
  #now = 1_000_000;
  #active = 0;
  /** Of the active origin, once the object was attached. */
  #uplink: VouchingUplink | undefined;
  #asked = OTHERS;
  /** Questions of the link that aren't answered, in their order. */
  readonly #open = new Map<number, Attach>();
  /** Whether the active origin has yet to say what there is from where the link is. */
  #isRepeating = false;
  /** Where the live subscriber began, or was told to begin anew, and how much had been written by then. */
  #told = { times: 0, written: 0 };
  /**
   * Somebody was served from the window without what the source has dropped, since that could not be told yet: how often who
   * is live had been told of a loss by then.
   */
  #owed: number | undefined;
  /** An answer of which not all frames are there. */
  #answer: { readonly attached: Attached; readonly frames: Frame[] } | undefined;

  constructor(options: VouchingOptions) {
    this.#options = options;
    this.#stream = {
      ...{
        topic: "t",
        title: "t",
        subscribe: "public",
        publish: "public",
        discover: "public",
        occupancy: "subscribers",
        windowUpdates: 3,
        windowMs: 3_600_000,
        replay: 0,
        maxAgeSeconds: 1,
      },
      ...options.stream,
    };
    this.#origins = options.memories.map((memory) => {
      const index = new ForgetfulIndex({ ...memory, keepLatest: this.#stream.compacted });
      return { index, process: this.#process(index) };
    });
    this.#object = new VouchingObject({
      ...{ path: PATH, window: options.window },
      now: () => this.#now,
      attach: (attach) => this.#ask(attach),
    });
  }

  /** Whether somebody was served who has yet to be told of a loss. */
  get owes(): boolean {
    return this.#owed !== undefined;
  }

  run(command: Command): void {
    const { kind } = command;
    if (kind === "write")
      for (let i = 0; i < command.times; i++)
        this.#log.append(command.other ? OTHER : PATH, i, EPOCHS[command.epoch] ?? HOME, this.#now);
    else if (kind === "read") for (let i = 0; i < command.times; i++) this.#read(command.who);
    else if (kind === "finish") this.#finish(command.who);
    else if (kind === "drop") this.#of(command.who).index.dropBefore(...this.#back(command));
    else if (kind === "trim" || kind === "compact") {
      const [offset, epoch] = this.#back(command);
      this.#log[kind](epoch, offset);
    } else if (kind === "restart" || kind === "wipe") this.#restart(command.who, kind === "wipe");
    else if (kind === "attach") this.#attach(command.who);
    else if (kind === "grant") this.#grant(command.who);
    else if (kind === "ask") {
      const ask = { endpoint: PATH, id: this.#asked++, from: this.#chosen(command.from) };
      // Before its first answer an object asks for nobody else.
      if (this.#object.replica.position !== undefined) this.#ask(ask);
    } else if (kind === "congest" || kind === "drain") this.#congest(kind === "congest");
    else if (kind === "age") this.#age(command.ms);
    else this.#object.hibernate();
    this.#settle();
    const { position } = this.#object.replica;
    if (position !== undefined) this.#held.push(new Map(position));
    this.#judgeFollower();
    this.#judgeOwed();
  }

  /** Whoever comes back from wherever is served from the window only if all is there; nobody is told by the origin otherwise. */
  judge(chosen: Chosen): void {
    const from = this.#chosen(chosen);
    const { replica } = this.#object;
    const { position } = replica;
    const resume = replica.decide(from, this.#now);
    if (position !== undefined && resume.kind === "replay") this.#judgeWindow(from, position, resume.frames);
    const fresh = replica.decide(undefined, this.#now);
    if (position !== undefined && fresh.kind === "snapshot") {
      this.truth.expectAll("the snapshot", fresh.position, position, fresh.frames);
      this.#held.push(fresh.position);
    }
    const answer = this.#proved(from);
    if (answer !== undefined) this.#expectAnswered(from, answer);
  }

  /**
   * What the source has dropped of the key's home will never come: it counts, too, if the object has had nothing there. Where
   * the source says what it has lost only when it has read a partition to its end (R8), who is served before that becomes
   * live, and is told with all others.
   */
  #judgeWindow(from: Position, position: Position, frames: readonly Frame[]): void {
    const dropped = this.#of(this.#active).index.horizonOf(HOME) - 1;
    const all = dropped < 0 ? position : later(position, new Map([[HOME, dropped]]));
    const isDue = !this.#isToSay && this.#isReading;
    if (isDue && this.truth.lacking(from, all, frames).length > 0) this.#owed ??= this.#object.follower.times;
    this.truth.expectAll("the window", from, this.#isToSay || isDue ? position : all, frames);
  }

  /** The source has yet to say how it goes on, because the uplink is full, or a question of the object's own is open. */
  get #isToSay(): boolean {
    const isOpen = this.#isRepeating || [...this.#open.keys()].some((id) => id < OTHERS);
    return isOpen || this.#uplink === undefined || this.#uplink.congested;
  }

  /** The source hasn't read all its partitions to their ends. */
  get #isReading(): boolean {
    return !this.#of(this.#active).process.ready;
  }

  /** What could not be told yet is told as soon as it can be. */
  #judgeOwed(): void {
    if (this.#owed === undefined || this.#isToSay || this.#isReading) return;
    if (this.#object.follower.times <= this.#owed) this.truth.problems.push("a loss was never told");
    this.#owed = undefined;
  }

  /** Who is live was told all that the object has had, or of a loss. */
  #judgeFollower(): void {
    const { base, times, updates } = this.#object.follower;
    const { position } = this.#object.replica;
    if (base === undefined || position === undefined) return;
    if (times > this.#told.times) {
      this.#held.push(base);
      this.#told = { times, written: this.#log.written };
    }
    this.truth.expectAll("what came live", base, position, updates, this.#told.written);
  }

  #of(who: number): Origin {
    const origin = this.#origins[who % this.#origins.length];
    if (origin === undefined) throw new Error("there is no origin");
    return origin;
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

  #restart(who: number, isWiped: boolean): void {
    const origin = this.#of(who);
    const memory = this.#options.memories[who % this.#origins.length];
    if (isWiped && memory !== undefined)
      origin.index = new ForgetfulIndex({ ...memory, keepLatest: this.#stream.compacted });
    origin.process = this.#process(origin.index);
    if (this.#of(this.#active) === origin && this.#uplink !== undefined) this.#attach(who);
  }

  /** Whether there was anything to read. */
  #read(who: number): boolean {
    const hasRead = this.#of(who).process.readOne();
    this.#settle();
    return hasRead;
  }

  #finish(who: number): void {
    for (let turn = 0; turn < TURNS; turn++) if (!this.#read(who)) break;
    if (!this.#of(who).process.ready) this.truth.problems.push("the reading leads nowhere");
  }

  /** The object has another link, on which it asks anew. */
  #attach(who: number): void {
    this.#open.clear();
    this.#activate(who);
    this.#object.relink();
  }

  /** The shard asks from where the link is, then repeats what is open. */
  #grant(who: number): void {
    if (this.#uplink === undefined) return;
    const { position } = this.#object.replica;
    const open = [...this.#open.values()];
    this.#activate(who);
    this.#isRepeating = position !== undefined;
    if (position !== undefined) this.#ask({ endpoint: PATH, id: UNASKED, from: new Map(position) });
    for (const ask of open) this.#ask(ask);
  }

  #activate(who: number): void {
    if (this.#uplink !== undefined) this.#of(this.#active).process.watchList.shardLost(this.#uplink);
    this.#active = who % this.#origins.length;
    this.#answer = undefined;
    this.#isRepeating = false;
    // Who is live is where the object is, and has what can be proved from there (R6).
    this.#owed = undefined;
    this.#uplink = new VouchingUplink();
    this.#of(who).process.watchList.shardConnected(this.#uplink);
  }

  #ask(attach: Attach): void {
    if (this.#uplink === undefined) return;
    if (attach.id !== UNASKED) this.#open.set(attach.id, attach);
    this.#of(this.#active).process.watchList.attach(this.#uplink, LINK, attach);
  }

  #congest(congested: boolean): void {
    if (this.#uplink === undefined) return;
    this.#uplink.congested = congested;
    this.#uplink.isAwake ||= !congested;
  }

  #age(ms: number): void {
    this.#now += ms;
    for (const { process } of this.#origins) process.tick();
  }

  /** Whatever is under way arrives, and is answered, until nothing is. */
  #settle(): void {
    this.truth.note(this.#origins.map(({ index }) => index));
    const uplink = this.#uplink;
    if (uplink === undefined) return;
    for (let turn = 0; turn < TURNS; turn++) {
      const frame = uplink.frames.shift();
      if (frame !== undefined) this.#hear(frame);
      else if (uplink.isAwake) uplink.isAwake = this.#of(this.#active).process.watchList.step(uplink);
      else return;
    }
    this.truth.problems.push("the answers lead nowhere");
  }

  /** A frame for the object, which must be true. */
  #hear(frame: Frame): void {
    const says = typeof frame === "string" && !isUpdate(frame) ? decodeLinkDown(frame) : undefined;
    if (says?.ok && says.value.kind === "attached") {
      this.#answer = { attached: says.value.attached, frames: [] };
      this.#open.delete(says.value.attached.id);
      if (says.value.attached.id === UNASKED) this.#isRepeating = false;
      this.#held.push(says.value.attached.verdict.position);
    } else this.#answer?.frames.push(frame);
    if (this.#answer !== undefined && this.#answer.frames.length >= this.#answer.attached.count) {
      const { verdict } = this.#answer.attached;
      if (verdict.recovered === true) this.#expectAnswered(verdict.position, this.#answer);
      this.#answer = undefined;
    }
    this.#object.hear(frame);
  }

  /** What the active origin would answer if nobody had watched the key before; undefined if it must wait, or refuse. */
  #proved(from: Position): Answer | undefined {
    const { index, process } = this.#of(this.#active);
    const { partitions } = process;
    // Nobody waits for what the log doesn't hold.
    const now = () => this.#now + PATIENT_MS;
    const ports = { history: index, partitions, bounds: BOUNDS, now, homeOf: () => 0 };
    const endpoint = { topic: "t", key: KEY, path: PATH, stream: this.#stream };
    const subject = { endpoint, tails: tailsIn(ports, endpoint) };
    const examined = examine(ports, subject, { from, at: this.#now, looked: false });
    const isProved = examined.kind === "open" && examined.proof === "recovered";
    return isProved ? answerRecovered(ports, subject, from) : undefined;
  }

  /** An answer that says to be all that there is must be that, as far as its origin has read. */
  #expectAnswered(
    from: Position,
    { attached, frames }: Pick<Answer, "frames"> & { attached: Answer["attached"] },
  ): void {
    const { to, verdict } = attached;
    const isLast = reaches(to, verdict.head);
    const origin = this.#of(this.#active);
    const read = new Map(EPOCHS.map((epoch) => [epoch, origin.index.endOf(epoch) - 1]));
    this.truth.expectAll("the answer", from, isLast ? read : to, frames);
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
