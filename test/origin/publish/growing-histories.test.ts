/**
 * However a topic gets partitions while origins publish to it that are behind, are replaced, or take partitions from one
 * another: a publish that comes again is one record. Histories are made up; a failing one is printed.
 */
import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Marker } from "../../../origin/publish/mark.ts";
import { Publisher } from "../../../origin/publish/publisher.ts";
import { partitionOf } from "../../../shared/core/partitioner.ts";
import { range } from "../../support/contract-records.ts";
import { HISTORIES, SEED } from "../../support/long.ts";
import { ModelSink, ModelTopic } from "../../support/model-sink.ts";
import { codeOf, publishOf } from "../../support/sink-contract.ts";

const SECRET = Buffer.alloc(32, 1);
const ORIGINS = 3;
const KEYS = 4;
/** Shorter than it is, as all that takes long. */
const WINDOW_MS = 60_000;
/** An origin that takes a look sees what there is: its brokers are never behind for as long as a publish may come again. */
const BEHIND_MS = 15_000;
const ENDED_MS = 20_000;

type Event =
  | { readonly kind: "publish"; readonly origin: number; readonly id: number; readonly claim: boolean }
  | { readonly kind: "grow"; readonly more: number }
  | { readonly kind: "see" | "replace"; readonly origin: number }
  | { readonly kind: "pass"; readonly ms: number };

class World {
  readonly topic = new ModelTopic(2);
  readonly origins: { sink: ModelSink; publisher: Publisher }[];
  /** All that ever were: one that was replaced may still be there. */
  readonly all: Publisher[] = [];
  readonly began = new Map<number, number>();
  readonly answers: {
    readonly id: number;
    readonly result: string;
    /** Whether it is somewhere else than it would be written now. */
    readonly hasMoved: boolean;
  }[] = [];
  readonly marks = new Map<number, string>();
  readonly #chance: () => number;

  constructor(chance: () => number, isSettled: boolean) {
    this.#chance = chance;
    if (isSettled) this.topic.settled.add(2);
    this.origins = range(0, ORIGINS).map(() => this.#origin());
  }

  async play(event: Event): Promise<void> {
    switch (event.kind) {
      case "publish":
        this.#publish(event.origin, event.id, event.claim);
        return;
      case "grow":
        this.topic.grow(event.more);
        return;
      case "see":
        this.#see(event.origin);
        return;
      case "replace":
        this.origins[event.origin] = this.#origin();
        return;
      case "pass":
        if (event.ms > BEHIND_MS) for (const origin of this.origins.keys()) this.#see(origin);
        await vi.advanceTimersByTimeAsync(event.ms);
        return;
    }
  }

  async end(): Promise<void> {
    await vi.advanceTimersByTimeAsync(ENDED_MS);
    await Promise.all(this.all.map((publisher) => publisher.close()));
  }

  /** Where each publish is in the log. */
  places(): Map<string, string[]> {
    const places = new Map<string, string[]>();
    for (const [partition, { known }] of this.topic.partitions.entries())
      for (const { id, offset } of known)
        places.set(id, [...(places.get(id) ?? []), `t.${partition}:${offset}`]);
    return places;
  }

  #origin() {
    const sink = new ModelSink(this.topic, {
      delay: () => Math.floor(20 * this.#chance()),
      isLost: () => this.#chance() < 0.1,
    });
    const publisher = new Publisher({ sink, marker: new Marker([SECRET]), windowMs: WINDOW_MS });
    this.all.push(publisher);
    return { sink, publisher };
  }

  #see(origin: number): void {
    const { sink } = this.origins[origin] ?? {};
    if (sink !== undefined) sink.seen = this.topic.partitions.length;
  }

  #publish(origin: number, id: number, claim: boolean): void {
    const { publisher } = this.origins[origin] ?? {};
    const now = Date.now();
    const began = this.began.get(id) ?? now;
    // Later nobody comes again with it.
    if (publisher === undefined || now - began > WINDOW_MS) return;
    this.began.set(id, began);
    const key = Buffer.from(`key ${id % KEYS}`);
    if (claim) publisher.takeOver("t", key);
    const request = publishOf("t", {
      key,
      value: Buffer.from(String(id)),
      id: { issuer: "i", subject: "s", key: String(id), chosenBy: "client" },
      deadline: performance.now() + 9_500,
      until: now + 8_000,
    });
    this.marks.set(id, new Marker([SECRET]).marksOf(request)[0].id);
    void publisher.publish(request).then((answer) => {
      const result = "position" in answer ? answer.position : codeOf(answer);
      const now = `t.${partitionOf(key, this.topic.partitions.length)}:`;
      this.answers.push({ id, result, hasMoved: result.includes(":") && !result.startsWith(now) });
    });
  }
}

const origin = fc.nat({ max: ORIGINS - 1 });
const event: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant("publish" as const),
      origin,
      id: fc.nat({ max: 7 }),
      claim: fc.constantFrom(true, true, false),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("grow" as const), more: fc.integer({ min: 1, max: 3 }) }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom("see" as const, "replace" as const), origin }) },
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant("pass" as const),
      ms: fc.constantFrom(0, 5, 30, 100, 1_500, 4_001, 11_000),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("pass" as const), ms: fc.constantFrom(WINDOW_MS, 130_000) }),
  },
);

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

test(
  "[W3] a publish that comes again is one record, whoever publishes it, while the topic gets partitions",
  async () => {
    let records = 0;
    let moved = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(event, { minLength: 60, maxLength: 120 }),
        fc.boolean(),
        fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })),
        async (events, isSettled, chances) => {
          const world = new World(() => chances.next().value, isSettled);
          for (const one of events) await world.play(one);
          await world.end();

          const places = world.places();
          for (const [id, where] of places) expect([id, where.length]).toEqual([id, 1]);
          for (const { id, result } of world.answers)
            if (result.includes(":")) expect([result]).toEqual(places.get(world.marks.get(id) ?? ""));
          records += places.size;
          moved += world.answers.filter(({ hasMoved }) => hasMoved).length;
        },
      ),
      { numRuns: Math.ceil(HISTORIES / 40), seed: SEED },
    );
    // It was no empty exercise.
    expect(Math.min(records, moved)).toBeGreaterThan(HISTORIES / 40);
  },
  60_000 + HISTORIES * 100,
);
