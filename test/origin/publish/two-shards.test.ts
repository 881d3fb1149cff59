/** Two shards, each led by another origin of one slice: whoever comes through either, one of them writes. In virtual time. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { PublishOutcome } from "../../../edge/shard/publishing/outcome.ts";
import { Publishing } from "../../../edge/shard/publishing/publishing.ts";
import { PublishDoor } from "../../../origin/publish/door.ts";
import { Marker } from "../../../origin/publish/mark.ts";
import { Publisher } from "../../../origin/publish/publisher.ts";
import { readStreams } from "../../../shared/config/streams.ts";
import { decodePublish, type Writing } from "../../../shared/protocol/publish.ts";
import { range } from "../../support/contract-records.ts";
import { ModelSink, ModelTopic } from "../../support/model-sink.ts";

const HOURS_MS = 2 * 3_600_000;
const EVERY_MS = 10_000;
const PARTITIONS = 4;

/** One origin's uplink to one shard. */
class Uplink {
  readonly bufferedAmount = 0;
  readonly origin: Origin;

  constructor(origin: Origin) {
    this.origin = origin;
  }

  send(): void {}
  close(): void {}
}

class Origin {
  readonly door: PublishDoor;
  readonly publisher: Publisher;
  readonly uplinks: Uplink[] = [];

  constructor(topic: ModelTopic, announce: (from: Origin, writing: Writing) => void) {
    const sink = new ModelSink(topic, { delay: () => delayMs, isLost: () => false });
    const streams = readStreams({ streams: { t: { title: "t", subscribe: "public", publish: "public" } } });
    if (!streams.ok) throw new Error(streams.problems.join());
    this.publisher = new Publisher({
      sink,
      marker: new Marker([Buffer.alloc(32, 1)]),
      announce: (news) => this.door.writes(news),
    });
    this.door = new PublishDoor({
      streams: streams.streams,
      publisher: this.publisher,
      announce: (writing) => announce(this, writing),
      log: () => {},
      now: () => performance.now(),
      wall: Date.now,
    });
  }
}

let topic: ModelTopic;
/** How long each step takes at the log. */
let delayMs: number;
/** Whether each origin has an uplink to its own shard only. */
let areApart: boolean;
let origins: readonly Origin[];
let shards: readonly Publishing<Uplink>[];

beforeEach(() => {
  vi.useFakeTimers();
  topic = new ModelTopic(PARTITIONS);
  delayMs = 5;
  areApart = false;
  origins = range(0, 2).map(
    () =>
      new Origin(topic, (from, writing) => {
        for (const [i, shard] of shards.entries()) {
          const uplink = from.uplinks[i];
          if (uplink !== undefined && (!areApart || from === origins[i])) shard.writes(uplink, writing);
        }
      }),
  );
  for (const origin of origins) origin.uplinks.push(new Uplink(origin), new Uplink(origin));
  shards = range(0, 2).map((i) => {
    const shard: Publishing<Uplink> = new Publishing<Uplink>({
      now: () => performance.now(),
      wall: Date.now,
      random: Math.random,
      after: (ms, run) => {
        const timer = setTimeout(run, ms);
        return () => clearTimeout(timer);
      },
      // Each is led by an origin of its own; the other one stands by.
      actives: () => [origins[i]?.uplinks[i]],
      isHeard: () => true,
      isOpen: () => true,
      mayTopic: () => true,
      send: (uplink, frame) => {
        const read = decodePublish(frame);
        if (!read.ok) throw new Error(read.problem);
        const { id } = read.value;
        void uplink.origin.door.take(read.value).then((result) => shard.published(uplink, id, result));
      },
    });
    return shard;
  });
});
afterEach(async () => {
  await Promise.all(origins.map(({ publisher }) => publisher.close()));
  vi.useRealTimers();
});

function publish(shard: number, key: string, id: string): Promise<PublishOutcome> | undefined {
  const said = { issuer: "i", subject: "s", by: "client", headers: [], value: Buffer.from(id) } as const;
  return shards[shard]?.publish({ ...said, endpoint: `/t/${key}`, key: id });
}

const claims = () => topic.partitions.reduce((sum, partition) => sum + partition.claims, 0);
const records = () => topic.partitions.reduce((sum, { known }) => sum + known.length, 0);

test("[W8] publishes through both are written for hours, and no partition is taken from one another", async () => {
  const outcomes: PublishOutcome[] = [];
  let count = 0;
  const step = async () => {
    for (const shard of [0, 1])
      void publish(shard, `key-${count % 17}`, `${count++}`)?.then((outcome) => outcomes.push(outcome));
    await vi.advanceTimersByTimeAsync(EVERY_MS);
  };
  for (let ms = 0; ms < 60_000; ms += EVERY_MS) await step();
  const atFirst = claims();

  for (let ms = 0; ms < HOURS_MS; ms += EVERY_MS) await step();

  expect(claims()).toBe(atFirst);
  expect(outcomes.filter(({ kind }) => kind === "position")).toHaveLength(count);
  expect(records()).toBe(count);
}, 120_000);

test("[W8] while one takes a partition, however long that lasts, the other isn't asked to: they would relieve one another", async () => {
  // That takes longer than the shortest pause.
  delayMs = 800;
  const first = publish(0, "key", "a");
  await vi.advanceTimersByTimeAsync(1_500);
  const second = publish(1, "key", "b");
  await vi.advanceTimersByTimeAsync(8_500);

  expect([await first, await second]).toMatchObject([{ kind: "position" }, { kind: "position" }]);
  expect(topic.partitions.map(({ claims }) => claims)).toEqual([1, 1, 1, 1]);
});

test("[W8] where neither hears of the other they take a partition from one another ever more rarely", async () => {
  areApart = true;
  const perMinute: number[] = [];
  for (let minute = 0; minute < 10; minute++) {
    const before = claims();
    for (let i = 0; i < 60; i++) {
      for (const shard of [0, 1]) void publish(shard, "key", `${minute}-${i}-${shard}`);
      await vi.advanceTimersByTimeAsync(1_000);
    }
    perMinute.push(claims() - before);
  }

  // Each of the two in 30 s.
  expect(Math.max(...perMinute.slice(1))).toBeLessThanOrEqual(4);
}, 60_000);

test("[W3] [W8] one publish that comes through both at once is one record, and both are told the same", async () => {
  const rounds = 50;
  for (let round = 0; round < rounds; round++) {
    const both = [publish(0, `key-${round}`, `${round}`), publish(1, `key-${round}`, `${round}`)];
    await vi.advanceTimersByTimeAsync(round % 7);
    await vi.advanceTimersByTimeAsync(10_000);
    const outcomes = await Promise.all(both);
    const places = outcomes.flatMap((outcome) => (outcome?.kind === "position" ? [outcome.position] : []));

    expect(places.length).toBeGreaterThan(0);
    expect(new Set(places).size).toBe(1);
    for (const outcome of outcomes)
      if (outcome?.kind === "error") expect(["in_flight", "unavailable"]).toContain(outcome.code);
    expect(await again(round)).toEqual({ kind: "position", position: places[0] });
  }
  expect(records()).toBe(rounds);
}, 60_000);

/** The same once more, through the second shard. */
async function again(round: number): Promise<PublishOutcome | undefined> {
  const outcome = publish(1, `key-${round}`, `${round}`);
  await vi.advanceTimersByTimeAsync(10_000);
  return outcome;
}
