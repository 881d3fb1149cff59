/** Keys and clients that name many partitions. */
import { expect, test } from "vitest";
import { partitionOf } from "../../../shared/core/partitioner.ts";
import { LIMITS } from "../../../shared/protocol/limits.ts";
import { NOTHING, type Position } from "../../../shared/protocol/position.ts";
import { decodeOriginSays } from "../../../shared/protocol/uplink.ts";
import { RecordingShard } from "../../support/recording-shard.ts";
import { record, SmallOrigin } from "../../support/small-origin.ts";

const PARTITIONS = 80;
const MOST = LIMITS.positionComponents;
const epochOf = (partition: number) => `x.${partition}`;
const epochs = Array.from({ length: PARTITIONS }, (_, partition) => epochOf(partition));

/** A key whose home is the last partition, which no position of clients below names. */
const KEY = Array.from({ length: 10_000 }, (_, i) => `key${i}`).find(
  (key) => partitionOf(Buffer.from(key), PARTITIONS) === PARTITIONS - 1,
);
const PATH = `/t/${KEY}`;
const HOME = epochOf(PARTITIONS - 1);

/** An origin that has read a record of the key in each of these partitions, and another's in all others. */
function begin(...lives: readonly number[]) {
  const origin = new SmallOrigin();
  const shard = new RecordingShard(origin.watchList);
  origin.describe(...epochs.map((epoch) => ({ epoch })));
  for (const [partition, epoch] of epochs.entries())
    origin.read(partition, epoch, record(0, lives.includes(partition) ? (KEY ?? "") : "other", "1"));
  return { origin, shard };
}

function named(count: number, offset = 0): Position {
  return new Map(epochs.slice(0, count).map((epoch) => [epoch, offset]));
}

test("[P2] [R4] who names so much that home would be too much is refused, and told of home alone", () => {
  const { shard } = begin(PARTITIONS - 1);

  const { attached, offsets } = shard.answerTo(PATH, named(MOST)) ?? {};

  expect(attached?.verdict).toMatchObject({ recovered: false, cause: "epoch" });
  expect(offsets).toEqual([0]);
  const { verdict, to, horizon } = attached ?? {};
  // It claims nothing of what else was named.
  expect([verdict?.position, verdict?.head, to, horizon].map((one) => [...(one ?? [])])).toEqual([
    [],
    [[HOME, 0]],
    [[HOME, 0]],
    [[HOME, 0]],
  ]);
});

test("[P2] [R3] who names as much as goes with home is recovered, of all of it", () => {
  const { shard } = begin(PARTITIONS - 1);

  const { attached, offsets } = shard.answerTo(PATH, named(MOST - 1)) ?? {};

  expect(attached?.verdict.recovered).toBe(true);
  expect(offsets).toEqual([0]);
  expect(attached?.horizon.size).toBe(MOST);
});

test("[P2] [R4] it is no other answer when what is named lies ahead of the log", () => {
  const { origin, shard } = begin(PARTITIONS - 1);
  origin.onLook = () => origin.look();

  const { attached } = shard.answerTo(PATH, named(MOST, 9), () => origin.pass(15_000)) ?? {};

  expect(attached?.verdict.cause).toBe("epoch");
  expect([...(attached?.horizon.keys() ?? [])]).toEqual([HOME]);
});

test("[P3] [P6] a key that lives in more partitions than a client may name is told of in all of them, and recovers", () => {
  const lives = Array.from({ length: 70 }, (_, partition) => partition);
  const { origin, shard } = begin(...lives);

  const fresh = shard.answerTo(PATH);
  expect(fresh?.attached.to).toEqual(named(70));
  expect(fresh?.attached.verdict.recovered).toBeUndefined();

  origin.read(3, epochOf(3), record(1, KEY ?? "", "2"));
  const resumed = shard.answerTo(PATH, fresh?.attached.to);
  expect(resumed?.attached.verdict.recovered).toBe(true);
  expect(resumed?.offsets).toEqual([1]);
});

test("[U8] a question for the latest record of such a key is answered, from where it stands everywhere", () => {
  const { origin, shard } = begin(...Array.from({ length: 70 }, (_, partition) => partition));

  origin.watchList.get(shard, 7, PATH);

  const [head, frame] = shard.taken().map((item) => item.slice(item.indexOf(" ") + 1));
  const says = decodeOriginSays(head ?? "");
  expect(says).toMatchObject({ ok: true, value: { kind: "latest", count: 1 } });
  const position = says.ok && says.value.kind === "latest" ? says.value.position : NOTHING;
  expect(position).toEqual(named(70));
  expect(frame).toContain('"p":"x.69:0"');
});
