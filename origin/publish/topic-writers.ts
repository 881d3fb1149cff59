/**
 * The writers of one topic, one for each partition that this origin publishes to.
 *
 * When the topic gets partitions, most keys move, and a publish that comes again would not be found where it now belongs. So
 * as long as it may come again, those partitions are claimed first where the key was before, and what was published there is
 * looked up: whoever claims a partition learns from its leader how many there are, so that nothing of a key that has moved is
 * appended there any more, by anybody (docs/publishing.md has the proof).
 */
import type { WriterStanding } from "../../shared/protocol/publish.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import { Counts } from "./counts.ts";
import type { Held } from "./held.ts";
import { CLOSED, FULL, LATE, type PublishResult, REUSED, refusal, unlessUnknown } from "./result.ts";
import { type Claim, type ClaimRequest, type Sink, SinkError } from "./sink.ts";
import type { MarkedPublish } from "./waiting.ts";
import { PartitionWriter, type WriterPorts } from "./writer.ts";

type SharedPorts = Pick<
  WriterPorts,
  "windowMs" | "recognises" | "room" | "ledgerRoom" | "time" | "now" | "random"
>;

export interface WriterNews {
  readonly topic: string;
  readonly partition: number;
  /** How many the topic has. */
  readonly partitions: number;
  readonly epoch: string;
  readonly writer: WriterStanding;
}

export interface TopicWritersPorts extends SharedPorts {
  readonly topic: string;
  readonly sink: Sink;
  readonly announce: (news: WriterNews) => void;
  /** The topic is not what it was. */
  readonly changed: () => void;
}

export class TopicWriters {
  readonly #ports: TopicWritersPorts;
  readonly #writers = new Map<number, PartitionWriter>();
  readonly #counts: Counts;
  #epochs: readonly string[];
  /** What was published to a partition, as its last claim found it and this origin went on. */
  readonly #found = new Map<number, { readonly held: Held; readonly count: number }>();
  /** What was told of partitions that this origin has, or is about to. */
  readonly #told = new Map<number, NonNullable<WriterStanding>>();
  /** What waits until it is known what was published elsewhere, in order. */
  #moving: MarkedPublish[] = [];
  #movingBytes = 0;
  /** Whether the log was asked if all is settled. */
  #isKnown = false;
  /** When others are to be told that the present count is settled, once it is. */
  #settleAt = Number.NEGATIVE_INFINITY;
  /** Before that no partition that another origin has is claimed. */
  #againAt = Number.NEGATIVE_INFINITY;
  #closed = false;

  constructor(ports: TopicWritersPorts, epochs: readonly string[]) {
    this.#ports = ports;
    this.#epochs = epochs;
    this.#counts = new Counts(epochs.length, ports.now(), 2 * ports.windowMs);
    void this.#ask();
  }

  /** Whether these are the partitions of the same topic, however many. */
  isOf([epoch]: readonly string[]): boolean {
    return this.#epochs[0] === epoch;
  }

  publish(publish: MarkedPublish): void {
    if (this.#sees(publish)) return;
    if (this.#movingBytes + publish.bytes > this.#ports.room.left - publish.bytes) {
      publish.answer(unlessUnknown(isDoubtful(publish), FULL));
      return;
    }
    this.#wait(publish);
    // Its own partition is claimed meanwhile.
    const own = this.#writer(this.#counts.partitionOf(publish.record.key));
    if (own.state === "idle") own.takeOver();
  }

  /** Claims the partition of a key, unless this origin has it. */
  takeOver(key: Uint8Array): void {
    this.#writer(this.#counts.partitionOf(key)).takeOver();
  }

  /** These are there now. Fewer than before were told by a broker that is behind. */
  grow(epochs: readonly string[]): void {
    if (epochs.length <= this.#counts.count || this.#closed) return;
    this.#counts.grow(epochs.length, this.#ports.now());
    this.#epochs = epochs;
    this.#settleAt = Number.NEGATIVE_INFINITY;
    for (const [partition, writer] of this.#told) this.#announce(partition, writer);
    for (const partition of this.#writers.keys()) this.#takeOut(partition);
  }

  /** Answers those whose deadline has passed, and sees to what waits. */
  expire(now: number): void {
    for (const writer of this.#writers.values()) writer.expire(now);
    this.#moving = this.#moving.filter((publish) => {
      if (publish.deadline > now) return true;
      this.#leave(publish);
      publish.answer(unlessUnknown(isDoubtful(publish), LATE));
      return false;
    });
    for (const { held } of this.#found.values()) held.forget();
    this.#flush();
    if (this.#counts.isSettled(now)) this.#settled(now);
  }

  close(): void {
    this.#closed = true;
    for (const publish of this.#moving.splice(0)) {
      this.#leave(publish);
      publish.answer(unlessUnknown(isDoubtful(publish), CLOSED));
    }
    for (const writer of this.#writers.values()) writer.close();
    for (const { held } of this.#found.values()) held.drop();
    this.#found.clear();
  }

  /** Answers it, or has it written; false if it must wait until more is known. */
  #sees(publish: MarkedPublish): boolean {
    const elsewhere = this.#elsewhere(publish);
    if (elsewhere === undefined) {
      this.#writer(this.#counts.partitionOf(publish.record.key)).publish(publish);
      return true;
    }
    const result = elsewhere === "unknown" && publish.until <= this.#ports.time() ? LATE : elsewhere;
    if (result === "unknown") return false;
    publish.answer(unlessUnknown(isDoubtful(publish), result));
    return true;
  }

  /** What is known of it where its key may have been before; `unknown` until that is, and undefined if it is nowhere there. */
  #elsewhere({ record, marks, isPromised }: MarkedPublish): PublishResult | "unknown" | undefined {
    const others = this.#counts.othersOf(record.key, this.#ports.now());
    if (others.length > 0 && !this.#isKnown) return "unknown";
    let result: PublishResult | "unknown" | undefined;
    for (const partition of others) {
      const held = this.#heldOf(partition);
      const found = held?.find(marks);
      if (found?.kind === "done") return { position: `${this.#epochs[partition]}:${found.offset}` };
      if (found?.kind === "other") return REUSED;
      if (held === undefined) result = this.#find(partition) ?? result ?? "unknown";
      else if (isPromised && held.forgets !== undefined) result ??= refusal("id_not_kept", held.forgets);
    }
    return result;
  }

  /** What was published there by any smaller count. */
  #heldOf(partition: number): Held | undefined {
    const found = this.#found.get(partition);
    return found?.count === this.#counts.count ? found.held : undefined;
  }

  /** Sees to it that this is known. Returns why that can't be just now. */
  #find(partition: number): PublishResult | undefined {
    const writer = this.#writer(partition);
    switch (writer.state) {
      case "barred":
        return writer.bar;
      case "claiming":
        return undefined;
      case "resigned": {
        // Whoever took it may want to know the same: by turns they come to an end.
        const now = this.#ports.now();
        if (now < this.#againAt) return undefined;
        this.#againAt = now + (1 + this.#ports.random()) * TIME_LIMITS.publishFindAgainMs;
        writer.takeOver();
        return undefined;
      }
      default:
        writer.renew();
        return undefined;
    }
  }

  #flush(): void {
    const moving = this.#moving;
    this.#moving = [];
    for (const publish of moving) {
      this.#leave(publish);
      if (!this.#sees(publish)) this.#wait(publish);
    }
  }

  #wait(publish: MarkedPublish): void {
    this.#moving.push(publish);
    this.#movingBytes += publish.bytes;
    this.#ports.room.left -= publish.bytes;
  }

  #leave({ bytes }: MarkedPublish): void {
    this.#movingBytes -= bytes;
    this.#ports.room.left += bytes;
  }

  /** What waits at a partition to which its key no longer belongs. */
  #takeOut(partition: number): void {
    const isElsewhere = ({ record }: Pick<MarkedPublish, "record">) =>
      this.#counts.partitionOf(record.key) !== partition;
    for (const publish of this.#writers.get(partition)?.takeOut(isElsewhere) ?? []) this.publish(publish);
  }

  #writer(partition: number): PartitionWriter {
    const known = this.#writers.get(partition);
    if (known !== undefined) return known;
    const { windowMs, recognises, room, ledgerRoom, time, now, random } = this.#ports;
    const writer = new PartitionWriter({
      epoch: this.#epochs[partition] ?? "",
      ...{ windowMs, recognises, room, ledgerRoom, time, now, random },
      claim: (request) => this.#claim(partition, request),
      claimed: (held) => {
        this.#found.get(partition)?.held.drop();
        this.#found.set(partition, { held, count: held.claim.partitions });
        this.#takeOut(partition);
        this.#flush();
      },
      announce: (standing) => this.#announce(partition, standing),
    });
    this.#writers.set(partition, writer);
    return writer;
  }

  async #claim(partition: number, asked: Pick<ClaimRequest, "learn" | "signal">): Promise<Claim> {
    const { topic, sink, windowMs, changed } = this.#ports;
    const epoch = this.#epochs[partition] ?? "";
    try {
      const claim = await sink.claim({ topic, partition, epoch, windowMs, ...asked });
      await this.#agree(claim);
      return claim;
    } catch (error) {
      // Whoever comes next finds the topic that is there now.
      if (error instanceof SinkError && error.code === "changed") changed();
      throw error;
    }
  }

  /** Nothing is written by a count that isn't the one that whoever leads the partition knows. */
  async #agree(claim: Claim): Promise<void> {
    const { topic, sink } = this.#ports;
    try {
      if (claim.partitions > this.#counts.count) {
        const epochs = await sink.partitions(topic);
        if (epochs !== undefined && this.isOf(epochs)) this.grow(epochs);
      }
      if (claim.partitions === this.#counts.count) return;
    } catch (error) {
      claim.release();
      throw error;
    }
    claim.release();
    throw new SinkError("unavailable", `brokers don't agree yet on how many partitions ${topic} has`);
  }

  #announce(partition: number, writer: WriterNews["writer"]): void {
    if (writer === undefined) this.#told.delete(partition);
    else this.#told.set(partition, writer);
    const epoch = this.#epochs[partition] ?? "";
    const { topic, announce } = this.#ports;
    announce({ topic, partition, partitions: this.#counts.count, epoch, writer });
  }

  /** Never rejects. */
  async #ask(): Promise<void> {
    const { topic, sink } = this.#ports;
    const epochs = this.#epochs;
    const isSettled = epochs.length === 1 || (await sink.isSettled({ topic, epochs }).catch(() => false));
    if (this.#closed) return;
    if (isSettled && epochs === this.#epochs) this.#counts.settle();
    this.#isKnown = true;
    this.#flush();
  }

  /** Others are told, so that they need not wait until they have watched the topic for as long. */
  #settled(now: number): void {
    for (const [partition, { held }] of this.#found) {
      if (this.#writers.get(partition)?.has(held)) continue;
      held.drop();
      this.#found.delete(partition);
    }
    const { topic, sink } = this.#ports;
    if (now < this.#settleAt || this.#counts.count === 1) return;
    this.#settleAt = now + TIME_LIMITS.publishSettleAgainMs;
    void sink.settle({ topic, epochs: this.#epochs }).catch(() => {
      this.#settleAt = now + TIME_LIMITS.publishColdMs;
    });
  }
}

const isDoubtful = (publish: MarkedPublish) => publish.isDoubtful === true;
