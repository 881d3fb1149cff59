/**
 * What a broker keeps of one lane's requests to fetch (Kafka's KIP-227): a request then names only partitions of which the broker
 * doesn't know yet what is wanted, and an answer only those of which there is news. So neither grows with the partitions that
 * are quiet.
 *
 * A broker may have no room for a session, may forget it, or have none at all: then all is named, as without. If a request
 * gets no answer nobody can tell whether the broker took it, so the next one begins another session. Pure.
 */
import type { Fetched, FetchFrom, SessionRequest } from "./fetch-request.ts";
import { KAFKA_ERROR } from "./requests.ts";

/** What brokers call no session. */
const NO_SESSION = 0;
/** Numbers of requests: one outside of any session, and the first of one. After the last one comes 1. */
const OUTSIDE = -1;
const FIRST = 0;
const LAST = 2 ** 31 - 1;

/** What brokers answer if they no longer have the session, expected another request of it, or know its topics otherwise. */
const SESSION_ERRORS: ReadonlySet<number> = new Set([70, 71, 106]);

/** Of one partition. */
export interface Named {
  readonly name: string;
  readonly from: FetchFrom;
}

/** What the broker keeps of a partition. */
interface Kept {
  from: FetchFrom;
  maxBytes: number;
  /** How it stood when it was answered last; undefined if that can't be said. */
  last: Fetched | undefined;
}

/** The request that is under way, or was answered last. */
type Asked =
  | { readonly kind: "outside" | "within" }
  | { readonly kind: "first"; readonly all: readonly Named[]; readonly maxBytes: number };

const ASKED_OUTSIDE: Asked = { kind: "outside" };
const ASKED_WITHIN: Asked = { kind: "within" };
const NONE: readonly FetchFrom[] = [];
const NOTHING = { aborted: [], records: Buffer.alloc(0) } as const;

export class FetchSession {
  #id = NO_SESSION;
  /** Of the next request; the first one begins it. */
  #epoch = FIRST;
  /** Whether it knows topics by their ids. */
  #byId = false;
  /** By name. */
  readonly #kept = new Map<string, Kept>();
  #asked: Asked = ASKED_OUTSIDE;
  #wasRefused = false;

  /** Whether the broker wouldn't have the last request, for its session: it is to be made again, and begins another one. */
  get wasRefused(): boolean {
    return this.#wasRefused;
  }

  /**
   * How to ask for all of these, each once. `failed` is to be called if that isn't answered.
   * @param byId Whether the request tells topics by their ids.
   */
  request(all: readonly Named[], maxBytes: number, byId: boolean): SessionRequest {
    this.#wasRefused = false;
    if (this.#epoch !== FIRST && byId !== this.#byId) this.failed();
    // One partition needs no session, and what is kept of others may be wanted again.
    if (all.length === 1) return this.outside(all);
    return this.#epoch === FIRST ? this.#first(all, maxBytes, byId) : this.#within(all, maxBytes);
  }

  /** The same outside of any session: in this order they may fill the answer. What the broker keeps stays as it is. */
  outside(all: readonly Named[]): SessionRequest {
    this.#wasRefused = false;
    this.#asked = ASKED_OUTSIDE;
    return { id: NO_SESSION, epoch: OUTSIDE, named: all.map(({ from }) => from), forgotten: NONE };
  }

  /** @param error Of the answer as a whole. Returns whether that concerns nothing but the session. */
  answered(id: number, error: number): boolean {
    const asked = this.#asked;
    if (asked.kind === "outside") return false;
    if (SESSION_ERRORS.has(error)) {
      this.failed();
      this.#wasRefused = true;
      return true;
    }
    if (asked.kind === "first") {
      this.#id = id;
      // It has no room, or none at all.
      if (id === NO_SESSION) return false;
      this.#kept.clear();
      for (const { name, from } of asked.all)
        this.#kept.set(name, { from, maxBytes: boundOf(from, asked.maxBytes), last: undefined });
    } else if (id !== this.#id) {
      this.failed();
      return false;
    }
    this.#epoch = this.#epoch === LAST ? 1 : this.#epoch + 1;
    return false;
  }

  /** How a partition was answered. */
  learn(name: string, fetched: Fetched): void {
    const kept = this.#kept.get(name);
    if (kept === undefined) return;
    const { topic, partition, error, diverging, highWatermark, lastStableOffset } = fetched;
    const isUsual = error === KAFKA_ERROR.none && !diverging;
    // What it brought is not kept in memory. Without `...`, which is slow, and this is done for each answer.
    const { aborted, records } = NOTHING;
    const last = { topic, partition, error, diverging, highWatermark, lastStableOffset, aborted, records };
    kept.last = isUsual ? last : undefined;
  }

  /** How a partition stands that the last answer left out, since there is no news of it; undefined if that says nothing. */
  unchanged(name: string): Fetched | undefined {
    return this.#asked.kind === "outside" ? undefined : this.#kept.get(name)?.last;
  }

  /** The request was not answered: what the broker keeps isn't known. It drops that when the next session begins. */
  failed(): void {
    this.#epoch = FIRST;
    this.#kept.clear();
    this.#asked = ASKED_OUTSIDE;
  }

  #first(all: readonly Named[], maxBytes: number, byId: boolean): SessionRequest {
    this.#byId = byId;
    this.#asked = { kind: "first", all, maxBytes };
    return { id: this.#id, epoch: FIRST, named: all.map(({ from }) => from), forgotten: NONE };
  }

  #within(all: readonly Named[], maxBytes: number): SessionRequest {
    const changed: Named[] = [];
    let fresh = 0;
    for (const one of all) {
      const kept = this.#kept.get(one.name);
      if (kept === undefined) fresh++;
      // By the same name the broker would know another topic.
      else if (this.#byId && !isSameTopic(kept.from, one.from)) {
        this.failed();
        return this.#first(all, maxBytes, this.#byId);
      }
      if (kept === undefined || !isKept(kept, one.from, maxBytes)) changed.push(one);
    }
    const forgotten = this.#kept.size === all.length - fresh ? NONE : this.#forget(all);
    for (const { name, from } of changed) {
      const kept = this.#kept.get(name);
      const bound = boundOf(from, maxBytes);
      if (kept !== undefined) {
        kept.from = from;
        kept.maxBytes = bound;
      } else this.#kept.set(name, { from, maxBytes: bound, last: undefined });
    }
    this.#asked = ASKED_WITHIN;
    return { id: this.#id, epoch: this.#epoch, named: changed.map(({ from }) => from), forgotten };
  }

  /** Those that aren't wanted now: their readers aren't done with what they have. */
  #forget(all: readonly Named[]): FetchFrom[] {
    const wanted = new Set(all.map(({ name }) => name));
    const forgotten: FetchFrom[] = [];
    for (const [name, { from }] of this.#kept) {
      if (wanted.has(name)) continue;
      forgotten.push(from);
      this.#kept.delete(name);
    }
    return forgotten;
  }
}

/** How many bytes a partition may bring. */
export const boundOf = ({ leastBytes = 0 }: FetchFrom, maxBytes: number) => Math.max(maxBytes, leastBytes);

function isKept(kept: Kept, from: FetchFrom, maxBytes: number): boolean {
  if (kept.maxBytes !== boundOf(from, maxBytes)) return false;
  const before = kept.from;
  return (
    before === from ||
    (before.offset === from.offset &&
      before.leaderEpoch === from.leaderEpoch &&
      before.lastEpoch === from.lastEpoch)
  );
}

function isSameTopic({ topicId: one }: FetchFrom, { topicId: other }: FetchFrom): boolean {
  return one === other || (one !== undefined && other !== undefined && one.equals(other));
}
