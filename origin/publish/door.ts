/**
 * Where publishes come in from the edge, whichever shard they came through: W6–W8 of INTERNALS.md. It lets in what this
 * origin's own list lets be published, counts, and remembers which partitions this origin writes.
 */
import type { Streams } from "../../shared/config/streams.ts";
import { parseAddress } from "../../shared/protocol/address.ts";
import type { PublishRequest, Writing } from "../../shared/protocol/publish.ts";
import type { Log } from "../operate/log.ts";
import type { RecordHeader } from "../source/source.ts";
import type { Publisher } from "./publisher.ts";
import { type PublishErrorCode, type PublishResult, refusal } from "./result.ts";
import type { WriterNews } from "./topic-writers.ts";

export interface PublishCounts {
  /** Answers: `published`, or the error's code. */
  readonly outcomes: Map<"published" | PublishErrorCode, number>;
  /** From when a publish came until it was answered, in all. */
  tookMs: number;
}

export interface DoorPorts {
  readonly streams: Streams;
  /** Undefined if this origin can't mark what it writes. */
  readonly publisher: Pick<Publisher, "publish" | "takeOver"> | undefined;
  /** Told to every shard (W8). */
  readonly announce: (writing: Writing) => void;
  readonly log: Log;
  /** Milliseconds, of the clock of deadlines. */
  readonly now: () => number;
  /** Milliseconds since 1970. */
  readonly wall: () => number;
}

export class PublishDoor {
  readonly counts: PublishCounts = { outcomes: new Map(), tookMs: 0 };
  readonly #ports: DoorPorts;
  readonly #writing = new Map<string, Writing>();
  /** Topics that can't be written just now, as the log was told. */
  readonly #failing = new Set<string>();

  constructor(ports: DoorPorts) {
    this.#ports = ports;
  }

  /** What this origin writes, or is about to, for a shard that has just been greeted. */
  get writing(): Iterable<Writing> {
    return this.#writing.values();
  }

  /** This origin writes a partition from here on, is about to, or does neither any more. */
  writes({ topic, partition, partitions, writer }: WriterNews): void {
    const writing = { topic, partition, partitions, number: writer };
    const name = `${topic}/${partition}`;
    if (writer === undefined) this.#writing.delete(name);
    else {
      const before = this.#writing.get(name)?.number;
      if (writer !== "taking" && (before === undefined || before === "taking"))
        this.#ports.log("partition_taken", { topic, partition });
      this.#writing.set(name, writing);
    }
    this.#ports.announce(writing);
  }

  /** Never rejects. */
  async take(request: PublishRequest): Promise<PublishResult> {
    const since = this.#ports.now();
    const result = await this.#publish(request, since);
    const { outcomes } = this.counts;
    const outcome = "position" in result ? "published" : result.error.code;
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    this.counts.tookMs += this.#ports.now() - since;
    this.#tell(request, result);
    return result;
  }

  /** Once, until something was published to that topic. */
  #tell({ endpoint }: PublishRequest, result: PublishResult): void {
    if ("position" in result && this.#failing.size === 0) return;
    const topic = endpoint.split("/")[1] ?? "";
    if ("position" in result) {
      if (this.#failing.delete(topic)) this.#ports.log("publish_again", { topic });
      return;
    }
    const { code, message } = result.error;
    const isOfOrigin = code === "unavailable" || code === "forbidden";
    if (!isOfOrigin || this.#failing.has(topic) || this.#failing.size >= FAILING_TOPICS) return;
    this.#failing.add(topic);
    this.#ports.log("publish_failing", { topic, code, why: message });
  }

  #publish(request: PublishRequest, now: number): PublishResult | Promise<PublishResult> {
    const { endpoint, issuer, subject, key, by, withinMs, until, claim, value } = request;
    const { streams, publisher } = this.#ports;
    // It may have waited here unread, while the edge gave it up and others published: not even the partition is taken for it.
    if (until <= this.#ports.wall()) return TOO_LATE;
    const parsed = parseAddress(endpoint);
    if (!parsed.ok) return refusal("invalid", "this is no endpoint");
    const { topic, key: recordKey } = parsed.address;
    const stream = streams.get(topic);
    if (stream === undefined || stream.publish === "nobody")
      return refusal("unknown_topic", `the source's own list lets nobody publish to ${topic}`);
    if (publisher === undefined) return NO_SECRET;
    if (claim) publisher.takeOver(topic, recordKey);
    return publisher.publish({
      ...{ topic, key: recordKey, value, headers: request.headers.map(bytesOf) },
      id: { issuer, subject, key, chosenBy: by },
      deadline: now + withinMs,
      until,
    });
  }
}

/** Names that match a pattern may be made up: of more the log isn't told. */
const FAILING_TOPICS = 100;

const NO_SECRET = refusal(
  "unavailable",
  "the source has no PUBLISH_SECRET, without which nothing is published",
);

const TOO_LATE = refusal(
  "unavailable",
  "this came when its time was over, and was not published: the source was held up, or its clock is seconds ahead of the edge's",
);

function bytesOf([name, value]: PublishRequest["headers"][number]): RecordHeader {
  return [name, typeof value === "string" ? Buffer.from(value) : value];
}
