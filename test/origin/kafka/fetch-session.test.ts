/** What a broker keeps of requests to fetch is what is wanted, whatever is lost, refused or forgotten on the way. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Fetched, FetchFrom, SessionRequest } from "../../../origin/kafka/fetch-request.ts";
import { FetchSession, type Named } from "../../../origin/kafka/fetch-session.ts";

const MAX_BYTES = 1_000;
const TOPIC = Buffer.alloc(16, 7);
const OTHER = Buffer.alloc(16, 8);

const wants = (partition: number, offset = 0, topicId = TOPIC, leastBytes?: number): Named => {
  const from = { topic: "t", topicId, partition, offset, leaderEpoch: 1, lastEpoch: 1, leastBytes };
  return { name: `t/${partition}`, from };
};
const answer = (partition: number, highWatermark = 5): Fetched => ({
  ...{ topic: "t", partition, error: 0, diverging: false, highWatermark },
  ...{ lastStableOffset: highWatermark, aborted: [], records: Buffer.from("records") },
});
const partitions = (named: readonly FetchFrom[]) => named.map(({ partition }) => partition);

/** A session of the partitions 0 to 2, answered. */
function opened(): FetchSession {
  const session = new FetchSession();
  session.request([wants(0), wants(1), wants(2)], MAX_BYTES, true);
  session.answered(9, 0);
  for (const partition of [0, 1, 2]) session.learn(`t/${partition}`, answer(partition));
  return session;
}

test("the first request names all, and begins a session; the next ones name what has changed, and number themselves", () => {
  const session = new FetchSession();

  const first = session.request([wants(0), wants(1), wants(2)], MAX_BYTES, true);
  session.answered(9, 0);
  const second = session.request([wants(0), wants(1, 4), wants(2)], MAX_BYTES, true);
  session.answered(9, 0);
  const third = session.request([wants(0), wants(1, 4), wants(2)], MAX_BYTES, true);

  expect([first.id, first.epoch, partitions(first.named)]).toEqual([0, 0, [0, 1, 2]]);
  expect([second.id, second.epoch, partitions(second.named)]).toEqual([9, 1, [1]]);
  expect([third.id, third.epoch, third.named, third.forgotten]).toEqual([9, 2, [], []]);
});

test.each([
  ["its leader", { leaderEpoch: 2 }],
  ["the leader of what was read before", { lastEpoch: 2 }],
  ["how much of it is wanted at once", { leastBytes: 5_000 }],
])("a partition is named again if it is %s that has changed", (_, change) => {
  const session = opened();
  const { name, from } = wants(1);

  const { named } = session.request([wants(0), { name, from: { ...from, ...change } }], MAX_BYTES, true);

  expect(partitions(named)).toEqual([1]);
});

test("all are named again if each may bring another number of bytes", () => {
  const session = opened();

  const { named } = session.request([wants(0), wants(1), wants(2)], 2 * MAX_BYTES, true);

  expect(partitions(named)).toEqual([0, 1, 2]);
});

test("partitions that aren't wanted now are forgotten, and named when they are wanted again", () => {
  const session = opened();

  const without = session.request([wants(0), wants(2)], MAX_BYTES, true);
  session.answered(9, 0);
  const again = session.request([wants(0), wants(1), wants(2)], MAX_BYTES, true);

  expect([partitions(without.named), partitions(without.forgotten)]).toEqual([[], [1]]);
  expect([partitions(again.named), partitions(again.forgotten)]).toEqual([[1], []]);
});

test("one partition alone is asked for outside of the session, which stays as it is", () => {
  const session = opened();

  const alone = session.request([wants(1, 3)], MAX_BYTES, true);
  session.answered(0, 0);
  const next = session.request([wants(0), wants(1, 4), wants(2)], MAX_BYTES, true);

  expect([alone.id, alone.epoch, partitions(alone.named)]).toEqual([0, -1, [1]]);
  expect([next.id, next.epoch, partitions(next.named)]).toEqual([9, 1, [1]]);
});

test("of a broker without room for a session all is asked each time", () => {
  const session = new FetchSession();
  session.request([wants(0), wants(1)], MAX_BYTES, true);
  session.answered(0, 0);

  const next = session.request([wants(0), wants(1)], MAX_BYTES, true);

  expect([next.id, next.epoch, partitions(next.named)]).toEqual([0, 0, [0, 1]]);
  expect(session.unchanged("t/0")).toBeUndefined();
});

test.each([70, 71, 106])(
  "a session that the broker refuses with %i ends, and the next request begins one",
  (error) => {
    const session = opened();
    session.request([wants(0), wants(1)], MAX_BYTES, true);

    expect(session.answered(0, error)).toBe(true);

    expect(session.wasRefused).toBe(true);
    const next = session.request([wants(0), wants(1)], MAX_BYTES, true);
    expect(session.wasRefused).toBe(false);
    expect([next.epoch, partitions(next.named)]).toEqual([0, [0, 1]]);
  },
);

test("other errors of an answer, and errors outside of sessions, aren't the session's", () => {
  const session = opened();
  session.request([wants(0), wants(1)], MAX_BYTES, true);
  expect(session.answered(9, 56)).toBe(false);

  session.request([wants(0)], MAX_BYTES, true);
  expect(session.answered(0, 70)).toBe(false);
});

test("after a request that wasn't answered a new session begins, and tells the broker which one is over", () => {
  const session = opened();
  session.request([wants(0, 7), wants(1)], MAX_BYTES, true);

  session.failed();

  const next = session.request([wants(0, 7), wants(1)], MAX_BYTES, true);
  expect([next.id, next.epoch, partitions(next.named)]).toEqual([9, 0, [0, 1]]);
});

test.each([
  ["topics are told in another way", () => ({ byId: false, topicId: TOPIC })],
  ["a topic is another one of the same name", () => ({ byId: true, topicId: OTHER })],
])("if %s, a new session begins", (_, change) => {
  const session = opened();
  const { byId, topicId } = change();

  const next = session.request([wants(0, 0, topicId), wants(1, 0, topicId)], MAX_BYTES, byId);

  expect([next.epoch, partitions(next.named)]).toEqual([0, [0, 1]]);
});

test("a partition that an answer leaves out stands as it was answered last, but without its records", () => {
  const session = opened();
  session.request([wants(0), wants(1)], MAX_BYTES, true);
  session.answered(9, 0);

  expect(session.unchanged("t/1")).toMatchObject({ highWatermark: 5, lastStableOffset: 5, aborted: [] });
  expect(session.unchanged("t/1")?.records).toHaveLength(0);
  expect(session.unchanged("t/9")).toBeUndefined();

  session.learn("t/1", { ...answer(1), error: 6 });
  expect(session.unchanged("t/1")).toBeUndefined();
});

/** A broker that keeps sessions, as far as a client can tell. */
class ModelBroker {
  readonly sessions = new Map<number, { epoch: number; readonly kept: Map<number, number> }>();
  #ids = 0;

  /** Answers with a session and an error, and of which partitions and offsets it would fetch. */
  take({ id, epoch, named, forgotten }: SessionRequest, hasRoom: boolean) {
    const all = () => new Map(named.map(({ partition, offset }) => [partition, offset]));
    if (epoch === -1) return { id: 0, error: 0, fetches: all() };
    if (epoch === 0) {
      this.sessions.delete(id);
      if (!hasRoom) return { id: 0, error: 0, fetches: all() };
      const kept = all();
      this.sessions.set(++this.#ids, { epoch: 1, kept });
      return { id: this.#ids, error: 0, fetches: kept };
    }
    const session = this.sessions.get(id);
    if (session === undefined) return { id: 0, error: 70, fetches: undefined };
    if (session.epoch !== epoch) return { id: 0, error: 71, fetches: undefined };
    session.epoch++;
    for (const { partition, offset } of named) session.kept.set(partition, offset);
    for (const { partition } of forgotten) session.kept.delete(partition);
    return { id, error: 0, fetches: session.kept };
  }
}

test("whatever is lost, refused or forgotten, a broker that answers fetches just what is wanted", () => {
  const step = fc.record({
    /** Of six partitions: the offset that is wanted, or none. */
    wanted: fc
      .array(fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined }), { minLength: 6, maxLength: 6 })
      .filter((offsets) => offsets.some((offset) => offset !== undefined)),
    happens: fc.constantFrom("answered", "answered", "answered", "lost", "unheard", "evicted", "full"),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const session = new FetchSession();
      const broker = new ModelBroker();
      for (const { wanted, happens } of steps) {
        const all = wanted.flatMap((offset, partition) =>
          offset === undefined ? [] : [wants(partition, offset)],
        );
        if (happens === "evicted") broker.sessions.clear();
        const request = session.request(all, MAX_BYTES, true);
        // It may have come to the broker, or not.
        const answered = happens === "lost" ? undefined : broker.take(request, happens !== "full");
        if (answered === undefined || happens === "unheard") {
          session.failed();
          continue;
        }
        const { id, error, fetches } = answered;
        expect(session.answered(id, error)).toBe(error !== 0);
        if (fetches === undefined) continue;
        expect(fetches).toEqual(new Map(all.map(({ from }) => [from.partition, from.offset])));
      }
    }),
  );
});
