/**
 * An origin in a simulation: it reads a journal in order, as far as it is let, keeps an index of its own, answers
 * from that by the rules, and forwards what is watched. Its process can be stopped and killed.
 */
import { encodeAddressed } from "../../shared/protocol/addressed.ts";
import { type Attach, type Attached, encodeAttached, encodeWaiting } from "../../shared/protocol/attach.ts";
import type { Frame } from "../../shared/protocol/frame.ts";
import { packMessages, splitText } from "../../shared/protocol/message.ts";
import type { Position } from "../../shared/protocol/position.ts";
import { hasPartition, isWhole, type Range, rangeOf, within } from "../../shared/protocol/range.ts";
import { decodeShardSays, encodeHello, encodeLeaving, encodeReady } from "../../shared/protocol/uplink.ts";
import type { ModelLog } from "./model-log.ts";
import type { Wire } from "./simulated-wires.ts";

export interface Journal {
  readonly entries: { readonly path: string; readonly value: unknown; readonly epoch: string }[];
  /** Where each epoch ends. */
  readonly log: ModelLog;
}

export interface SimulatedOriginPorts {
  readonly range: Range;
  /** The partition in which a key is at home. */
  homeOf(path: string): number;
  readonly journal: Journal;
  readonly index: ModelLog;
  /** A new uplink. */
  dial(): Wire;
  after(ms: number, run: () => void): void;
  /** A grant was heard of, by one that stood by or has just come. */
  granted(generation: number, stoodBy: boolean): void;
  problem(problem: string): void;
}

export class SimulatedOrigin {
  readonly name: string;
  readonly index: ModelLog;
  readonly #ports: SimulatedOriginPorts;
  #wire: Wire | undefined;
  #role: "none" | "standby" | "active" = "none";
  #running = false;
  #stopped = false;
  #leaving = false;
  #ready = true;
  /** Whether it reads what is written as it is written. */
  #follows = true;
  #read = 0;
  /** path → links that are live */
  readonly #live = new Map<string, Set<number>>();
  #blocked: { readonly link: number; readonly attach: Attach }[] = [];
  /** What it would have said while it was stopped. */
  #unsaid: Frame[] = [];

  constructor(name: string, ports: SimulatedOriginPorts) {
    this.name = name;
    this.index = ports.index;
    this.#ports = ports;
  }

  get isStandby(): boolean {
    return this.#role === "standby" && !this.#stopped;
  }

  get wire(): Wire | undefined {
    return this.#wire;
  }

  /** The endpoint of each link that is live. */
  live(): string[] {
    return [...this.#live].flatMap(([path, links]) => [...links].map(() => path));
  }

  /** Whether what is on its way to this end of a wire can't be delivered. */
  isDeaf(wire: Wire): boolean {
    return this.#stopped && wire === this.#wire;
  }

  /** A new process; of one that was there before nothing is left but its socket, which nobody closes. */
  start(): void {
    this.#forget();
    this.#running = true;
    this.#stopped = false;
    this.#leaving = false;
    this.#dial();
  }

  kill(): void {
    this.#wire?.cut();
    this.#forget();
    this.#running = false;
    this.#stopped = false;
  }

  /** Makes sure that it runs, is ready and reads on. */
  recover(): void {
    this.resume();
    this.setReady(true);
    this.#follows = true;
    this.readAll();
    if (!this.#running || this.#leaving) this.start();
  }

  stop(): void {
    this.#stopped = this.#running;
  }

  resume(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    this.#say(this.#unsaid.splice(0));
    if (this.#follows) this.readAll();
  }

  cutUplink(): void {
    this.#wire?.cut();
  }

  leave(): void {
    if (!this.#running || this.#stopped || this.#role === "none") return;
    this.#leaving = true;
    this.#say([encodeAddressed({ kind: "shard" }, encodeLeaving())]);
  }

  setReady(ready: boolean): void {
    this.#ready = ready;
    if (this.#role !== "none") this.beat();
  }

  /** U9 */
  beat(): void {
    this.#say([encodeAddressed({ kind: "shard" }, encodeReady(this.#ready))]);
  }

  lag(): void {
    this.#follows = false;
  }

  /** Something was written. */
  wake(): void {
    if (this.#follows && !this.#stopped) this.readAll();
  }

  readAll(): void {
    while (this.readOne());
  }

  /** Reads on; returns whether there was anything. */
  readOne(): boolean {
    const entry = this.#ports.journal.entries[this.#read];
    if (entry === undefined) return false;
    this.#read++;
    const { path, value, epoch } = entry;
    const { range } = this.#ports;
    if (rangeOf(epoch, range.count) !== range.number) return true;
    const { frame } = this.index.append(path, value, epoch);
    const links = [...(this.#live.get(path) ?? [])];
    if (links.length > 0) this.#say([encodeAddressed({ kind: "links", links }, frame)]);
    for (const { link, attach } of this.#blocked.splice(0)) this.#attach(link, attach);
    return true;
  }

  /** The topic is another one from now on: who is live is told so. */
  recreate(): void {
    const { range } = this.#ports;
    const known = [...this.#live].filter(([path]) => isWhole(range) || this.index.latest(path) !== undefined);
    this.index.forgetEpochs();
    this.#read = 0;
    for (const [path, live] of known) {
      const { attached, frames } = this.index.answer(path, undefined, "epoch");
      if (live.size > 0) this.#answer([...live], { ...attached, id: 0 }, frames);
    }
    for (const { link, attach } of this.#blocked.splice(0)) this.#attach(link, attach);
  }

  #forget(): void {
    this.#role = "none";
    this.#live.clear();
    this.#blocked = [];
    this.#unsaid = [];
    this.#wire = undefined;
  }

  #dial(): void {
    if (!this.#running || this.#wire !== undefined) return;
    const wire = this.#ports.dial();
    this.#wire = wire;
    wire.client.listener = {
      message: (message) => {
        if (wire === this.#wire) for (const frame of splitText(String(message))) this.#hear(frame);
      },
      close: () => {
        if (wire !== this.#wire) return;
        this.#forget();
        if (this.#leaving) this.#running = false;
        else this.#ports.after(250, () => this.#dial());
      },
    };
    const { range } = this.#ports;
    wire.client.send(
      encodeHello({ version: 1, origin: this.name, range: isWhole(range) ? undefined : range }),
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
      if (this.#role === "active") this.#ports.granted(value.hello.generation, false);
      this.beat();
    }
    if (value.kind === "active") {
      if (this.#role !== "standby") this.#ports.problem("granted, but it does not stand by");
      this.#role = "active";
      this.#ports.granted(value.generation, true);
    }
    if (value.kind === "attach") {
      if (this.#role !== "active") this.#ports.problem(`asked as ${this.#role}`);
      this.#attach(value.link, value.attach);
    }
    if (value.kind === "detach") {
      this.#live.get(value.endpoint)?.delete(value.link);
      this.#blocked = this.#blocked.filter(
        ({ link, attach }) => link !== value.link || attach.endpoint !== value.endpoint,
      );
    }
  }

  #attach(link: number, attach: Attach): void {
    const { endpoint, id } = attach;
    const { range, homeOf } = this.#ports;
    const from = attach.from && within(attach.from, range);
    if (this.#isComing(from)) {
      this.#blocked.push({ link, attach });
      this.#say([encodeAddressed({ kind: "links", links: [link] }, encodeWaiting(endpoint, id))]);
      return;
    }
    const { attached, frames } = this.index.answer(endpoint, from);
    this.#live.set(endpoint, (this.#live.get(endpoint) ?? new Set()).add(link));
    const isKnown = this.index.latest(endpoint) !== undefined || (from?.size ?? 0) > 0;
    const elsewhere = !isKnown && !hasPartition(range, homeOf(endpoint));
    this.#answer([link], { ...attached, id, elsewhere }, frames);
  }

  /** R5: another origin has seen what this one has yet to read. */
  #isComing(from: Position | undefined): boolean {
    return [...(from ?? [])].some(
      ([epoch, offset]) => offset >= this.index.endOf(epoch) && offset < this.#ports.journal.log.endOf(epoch),
    );
  }

  #answer(links: readonly number[], attached: Attached, frames: readonly Frame[]): void {
    const items = [encodeAttached(attached), ...frames];
    this.#say(items.map((frame) => encodeAddressed({ kind: "links", links }, frame)));
  }

  /** In small messages, so that answers are cut into pieces. */
  #say(items: readonly Frame[]): void {
    if (this.#stopped) this.#unsaid.push(...items);
    else
      for (const message of packMessages(items, 400))
        if (this.#wire?.client.open) this.#wire.client.send(message);
  }
}
