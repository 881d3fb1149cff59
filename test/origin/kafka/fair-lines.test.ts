/** Partitions that share a slow line to their broker, in simulated time: none of them waits for what others have in plenty. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ApiReader } from "../../../origin/kafka/api-reader.ts";
import { ApiWriter } from "../../../origin/kafka/api-writer.ts";
import type { Fetched } from "../../../origin/kafka/fetch-request.ts";
import { type FetchConnection, Fetcher } from "../../../origin/kafka/fetcher.ts";
import type { Request } from "../../../origin/kafka/request.ts";
import { Turn } from "../../../origin/kafka/turn.ts";
import { seeded } from "../../fault/random.ts";

const TOPIC = Buffer.alloc(16, 7);
const VERSION = 13;
/** Of the line. */
const BYTES_PER_MS = 20;
const STEP_MS = 10;
/** What an answer has for each partition besides records. */
const OVERHEAD_BYTES = 60;

const LIVE = Array.from({ length: 12 }, (_, i) => i + 1);
/** Together they take a third of the line. */
const LIVE_BYTES = 300;
const LIVE_EVERY_MS = 500;
const BACKLOG = 0;
/** Each takes 6.6 s by itself, and is more than is asked for at once. */
const BACKLOG_BATCHES = { count: 15, bytes: 131_072 };
/** The line's share that is left for them is enough for that. */
const ENOUGH_MS = 170_000;

const NOTHING = Buffer.alloc(0);
const ANY_RECORDS = Buffer.alloc(1_000_000);

/** One batch of records. */
interface Written {
  readonly at: number;
  readonly bytes: number;
}

interface From {
  readonly partition: number;
  readonly offset: number;
  readonly maxBytes: number;
}

interface Asked {
  readonly waitMs: number;
  readonly maxBytes: number;
  readonly session: number;
  readonly epoch: number;
  readonly from: readonly From[];
  readonly forgotten: readonly number[];
}

/** In the order in which they fill an answer: who was given something goes behind the others, as Kafka does it. */
type Session = Map<number, From & { readonly toldEnd: number }>;

/** Fills answers as Kafka does, and sends them over a line that all its connections share. */
class SlowBroker {
  readonly written = new Map<number, Written[]>();
  readonly #keepsSessions: boolean;
  readonly #sessions = new Map<number, Session>();
  #news = Promise.withResolvers<void>();
  #sending: { left: number; readonly done: () => void }[] = [];

  constructor(keepsSessions: boolean) {
    this.#keepsSessions = keepsSessions;
  }

  write(partition: number, bytes: number): void {
    const log = this.written.get(partition) ?? [];
    log.push({ at: performance.now(), bytes });
    this.written.set(partition, log);
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }

  /** What the line passes in a step. */
  pass(): void {
    const share = (BYTES_PER_MS * STEP_MS) / this.#sending.length;
    for (const one of this.#sending) one.left -= share;
    const done = this.#sending.filter(({ left }) => left <= 0);
    this.#sending = this.#sending.filter(({ left }) => left > 0);
    for (const one of done) one.done();
  }

  connect(): FetchConnection {
    const connection = {
      closed: false,
      isThrottled: false,
      signs: 0,
      heard: { bytes: 0, ms: 0, longestGapMs: 0 },
      close: () => {},
      ask: <T>(request: Request<T>, answered: (answer: T) => void, failed: (why: Error) => void): void => {
        void answerTo(request).then(answered, failed);
      },
    };
    const answerTo = async <T>(request: Request<T>): Promise<T> => {
      const named = readFetch(request);
      const session = this.#sessionOf(named);
      const asked = { ...named, from: session === undefined ? named.from : [...session.kept.values()] };
      await this.#something(asked);
      const all = this.#answerOf(asked);
      const answer = session === undefined ? all : newsIn(session.kept, all, named.epoch === 0);
      const bytes = answer.reduce((sum, { records }) => sum + records.length + OVERHEAD_BYTES, 0);
      const beganAt = performance.now();
      await new Promise<void>((done) => this.#sending.push({ left: bytes, done }));
      connection.heard = { bytes, ms: performance.now() - beganAt, longestGapMs: STEP_MS };
      connection.signs++;
      return request.decode(new ApiReader(encoded(session?.id ?? 0, answer), VERSION, true)).answer;
    };
    return connection;
  }

  /** What is asked for within a session, if there is one. */
  #sessionOf({ session, epoch, from, forgotten }: Asked): { id: number; kept: Session } | undefined {
    if (!this.#keepsSessions || epoch < 0) return undefined;
    const id = epoch === 0 ? this.#sessions.size + 1 : session;
    const kept: Session = this.#sessions.get(id) ?? new Map();
    this.#sessions.set(id, kept);
    for (const one of from) {
      const { toldEnd = -1 } = kept.get(one.partition) ?? {};
      kept.set(one.partition, { ...one, toldEnd });
    }
    for (const partition of forgotten) kept.delete(partition);
    return { id, kept };
  }

  /** There is something to answer with, or it was waited for as long as was asked. */
  async #something({ from, waitMs }: Asked): Promise<void> {
    const until = performance.now() + waitMs;
    const has = () => from.some(({ partition, offset }) => this.#log(partition).length > offset);
    while (!has() && performance.now() < until) {
      const late = new Promise<void>((resolve) => setTimeout(resolve, until - performance.now()));
      await Promise.race([this.#news.promise, late]);
    }
  }

  /** Whole batches up to the bounds; the first partition that has any gets one at least. */
  #answerOf({ from, maxBytes }: Asked): Fetched[] {
    let left = maxBytes;
    let isFirst = true;
    return from.map(({ partition, offset, maxBytes: most }) => {
      let bytes = 0;
      for (const batch of this.#log(partition).slice(offset)) {
        const fits = bytes + batch.bytes <= Math.min(left, most);
        if (!fits && !(isFirst && bytes === 0)) break;
        bytes += batch.bytes;
      }
      if (bytes > 0) isFirst = false;
      left = Math.max(0, left - bytes);
      const end = this.#log(partition).length;
      const records = bytes === 0 ? NOTHING : ANY_RECORDS.subarray(0, bytes);
      const ends = { highWatermark: end, lastStableOffset: end };
      return { topic: "t", partition, error: 0, diverging: false, ...ends, aborted: [], records };
    });
  }

  #log(partition: number): readonly Written[] {
    return this.written.get(partition) ?? [];
  }
}

function readFetch(request: Request<unknown>): Asked {
  const writer = new ApiWriter(VERSION, true);
  request.encode(writer);
  const reader = new ApiReader(writer.bytes, VERSION, true);
  reader.int32();
  const waitMs = reader.int32();
  reader.int32();
  const maxBytes = reader.int32();
  reader.skip(1);
  const [session, epoch] = [reader.int32(), reader.int32()];
  const from = reader.array(() => {
    reader.uuid();
    const partitions = reader.array(() => {
      const partition = reader.int32();
      reader.int32();
      const offset = reader.int64();
      reader.int32();
      reader.int64();
      const most = reader.int32();
      reader.tags();
      return { partition, offset, maxBytes: most };
    });
    reader.tags();
    return partitions;
  });
  const forgotten = reader.array(() => {
    reader.uuid();
    const partitions = reader.array(() => reader.int32());
    reader.tags();
    return partitions;
  });
  return { waitMs, maxBytes, session, epoch, from: from.flat(), forgotten: forgotten.flat() };
}

/** All at first, and then only what has something or another end. */
function newsIn(kept: Session, all: readonly Fetched[], isFirst: boolean): Fetched[] {
  const news: Fetched[] = [];
  for (const fetched of all) {
    const { partition, records, highWatermark } = fetched;
    const one = kept.get(partition);
    if (one === undefined) continue;
    if (records.length > 0) kept.delete(partition);
    kept.set(partition, { ...one, toldEnd: highWatermark });
    if (isFirst || records.length > 0 || one.toldEnd !== highWatermark) news.push(fetched);
  }
  return news;
}

function encoded(session: number, answer: readonly Fetched[]): Buffer {
  const writer = new ApiWriter(VERSION, true);
  writer.int32(0).int16(0).int32(session);
  writer.array([TOPIC], (id) => {
    writer.uuid(id);
    writer.array(answer, ({ partition, highWatermark, records }) => {
      writer.int32(partition).int16(0).int64(highWatermark).int64(highWatermark).int64(0);
      writer.array([], () => {}).int32(-1);
      writer.bytesField(records).tags();
    });
    writer.tags();
  });
  return writer.tags().bytes;
}

/** Reads as a FetchLoop does. `read` hears when each batch came. */
async function follow(
  fetcher: Fetcher,
  partition: number,
  read: (offset: number) => void,
  sizes: SlowBroker,
) {
  const turn = new Turn();
  const { signal } = new AbortController();
  let offset = 0;
  let mood: "first" | "flowing" | "idle" = "first";
  for (;;) {
    const from = { topic: "t", topicId: TOPIC, partition, offset, leaderEpoch: -1, lastEpoch: -1 };
    const { records } = await fetcher.fetch(from, { mood, knownHeld: 0, turn }, signal, () => {});
    mood = records.length > 0 ? "flowing" : "idle";
    for (let bytes = 0; bytes < records.length; bytes += sizes.written.get(partition)?.[offset++]?.bytes ?? 1)
      read(offset);
  }
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test.each([
  ["keeps fetch sessions", true],
  ["keeps none", false],
])(
  "what is written now comes soon over a slow line, though a backlog of large batches comes over it, and that comes, too: of a broker that %s",
  async (_, keepsSessions) => {
    const random = seeded(1);
    const broker = new SlowBroker(keepsSessions);
    const fetcher = new Fetcher(
      () => broker.connect(),
      (error) => {
        throw error;
      },
    );
    for (let i = 0; i < BACKLOG_BATCHES.count; i++) broker.write(BACKLOG, BACKLOG_BATCHES.bytes);
    const write = (partition: number) => {
      broker.write(partition, LIVE_BYTES);
      setTimeout(write, LIVE_EVERY_MS * (0.5 + random()), partition);
    };
    for (const partition of LIVE) setTimeout(write, LIVE_EVERY_MS * random(), partition);
    setInterval(() => broker.pass(), STEP_MS);
    let latestMs = 0;
    let read = 0;
    for (const partition of LIVE)
      void follow(
        fetcher,
        partition,
        (offset) => {
          const { at = 0 } = broker.written.get(partition)?.[offset] ?? {};
          latestMs = Math.max(latestMs, performance.now() - at);
        },
        broker,
      );
    void follow(fetcher, BACKLOG, () => read++, broker);

    await vi.advanceTimersByTimeAsync(ENOUGH_MS);
    fetcher.close();

    expect(read).toBe(BACKLOG_BATCHES.count);
    // Not more than two batches of the backlog take.
    expect(latestMs).toBeLessThan((2 * BACKLOG_BATCHES.bytes) / BYTES_PER_MS);
  },
);
