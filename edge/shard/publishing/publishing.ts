/**
 * What a shard makes of publishes: W6–W10 of INTERNALS.md. It sends each to the origin that writes its partition, holds its
 * deadline, and answers once. The log is the table of what was done: whatever an origin left without an answer is sent again
 * with the same id. Decisions about one publish are those of publish-states.ts; time and sockets come in as ports.
 *
 * Publishes of one key are sent in the order in which they came: one waits while another that came before it is under way
 * elsewhere.
 */
import { murmur2 } from "../../../shared/core/partitioner.ts";
import { parseAddress } from "../../../shared/protocol/address.ts";
import { LIMITS } from "../../../shared/protocol/limits.ts";
import {
  encodePublish,
  type Publish,
  type Published,
  type Writing,
} from "../../../shared/protocol/publish.ts";
import type { Peer } from "../../peer.ts";
import { TIME_LIMITS } from "../../time-limits.ts";
import type { Refusal } from "../validity.ts";
import { Lane } from "./lane.ts";
import { meaningOf, NO_ORIGIN, NOT_SENT, type PublishOutcome, TOO_MUCH, UNKNOWN_OUTCOME } from "./outcome.ts";
import { type PublishEvent, type PublishState, stepPublish } from "./publish-states.ts";
import { Shares, sizeOf } from "./shares.ts";
import { Takeovers } from "./takeovers.ts";
import { Writers } from "./writers.ts";

export interface PublishingPorts<T extends Peer> {
  now(): number;
  /** Milliseconds since 1970. */
  wall(): number;
  /** In [0, 1). */
  random(): number;
  after(ms: number, run: () => void): () => void;
  /** The active uplink of each slice, in order, if it has one. */
  actives(): readonly (T | undefined)[];
  /** Whether an uplink is active or stands by, and was heard lately. */
  isHeard(uplink: T): boolean;
  /** Whether it is active or stands by. */
  isOpen(uplink: T): boolean;
  /** Whether the key of its origin may speak for a topic (U16). */
  mayTopic(uplink: T, topic: string): boolean;
  send(uplink: T, frame: Uint8Array<ArrayBuffer>): void;
}

interface Entry<T> {
  readonly id: number;
  readonly publish: Publish;
  readonly path: string;
  readonly topic: string;
  readonly key: Uint8Array;
  readonly bytes: number;
  /** What it has a share with of all that may be open. */
  readonly share: string;
  readonly deadline: number;
  readonly refusal: () => Refusal;
  state: PublishState<T>;
  /** Isn't sent before. */
  notBefore: number;
  /** Those that said, since that was looked at anew, that another one writes the partition. */
  readonly declined: Set<T>;
  readonly answer: (outcome: PublishOutcome) => void;
}

type Choice<T> =
  | { readonly kind: "send"; readonly to: T; readonly claim: boolean; readonly name: string }
  | { readonly kind: "none" }
  | { readonly kind: "full" }
  | { readonly kind: "wait"; readonly until: number };

const DEADLINE_MS = TIME_LIMITS.publishMs;
/** An origin is to say what it knows before the shard must say that nobody does. */
const MARGIN_MS = TIME_LIMITS.publishMarginMs;
/** Nothing is written once the shard has given up, unless the origin's clock is behind by more. */
const CLOCKS_MS = TIME_LIMITS.publishClocksMs;
const AGAIN_MS = TIME_LIMITS.publishAgainMs;
const LOOK_MS = TIME_LIMITS.publishLookMs;
/** Ids begin anywhere among these: what is late for a life of this shard that is over answers nothing of the next one. */
const FIRST_IDS = 2 ** 52;

export class Publishing<T extends Peer> {
  readonly #ports: PublishingPorts<T>;
  readonly #writers = new Writers<T>();
  readonly #takeovers = new Takeovers<T>();
  /** Not answered, in the order in which they came. */
  readonly #entries = new Map<number, Entry<T>>();
  /** The same by path. */
  readonly #lanes = new Map<string, Lane<T, Entry<T>>>();
  readonly #shares = new Shares();
  /** Asked once in each event: it takes a look at all sockets. */
  readonly #heard = new Map<T, boolean>();
  #lastId: number;
  #isLooking = false;

  constructor(ports: PublishingPorts<T>) {
    this.#ports = ports;
    this.#lastId = Math.floor(ports.random() * FIRST_IDS);
  }

  /**
   * Never rejects.
   * @param refusal Why it isn't sent after all, if it had to wait: asked before it is sent, unless it may be in the log.
   */
  publish(publish: Publish, refusal: () => Refusal = () => undefined): Promise<PublishOutcome> {
    this.#heard.clear();
    const parsed = parseAddress(publish.endpoint);
    if (!parsed.ok) throw new Error(`no endpoint: ${publish.endpoint}`);
    const bytes = sizeOf(publish);
    const { topic, key, path } = parsed.address;
    const share = this.#nameOf(topic, key);
    if (!this.#shares.take(share, bytes)) return Promise.resolve(TOO_MUCH);
    const { promise, resolve } = Promise.withResolvers<PublishOutcome>();
    const now = this.#ports.now();
    const entry: Entry<T> = {
      ...{ id: ++this.#lastId, publish, path, topic, key, bytes, share, refusal },
      ...{ deadline: now + DEADLINE_MS, notBefore: now, state: { kind: "new" } },
      ...{ declined: new Set(), answer: resolve },
    };
    this.#entries.set(entry.id, entry);
    const lane = this.#lanes.get(path) ?? new Lane();
    this.#lanes.set(path, lane);
    lane.add(entry);
    this.#pump(path);
    this.#lookLater();
    return promise;
  }

  /** An origin writes a partition, or no longer. */
  writes(from: T, writing: Writing): void {
    this.#heard.clear();
    this.#writers.heard(from, writing);
    for (const entry of this.#entries.values()) {
      if (entry.topic !== writing.topic) continue;
      entry.declined.clear();
      if (entry.state.kind === "new") entry.notBefore = this.#ports.now();
    }
    this.#pumpAll();
  }

  /** An origin has answered. What is said of a publish that another one was given since is late. */
  published(from: T, id: number, result: Published): void {
    this.#heard.clear();
    const entry = this.#entries.get(id);
    if (entry === undefined || !("to" in entry.state) || entry.state.to !== from) return;
    const { event, outcome } = meaningOf(result);
    if (event === "notWriter") entry.declined.add(from);
    // What is doubtful after that is sent again, but not at once.
    if (event !== "notWriter") entry.notBefore = this.#ports.now() + AGAIN_MS;
    this.#step(entry, { kind: event }, outcome);
    this.#pump(entry.path);
  }

  /** An uplink is no more. */
  lost(uplink: T): void {
    const had = this.#writers.lost(uplink);
    this.#takeovers.gone(
      uplink,
      had.map(({ topic, partition }) => `${topic}/${partition}`),
    );
    this.look();
  }

  /** Something may have changed, time included. */
  look(): void {
    this.#heard.clear();
    const now = this.#ports.now();
    for (const entry of [...this.#entries.values()]) {
      if (entry.deadline <= now) this.#step(entry, { kind: "late" });
      else if ("to" in entry.state && this.#isGone(entry, entry.state.to))
        this.#step(entry, { kind: "lost" });
    }
    this.#pumpAll();
  }

  /** Whether nobody waits for this uplink's answer any more: it is closed, or silent while another one isn't. */
  #isGone(entry: Entry<T>, to: T): boolean {
    if (!this.#ports.isOpen(to)) return true;
    if (this.#isHeard(to)) return false;
    const active = this.#activeFor(entry);
    return active !== undefined && active !== to && this.#isHeard(active);
  }

  #pumpAll(): void {
    for (const path of [...this.#lanes.keys()]) this.#pump(path);
  }

  #pump(path: string): void {
    const lane = this.#lanes.get(path);
    for (let entry = lane?.next; lane !== undefined && entry !== undefined; entry = lane.next) {
      const now = this.#ports.now();
      if (entry.notBefore > now || entry.deadline - now <= MARGIN_MS) return;
      const choice = this.#choose(entry, now);
      if (choice.kind === "send") {
        const before = lane.underWayBefore(entry)?.state;
        if (before !== undefined && "to" in before && before.to !== choice.to) return;
        const refused = entry.state.kind === "new" ? entry.refusal() : undefined;
        if (refused === "unknown") return;
        if (refused !== undefined) {
          this.#settle(entry, refused);
          continue;
        }
        this.#send(entry, choice, now);
      } else if (choice.kind === "wait") {
        entry.notBefore = choice.until;
        entry.declined.clear();
        return;
      } else if (entry.state.kind === "new")
        this.#settle(entry, choice.kind === "none" ? NO_ORIGIN : TOO_MUCH);
      else return;
    }
  }

  #choose(entry: Entry<T>, now: number): Choice<T> {
    const { topic, key, declined } = entry;
    const partition = this.#writers.partitionOf(topic, key);
    const name = this.#nameOf(topic, key);
    const writer =
      partition === undefined ? undefined : this.#writers.highest(topic, partition, this.#ports.isOpen);
    const mayAsk = (uplink: T) => this.#isHeard(uplink) && !declined.has(uplink);
    // One that is taking the partition has it soon; if another one were asked now, they would relieve one another by turns.
    const own =
      writer !== undefined && mayAsk(writer)
        ? writer
        : partition === undefined
          ? undefined
          : this.#writers.taking(topic, partition, mayAsk);
    const to = own ?? this.#activeFor(entry);
    if (to === undefined) return { kind: "none" };
    if (to.bufferedAmount > LIMITS.uplinkBacklogBytes) return { kind: "full" };
    if (own !== undefined) return { kind: "send", to, claim: false, name };
    const until = this.#takeovers.nextAt(name);
    const claim = until <= now;
    return !claim && declined.has(to) ? { kind: "wait", until } : { kind: "send", to, claim, name };
  }

  /** Of the key's partition, as far as that is known. */
  #nameOf(topic: string, key: Uint8Array): string {
    return `${topic}/${this.#writers.partitionOf(topic, key) ?? ""}`;
  }

  #send(entry: Entry<T>, { to, claim, name }: Extract<Choice<T>, { kind: "send" }>, now: number): void {
    if (claim) this.#takeovers.ask(name, to, now);
    const leftMs = entry.deadline - now;
    const withinMs = Math.floor(leftMs - MARGIN_MS);
    const until = Math.floor(this.#ports.wall() + leftMs - CLOCKS_MS);
    this.#step(entry, { kind: "put", to });
    this.#ports.send(to, encodePublish({ ...entry.publish, id: entry.id, withinMs, until, claim }));
  }

  /**
   * Who is asked if no writer is known: the origin of the slice that has the partition, if as many slices as there are
   * divide the partitions evenly, which need not be known; any origin may write any partition. If that is away or silent,
   * another one.
   */
  #activeFor({ topic, key }: Entry<T>): T | undefined {
    const all = this.#ports.actives();
    const actives = all.map((active) => (active && this.#ports.mayTopic(active, topic) ? active : undefined));
    const own = actives[(murmur2(key) & 0x7fffffff) % actives.length];
    if (own !== undefined && this.#isHeard(own)) return own;
    const present = actives.filter((active) => active !== undefined);
    return present.find((active) => this.#isHeard(active)) ?? own ?? present[0];
  }

  #step(entry: Entry<T>, event: PublishEvent<T>, outcome = UNKNOWN_OUTCOME): void {
    const lane = this.#lanes.get(entry.path);
    lane?.remove(entry);
    entry.state = stepPublish(entry.state, event);
    if (entry.state.kind !== "over") {
      lane?.add(entry);
      return;
    }
    const { how } = entry.state;
    this.#settle(entry, how === "answered" ? outcome : how === "unavailable" ? NOT_SENT : UNKNOWN_OUTCOME);
  }

  #settle(entry: Entry<T>, outcome: PublishOutcome): void {
    this.#entries.delete(entry.id);
    const lane = this.#lanes.get(entry.path);
    lane?.remove(entry);
    if (lane?.isEmpty) this.#lanes.delete(entry.path);
    this.#shares.give(entry.share, entry.bytes);
    entry.answer(outcome);
  }

  #isHeard(uplink: T): boolean {
    const known = this.#heard.get(uplink);
    if (known !== undefined) return known;
    const isHeard = this.#ports.isHeard(uplink);
    this.#heard.set(uplink, isHeard);
    return isHeard;
  }

  /** While anything is open. */
  #lookLater(): void {
    if (this.#isLooking || this.#entries.size === 0) return;
    this.#isLooking = true;
    this.#ports.after(LOOK_MS, () => {
      this.#isLooking = false;
      this.look();
      this.#lookLater();
    });
  }
}
