/**
 * What is below an origin, simulated: shards whose links hold objects that apply the rule of continuity as the
 * edge does, check every answer as it comes, and remember what they received. Nothing happens by itself.
 */
import { expect } from "vitest";
import type { Outgoing, ShardPort } from "../../origin/watch/outbox.ts";
import type { WatchList } from "../../origin/watch/watch-list.ts";
import { classify } from "../../shared/core/continuity.ts";
import { decodeAddressed } from "../../shared/protocol/addressed.ts";
import type { Attached } from "../../shared/protocol/attach.ts";
import { type Routing, routingOf } from "../../shared/protocol/frame.ts";
import { type Message, splitBinary, splitText } from "../../shared/protocol/message.ts";
import { type Position, reaches } from "../../shared/protocol/position.ts";
import { decodeOriginSays, type OriginSays } from "../../shared/protocol/uplink.ts";
import { messageOf } from "./outgoing.ts";

/** One endpoint on one link. */
export class WatchingObject {
  readonly path: string;
  /** undefined until the first answer. */
  position: Map<string, number> | undefined;
  /** `epoch:offset` of what was taken, by epoch, since continuity began at `base`. */
  received: Routing[] = [];
  base: Position = new Map();
  readonly causes: string[] = [];
  waits = 0;
  ask: { readonly id: number; readonly from: Position | undefined } | undefined;
  /** Called before an answer is taken. */
  onAnswer: (attached: Attached, ask: WatchingObject["ask"]) => void = () => undefined;
  #lastId = 0;
  #behind = true;
  #answer: { readonly attached: Attached; readonly updates: Routing[] } | undefined;

  constructor(path: string) {
    this.path = path;
  }

  /** What it must ask now, if anything; one question at a time. */
  nextAsk(): { id: number; from: Position | undefined } | undefined {
    if (!this.#behind || this.ask !== undefined) return undefined;
    this.#behind = false;
    this.ask = { id: ++this.#lastId, from: this.position && new Map(this.position) };
    return this.ask;
  }

  /** The link broke: whatever was under way is asked again. */
  cutOff(): void {
    this.#answer = undefined;
    this.ask = undefined;
    this.#behind = true;
  }

  says(says: OriginSays): void {
    expect(this.#answer, "an answer is not interrupted").toBeUndefined();
    if (says.kind === "waiting") this.waits++;
    if (says.kind !== "attached") return;
    const { attached } = says;
    expect([0, this.ask?.id]).toContain(attached.id);
    this.onAnswer(attached, attached.id === 0 ? undefined : this.ask);
    this.#answer = { attached, updates: [] };
    this.#complete();
  }

  update(update: Routing): void {
    expect(update.endpoint).toBe(this.path);
    if (this.#answer === undefined) this.#apply(update);
    else {
      this.#answer.updates.push(update);
      this.#complete();
    }
  }

  #complete(): void {
    if (this.#answer === undefined || this.#answer.updates.length < this.#answer.attached.count) return;
    const { attached, updates } = this.#answer;
    const { verdict, to } = attached;
    this.#answer = undefined;
    if (attached.id !== 0) this.ask = undefined;

    const walked = new Map(verdict.position);
    for (const update of updates) {
      expect(classify(walked, update), "an answer has no hole").toBe("next");
      walked.set(update.epoch, update.offset);
    }
    expect(reaches(to, walked), "an answer leads as far as it says").toBe(true);
    // Past its last update only where it speaks of the epoch: there was nothing more.
    for (const [epoch, offset] of to)
      if (offset !== walked.get(epoch)) expect(attached.horizon.has(epoch)).toBe(true);

    if (this.position === undefined || verdict.recovered === false) {
      this.position = new Map(verdict.position);
      this.base = verdict.position;
      this.received = [];
      if (verdict.cause !== undefined) this.causes.push(verdict.cause);
    }
    for (const update of updates) this.#apply(update);
    for (const epoch of attached.horizon.keys()) this.#advance(epoch, verdict.position, to);
    if (!reaches(this.position, verdict.head)) this.#behind = true;
  }

  /** In an epoch of which the answer speaks there is nothing more up to its end. */
  #advance(epoch: string, begin: Position, end: Position): void {
    const at = this.position?.get(epoch) ?? -1;
    const to = end.get(epoch) ?? -1;
    if (at >= (begin.get(epoch) ?? -1) && at < to) this.position?.set(epoch, to);
  }

  #apply(update: Routing): void {
    const judged = this.position === undefined ? "gap" : classify(this.position, update);
    if (judged === "gap") this.#behind = true;
    if (judged !== "next") return;
    this.position?.set(update.epoch, update.offset);
    this.received.push(update);
  }
}

/** One uplink as its shard sees it. */
export class SimulatedShard implements ShardPort {
  readonly #watchList: WatchList;
  readonly objects = new Map<number, Map<string, WatchingObject>>();
  /** Answers to questions, in order. */
  readonly answers: { readonly id: number; readonly says: OriginSays | Routing }[] = [];
  messages = 0;
  updates = 0;
  congested = false;
  isAwake = false;

  constructor(watchList: WatchList) {
    this.#watchList = watchList;
    watchList.shardConnected(this);
  }

  soon(run: () => void): void {
    run();
  }

  wake(): void {
    this.isAwake = true;
  }

  /** An object begins to watch; `ask` makes it attach. */
  watch(link: number, path: string): WatchingObject {
    const object = new WatchingObject(path);
    const paths = this.objects.get(link) ?? new Map();
    this.objects.set(link, paths.set(path, object));
    return object;
  }

  leave(link: number, path: string): void {
    this.objects.get(link)?.delete(path);
    this.#watchList.detach(this, link, path);
  }

  /** Passes on what the object has to ask; returns whether it had anything. */
  ask(link: number, object: WatchingObject): boolean {
    const ask = object.nextAsk();
    if (ask !== undefined) this.#watchList.attach(this, link, { endpoint: object.path, ...ask });
    return ask !== undefined;
  }

  /** Pays what is owed; returns whether anything was done. */
  step(): boolean {
    if (!this.isAwake) return false;
    this.isAwake = this.#watchList.step(this);
    return true;
  }

  drain(): void {
    this.congested = false;
    this.isAwake = true;
  }

  send(messages: readonly Outgoing[]): void {
    for (const message of messages.map(messageOf)) {
      this.messages++;
      const items = typeof message === "string" ? splitText(message) : (splitBinary(message) ?? []);
      expect(items.length).toBeGreaterThan(0);
      for (const item of items) this.#item(item);
    }
  }

  #item(item: Message): void {
    const addressed = decodeAddressed(item);
    if (addressed === undefined) throw new Error(`not addressed: ${item}`);
    const { to, frame } = addressed;
    const update = routingOf(frame);
    const says = update === undefined && typeof frame === "string" ? decodeOriginSays(frame) : undefined;
    if (update === undefined && !says?.ok) throw new Error(`neither an update nor a control frame: ${frame}`);
    const value = update ?? (says?.ok ? says.value : { kind: "unknown" as const });
    if (to.kind === "question") this.answers.push({ id: to.id, says: value });
    if (to.kind !== "links") return;
    if (update !== undefined) expect(this.congested, "nothing large while congested").toBe(false);
    for (const link of to.links) this.#deliver(link, value);
  }

  #deliver(link: number, value: OriginSays | Routing): void {
    const path = "endpoint" in value ? value.endpoint : "attached" in value ? value.attached.endpoint : "";
    const object = this.objects.get(link)?.get(path);
    if (object === undefined) throw new Error(`link ${link} does not watch ${path}`);
    if ("kind" in value) object.says(value);
    else {
      this.updates++;
      object.update(value);
    }
  }
}
