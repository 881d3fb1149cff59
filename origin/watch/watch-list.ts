/**
 * Which endpoints are watched, by which links of which shard: U3–U10. Records of endpoints that nobody
 * watches cost one look-up. A watched record's frame is encoded once and goes to every link that is live.
 *
 * What needs the index waits in a queue per shard and is taken from it in small steps (serving.ts), so that
 * thousands of attaches neither hold up the log nor pile up in memory.
 *
 *   attach ──▶ ask ──step──▶ answered, and live in the same step ──▶ records are forwarded
 *               ▲  │ (R5)                                               │ congested
 *               └──┘ blocked                           live ◀──step── behind
 */

import type { Streams } from "../../shared/config/streams.ts";
import { parseAddress } from "../../shared/protocol/address.ts";
import type { AddressedTo } from "../../shared/protocol/addressed.ts";
import { type Attach, type Cancel, encodeWaiting } from "../../shared/protocol/attach.ts";
import type { ErrorCode } from "../../shared/protocol/codes.ts";
import type { Position } from "../../shared/protocol/position.ts";
import { WHOLE, within } from "../../shared/protocol/slice.ts";
import { encodeQuestionError } from "../../shared/protocol/uplink.ts";
import type { IndexedRecord } from "../index/record.ts";
import { isReadAgain, type Partition } from "../reading/partitions.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import { answerLatest } from "./answer.ts";
import { BlockedAsks } from "./blocked-asks.ts";
import { BriefAnswers } from "./brief-answers.ts";
import { newWatchCounts } from "./counts.ts";
import { type Ask, Interest, Shard, type Watch } from "./interest.ts";
import { keyText } from "./key-text.ts";
import { forward, lose } from "./live.ts";
import type { ShardPort } from "./outbox.ts";
import { Serving, type ServingPorts } from "./serving.ts";
import { type Endpoint, isHome, tailsIn } from "./subject.ts";

export interface WatchListPorts extends ServingPorts {
  readonly streams: Streams;
  /** The edge asked for what isn't exposed here. */
  readonly refused: (path: string) => void;
}

export class WatchList {
  readonly counts = newWatchCounts();
  readonly #ports: WatchListPorts;
  /** topic → key as text → watch. */
  readonly #watches = new Map<string, Map<string, Watch>>();
  readonly #shards = new Map<ShardPort, Shard>();
  readonly #blocked = new BlockedAsks();
  readonly #briefs = new BriefAnswers();
  readonly #serving: Serving;

  constructor(ports: WatchListPorts) {
    this.#ports = ports;
    this.#serving = new Serving(ports, this.#blocked, this.counts);
  }

  /** Endpoints that are watched. */
  get size(): number {
    let size = 0;
    for (const watches of this.#watches.values()) size += watches.size;
    return size;
  }

  shardConnected(port: ShardPort): void {
    this.#shards.set(port, new Shard(port));
  }

  /** Forgets all that the shard watched: it attaches again on its next uplink (L7). */
  shardLost(port: ShardPort): void {
    const shard = this.#shards.get(port);
    if (shard === undefined) return;
    this.#shards.delete(port);
    for (const interest of shard.interests.values()) {
      for (const ask of interest.asks) this.#blocked.remove(ask);
      this.#unwatch(interest);
    }
  }

  /** Pays some of what is owed on an uplink; returns whether more can be done at once. */
  step(port: ShardPort): boolean {
    const shard = this.#shards.get(port);
    return shard !== undefined && this.#serving.step(shard);
  }

  /** Answered in a step (U5), perhaps after `waiting` (U7). */
  attach(port: ShardPort, link: number, { endpoint: path, id, from, reached, waited = 0 }: Attach): void {
    const shard = this.#shards.get(port);
    if (shard === undefined) return;
    const interest = shard.interests.get(path) ?? this.#watch(shard, path);
    if (interest === undefined) {
      // Once this origin knows of it, too, it comes with new uplinks, and then everything is asked again.
      shard.outbox.add({ kind: "links", links: [link] }, encodeWaiting(path, id));
      shard.outbox.flush();
      return;
    }
    // What it says of other slices' partitions is theirs to judge (N3).
    const own = (position: Position | undefined) => position && within(position, this.#ports.slice ?? WHOLE);
    const asked = { id, from: own(from), reached: own(reached) };
    const superseded = interest.ask(link, asked, this.#ports.now() - waited);
    if (superseded !== undefined) this.#forget(superseded);
    shard.queue(interest);
  }

  /** Nobody waits for the answer any more (L8). */
  cancel(port: ShardPort, link: number, { endpoint: path, id }: Cancel): void {
    const interest = this.#shards.get(port)?.interests.get(path);
    const ask = interest?.asked(link, id);
    if (interest === undefined || ask === undefined) return;
    this.#forget(ask);
    this.#leaveIdle(interest);
  }

  detach(port: ShardPort, link: number, path: string): void {
    const interest = this.#shards.get(port)?.interests.get(path);
    if (interest === undefined) return;
    for (const ask of interest.asks) if (ask.link === link) this.#forget(ask);
    interest.leave(link);
    this.#leaveIdle(interest);
  }

  /** Answers at once with the latest record (U8). */
  get(port: ShardPort, id: number, path: string, brief = false): void {
    const shard = this.#shards.get(port);
    if (shard === undefined) return;
    this.counts.asked++;
    const to: AddressedTo = { kind: "question", id };
    const endpoint = this.#endpointOf(path);
    if (typeof endpoint === "string") {
      shard.outbox.add(to, encodeQuestionError(endpoint, "the origin has no such endpoint"));
    } else {
      const answer = shard.congested ? undefined : answerLatest(this.#ports, endpoint, brief, this.#briefs);
      const unready = () => [encodeQuestionError("unavailable", "the source isn't ready yet")];
      for (const frame of answer ?? unready()) shard.outbox.add(to, frame);
    }
    shard.outbox.flush();
  }

  /** Forwards what is watched of one topic. The index must have taken it in this synchronous step (U6). */
  records(topic: string, records: readonly IndexedRecord[]): void {
    const watches = this.#watches.get(topic);
    if (watches === undefined || watches.size === 0) return;
    for (const record of records) {
      const watch = watches.get(keyText(record.key));
      if (watch !== undefined) forward(this.#ports, watch, record, this.counts);
    }
    for (const shard of this.#shards.values()) shard.outbox.flushSoon();
  }

  /** The partition was read further: asks that waited for that get a turn (R5). */
  progressed(partition: Partition): void {
    for (const ask of this.#blocked.takeProgressed(partition)) ask.interest.shard.queue(ask.interest);
  }

  /** The partition became ready, after `progressed`: endpoints that are then to be told of a loss get a turn. */
  becameReady({ topic, epoch }: Partition): void {
    for (const { interests } of this.#watchesOf(topic))
      for (const interest of interests.values())
        if (interest.forwarding.kind === "lost" && interest.forwarding.until.includes(epoch))
          interest.shard.queue(interest);
  }

  /** To be called every second or so: asks that have waited long enough get a turn (R5). */
  passTime(): void {
    const due = this.#blocked.takeTired(this.#ports.now() - TIME_LIMITS.askAheadMs);
    for (const ask of due) ask.interest.shard.queue(ask.interest);
  }

  /** The topic's partitions are others than before. Links that were live in an epoch that has gone are told so (R4). */
  described(topic: string): void {
    for (const watch of this.#watchesOf(topic)) {
      const tails = tailsIn(this.#ports, watch.endpoint);
      const gone = [...watch.tails.keys()].filter((epoch) => !this.#ports.partitions.find(topic, epoch));
      if (gone.length > 0) lose(watch, "epoch");
      // What they waited for may have gone.
      for (const interest of watch.interests.values())
        if (interest.forwarding.kind !== "on") interest.shard.queue(interest);
      for (const epoch of gone) watch.tails.delete(epoch);
      for (const [epoch, tail] of tails) if (!watch.tails.has(epoch)) watch.tails.set(epoch, tail);
    }
    for (const ask of this.#blocked.takeTopic(topic)) ask.interest.shard.queue(ask.interest);
  }

  /**
   * A topic is about to be described. Call what is returned when it was: asks that waited for a look then get a turn (R5).
   * One look serves all of them, but for those that name a partition of which it saw nothing.
   * @param unseen The epochs of partitions whose offsets couldn't be had.
   */
  looks(topic: string): (unseen: readonly string[]) => void {
    const asks = this.#blocked.looking(topic);
    return (unseen) => {
      for (const ask of asks) {
        ask.looked = !unseen.some((epoch) => ask.from?.has(epoch) || ask.reached?.has(epoch));
        if (ask.blocked?.kind !== "look") continue;
        this.#blocked.remove(ask);
        ask.interest.shard.queue(ask.interest);
      }
    };
  }

  /** It is known now which topics match patterns: asks that waited for that get a turn. */
  listed(): void {
    for (const topic of this.#watches.keys())
      for (const ask of this.#blocked.takeTopic(topic)) ask.interest.shard.queue(ask.interest);
  }

  /**
   * Records of the partition before `next` were lost, and the index knows none of them: links that may miss some are told. If
   * all is read again, they are told when it was.
   */
  lost(partition: Partition): void {
    const { topic, epoch, next } = partition;
    for (const watch of this.#watchesOf(topic)) {
      if (!this.#concerns(watch, epoch)) continue;
      lose(watch, "horizon", isReadAgain(partition) ? epoch : undefined);
      if (watch.tails.has(epoch)) watch.stands.add(epoch);
      if (watch.tails.delete(epoch) && next > 0) watch.tails.set(epoch, next - 1);
    }
  }

  /**
   * Something before an offset was removed from what the partition holds, before it was read: links that may miss it are told
   * when the partition is ready. The index must have taken what was left of it.
   */
  removed({ topic, epoch }: Partition, before: number): void {
    for (const watch of this.#watchesOf(topic)) {
      if (!this.#concerns(watch, epoch)) continue;
      lose(watch, "horizon", epoch);
      if (watch.tails.has(epoch) && !tailsIn(this.#ports, watch.endpoint).has(epoch))
        watch.tails.set(epoch, before - 1);
    }
  }

  /** The log has deleted what lay before an offset: whose last record that was is told, so that nobody goes on showing it. */
  deleted(topic: string, epoch: string, before: number): void {
    for (const watch of this.#watchesOf(topic)) {
      if ((watch.tails.get(epoch) ?? before) >= before) continue;
      lose(watch, "horizon");
      // A live link stands there all the same.
      watch.stands.add(epoch);
      watch.tails.delete(epoch);
    }
  }

  /** Whether records of the partition that nobody knows may have been the endpoint's. */
  #concerns(watch: Watch, epoch: string): boolean {
    return watch.stands.has(epoch) || watch.tails.has(epoch) || isHome(this.#ports, watch.endpoint, epoch);
  }

  #watchesOf(topic: string): Iterable<Watch> {
    return this.#watches.get(topic)?.values() ?? [];
  }

  #endpointOf(path: string): Endpoint | ErrorCode {
    const parsed = parseAddress(path);
    const stream = parsed.ok ? this.#ports.streams.get(parsed.address.topic) : undefined;
    if (parsed.ok && parsed.canonical && stream !== undefined) return { ...parsed.address, stream };
    this.#ports.refused(path);
    if (!parsed.ok) return parsed.code;
    return stream === undefined ? "unknown_topic" : "bad_address";
  }

  #watch(shard: Shard, path: string): Interest | undefined {
    const endpoint = this.#endpointOf(path);
    if (typeof endpoint === "string") return undefined;
    const text = keyText(endpoint.key);
    const watches = this.#watches.get(endpoint.topic) ?? new Map<string, Watch>();
    const watch = watches.get(text) ?? {
      endpoint,
      interests: new Map(),
      tails: tailsIn(this.#ports, endpoint),
      stands: new Set<string>(),
    };
    watches.set(text, watch);
    this.#watches.set(endpoint.topic, watches);
    const interest = new Interest(shard, watch);
    watch.interests.set(shard, interest);
    shard.interests.set(path, interest);
    return interest;
  }

  #unwatch({ shard, watch }: Interest): void {
    const interest = watch.interests.get(shard);
    if (interest !== undefined) shard.work.delete(interest);
    watch.interests.delete(shard);
    const { topic, key } = watch.endpoint;
    if (watch.interests.size > 0) return;
    const watches = this.#watches.get(topic);
    watches?.delete(keyText(key));
    if (watches?.size === 0) this.#watches.delete(topic);
  }

  /** Nobody of the shard is live there or waits for an answer. */
  #leaveIdle(interest: Interest): void {
    if (!interest.isIdle) return;
    interest.shard.interests.delete(interest.watch.endpoint.path);
    this.#unwatch(interest);
  }

  #forget(ask: Ask): void {
    this.#blocked.remove(ask);
    ask.interest.forget(ask);
  }
}
