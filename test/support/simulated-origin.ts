/**
 * An origin in a simulation: it reads the log in order, as far as it is let, into an index of its own, which outlives
 * its process, answers from that, and forwards what is watched. Its process can be stopped and killed.
 */
import { TIME_LIMITS } from "../../origin/time-limits.ts";
import type { AnswerBounds } from "../../origin/watch/answer-bounds.ts";
import type { Outgoing, ShardPort } from "../../origin/watch/outbox.ts";
import type { Stream } from "../../shared/config/streams.ts";
import { encodeAddressed } from "../../shared/protocol/addressed.ts";
import type { Attach, Cancel } from "../../shared/protocol/attach.ts";
import type { Frame } from "../../shared/protocol/frame.ts";
import { LIMITS } from "../../shared/protocol/limits.ts";
import { type Message, packMessages, splitBinary, splitText } from "../../shared/protocol/message.ts";
import { decodePublish, encodePublished, type Published } from "../../shared/protocol/publish.ts";
import { isWhole, type Slice } from "../../shared/protocol/slice.ts";
import { decodeShardSays, encodeHello, encodeLeaving, encodeReady } from "../../shared/protocol/uplink.ts";
import { ForgetfulIndex, type Memory } from "./forgetful-index.ts";
import { messageOf } from "./outgoing.ts";
import { SimulatedProcess } from "./simulated-process.ts";
import type { Wire } from "./simulated-wires.ts";
import type { WrittenLog } from "./written-log.ts";

export interface SimulatedOriginPorts {
  readonly slice: Slice;
  readonly log: WrittenLog;
  readonly memory: Memory;
  readonly stream: Stream;
  readonly bounds: AnswerBounds;
  /** In which of so many partitions a key is at home. */
  homeOf(key: string, count: number): number;
  now(): number;
  /** A new uplink. */
  dial(): Wire;
  after(ms: number, run: () => void): void;
  /** It became active: told to one that stood by or has just come. */
  activated(generation: number, stoodBy: boolean): void;
  asked(link: number, path: string, id: number): void;
  problem(problem: string): void;
}

/** How long it takes to look at the topic. */
const LOOK_MS = 200;

export class SimulatedOrigin {
  readonly name: string;
  readonly #ports: SimulatedOriginPorts;
  #index: ForgetfulIndex;
  #process: SimulatedProcess | undefined;
  #wire: Wire | undefined;
  #uplink: Uplink | undefined;
  #role: "none" | "standby" | "active" = "none";
  #stopped = false;
  #leaving = false;
  #ready = true;
  /** Whether it reads what is written as it is written. */
  #follows = true;
  #publishes: "always" | "silently" | "never" = "always";
  /** path → links that watch it */
  readonly #watched = new Map<string, Set<number>>();
  /** What it would have said while it was stopped. */
  #unsaid: Frame[] = [];

  constructor(name: string, ports: SimulatedOriginPorts) {
    this.name = name;
    this.#ports = ports;
    this.#index = new ForgetfulIndex(ports.memory);
  }

  get index(): ForgetfulIndex {
    return this.#index;
  }

  get slice(): Slice {
    return this.#ports.slice;
  }

  /** How many questions wait for their answers here. */
  get open(): number {
    return this.#uplink?.open ?? 0;
  }

  get isStandby(): boolean {
    return this.#role === "standby" && !this.#stopped;
  }

  get wire(): Wire | undefined {
    return this.#wire;
  }

  /** The endpoint of each link that is live. */
  live(): string[] {
    const watched = [...this.#watched].filter(([, links]) => links.size > 0);
    if (watched.length !== (this.#process?.watchList.size ?? 0))
      this.#ports.problem("it watches something else");
    return watched.flatMap(([path, links]) => [...links].map(() => path));
  }

  /** Its wire, if what is on its way to this end of it can't be delivered. */
  get deafWire(): Wire | undefined {
    return this.#stopped ? this.#wire : undefined;
  }

  /** A new process; of one that was there before nothing is left but its index and its socket, which nobody closes. */
  start(): void {
    this.#forget();
    this.#stopped = false;
    this.#leaving = false;
    const { slice, log, stream, bounds, homeOf, now } = this.#ports;
    const process: SimulatedProcess = new SimulatedProcess({
      ...{ slice, log, stream, bounds, homeOf, now, index: this.#index },
      lookSoon: () =>
        this.#ports.after(LOOK_MS, () => {
          if (process !== this.#process) return;
          process.look();
          this.#uplink?.work();
        }),
      readinessChanged: () => {
        if (this.#role !== "none") this.beat();
      },
    });
    this.#process = process;
    this.#dial();
    this.wake();
  }

  kill(): void {
    this.#wire?.cut();
    this.#forget();
    this.#process = undefined;
    this.#stopped = false;
  }

  /** Its index is deleted, which takes a new process. */
  wipe(): void {
    const wasRunning = this.#process !== undefined;
    this.kill();
    this.#index = new ForgetfulIndex(this.#ports.memory, this.#index);
    if (wasRunning) this.start();
  }

  /** Makes sure that it runs, is ready and reads on. */
  recover(): void {
    this.resume();
    this.drain();
    this.setReady(true);
    this.#follows = true;
    this.#publishes = "always";
    if (this.#process === undefined || this.#leaving) this.start();
    this.readAll();
  }

  stop(): void {
    this.#stopped = this.#process !== undefined;
  }

  resume(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    this.#say(this.#unsaid.splice(0));
    this.tick();
    this.wake();
  }

  cutUplink(): void {
    this.#wire?.cut();
  }

  leave(): void {
    if (this.#process === undefined || this.#stopped || this.#role === "none") return;
    this.#leaving = true;
    this.#say([encodeAddressed({ kind: "shard" }, encodeLeaving())]);
  }

  setReady(ready: boolean): void {
    this.#ready = ready;
    if (this.#role !== "none") this.beat();
  }

  /** U9 */
  beat(): void {
    const ready = this.#ready && this.#process?.ready === true;
    this.#say([encodeAddressed({ kind: "shard" }, encodeReady(ready))]);
  }

  /** Its uplink is full (U10). */
  congest(): void {
    if (this.#uplink !== undefined) this.#uplink.congested = true;
  }

  drain(): void {
    if (this.#uplink === undefined || !this.#uplink.congested) return;
    this.#uplink.congested = false;
    this.#uplink.wake();
  }

  lag(): void {
    this.#follows = false;
  }

  /** It appends what is published, and its answers are lost. */
  hush(): void {
    this.#publishes = "silently";
  }

  /** It appends nothing, and says so. */
  refuse(): void {
    this.#publishes = "never";
  }

  /** Something was written. */
  wake(): void {
    if (this.#follows && !this.#stopped) this.readAll();
  }

  readAll(): void {
    while (this.readOne());
  }

  /** Reads on, of all partitions or of one; returns whether there was anything. */
  readOne(epoch?: string): boolean {
    if (this.#stopped || this.#process === undefined) return false;
    const read = this.#process.readOne(epoch);
    this.#uplink?.work();
    return read;
  }

  /** Time has passed: what is too old goes, and who has waited long enough is answered. */
  tick(): void {
    if (this.#stopped) return;
    this.#process?.tick();
    this.#uplink?.work();
  }

  /** The topic is another one from now on, or has more partitions. */
  describe(): void {
    this.#process?.describe();
    this.#uplink?.work();
    this.wake();
  }

  /** What its process had in memory is gone, and its connection with it. */
  #forget(): void {
    if (this.#uplink !== undefined) this.#uplink.close();
    this.#uplink = undefined;
    this.#role = "none";
    this.#watched.clear();
    this.#unsaid = [];
    this.#wire = undefined;
  }

  #dial(): void {
    const process = this.#process;
    if (process === undefined || this.#wire !== undefined) return;
    const wire = this.#ports.dial();
    this.#wire = wire;
    this.#uplink = new Uplink(process, (frames) => {
      if (wire === this.#wire) this.#say(frames);
    });
    wire.client.listener = {
      message: (message) => {
        if (wire !== this.#wire) return;
        if (typeof message === "string") for (const frame of splitText(message)) this.#hear(frame);
        else for (const frame of splitBinary(message) ?? []) this.#publish(frame);
      },
      close: () => {
        if (wire !== this.#wire) return;
        this.#forget();
        if (this.#leaving) this.#process = undefined;
        else this.#ports.after(250, () => this.#dial());
      },
    };
    const { slice } = this.#ports;
    wire.client.send(
      encodeHello({ version: 1, origin: this.name, slice: isWhole(slice) ? undefined : slice }),
    );
  }

  #hear(frame: string): void {
    const says = decodeShardSays(frame);
    if (!says.ok) {
      this.#ports.problem(says.problem);
      return;
    }
    const { value } = says;
    if (value.kind === "hello") {
      this.#role = value.hello.role ?? "active";
      if (this.#role === "active") this.#ports.activated(value.hello.generation, false);
      this.beat();
    }
    if (value.kind === "active") {
      if (this.#role !== "standby") this.#ports.problem("made active, but it does not stand by");
      this.#role = "active";
      this.#ports.activated(value.generation, true);
    }
    if (value.kind === "attach") {
      if (this.#role !== "active") this.#ports.problem(`asked as ${this.#role}`);
      this.#ports.asked(value.link, value.attach.endpoint, value.attach.id);
      this.#attach(value.link, value.attach);
    }
    if (value.kind === "cancel") this.#uplink?.cancel(value.link, value.cancel);
    if (value.kind === "detach") {
      this.#watched.get(value.endpoint)?.delete(value.link);
      this.#uplink?.detach(value.link, value.endpoint);
    }
  }

  /** W6: the log has each once, whoever asks for it, and until when. */
  #publish(frame: Uint8Array<ArrayBuffer>): void {
    const read = decodePublish(frame);
    if (!read.ok) {
      this.#ports.problem(read.problem);
      return;
    }
    const { endpoint, id, key, value, until } = read.value;
    const { log, homeOf, now } = this.#ports;
    const isLate = until <= now() || this.#publishes === "never";
    let position = log.published(endpoint, key);
    if (position === undefined && !isLate) {
      const epoch = log.epochs[homeOf(endpoint, log.epochs.length)] ?? "";
      const json: unknown = JSON.parse(new TextDecoder().decode(value ?? undefined));
      position = log.publish(endpoint, key, json, epoch, now());
      this.wake();
    }
    if (this.#publishes === "silently") return;
    const result: Published =
      position === undefined ? { error: { code: "unavailable", message: "not now" } } : { position };
    this.#say([encodeAddressed({ kind: "shard" }, encodePublished(id, result))]);
  }

  #attach(link: number, attach: Attach): void {
    this.#watched.set(attach.endpoint, (this.#watched.get(attach.endpoint) ?? new Set()).add(link));
    const isWaiting = this.#uplink?.attach(link, attach);
    if (isWaiting) this.#ports.after(TIME_LIMITS.askAheadMs - (attach.waited ?? 0), () => this.tick());
    const open = this.#uplink?.openOn(link, attach.endpoint) ?? 0;
    if (open > LIMITS.openAsks) this.#ports.problem(`${open} questions of one endpoint are open on a link`);
  }

  /** In small messages, so that answers are cut into pieces. */
  #say(items: readonly Frame[]): void {
    if (this.#stopped) this.#unsaid.push(...items);
    else
      for (const message of packMessages(items, 400))
        if (this.#wire?.client.open) this.#wire.client.send(message);
  }
}

/** One uplink as the watch list sees it. */
class Uplink implements ShardPort {
  congested = false;
  #isAwake = false;
  readonly #process: SimulatedProcess;
  /** Questions of objects that aren't answered, by id, of each endpoint of each link. */
  readonly #open = new Map<string, Set<number>>();
  readonly #say: (frames: readonly Frame[]) => void;

  constructor(process: SimulatedProcess, say: (frames: readonly Frame[]) => void) {
    this.#process = process;
    this.#say = say;
    process.watchList.shardConnected(this);
  }

  /** Returns whether someone was told to wait. */
  attach(link: number, attach: Attach): boolean {
    const { watchList } = this.#process;
    const before = watchList.counts.waited;
    watchList.attach(this, link, attach);
    const key = keyOf(link, attach.endpoint);
    if (attach.id > 0) this.#open.set(key, (this.#open.get(key) ?? new Set()).add(attach.id));
    this.work();
    return watchList.counts.waited > before;
  }

  cancel(link: number, cancel: Cancel): void {
    this.#process.watchList.cancel(this, link, cancel);
    this.#open.get(keyOf(link, cancel.endpoint))?.delete(cancel.id);
    this.work();
  }

  /** How many questions about an endpoint of a link wait for their answers. */
  openOn(link: number, path: string): number {
    return this.#open.get(keyOf(link, path))?.size ?? 0;
  }

  /** How many questions wait for their answers. */
  get open(): number {
    return [...this.#open.values()].reduce((sum, { size }) => sum + size, 0);
  }

  detach(link: number, path: string): void {
    this.#open.delete(keyOf(link, path));
    this.#process.watchList.detach(this, link, path);
    this.work();
  }

  close(): void {
    this.#process.watchList.shardLost(this);
  }

  work(): void {
    while (this.#isAwake) this.#isAwake = this.#process.watchList.step(this);
  }

  send(messages: readonly Outgoing[]): void {
    const frames = messages.flatMap((message) => framesOf(messageOf(message)));
    for (const frame of frames) {
      const [, link, path = "", id] = /^(\d+)\t\{"attached":"([^"]*)","id":(\d+)/.exec(String(frame)) ?? [];
      this.#open.get(keyOf(Number(link), path))?.delete(Number(id));
    }
    this.#say(frames);
  }

  soon(run: () => void): void {
    run();
  }

  /** Not within what is being done just now. */
  wake(): void {
    this.#isAwake = true;
    queueMicrotask(() => this.work());
  }
}

function keyOf(link: number, path: string): string {
  return `${link} ${path}`;
}

function framesOf(message: Message): readonly Frame[] {
  return typeof message === "string" ? splitText(message) : (splitBinary(message) ?? []);
}
