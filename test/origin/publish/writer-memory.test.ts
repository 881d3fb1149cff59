/** What a writer remembers of publishes, for how long, and by which clock. */
import { expect, test } from "vitest";
import { LEDGER_ENTRIES } from "../../../origin/publish/ledger.ts";
import { range } from "../../support/contract-records.ts";
import { KNOWN, known, settle, strange, WINDOW_MS, writerWorld } from "../../support/writer-world.ts";

const world = writerWorld();
const { publish, published, claimed, pass } = world;

test("where the log forgets too soon an id of a client's own is refused, and others are published", async () => {
  world.partition.forgets = "set retention.ms";
  const before = publish("before");
  world.partition.grant();
  await settle();
  const [own, other] = [publish("own"), publish("other", { isPromised: false })];
  await settle();
  world.partition.one().answer({ kind: "appended", offset: 1 });
  await settle();

  expect([before.result, own.result, other.result]).toEqual(["id_not_kept", "id_not_kept", "e.0:1"]);
});

test("while what was published with a secret that isn't known may be retried, an id of a client's own is refused", async () => {
  const before = publish("before");
  world.partition.grant([
    { ...strange("x", 1), timestamp: world.time - WINDOW_MS },
    { ...strange("y", 2), timestamp: world.time + 50_000 },
    known("a", 3),
  ]);
  await settle();
  expect(before.message).toContain("PUBLISH_SECRET");
  const [again, own, other] = [publish("a"), publish("own"), publish("b", { isPromised: false })];
  await settle();
  world.partition.one().answer({ kind: "appended", offset: 4 });
  await settle();
  expect([before, again, own, other].map(({ result }) => result)).toEqual([
    ...["id_not_kept", "e.0:3", "id_not_kept", "e.0:4"],
  ]);

  pass(2 * WINDOW_MS);
  expect(publish("own").result).toBe("id_not_kept");
  pass(1);
  await published("own", 5);
  expect(publish("own").result).toBe("e.0:5");
});

test("a partition of which no more can be remembered takes publishes again once what it remembers is old", async () => {
  world.writer.takeOver();
  world.partition.grant(range(0, LEDGER_ENTRIES).map((i) => ({ ...KNOWN, id: String(i), offset: i })));
  await settle();
  expect(publish("early").result).toBe("overloaded");

  pass(2 * WINDOW_MS + 1);
  const later = publish("later");
  await settle();
  world.partition.one().answer({ kind: "appended", offset: LEDGER_ENTRIES });
  await settle();

  expect(later.result).toBe(`e.0:${LEDGER_ENTRIES}`);
});

test.each([-1_000_000, -60_001, 60_001, 1_000_000])(
  "a clock that is set by %d ms makes nothing forgotten: nothing is sent before the partition is claimed anew",
  async (ms) => {
    await claimed();
    await published("a", 1);
    world.time += ms;
    const next = publish("b");
    await settle();
    expect([world.partition.claims, world.partition.sent(), publish("a").result]).toEqual([2, [], undefined]);

    world.partition.grant([known("a", 1)]);
    await settle();
    world.partition.one().answer({ kind: "appended", offset: 2 });
    await settle();

    expect([next.result, publish("a").result, world.partition.released]).toEqual(["e.0:2", "e.0:1", [1]]);
  },
);

test("a clock that is set while the partition is claimed is not trusted: it is claimed anew", async () => {
  world.writer.takeOver();
  world.time += 1_500_000;
  world.partition.grant();
  publish("a");
  await settle();

  expect([world.partition.claims, world.partition.sent()]).toEqual([2, []]);
});

test.each([-60_000, 60_000])("with a clock that is set by %d ms it goes on", async (ms) => {
  await claimed();
  await published("a", 1);
  world.time += ms;
  await published("b", 2);

  expect([world.partition.claims, publish("a").result, publish("b").result]).toEqual([1, "e.0:1", "e.0:2"]);
});

test("what was published is known for twice the window, however the clock is set meanwhile", async () => {
  await claimed();
  await published("a", 1);
  pass(2 * WINDOW_MS - 30_000);
  world.time += 50_000;
  await published("b", 2);
  expect(publish("a").result).toBe("e.0:1");

  pass(30_001);
  await published("c", 3);
  publish("a");
  await settle();
  expect(world.partition.one().values).toEqual(["a"]);
});
