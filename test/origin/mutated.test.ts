/**
 * Every decoder of the origin under mutated inputs: what edges and brokers say, what producers write, what lies on its own
 * disk, and its settings. Each takes them with the error that it names at most, and what it takes is what it says.
 * `npm run test:long` plays a million and more at each.
 */
import { isUtf8 } from "node:buffer";
import { describe, test } from "vitest";
import { packHeaders, unpackHeaders } from "../../origin/embedded/headers.ts";
import { BatchBlob, blobBytes, packBatch } from "../../origin/index/batch-blob.ts";
import { IndexError } from "../../origin/index/error.ts";
import type { IndexedRecord } from "../../origin/index/record.ts";
import { kindOfStored, travelling } from "../../origin/index/travelling.ts";
import { readTo, UNKNOWN_EPOCH } from "../../origin/kafka/batch-headers.ts";
import { decompress, unpacking } from "../../origin/kafka/compression.ts";
import { fetchRequest } from "../../origin/kafka/fetch-request.ts";
import { Memory } from "../../origin/kafka/memory.ts";
import { partsOf } from "../../origin/kafka/part-reader.ts";
import { answerOf, type Request } from "../../origin/kafka/request.ts";
import { listOffsetsRequest, metadataRequest } from "../../origin/kafka/requests.ts";
import { WireError } from "../../origin/kafka/wire.ts";
import { readConfig } from "../../origin/settings/config.ts";
import { parseStreams } from "../../shared/config/streams.ts";
import { LIMITS } from "../../shared/protocol/limits.ts";
import { splitText } from "../../shared/protocol/message.ts";
import { decodeShardSays } from "../../shared/protocol/uplink.ts";
import { readChallenge, TOKEN_FAULTS } from "../../shared/protocol/uplink-token-fault.ts";
import { TEST_CODECS } from "../support/compressed.ts";
import { BEGIN, byte, compact, int, list, NO_TAGS, TOPIC_ID } from "../support/kafka-wire.ts";
import { HISTORIES, SEED } from "../support/long.ts";
import type { Mutations } from "../support/mutations.ts";
import { holds, playBytes, playText } from "../support/playing.ts";
import { controlBatch, oldBatch, oldMessage, recordBatch, withChecksum } from "../support/record-batch.ts";

/** Of each decoder, for each random history that is asked for. */
const INPUTS = { count: 5 * HISTORIES, seed: SEED };
/** What takes long to undo is given fewer. */
const FEWER = { count: HISTORIES, seed: SEED };
const MINUTES = 600_000;

const utf8 = (text: string) => new TextEncoder().encode(text);

const SHARD_SAYS = [
  '{"hello":{"version":1,"shard":0,"shards":2,"generation":3,"role":"active","slice":"1/2"}}',
  '{"role":"active","generation":4}',
  '{"attach":"/quotes/AAPL","id":3,"from":"a.0:1","link":7}',
  '{"cancel":"/quotes/AAPL","id":3,"link":7}',
  '{"detach":"/quotes/AAPL","link":7}',
  '{"get":"/quotes/AAPL","id":13,"brief":true}',
  '{"count":"/quotes/AAPL"}',
  '{"enough":"/quotes/AAPL"}',
  '{"counted":{"endpoint":"/quotes/AAPL","subscribers":12}}',
  '{"pong":1}',
];

test(
  "[U2] what an edge says on an uplink is read, or said to be wrong in words",
  () =>
    playText(INPUTS, SHARD_SAYS, (text) => {
      for (const frame of splitText(text)) {
        const read = decodeShardSays(frame);
        holds(read.ok || read.problem.length > 0, "no word is said");
      }
    }),
  MINUTES,
);

test(
  "[U1] why an edge refuses an origin's token is one of the reasons that there are, or none",
  () =>
    playText(
      INPUTS,
      ['Bearer realm="distributary-uplink", error="invalid_token", error_description="bad_time"'],
      (text) => {
        const fault = readChallenge(text);
        holds(fault === undefined || Object.hasOwn(TOKEN_FAULTS, fault), "there is no such reason");
      },
    ),
  MINUTES,
);

const METADATA = Buffer.concat([
  BEGIN,
  list(Buffer.concat([int(4, 1), compact("broker"), int(4, 9092), byte(0), NO_TAGS])),
  compact("cluster"),
  int(4, 1),
  list(
    Buffer.concat([
      int(2, 0),
      compact("quotes"),
      TOPIC_ID,
      byte(0),
      list(
        Buffer.concat([
          ...[int(2, 0), int(4, 0), int(4, 1), int(4, 5)],
          ...[list(int(4, 1)), list(int(4, 1)), list(), NO_TAGS],
        ]),
      ),
      int(4, 0),
      NO_TAGS,
    ]),
  ),
]);

const LISTED = Buffer.concat([
  BEGIN,
  list(
    Buffer.concat([
      compact("quotes"),
      list(Buffer.concat([int(4, 0), int(2, 0), int(8, -1), int(8, 1_041), int(4, 5), NO_TAGS])),
      NO_TAGS,
    ]),
  ),
  NO_TAGS,
]);

const FETCHED = Buffer.concat([
  BEGIN,
  int(2, 0),
  int(4, 0),
  list(
    Buffer.concat([
      TOPIC_ID,
      list(
        Buffer.concat([
          ...[int(4, 0), int(2, 0), int(8, 9), int(8, 9), int(8, 0)],
          list(Buffer.concat([int(8, 4), int(8, 2), NO_TAGS])),
          ...[int(4, -1), list(...Array.from({ length: 20 }, () => byte(1))), NO_TAGS],
        ]),
      ),
      NO_TAGS,
    ]),
  ),
  NO_TAGS,
]);

describe("answers of brokers are read, or are no answers:", () => {
  const bounds = { waitMs: 1, maxBytes: 1, partitionMaxBytes: 1 };
  const requests: readonly (readonly [Request<unknown>, version: number, Buffer])[] = [
    [metadataRequest(undefined), 12, METADATA],
    [listOffsetsRequest("quotes", [0], -1), 7, LISTED],
    [fetchRequest([], bounds), 13, FETCHED],
  ];

  test.each(requests.map(([request, version, good]) => [request.name, request, version, good] as const))(
    "%s",
    (_, request, version, good) => {
      holds(JSON.stringify(answerOf(request, version, good)).length > 50, "the good one isn't read");
      return playBytes(INPUTS, [good], (bytes) => {
        try {
          answerOf(request, version, Buffer.from(bytes));
        } catch (error) {
          const isKnown = error instanceof WireError || /Kafka's error -?\d+$/.test(String(error));
          if (!isKnown) throw error;
        }
      });
    },
    MINUTES,
  );
});

const VALUES = ["a", "", "b".repeat(300), '{"c":1}'];
const BATCHES: readonly Buffer[] = [
  recordBatch({ firstOffset: 10, values: VALUES }),
  recordBatch({
    firstOffset: 14,
    values: ["d"],
    lastOffset: 20,
    timestamp: 1_760_000_000_000,
    leaderEpoch: 3,
  }),
  recordBatch({ firstOffset: 21, values: ["e", "f"], transactional: true, producerId: 4 }),
  controlBatch(23, 4, "abort"),
  ...TEST_CODECS.map((codec, i) => recordBatch({ firstOffset: 24 + 4 * i, values: VALUES, codec })),
  oldMessage({ magic: 0, offset: 60, value: "g", key: "k" }),
  oldMessage({ magic: 1, offset: 61, value: null, timestamp: 1_760_000_000_000 }),
  oldBatch(1, 63, [oldMessage({ magic: 1, offset: 0, value: "h" }), oldMessage({ magic: 1, offset: 1 })]),
];
const LENGTH_AT = 8;
const LENGTH_END = 12;
const CHECKED_FROM = 21;

/** Some are made to look whole: their length and their sum are right, as of whoever writes what they like. */
function mended(batch: Uint8Array, mutations: Mutations): Buffer {
  const bytes = Buffer.from(batch);
  if (bytes.length < CHECKED_FROM || mutations.below(4) === 0) return bytes;
  bytes.writeInt32BE(bytes.length - LENGTH_END, LENGTH_AT);
  return bytes.readInt8(16) === 2 ? withChecksum(bytes) : bytes;
}

test(
  "record batches: records come in the order of their offsets, each of which is exact, or it is said which can't be read",
  () =>
    playBytes(INPUTS, BATCHES, async (batch, mutations) => {
      const before = BATCHES[0] ?? Buffer.alloc(0);
      const answer = Buffer.concat([before, mended(batch, mutations)]);
      const unpacking = { memory: new Memory(), signal: AbortSignal.timeout(10_000) };
      let next = 0;
      try {
        for await (const part of partsOf(answer, 0, [{ producerId: 4, firstOffset: 21 }], unpacking)) {
          for (const { offset } of part.records) {
            holds(Number.isSafeInteger(offset) && offset >= next, `${offset} comes after ${next - 1}`);
            next = offset + 1;
          }
          holds(Number.isSafeInteger(part.nextOffset) && part.nextOffset >= next, "it goes back");
          next = part.nextOffset;
        }
        const { offset } = readTo(answer, { offset: 0, leaderEpoch: UNKNOWN_EPOCH });
        holds(offset >= next, `what is read ends at ${next}, and reading goes on at ${offset}`);
      } catch (error) {
        if (!(error instanceof WireError)) throw error;
        const { nextOffset = 14 } = error;
        holds(next >= 14 || nextOffset > 0, "what came before the damage is lost");
        holds(Number.isSafeInteger(nextOffset), "it isn't said where to go on");
      }
    }),
  MINUTES,
);

const MOST_UNPACKED = 64 * 1024;
const PLAIN = Buffer.from("it was the best of times, it was the worst of times, ".repeat(40));

test.each(TEST_CODECS.map(({ name, number, compress }) => [name, number, compress] as const))(
  "compressed with %s: what is unpacked at once is within its bound, and the same in pieces, or it can't be read",
  (_, number, compress) => {
    const good = [compress(PLAIN), compress(Buffer.alloc(MOST_UNPACKED)), compress(Buffer.from("short"))];
    return playBytes(FEWER, good, async (bytes) => {
      const packed = Buffer.from(bytes);
      const whole = unpacked(() => decompress(number, packed, MOST_UNPACKED));
      holds((whole?.length ?? 0) <= MOST_UNPACKED, "more is unpacked than may be");
      const pieces: Buffer[] = [];
      try {
        // The pieces of one block share its memory.
        for await (const piece of unpacking(number, packed).pieces()) pieces.push(Buffer.from(piece));
      } catch (error) {
        if (!(error instanceof WireError)) throw error;
        return holds(whole === undefined, "it is read at once, and not in pieces");
      }
      // What may stand behind the end of what is compressed is for one way an error, and for the other nothing.
      holds(whole?.equals(Buffer.concat(pieces)) ?? true, "in pieces it is something else");
    });
  },
  MINUTES,
);

function unpacked(read: () => Buffer): Buffer | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof WireError) return undefined;
    throw error;
  }
}

const HEADERS = [
  ["a", utf8("b")],
  ["c", null],
  ["", Uint8Array.of(255)],
] as const;

const indexed = (offset: number, value: string | null): IndexedRecord => ({
  epoch: "e",
  offset,
  arrival: offset,
  previous: offset > 0 ? offset - 1 : undefined,
  timestamp: 1_760_000_000_000,
  key: utf8("AAPL"),
  kind: value === null ? "tombstone" : "text",
  value: value === null ? null : utf8(value),
  headers: offset % 2 === 0 ? HEADERS : [],
  headersOmitted: undefined,
});

test(
  "blobs of the index: one that isn't as it was packed is known to be corrupt",
  () => {
    const batches = [[indexed(0, "a"), indexed(1, "b"), indexed(2, null)], [indexed(9, "c".repeat(200))]];
    const good = batches.map((records) => packBatch(records, Buffer.alloc(blobBytes(records))));
    return playBytes(INPUTS, good, (bytes) => {
      try {
        const blob = new BatchBlob(bytes);
        for (let i = 0; i < blob.count; i++) blob.record(i, "e");
        holds(
          good.some((one) => Buffer.from(one).equals(bytes)),
          "another blob is taken for a good one",
        );
      } catch (error) {
        if (!(error instanceof IndexError && error.code === "corrupt")) throw error;
      }
    });
  },
  MINUTES,
);

test(
  "headers in the embedded log: what is taken is packed again to the same bytes, or it is no headers",
  () => {
    const good = [packHeaders(HEADERS), packHeaders([["name", utf8("value")]])].filter((one) => one !== null);
    return playBytes(INPUTS, good, (bytes) => {
      const read = unpackHeaders(bytes);
      if (read === undefined || read.length === 0) return;
      // A name that isn't UTF-8 is read with the character that stands for what can't be.
      if (read.some(([name]) => name.includes("\ufffd"))) return;
      holds(Buffer.from(packHeaders(read) ?? []).equals(Buffer.from(bytes)), "it isn't packed back");
    });
  },
  MINUTES,
);

const deep = (levels: number) => `${"[".repeat(levels)}1${"]".repeat(levels)}`;

test(
  "[F3] values: one is JSON if it parses and isn't too deep, else text or bytes, and takes no more than a frame has",
  () => {
    const texts = [
      '{"a":[1,2.5e3,"\\u00e9",null],"b":{}}',
      "text",
      '"\\ud800"',
      deep(3),
      deep(LIMITS.jsonDepth),
    ];
    return playBytes(INPUTS, [...texts.map(utf8), Uint8Array.of(0xff, 0xfe)], (value) => {
      const { kind, value: stored } = travelling({ value, headers: [] });
      const isDeep = Buffer.from(value).filter((one) => one === 0x5b || one === 0x7b).length;
      const said = kindOfStored(kind, stored);
      const text = isUtf8(value) ? new TextDecoder("utf-8", { ignoreBOM: true }).decode(value) : undefined;
      if (text === undefined) return holds(said === "bytes", `what isn't UTF-8 is ${said}`);
      if (!parses(text)) return holds(said === "text", `what isn't JSON is ${said}`);
      holds(said === "json" || isDeep > LIMITS.jsonDepth, `JSON is ${said}`);
    });
  },
  MINUTES,
);

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

const STREAMS = JSON.stringify({
  streams: {
    quotes: { title: "Quotes", subscribe: "public", window: { updates: 10, seconds: 60 }, start: "7d" },
    "orders.*": { title: "Orders", subscribe: "token", discover: "nobody", compacted: true, replay: 1_000 },
  },
});

test(
  "streams.json: what is taken exposes nothing unsaid, or every problem is said",
  () =>
    playText(INPUTS, [STREAMS], (text) => {
      const read = parseStreams(text);
      if (!read.ok) return holds(read.problems.length > 0 && read.problems.every(Boolean), "no word is said");
      for (const { subscribe, title } of read.streams.all)
        holds(["public", "token", "nobody"].includes(subscribe) && title.length > 0, "a stream isn't said");
      holds(
        read.streams.get("__consumer_offsets") === undefined || text.includes("__"),
        "it exposes too much",
      );
    }),
  MINUTES,
);

const SECRET = "hushhushhushhushhushhushhushhush";
const SETTINGS: Readonly<Record<string, string>> = {
  EDGE_URL: "https://edge.example",
  UPLINK_KEY: `k1:origin-1:${SECRET}`,
  ORIGIN_SLICE: "1/2",
  INDEX_MAX_BYTES: "17000000",
  LOG_LEVEL: "info",
  STATUS_PORT: "9090",
  KAFKA_BROKERS: "a.example:9092,[::1]:9093",
};

test(
  "settings of an origin: one that is wrong is named, and no secret is said",
  () => {
    const names = Object.keys(SETTINGS);
    return playText(FEWER, Object.values(SETTINGS), (text, mutations) => {
      const name = text.includes("hush") ? "UPLINK_KEY" : mutations.one(names);
      const env = { ...SETTINGS, STREAMS: "s", [name]: text };
      const read = readConfig({ env, args: [], root: "/", readFile: () => STREAMS });
      if (read.kind !== "problems") return;
      for (const problem of read.problems) {
        holds(/^[A-Z_]+ /.test(problem), `no setting is named: ${problem}`);
        holds(!problem.includes(SECRET.slice(0, 12)), "a secret is said");
      }
    });
  },
  MINUTES,
);
