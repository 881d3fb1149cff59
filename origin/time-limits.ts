/**
 * How long the origin waits for what, and how often it looks. One table; docs/time-limits.md has it for people, and a
 * test sees that both agree. Waits that grow have bounds (backoff.ts).
 */
import type { BackoffBounds } from "../shared/core/backoff.ts";
import { LIMITS } from "../shared/protocol/limits.ts";

export const TIME_LIMITS = {
  // The process
  /** How often the index is given a turn to write and to drop. */
  indexTickMs: 100,
  /** Between turns of the index that failed. */
  indexTickAgain: { baseMs: 1_000, maxMs: 30_000 },
  /** An index that breaks again so soon after it was built is not built once more. */
  indexBrokenAgainMs: 60_000,
  /** Between two lines of status in the log. */
  statusLogMs: 30_000,
  /** Between two looks at progress, and at records that nobody sees. */
  progressMs: 10_000,
  /** Between two looks at partitions that a transaction holds back. */
  heldBackLookMs: 1_000,
  /** A partition held back for so long is told of: longer than transactions usually take. */
  heldBackMs: 5_000,
  /** At the end, for a source or a shard to let go. */
  letGoMs: 1_500,
  /** For a request to the status port to come in whole. */
  statusRequestMs: 5_000,
  /** For a file of a secret to be read anew. */
  secretFileMs: 2_000,
  // Uplinks
  /** Between two pings (U9). */
  uplinkPingMs: 1_000,
  /** An uplink on which nothing is heard for so long is dead; a dial that takes longer has failed (U9). */
  uplinkSilentMs: 5_000,
  /** The longest that this is doubled to, if the line is slow (U9). */
  uplinkSilentLongestMs: 60_000,
  /** For each message of what comes by itself, on average: what comes faster for long leaves together. */
  uplinkBatchMs: 2,
  /** Between dials of an edge that can't be reached, or closes. */
  uplinkAgain: { baseMs: 250, maxMs: 2_000 },
  /** Between dials after another uplink has taken over (U12). */
  uplinkReplacedAgain: { baseMs: 1_000, maxMs: 60_000 },
  /** Between dials of an edge that refuses. */
  uplinkRefusedAgain: { baseMs: 1_000, maxMs: 30_000 },
  /** For a shard to let go of an uplink that leaves (U15). */
  uplinkLeaveMs: 500,
  /** For the shards of all edges to store what was revoked at one of them (D4). */
  uplinkSpreadMs: 3_000,
  /** For the shards of other edges to say how many subscribers they have (D6). */
  countAnswerMs: 750,
  /** Between two numbers of an endpoint that a shard is told of other edges (D6). */
  countSpacingMs: 100,
  /** A shard is told them for so long after it has asked (D6). */
  countWantedMs: 60_000,
  /** Between two looks for shards that haven't asked again. */
  countLookMs: 10_000,
  /** For a shard to answer a close. */
  uplinkCloseMs: 500,
  // Answers
  /** An ask from past all that is known waits for so long (R5). */
  askAheadMs: 15_000,
  /** Between tries to read the log again (R7). */
  replayAgain: { baseMs: 200, maxMs: 5_000 },
  /** Reading the log again is begun anew after such a silence (R7). */
  replaySilentMs: 20_000,
  /** Reading the log again is given up after so long without a record (R7). */
  replayNoProgressMs: 60_000,
  // The index and the embedded log
  /** Records are buffered for so long before they are written. */
  indexBufferedMs: 200,
  /** What was dropped may stay in the WAL for so long. */
  indexDroppedMs: 600_000,
  /** For the thread that writes the WAL back to let go of the file. */
  indexThreadEndsMs: 5_000,
  /** Between two looks at the embedded log. */
  embeddedLogLookMs: 20,
  /** For other writers of the embedded log: far longer than any append takes. */
  embeddedLogBusyMs: 10_000,
  /** Between tries to open the embedded log while another process makes it. */
  embeddedLogOpenAgainMs: 10,
  // Reading, whatever the log
  /** Between tries to read a partition. */
  readAgain: { baseMs: 200, maxMs: 10_000 },
  /** The longest of these while the log can't be reached. */
  readAgainUnavailableMs: 400,
  /** Between looks for a topic that isn't there. */
  topicAbsentMs: 1_000,
  /** Between looks at a topic's partitions (R9). */
  topicLookMs: 4_000,
  /** A topic is looked at no sooner than this, whoever asks (R5). */
  topicSoonestMs: 1_000,
  /** A topic that has gone is forgotten after so long. */
  topicForgetMs: 60_000,
  /** A read that says nothing for so long, though there is more, hangs. */
  readSilentMs: 20_000,
  /** Between two looks at whether a read hangs. */
  readLookMs: 2_000,
  /** For a read that was ended to return. */
  readLetGoMs: 1_000,
  /** A partition of which more was removed is read again after so long at the latest (R8). */
  rereadLatestMs: 10_000,
  /** Of reading and decoding in one turn of the loop. */
  turnMs: 5,
  // Kafka
  /** For a broker to be connected to. */
  brokerConnectMs: 10_000,
  /** A broker that is asked and sends nothing for so long is taken for dead. */
  brokerSilentMs: 5_000,
  /** A broker that throttles for longer is asked over another connection. */
  brokerThrottledMs: 12_000,
  /** For a broker to take a connection; doubled each time that it isn't enough. */
  brokerDialSilent: { baseMs: 3_000, maxMs: 10_000 },
  /** Before TCP looks whether an idle connection still stands. */
  brokerKeepAliveMs: 60_000,
  /** After this, what one broker doesn't say another is asked for, too. */
  brokerOtherMs: 500,
  /** Between dials of a broker that isn't trusted to take more. */
  brokerDialSpacingMs: 550,
  /** A line that brings nearly nothing for so long brings nothing. */
  brokerTrickleMs: 30_000,
  /** Between two looks at whether a broker is silent. */
  brokerLookMs: 1_000,
  /** A look that comes so late shows that this process was busy. */
  brokerLookLateMs: 250,
  /** Between tries of what can pass. */
  kafkaAgain: { baseMs: 50, maxMs: 400 },
  /** Between two signs of life to those that wait. */
  kafkaSignMs: 1_000,
  /** A topic that can't be described is asked for again for so long. */
  describePatienceMs: 2_000,
  /** Partitions without a leader are asked for again for so long. */
  offsetsPatienceMs: 500,
  /** For a broker to say where a partition begins and ends. */
  offsetsSilentMs: 2_000,
  /** Reads that hang within so long of one another are helped together. */
  renewMs: 5_000,
  /** A Fetch that fails is tried again for so long. */
  fetchPatienceMs: 10_000,
  /** A broker may be silent for so long before it answers a Fetch. */
  fetchSilentMs: 10_000,
  /** A broker holds a Fetch for so long if it has nothing. */
  fetchHeldMs: 500,
  /** The same while other partitions have more. */
  fetchHeldShortMs: 10,
  /** The same, in all, of a broker that may do so for each partition, one after the other. */
  fetchHeldUnprovenMs: 300,
  /** Between two notes that more or less is held back. */
  heldBackNewsMs: 1_000,
  /** An answer of a slow line should take so long. */
  answerWantedMs: 1_000,
  /** Answers that take longer get smaller. */
  answerSlowMs: 2_000,
  /** Large ones that take no longer may get larger. */
  answerFastMs: 500,
  /** One that came for so long, and would for as long again, is asked for anew. */
  answerHopelessMs: 10_000,
  /** For a broker to begin an answer, and to go on with it; doubled each time that it isn't enough. */
  answerSilent: { baseMs: 3_000, maxMs: 10_000 },
  /** For an unpacked part to be handled before others get its memory. */
  unpackedPartMs: 2_000,
  // Publishing
  /** A publish that comes again within so long is answered, and not done again. */
  publishWindowMs: 1_000 * LIMITS.publishWindowSeconds,
  /** Between two looks for publishes that must be answered by now. */
  publishLookMs: 50,
  /** Between tries of a batch of which it isn't known whether it was appended. */
  publishAgain: { baseMs: 50, maxMs: 2_000 },
  /** Between tries to claim a partition. */
  publishClaimAgain: { baseMs: 1_000, maxMs: 30_000 },
  /** For a partition to be claimed, and for what was published there to be read. */
  publishClaimMs: 15_000,
  /** A claim that takes longer no longer counts among those that may be under way. */
  publishClaimSlowMs: 1_000,
  /** Before Kafka ends a transaction that a writer began and left. */
  publishTransactionMs: 10_000,
  /** For all replicas to have a batch. */
  produceReplicasMs: 3_000,
  /** A broker may be silent for so long before it answers a Produce. */
  produceSilentMs: 6_000,
  /** What was shown for so long: that a topic, which an older broker is told by its name, is still the one that it was. */
  produceNamedMs: 1_000,
  /** A Produce that takes longer no longer counts among those that may be under way at its broker. */
  produceSlowMs: 100,
  /** Before a fence is repeated: brokers forget it after a day, unless they are told otherwise. */
  publishFenceMs: 21_600_000,
  /** Between tries to repeat a fence. */
  publishFenceAgain: { baseMs: 1_000, maxMs: 60_000 },
  /** A fence that wasn't repeated for so long is no longer trusted. */
  publishFenceOldMs: 72_000_000,
  /** An origin whose clock is further from a broker's doesn't publish. */
  publishClockMs: 60_000,
  /** Nothing is published for so long after Kafka gave a partition's writers another producer id. */
  publishColdMs: 900_000,
  /** Between two tries to claim a partition from another origin to find what was published there before keys moved. */
  publishFindAgainMs: 1_000,
  /** Before others are told again that a topic's keys haven't moved: Kafka keeps that for a week. */
  publishSettleAgainMs: 86_400_000,
  // npm run doctor
  /** For a broker to be connected to. */
  doctorConnectMs: 5_000,
  /** For the edge to answer. */
  doctorEdgeMs: 10_000,
  /** Clocks that seem less apart agree: headers have whole seconds, and take their time. */
  doctorClockMs: 5_000,
} satisfies Readonly<Record<string, number | BackoffBounds>>;
