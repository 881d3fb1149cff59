import { expect, test } from "vitest";
import { batches, isIdempotent, isMark } from "../../../origin/kafka/batch-headers.ts";
import { PRODUCED_CODECS, producedBatch } from "../../../origin/kafka/produced-batch.ts";
import { recordsOf } from "../../../origin/kafka/record-batches.ts";
import { Marker, markHeader } from "../../../origin/publish/mark.ts";

const MIB = 1024 * 1024;
const NUMBERED = { producerId: 5_000_000_000, producerEpoch: 7, sequence: 2 ** 31 - 1 };

const RECORDS = [
  { key: Buffer.from("a"), value: Buffer.alloc(100_000, "x"), headers: [] },
  { key: Buffer.alloc(63, 1), value: null, headers: [["", null]] as const },
  {
    key: Buffer.alloc(64, 2),
    value: Buffer.alloc(0),
    headers: [["ü".repeat(40), Buffer.alloc(64)]] as const,
  },
  ...Array.from({ length: 200 }, (_, i) => ({ key: null, value: Buffer.alloc(i, 3), headers: [] })),
];

test.each(PRODUCED_CODECS)("what is written with codec %s is read, record for record", (codec) => {
  const bytes = producedBatch(RECORDS, NUMBERED, 1_795_704_800_378, codec);

  const [batch, ...more] = [...batches(bytes)];
  if (batch === undefined) throw new Error("no batch");
  const read = [...recordsOf(batch, bytes, MIB)];
  expect(more).toEqual([]);
  expect(batch).toMatchObject({
    producerId: 5_000_000_000,
    producerEpoch: 7,
    lastOffset: RECORDS.length - 1,
  });
  expect([isIdempotent(batch), isMark(batch)]).toEqual([true, false]);
  expect(bytes.readInt32BE(53)).toBe(2 ** 31 - 1);
  expect(read.map(({ key, value, headers }) => ({ key, value, headers }))).toEqual(RECORDS);
  expect(new Set(read.map(({ timestamp }) => timestamp))).toEqual(new Set([1_795_704_800_378]));
});

test("a mark is one more header, behind the others", () => {
  const [mark] = new Marker([Buffer.alloc(32, 1)]).marksOf({
    ...{ topic: "t", key: Buffer.from("k"), value: null, headers: [] },
    id: { issuer: "i", subject: "s", key: "c", chosenBy: "client" },
  });
  const others = [["a", Buffer.alloc(3)]] as const;
  const marked = { key: Buffer.from("k"), value: Buffer.from("v"), mark };

  const bytes = producedBatch(
    [
      { ...marked, headers: others },
      { ...marked, headers: [] },
    ],
    NUMBERED,
    1,
  );

  const read = [...batches(bytes)].flatMap((batch) => [...recordsOf(batch, bytes, MIB)]);
  expect(read.map(({ headers }) => headers)).toEqual([[...others, markHeader(mark)], [markHeader(mark)]]);
});
