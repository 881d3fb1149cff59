/**
 * Whether a topic of some name is still the one that it was, where Produce tells it by its name only (Kafka up to 4.0). After
 * a batch was acknowledged, this shows that it is in the topic that was meant; before one is sent, that it will be, but for a
 * topic that is created again in that very moment. Of a topic that has no id of its own nobody can tell.
 */
import { SinkError } from "../publish/sink.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import { UnsupportedError } from "./apis.ts";
import { type Fetched, fetchRequest } from "./fetch-request.ts";
import type { Request } from "./request.ts";
import { KAFKA_ERROR, metadataRequest } from "./requests.ts";

/** No log is as long: whoever is asked for what is there says so, and looks at the topic's id before that. */
const NOWHERE = 2 ** 62;
/** A record could be as large as that. */
const NO_BYTES = 1;
const NO_ID = Buffer.alloc(0);

export interface NamedTopic {
  readonly topic: string;
  /** Undefined if it has none of its own. */
  readonly topicId: Buffer | undefined;
  readonly partition: number;
}

export class NamedTopicCheck {
  /** Whether the broker that was asked last told topics by their names; unknown before. */
  #isByName: boolean | undefined;
  #shownAt = Number.NEGATIVE_INFINITY;

  /** What was shown a moment ago need not be shown before the next batch. */
  get isDue(): boolean {
    return this.#isByName === true && performance.now() - this.#shownAt > TIME_LIMITS.produceNamedMs;
  }

  /** Whether an answer shows by itself where a batch is. */
  answered(isById: boolean): boolean {
    this.#isByName = !isById;
    return isById;
  }

  /** Rejects with SinkError `changed` if it is another one now, or with what may pass. */
  async show(send: <T>(request: Request<T>) => Promise<T>, named: NamedTopic): Promise<void> {
    if (named.topicId === undefined) return;
    const error = await seen(send, named);
    switch (error) {
      case KAFKA_ERROR.offsetOutOfRange:
        this.#shownAt = performance.now();
        return;
      case KAFKA_ERROR.unknownTopicId:
      case KAFKA_ERROR.inconsistentTopicId:
        throw new SinkError("changed", `${named.topic} was created again`);
      default:
        throw new Error(`it isn't known whether ${named.topic} was created again (error ${error})`);
    }
  }
}

/** The leader's error for the topic's id. */
async function seen(
  send: <T>(request: Request<T>) => Promise<T>,
  named: NamedTopic,
): Promise<number | undefined> {
  try {
    const [fetched] = await send(nowhereRequest(named));
    return fetched?.error;
  } catch (error) {
    if (!(error instanceof UnsupportedError)) throw error;
    // Before Kafka 3.1. What a leader knows of topics may be older than what it holds.
    const { topics } = await send(metadataRequest(named.topic));
    const [found] = topics;
    if (found === undefined || found.error !== KAFKA_ERROR.none) return found?.error;
    return found.id.equals(named.topicId ?? NO_ID)
      ? KAFKA_ERROR.offsetOutOfRange
      : KAFKA_ERROR.unknownTopicId;
  }
}

function nowhereRequest({ topic, topicId, partition }: NamedTopic): Request<readonly Fetched[]> {
  const from = { topic, topicId, partition, offset: NOWHERE, leaderEpoch: -1, lastEpoch: -1 };
  const bytes = { maxBytes: NO_BYTES, partitionMaxBytes: NO_BYTES };
  return fetchRequest([from], { waitMs: 0, ...bytes, uncommitted: true, byIdOnly: true });
}
