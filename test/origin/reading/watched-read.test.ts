/** A source may be as faulty as it likes: of what it doesn't read although the log has it, people hear, and it is tried anew. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { readinessOf } from "../../../origin/operate/health.ts";
import { Meter } from "../../../origin/operate/meter.ts";
import { METRICS } from "../../../origin/operate/metrics.ts";
import { statusOf } from "../../../origin/operate/status.ts";
import { Consumer } from "../../../origin/reading/consumer.ts";
import type { Batch, ReadRequest } from "../../../origin/source/source.ts";
import { newWatchCounts } from "../../../origin/watch/counts.ts";
import { Streams } from "../../../shared/config/streams.ts";
import { WHOLE } from "../../../shared/protocol/slice.ts";
import { eventually } from "../../support/deadline.ts";
import { ScriptedSource } from "../../support/scripted-source.ts";
import { NOW, SmallOrigin, STREAM } from "../../support/small-origin.ts";

const STALL = { stallMs: 800, lookMs: 20 };
const TIMING = {
  retry: { baseMs: 4, maxMs: 16 },
  absentMs: 5,
  describeMs: 20,
  forgetMs: 60,
  stall: STALL,
};

type OnBatch = (batch: Batch) => void | Promise<void>;

/** Some of whose reads never return, nor hear of an abort: as they are told, one after the other. */
class DeafSource extends ScriptedSource {
  /** What the next reads do before they fall silent, for ever. */
  readonly deaf: ((request: ReadRequest, onBatch: OnBatch) => void | Promise<void>)[] = [];
  readonly requests: ReadRequest[] = [];

  override async read(request: ReadRequest, onBatch: OnBatch): Promise<void> {
    this.requests.push(request);
    const deaf = this.deaf.shift();
    if (deaf === undefined) return super.read(request, onBatch);
    await deaf(request, onBatch);
    await new Promise<never>(() => {});
  }
}

let source: DeafSource;
let origin: SmallOrigin;
let consumer: Consumer;
let meter: Meter;

beforeEach(() => {
  source = new DeafSource();
  source.topic("t", 1);
  origin = new SmallOrigin();
  meter = new Meter();
});
afterEach(async () => {
  await consumer.stop();
});

function start(): void {
  consumer = new Consumer({
    source,
    streams: new Streams([STREAM]),
    forwarder: origin.forwarder,
    partitions: origin.partitions,
    log: meter.log(origin.recorded.log),
    random: () => 1,
    now: () => NOW,
    fatal: (error) => {
      throw error;
    },
    timing: TIMING,
  });
  consumer.start();
}

function write(count: number): void {
  for (let i = 0; i < count; i++) source.logs.get("t")?.write(0, Buffer.from("a"), Buffer.from("1"));
  source.changed();
}

const partition = () => origin.partitions.all()[0];
const reads = (next: number) =>
  eventually(() => partition()?.next === next && partition()?.trouble === undefined, `it is read to ${next}`);

const status = () =>
  statusOf({
    slice: WHOLE,
    partitions: origin.partitions,
    topics: ["t"],
    watched: 0,
    watchCounts: newWatchCounts(),
    publishCounts: { outcomes: new Map(), tookMs: 0 },
    occupancy: { endpoints: 0, refused: 0 },
    elapsed: 0,
    edges: [],
    index: { partitions: [], counts: { appends: 0, appendMs: 0, dropped: 0 }, diskBytes: 0 },
    indexError: undefined,
    now: NOW,
  });

/** Takes what there is, and then nothing any more. */
const takesWhatIsThere = async (_: ReadRequest, onBatch: OnBatch) => {
  await onBatch({ records: [], nextOffset: 0, endOffset: 0 });
};
const saysNothing = () => {};

test.each([
  ["after a first answer", takesWhatIsThere],
  ["before a first answer", saysNothing],
])(
  "a read that falls silent %s, for ever, is told of in log, health and metrics, and begun anew",
  async (_, deaf) => {
    source.deaf.push(deaf);
    start();
    await eventually(() => source.requests.length === 1, "the first read");
    write(3);
    await eventually(() => partition()?.end === 3, "that the log has more is known though nothing is read");

    const told = await origin.recorded.until("partition_stalled");
    const { body } = readinessOf(status());
    const scrape = { status: status(), meter, version: "0" };

    expect(told).toMatchObject({ topic: "t", partition: 0, code: "stalled" });
    expect(told.message).toMatch(
      /^t\/0: nothing was heard of it for [\d.]+ s, though offset 0 is next, and the log is known to go on to 3$/,
    );
    expect(body.partitions).toMatchObject([
      { state: "failing", lag: 3, error: expect.stringMatching(/^stalled: /) },
    ]);
    expect(METRICS.distributary_partition_failing.read(scrape)).toEqual([[1, "t", "0"]]);
    expect(METRICS.distributary_partition_lag.read(scrape)).toEqual([[3, "t", "0"]]);
    expect(METRICS.distributary_read_retries_total.read(scrape)).toEqual([[1, "stalled"]]);
    await reads(3);
    await origin.recorded.until("trouble_over");
    expect(source.requests.map(({ from, anew }) => [from, anew])).toEqual([
      [0, false],
      [0, true],
    ]);
  },
);

test("as often as it falls silent", async () => {
  source.deaf.push(saysNothing, saysNothing, saysNothing);
  write(3);
  start();

  await reads(3);

  expect(source.requests).toHaveLength(4);
});

test("what a read brings that was given up is dropped: nothing comes twice", async () => {
  let late: OnBatch = () => {};
  source.deaf.push((_, onBatch) => {
    late = onBatch;
  });
  write(2);
  start();
  await reads(2);

  await late({ records: [], nextOffset: 1, endOffset: 2 });

  expect(partition()?.next).toBe(2);
});

test("one that waits at the end of the log, or gives signs of life, is left alone", async () => {
  const { promise: enough, resolve: end } = Promise.withResolvers<void>();
  source.deaf.push(async ({ alive }, onBatch) => {
    await onBatch({ records: [], nextOffset: 0, endOffset: 0 });
    const signs = setInterval(() => alive?.(), 50);
    await enough;
    clearInterval(signs);
  });
  write(3);
  start();

  await new Promise((resolve) => setTimeout(resolve, 3 * STALL.stallMs));
  expect(origin.recorded.of("partition_stalled")).toEqual([]);
  end();

  await reads(3);
  const { length } = origin.recorded.of("partition_stalled");
  await new Promise((resolve) => setTimeout(resolve, 3 * STALL.stallMs));
  expect(origin.recorded.of("partition_stalled")).toHaveLength(length);
});

test("reading stops although a read never returns", async () => {
  source.deaf.push(saysNothing);
  start();
  await eventually(() => source.requests.length === 1, "the first read");

  await consumer.stop();
});

test("a topic of which nothing is said any more is told of, once, and so is that it is over", async () => {
  start();
  await reads(0);
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const { describe } = source;
  source.describe = async () => promise;

  expect(await origin.recorded.until("topic_unreadable")).toMatchObject({ topic: "t", code: "stalled" });
  await origin.recorded.until("still_failing");
  source.describe = describe;
  resolve(undefined);

  await origin.recorded.until("trouble_over");
  expect(origin.recorded.of("topic_unreadable")).toHaveLength(1);
});
