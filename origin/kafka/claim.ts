/**
 * A partition that this origin has fenced: it appends batches with its producer id and epoch, outside of transactions, so
 * that subscribers wait for none. One batch is under way at a time; of one whose outcome isn't known the same bytes are
 * sent again under the same sequence, which the broker takes once, and nothing else takes that sequence.
 */
import type { Guarantee, WriterNumber } from "../../shared/protocol/publish.ts";
import {
  type BatchOutcome,
  type Claim,
  type SinkBatch,
  SinkError,
  type SinkRecord,
} from "../publish/sink.ts";
import type { FenceNews } from "./keep-fenced.ts";
import { UnsentError } from "./lanes.ts";
import { wordsOf } from "./patience.ts";
import { type ProducedAnswer, type ProducerIdentity, WRITE_ERROR } from "./produce-requests.ts";
import { type ProducedCodec, producedBatch } from "./produced-batch.ts";
import type { Try } from "./slots.ts";

/** Sequences go on from 0 after this. */
const SEQUENCES = 2 ** 31;

export interface ClaimPorts {
  /**
   * To the leader of the partition. Rejects if that can't be reached, or isn't known: with UnsentError if nothing has left,
   * as when `isLate` says right before that it shall not.
   */
  readonly produce: (batch: Buffer, which: Try, isLate: () => boolean) => Promise<ProducedAnswer>;
  /** The leader may be another one. */
  readonly relocate: () => void;
  /** Repeats the fence; returns what ends that. */
  readonly keepFenced: (told: FenceNews) => () => void;
}

export interface ClaimFacts {
  /** Undefined if the broker knows no such thing: then nobody is fenced, and what is sent again may be appended twice. */
  readonly identity: ProducerIdentity | undefined;
  readonly writer: WriterNumber;
  readonly partitions: number;
  readonly forgets: string | undefined;
  /** Of the fence, or -1: what is appended comes behind it. */
  readonly markOffset: number;
  readonly codec: ProducedCodec;
}

const UNNUMBERED = { producerId: -1, producerEpoch: -1, sequence: -1 };
const FENCED: BatchOutcome = { kind: "fenced" };

export class KafkaClaim implements Claim {
  readonly writer: WriterNumber;
  readonly partitions: number;
  readonly guarantee: Guarantee | undefined;
  readonly forgets: string | undefined;
  readonly #facts: ClaimFacts;
  readonly #ports: ClaimPorts;
  readonly #lost = new AbortController();
  readonly #endFencing: () => void;
  #sequence = 0;
  #lastOffset: number;
  #isOld = false;
  #released = false;

  constructor(facts: ClaimFacts, ports: ClaimPorts) {
    const { identity, writer, partitions, forgets, markOffset } = facts;
    this.writer = writer;
    this.guarantee = identity === undefined ? "at-least-once" : undefined;
    this.partitions = partitions;
    this.forgets = forgets;
    this.#facts = facts;
    this.#ports = ports;
    this.#lastOffset = markOffset;
    this.#endFencing = ports.keepFenced({
      lost: () => this.#lost.abort(),
      old: () => {
        this.#isOld = true;
      },
    });
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  batch(records: readonly SinkRecord[], timestamp: number): SinkBatch {
    const { identity, codec } = this.#facts;
    const numbered = identity === undefined ? UNNUMBERED : { ...identity, sequence: this.#sequence };
    const bytes = producedBatch(records, numbered, timestamp, codec);
    let isDoubtful = false;
    const send = async (isLate: () => boolean): Promise<BatchOutcome> => {
      if (this.#released || this.#isOld)
        return { kind: "stale", message: "the fence is too old to be trusted" };
      let answer: ProducedAnswer;
      try {
        answer = await this.#ports.produce(bytes, isDoubtful ? "again" : "first", isLate);
      } catch (error) {
        this.#ports.relocate();
        const message = wordsOf(error);
        if (error instanceof SinkError && error.code === "changed") return { kind: "stale", message };
        if (error instanceof UnsentError && !isDoubtful) return { kind: "notNow", message };
        isDoubtful = true;
        return { kind: "unknown", message };
      }
      const outcome = this.#outcomeOf(answer, isDoubtful);
      if (outcome.kind === "unknown" || outcome.kind === "notNow") this.#ports.relocate();
      isDoubtful ||= outcome.kind === "unknown";
      if (outcome.kind === "appended") {
        this.#sequence = (this.#sequence + records.length) % SEQUENCES;
        this.#lastOffset = outcome.offset + records.length - 1;
      }
      return outcome;
    };
    return { send };
  }

  release(): void {
    this.#released = true;
    this.#endFencing();
  }

  #outcomeOf({ error, offset, words }: ProducedAnswer, isDoubtful: boolean): BatchOutcome {
    const message = words ?? `Kafka's error ${error}`;
    const refused = (why: "tooLarge" | "forbidden" | "invalid"): BatchOutcome =>
      // It may have been taken before, when the broker didn't answer.
      isDoubtful ? { kind: "stale", message } : { kind: "refused", why, message };
    switch (error) {
      case WRITE_ERROR.none:
        // A log that goes on before its end is another one: the topic was created again, or its end was lost.
        if (offset <= this.#lastOffset) return { kind: "stale", message: "the log is not what was fenced" };
        return { kind: "appended", offset };
      case WRITE_ERROR.invalidProducerEpoch:
      case WRITE_ERROR.producerFenced:
        return FENCED;
      case WRITE_ERROR.outOfOrderSequence:
      case WRITE_ERROR.duplicateSequence:
      case WRITE_ERROR.unknownProducerId:
        return { kind: "stale", message };
      case WRITE_ERROR.messageTooLarge:
      case WRITE_ERROR.recordListTooLarge:
        return refused("tooLarge");
      case WRITE_ERROR.topicAuthorizationFailed:
      case WRITE_ERROR.clusterAuthorizationFailed:
        return refused("forbidden");
      case WRITE_ERROR.invalidTimestamp:
      case WRITE_ERROR.policyViolation:
      case WRITE_ERROR.unsupportedCompression:
      case WRITE_ERROR.invalidRecord:
        return refused("invalid");
      case WRITE_ERROR.notEnoughReplicas:
        return { kind: isDoubtful ? "unknown" : "notNow", message };
      default:
        // Also if the broker doesn't lead the partition any more, or has it no more: it says so, too, of what it had appended.
        return { kind: "unknown", message };
    }
  }
}
