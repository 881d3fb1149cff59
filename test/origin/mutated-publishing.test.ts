/**
 * What an origin that publishes is told, mutated: publishes by an edge, and what brokers answer to a writer. It takes them with the
 * error that it names at most, and what it takes is what it says. `npm run test:long` plays a million and more at each.
 */
import { describe, expect, test } from "vitest";
import {
  addPartitionToTxnRequest,
  commitTxnRequest,
  describeTransactionRequest,
  findCoordinatorRequest,
  initProducerIdRequest,
  produceRequest,
} from "../../origin/kafka/produce-requests.ts";
import { answerOf, type Request } from "../../origin/kafka/request.ts";
import { topicConfigRequest } from "../../origin/kafka/topic-config.ts";
import { WireError } from "../../origin/kafka/wire.ts";
import { LIMITS } from "../../shared/protocol/limits.ts";
import { decodePublish, encodePublish, type PublishRequest } from "../../shared/protocol/publish.ts";
import { BEGIN, byte, compact, int, list, NO_TAGS, NULL, TOPIC_ID, whole } from "../support/kafka-wire.ts";
import { HISTORIES, SEED } from "../support/long.ts";
import { holds, playBytes } from "../support/playing.ts";

/** Of each decoder, for each random history that is asked for. */
const INPUTS = { count: 5 * HISTORIES, seed: SEED };
const MINUTES = 600_000;

const utf8 = (text: string) => new TextEncoder().encode(text);

const PUBLISH: PublishRequest = {
  ...{ endpoint: "/orders/42", id: 7_001, issuer: "local", subject: "alice", key: "c0ffee", by: "client" },
  ...{ withinMs: 9_000, until: 1_764_000_008_000, claim: false, headers: [], value: utf8('{"qty":1}') },
};

test(
  "[W6] publishes by an edge are read whole, with the value that they hold, or are said to be wrong in words",
  () => {
    const good = [
      PUBLISH,
      { ...PUBLISH, value: null, claim: true },
      { ...PUBLISH, headers: [["a", Uint8Array.of(255)] as const], value: Uint8Array.of(10, 0, 255) },
    ].map(encodePublish);
    return playBytes(INPUTS, good, (bytes) => {
      const read = decodePublish(bytes);
      if (!read.ok) return holds(read.problem.length > 0, "no word is said");
      holds((read.value.value?.length ?? 0) <= LIMITS.valueBytes, "it is too large");
      const again = decodePublish(encodePublish(read.value));
      holds(again.ok && JSON.stringify(again.value) === JSON.stringify(read.value), "it isn't read back");
    });
  },
  MINUTES,
);

const PRODUCED = whole(
  NO_TAGS,
  list(
    whole(
      TOPIC_ID,
      list(
        whole(
          ...[int(4, 0), int(2, 87), int(8, 1_041), int(8, -1), int(8, 0)],
          ...[list(whole(int(4, 0), compact("too old"), NO_TAGS)), NULL, NO_TAGS],
        ),
      ),
      NO_TAGS,
    ),
  ),
  ...[int(4, 0), NO_TAGS],
);
const DESCRIBED = whole(
  BEGIN,
  list(
    whole(
      ...[int(2, 0), compact("id"), compact("Ongoing"), int(4, 60_000), int(8, 5), int(8, 4_000), int(2, 3)],
      ...[list(whole(compact("orders"), list(int(4, 0)), NO_TAGS)), NO_TAGS],
    ),
  ),
  NO_TAGS,
);
const CONFIGURED = whole(
  BEGIN,
  list(
    whole(
      ...[int(2, 0), NULL, byte(2), compact("orders")],
      list(
        whole(
          ...[compact("retention.ms"), compact("-1"), byte(0), byte(5), byte(0)],
          list(whole(compact("retention.ms"), compact("-1"), byte(5), NO_TAGS)),
          ...[byte(5), NULL, NO_TAGS],
        ),
      ),
      NO_TAGS,
    ),
  ),
  NO_TAGS,
);

describe("what brokers answer to a writer is read, or is no answer:", () => {
  const writer = { producerId: 4_000, producerEpoch: 3 };
  const to = { topic: "orders", topicId: TOPIC_ID, partition: 0 };
  const added = whole(
    BEGIN,
    list(whole(compact("orders"), list(whole(int(4, 0), int(2, 51), NO_TAGS)), NO_TAGS)),
  );
  const answers: readonly (readonly [Request<unknown>, version: number, Buffer, read: unknown])[] = [
    [
      produceRequest(to, Buffer.alloc(0), { timeoutMs: 1, silenceMs: 1 }),
      ...([13, PRODUCED, { error: 87, offset: 1_041, words: "too old", isById: true }] as const),
    ],
    [
      findCoordinatorRequest("id"),
      ...([3, whole(BEGIN, int(2, 0), NULL, int(4, 7), compact("broker"), int(4, 9_092), NO_TAGS)] as const),
      { error: 0, node: 7 },
    ],
    [
      initProducerIdRequest("id", 1),
      ...([4, whole(BEGIN, int(2, 0), int(8, 4_000), int(2, 3), NO_TAGS)] as const),
      { error: 0, ...writer },
    ],
    [addPartitionToTxnRequest("id", writer, "orders", 0), 3, whole(added, NO_TAGS), 51],
    [commitTxnRequest("id", writer), 3, whole(BEGIN, int(2, 47), NO_TAGS), 47],
    [describeTransactionRequest("id"), 0, DESCRIBED, { error: 0 }],
    [
      topicConfigRequest("orders", ["retention.ms"]),
      ...([4, CONFIGURED, { error: 0, values: new Map([["retention.ms", "-1"]]) }] as const),
    ],
  ];

  test.each(answers.map(([request, ...rest]) => [request.name, request, ...rest] as const))(
    "%s",
    (_, request, version, good, read) => {
      expect(answerOf(request, version, good).answer).toEqual(read);
      return playBytes(INPUTS, [good], (bytes) => {
        try {
          answerOf(request, version, Buffer.from(bytes));
        } catch (error) {
          const isKnown = error instanceof WireError || /leaves out the partition$/.test(String(error));
          if (!isKnown) throw error;
        }
      });
    },
    MINUTES,
  );
});
