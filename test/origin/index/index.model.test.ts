/** Whatever happens to an index, it answers as a list of everything that was appended would. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { IndexedRecord } from "../../../origin/index/record.ts";
import type { Batch } from "../../../origin/source/source.ts";
import { IndexModel, type ModelRecord } from "../../support/index-model.ts";
import { IndexFixture } from "../../support/index-records.ts";

const TOPICS = { plain: { maxAgeMs: 2_000 }, compacted: { maxAgeMs: 1_000, keepLatest: true } };
const MAX_RECORDS = 60;
const KEYS = ["", "a", "b", "c", "k".repeat(31), "k".repeat(32), "k".repeat(1_024)].map((key) =>
  Buffer.from(key),
);
const TOO_LONG = Buffer.alloc(1_025);

const place = { topic: fc.constantFrom("plain", "compacted"), partition: fc.integer({ min: 0, max: 1 }) };
const written = fc.record({
  /** From the offset before: compaction leaves holes. */
  step: fc.integer({ min: 1, max: 3 }),
  key: fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...KEYS) }, fc.constantFrom(null, TOO_LONG)),
  value: fc.oneof(fc.constant(null), fc.uint8Array({ maxLength: 20 }), fc.constant(Buffer.alloc(9_000))),
  /** How long ago; negative: a clock that runs ahead. */
  age: fc.oneof(fc.constant(undefined), fc.integer({ min: -500, max: 1_500 })),
});
const command = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      does: fc.constant("append" as const),
      ...place,
      /** How many offsets are sent that were sent before. */
      again: fc.integer({ min: 0, max: 5 }),
      records: fc.array(written, { maxLength: 8, size: "max" }),
      after: fc.integer({ min: 0, max: 2 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ does: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 700 }) }),
  },
  { weight: 1, arbitrary: fc.record({ does: fc.constant("reopen" as const) }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant("crash" as const) }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant("create again" as const), ...place }) },
);
type Command = typeof command extends fc.Arbitrary<infer T> ? T : never;

/** One index, its model, and the log that both read. */
class Pair {
  readonly fixture = new IndexFixture({
    topics: TOPICS,
    bounds: { maxRecords: MAX_RECORDS, maxBytes: 60_000 },
  });
  readonly model = new IndexModel((topic) => topic === "compacted");
  readonly #logs = new Map<string, Batch["records"][number][]>();
  #incarnations = 0;

  constructor() {
    for (const topic of Object.keys(TOPICS))
      for (const partition of [0, 1]) this.#create(topic, partition, partition * 7);
  }

  run(step: Command): void {
    const { fixture } = this;
    if (step.does === "append") this.#append(step);
    else if (step.does === "wait") {
      fixture.now += step.ms;
      fixture.index.tick();
    } else if (step.does === "reopen") expect(fixture.reopen().rebuilt).toBeUndefined();
    else if (step.does === "create again") this.#create(step.topic, step.partition, 0);
    else this.#crash();
    // What is dropped is the index's to decide, but only ever more.
    for (const { topic, partition, epoch, horizon, checkpoint } of fixture.index.facts().partitions) {
      const known = this.model.partitions.get(`${topic}/${partition}`);
      expect(known).toMatchObject({ epoch, checkpoint });
      if (known === undefined) continue;
      expect(horizon).toBeGreaterThanOrEqual(known.horizon);
      expect(horizon).toBeLessThanOrEqual(checkpoint);
      known.horizon = horizon;
    }
  }

  #append({ topic, partition, again, records, after }: Extract<Command, { does: "append" }>): void {
    const log = this.#logs.get(`${topic}/${partition}`) ?? [];
    const known = this.model.partitions.get(`${topic}/${partition}`);
    let offset = (known?.checkpoint ?? 0) - 1;
    for (const { step, key, value, age } of records) {
      offset += step;
      const timestamp = age === undefined ? undefined : this.fixture.now - age;
      log.push({ offset, timestamp, key, value, headers: [] });
    }
    const nextOffset = offset + 1 + after;
    const batch = { records: log.slice(-records.length - again), nextOffset, endOffset: nextOffset };
    this.#send(topic, partition, known?.epoch ?? "", batch);
  }

  #send(topic: string, partition: number, epoch: string, batch: Batch): void {
    const taken = this.fixture.index.append(topic, partition, epoch, batch);
    this.#expectSame(taken, this.model.append(topic, partition, batch));
  }

  #create(topic: string, partition: number, start: number): void {
    const epoch = `${topic}.${partition}.${this.#incarnations++}`;
    this.#logs.set(`${topic}/${partition}`, []);
    this.fixture.begin(topic, partition, epoch, start);
    this.model.begin(topic, partition, epoch, start);
  }

  /** What was lost is read from the log again, in whatever order. */
  #crash(): void {
    expect(this.fixture.crash().rebuilt).toBeUndefined();
    for (const { topic, partition, epoch, checkpoint } of this.fixture.index.facts().partitions) {
      const end = this.model.partitions.get(`${topic}/${partition}`)?.checkpoint ?? 0;
      expect(checkpoint).toBeLessThanOrEqual(end);
      this.model.forget(topic, partition, checkpoint);
      const records = (this.#logs.get(`${topic}/${partition}`) ?? []).slice(-12);
      const lost = records.filter(({ offset }) => offset >= checkpoint);
      if (lost.length > 0 || end > checkpoint)
        this.#send(topic, partition, epoch, { records, nextOffset: end, endOffset: end });
    }
  }

  check(from: ReadonlyMap<string, number>, limits: { maxRecords: number; maxBytes: number }): void {
    const { index, now } = this.fixture;
    for (const topic of Object.keys(TOPICS))
      for (const bytes of KEYS) {
        const key = bytes.toString("hex");
        const tails = this.model.tails(topic, key);
        expect(index.tails(topic, bytes)).toEqual(tails);
        const { record, position } = index.latest(topic, bytes);
        expect(position).toEqual(tails);
        this.#expectSame(record ? [record] : [], this.model.held(topic, key).slice(-1));
        const page = index.after(topic, bytes, from, limits);
        const expected = this.model.after(topic, key, from, limits);
        this.#expectSame(page.records, expected.records);
        expect(page.more).toBe(expected.more);
        const recent = index.recent(topic, bytes, { ...limits, maxAgeMs: 900, now });
        this.#expectSame(recent, this.model.recent(topic, key, limits, now - 900));
      }
  }

  /** The bounds hold once there was time to drop what is over. */
  checkBounds(): void {
    this.fixture.settle();
    const { partitions } = this.fixture.index.facts();
    expect(partitions.reduce((sum, { records }) => sum + records, 0)).toBeLessThanOrEqual(MAX_RECORDS);
  }

  #expectSame(found: readonly IndexedRecord[], expected: readonly ModelRecord[]): void {
    const simple = ({ offset, timestamp, key, value }: Omit<IndexedRecord, "epoch" | "kind">) => ({
      offset,
      timestamp,
      key: Buffer.from(key).toString("hex"),
      value: value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value,
    });
    expect(found.map((record) => ({ epoch: record.epoch, ...simple(record) }))).toEqual(
      expected.map(({ epoch, source }) => ({
        epoch,
        ...simple({ ...source, key: source.key ?? Buffer.of(), previous: undefined, arrival: 0 }),
      })),
    );
    for (const { epoch, offset, key, previous } of found) {
      const right = this.model.previous({ epoch, offset, key: Buffer.from(key).toString("hex") });
      const partition = [...this.model.partitions.values()].find((candidate) => candidate.epoch === epoch);
      // One that was dropped may be known or not, but never another.
      const mayBeUnknown = right === undefined || right < (partition?.horizon ?? 0);
      expect(mayBeUnknown && previous === undefined ? right : previous).toBe(right);
    }
  }
}

describe("an index", () => {
  test("answers as its model, over appends, drops, restarts, crashes and topics that are created again", () => {
    fc.assert(
      fc.property(
        fc.array(command, { maxLength: 60, size: "max" }),
        fc.array(fc.integer({ min: -1, max: 80 }), { minLength: 4, maxLength: 4 }),
        fc.record({
          maxRecords: fc.integer({ min: 1, max: 30 }),
          maxBytes: fc.integer({ min: 0, max: 20_000 }),
        }),
        (steps, offsets, limits) => {
          const pair = new Pair();
          try {
            for (const step of steps) {
              pair.run(step);
              const epochs = [...pair.model.partitions.values()].map(({ epoch }) => epoch);
              const from = epochs.map((epoch, at) => [epoch, offsets[at] ?? -1] as const);
              pair.check(new Map(from.filter(([, offset]) => offset >= 0)), limits);
            }
            pair.checkBounds();
          } finally {
            pair.fixture.remove();
          }
        },
      ),
      { numRuns: 60 },
    );
  }, 120_000);
});
