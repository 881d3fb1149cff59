/**
 * What the watch list remembers: endpoints that are watched, what each shard wants of them, and questions
 * that are not answered yet.
 */
import type { AddressedTo } from "../../shared/protocol/addressed.ts";
import { type Attach, UNASKED } from "../../shared/protocol/attach.ts";
import { LIMITS } from "../../shared/protocol/limits.ts";
import { lower, NOTHING, type Position, reaches } from "../../shared/protocol/position.ts";
import { type Forwarding, type ForwardingEvent, ON, stepForwarding } from "./forwarding.ts";
import { Outbox, type ShardPort } from "./outbox.ts";
import type { Blocked } from "./proof.ts";
import type { Replayed } from "./replayed.ts";
import type { Endpoint } from "./subject.ts";

/** An endpoint that somebody watches. */
export interface Watch {
  readonly endpoint: Endpoint;
  readonly interests: Map<Shard, Interest>;
  /** The last record of each epoch: forwarded, or there when the watch began. */
  readonly tails: Map<string, number>;
  /** Epochs in which somebody who was answered stands, though the key may not be known there any more. */
  readonly stands: Set<string>;
}

/** What an attach asks, of the partitions that are read here. */
type Asked = Pick<Attach, "id" | "from" | "reached">;

/** An attach that hasn't been answered. */
export interface Ask {
  readonly interest: Interest;
  readonly link: number;
  readonly id: number;
  readonly from: Position | undefined;
  /** What must have been read before it is answered, besides. */
  readonly reached: Position | undefined;
  /** When its asker began to wait, in milliseconds since 1970. */
  readonly at: number;
  /** Whether the topic was looked at for it. */
  looked: boolean;
  /** Whether it was told to wait. */
  told: boolean;
  blocked: Blocked | undefined;
  /** What the log held where the index has a gap; undefined as long as it wasn't read. */
  replayed: readonly Replayed[] | undefined;
  /** How often the log was read for it. */
  replays: number;
}

/**
 * Unanswered attaches of one link for one endpoint; past that the oldest is forgotten. Some room for the shard's own,
 * which have no place in what an object may ask (L7).
 */
const ASKS_PER_LINK = LIMITS.openAsks + 3;

/** What one shard wants of an endpoint. */
export class Interest {
  readonly shard: Shard;
  readonly watch: Watch;
  #forwarding: Forwarding = ON;
  readonly #live = new Set<number>();
  #address: AddressedTo = { kind: "links", links: [] };
  #asks: readonly Ask[] = [];
  /** Of links that aren't live the question that came first: it is asked from where its receiver is (L4, L7). */
  readonly #first = new Map<number, Ask>();

  constructor(shard: Shard, watch: Watch) {
    this.shard = shard;
    this.watch = watch;
  }

  get isLive(): boolean {
    return this.#live.size > 0;
  }

  get isIdle(): boolean {
    return this.#live.size === 0 && this.#asks.length === 0;
  }

  /** How its live links stand to what is read. */
  get forwarding(): Forwarding {
    return this.#forwarding;
  }

  step(event: ForwardingEvent): void {
    this.#forwarding = stepForwarding(this.#forwarding, event);
  }

  /** All links that are live. */
  get address(): AddressedTo {
    return this.#address;
  }

  get asks(): readonly Ask[] {
    return this.#asks;
  }

  /** Whether it should get a turn. */
  get hasWork(): boolean {
    return this.#forwarding.kind !== "on" || this.nextAsk !== undefined;
  }

  get nextAsk(): Ask | undefined {
    return this.#asks.find(({ blocked }) => blocked === undefined);
  }

  /** An ask of a link that isn't answered. */
  asked(link: number, id: number): Ask | undefined {
    return this.#asks.find((ask) => ask.link === link && ask.id === id);
  }

  /** Returns an earlier ask of this link that is one too many, or has been replaced, and is to be forgotten. */
  ask(link: number, { id, from, reached }: Asked, at: number): Ask | undefined {
    const unasked = id === UNASKED ? this.asked(link, id) : undefined;
    if (unasked !== undefined) return this.#lower(unasked, from ?? NOTHING);
    const earlier = this.#asks.filter((ask) => ask.link === link);
    const fresh = { looked: false, told: false, blocked: undefined, replayed: undefined, replays: 0 };
    const ask = { interest: this, link, id, from, reached, at, ...fresh };
    if (earlier.length === 0 && !this.#live.has(link)) this.#first.set(link, ask);
    this.#asks = [...this.#asks, ask];
    return earlier.length < ASKS_PER_LINK ? undefined : earlier[0];
  }

  /**
   * A shard's own question comes again while it isn't answered: one answer, from the lower of the two positions, serves
   * both. Returns the ask whose place another one has taken.
   */
  #lower(ask: Ask, from: Position): Ask | undefined {
    const at = ask.from ?? NOTHING;
    if (reaches(from, at)) return undefined;
    const fresh = { looked: false, blocked: undefined, replayed: undefined, replays: 0 };
    const lowered = { ...ask, from: lower(at, from), ...fresh };
    this.#asks = this.#asks.map((other) => (other === ask ? lowered : other));
    if (this.#first.get(ask.link) === ask) this.#first.set(ask.link, lowered);
    return ask;
  }

  forget(ask: Ask): void {
    this.#asks = this.#asks.filter((other) => other !== ask);
    if (this.#first.get(ask.link) === ask) this.#first.delete(ask.link);
  }

  /**
   * A question of the link was answered. As long as the first one isn't, others are, but what came live then could lie past
   * something that the receiver hasn't.
   */
  goLive(link: number): void {
    if (this.#first.has(link)) return;
    this.#live.add(link);
    this.#address = { kind: "links", links: [...this.#live] };
  }

  leave(link: number): void {
    this.#first.delete(link);
    this.#live.delete(link);
    this.#address = { kind: "links", links: [...this.#live] };
    if (!this.isLive) this.step({ kind: "left" });
  }
}

/** One uplink, and what is owed on it. */
export class Shard {
  readonly outbox: Outbox;
  /** By canonical path. */
  readonly interests = new Map<string, Interest>();
  /** Interests that may be caught up or answered, in the order in which they get their turn. */
  readonly work = new Set<Interest>();

  constructor(port: ShardPort) {
    this.outbox = new Outbox(port);
  }

  get congested(): boolean {
    return this.outbox.port.congested;
  }

  queue(interest: Interest): void {
    this.work.add(interest);
    if (!this.congested) this.outbox.port.wake();
  }
}
