/** Fetching from a broker that throttles, falls silent or ends its connections: every fetch is answered, or fails. */
import { test } from "vitest";
import { ApiReader } from "../../../origin/kafka/api-reader.ts";
import type { Mood, Next } from "../../../origin/kafka/ask.ts";
import { BrokerConnection } from "../../../origin/kafka/connection.ts";
import type { Fetched } from "../../../origin/kafka/fetch-request.ts";
import { Fetcher } from "../../../origin/kafka/fetcher.ts";
import { SilentError } from "../../../origin/kafka/hearing.ts";
import { Turn } from "../../../origin/kafka/turn.ts";
import { range } from "../../support/contract-records.ts";
import { eventually } from "../../support/deadline.ts";
import { recordBatch } from "../../support/record-batch.ts";
import { fetchAnswer, frame, ScriptedBroker } from "../../support/scripted-broker.ts";

const TOPIC = Buffer.alloc(16, 7);
const never = new AbortController().signal;

const records = recordBatch({ firstOffset: 0, values: ["a"] });
const answered = (throttleMs = 0, partitions = [0]) =>
  fetchAnswer(
    throttleMs,
    TOPIC,
    partitions.map((partition) => ({ partition, records })),
  );
/** A broker and a fetcher of its own for each test, so that those that have to wait can wait at once. */
class World {
  readonly broker: ScriptedBroker;
  readonly fetcher: Fetcher;
  readonly failures: Error[] = [];
  /** Of life, that those who fetch were given. */
  signs = 0;

  static async begin(finished: (end: () => Promise<void>) => void): Promise<World> {
    const world = new World(await ScriptedBroker.start());
    finished(async () => {
      world.fetcher.close();
      await world.broker.stop();
    });
    return world;
  }

  private constructor(broker: ScriptedBroker) {
    this.broker = broker;
    this.fetcher = new Fetcher(
      () => new BrokerConnection({ brokers: [], clientId: "test" }, broker.address),
      (error) => this.failures.push(error),
    );
  }

  readonly fetch = (partition: number, mood: Mood = "flowing"): Promise<Fetched> => {
    const from = { topic: "t", topicId: TOPIC, partition, offset: 0, leaderEpoch: -1, lastEpoch: -1 };
    return this.fetcher.fetch(from, { mood, knownHeld: 0, turn: new Turn() }, never, () => this.signs++);
  };

  /** Answers once with each of these, and then with the last. */
  readonly answer = (...bodies: readonly [Buffer, ...Buffer[]]): void => {
    let i = 0;
    this.broker.answers.fetch = () => bodies[Math.min(i++, bodies.length - 1)];
  };
}

test.concurrent.for(["first", "flowing", "idle"] as const)(
  "a throttled answer that names nothing is no failure: one that is %s waits as long as the broker wants, and is answered",
  async (mood, { onTestFinished, expect }) => {
    const { broker, fetch, answer, failures } = await World.begin(onTestFinished);
    answer(fetchAnswer(300), fetchAnswer(300), answered());
    const began = performance.now();

    const fetched = await fetch(0, mood);

    expect(fetched.records).toEqual(records);
    expect(performance.now() - began).toBeGreaterThan(590);
    expect(broker.asked.filter((one) => one === "fetch")).toHaveLength(3);
    expect(failures).toEqual([]);
  },
);

test.concurrent("a broker that throttles one connection for minutes is asked over another in seconds, and what waits is answered", {
  timeout: 30_000,
}, async ({ onTestFinished, expect }) => {
  const { broker, fetch, answer, failures } = await World.begin(onTestFinished);
  answer(fetchAnswer(120_000), answered());

  const fetched = await fetch(0);

  expect(fetched.records).toEqual(records);
  expect(broker.sockets).toHaveLength(2);
  expect(failures).toEqual([]);
});

test.concurrent("an answer that names nothing, of a broker that doesn't throttle, is a failure, and not asked for again at once", async ({
  onTestFinished,
  expect,
}) => {
  const { fetch, answer } = await World.begin(onTestFinished);
  answer(fetchAnswer(0));

  await expect(fetch(0)).rejects.toThrow("leaves out a partition");
});

test.concurrent("if the connection ends while the broker throttles, its fetches fail at once, and the next ones are answered", async ({
  onTestFinished,
  expect,
}) => {
  const { broker, fetch, answer } = await World.begin(onTestFinished);
  answer(answered(60_000), answered(0, [0, 1]));
  await fetch(0);
  const waits = fetch(0);
  await eventually(() => broker.sockets.length === 1, "one connection");

  broker.sockets[0]?.end();

  await expect(waits).rejects.toBeInstanceOf(Error);
  expect((await fetch(0)).records).toEqual(records);
  expect((await fetch(1)).records).toEqual(records);
});

test.concurrent("while a broker throttles, or an answer comes slowly, there are signs of life; of a silent one there are none", async ({
  onTestFinished,
  expect,
}) => {
  const world = await World.begin(onTestFinished);
  const { broker, fetch, answer } = world;
  answer(answered(2_500), answered());
  const began = performance.now();
  await fetch(0);
  await fetch(0);
  // One a second: a machine that is late waits for longer, and is given more.
  expect(world.signs).toBeGreaterThanOrEqual(2);
  expect(world.signs).toBeLessThanOrEqual((performance.now() - began) / 1_000);

  delete broker.answers.fetch;
  const before = world.signs;
  await expect(fetch(0)).rejects.toBeInstanceOf(SilentError);

  expect(world.signs).toBe(before);
});

test.concurrent("a broker that answers that there is nothing is alive", async ({
  onTestFinished,
  expect,
}) => {
  const world = await World.begin(onTestFinished);
  const { fetch, answer } = world;
  const nothing = fetchAnswer(0, TOPIC, [{ partition: 0, records: Buffer.alloc(0) }]);
  answer(nothing, nothing, nothing, answered());

  await fetch(0);

  expect(world.signs).toBe(3);
});

test.concurrent("those that wait in the queue because the broker throttles all connections are given signs of life, too", async ({
  onTestFinished,
  expect,
}) => {
  const world = await World.begin(onTestFinished);
  const { broker, fetcher, fetch } = world;
  broker.answers.fetch = () => fetchAnswer(60_000);
  const waits = [fetch(0)];
  await broker.until("fetch", 1);
  // On the other connection.
  waits.push(fetch(1));
  await broker.until("fetch", 2);
  waits.push(fetch(2));
  const ended = Promise.allSettled(waits);
  const others = world.signs;

  await eventually(() => world.signs >= others + 6, "two signs for each of the three");

  fetcher.close();
  for (const { status } of await ended) expect(status).toBe("rejected");
});

test.concurrent("an answer may take far longer than a broker may be silent", { timeout: 30_000 }, async ({
  onTestFinished,
  expect,
}) => {
  const world = await World.begin(onTestFinished);
  const { broker, fetch, failures } = world;
  const batch = recordBatch({ firstOffset: 0, values: range(0, 12).map(() => "x".repeat(10_000)) });
  const body = fetchAnswer(0, TOPIC, [{ partition: 0, records: batch }]);
  broker.answers.fetch = (socket, correlation) => {
    const whole = frame(correlation, body);
    const pieces = range(0, 12).map((i) =>
      whole.subarray((i * whole.length) / 12, ((i + 1) * whole.length) / 12),
    );
    const next = setInterval(() => {
      const piece = pieces.shift();
      if (piece === undefined) clearInterval(next);
      else socket.write(piece);
    }, 1_000);
    return undefined;
  };

  const fetched = await fetch(0);

  expect(fetched.records).toEqual(batch);
  expect(world.signs).toBeGreaterThan(8);
  expect(failures).toEqual([]);
});

test.concurrent("of a line that gets slow in the middle of a large answer less is asked for, and that is no failure", {
  timeout: 60_000,
}, async ({ onTestFinished, expect }) => {
  const { broker, fetch, answer, failures } = await World.begin(onTestFinished);
  const large = fetchAnswer(0, TOPIC, [{ partition: 0, records: Buffer.alloc(1024 * 1024) }]);
  answer(large);
  for (const _ of range(0, 6)) await fetch(0);
  broker.answers.fetch = (socket, correlation) => {
    const whole = frame(correlation, large);
    let at = 0;
    const next = setInterval(() => {
      if (socket.destroyed) return clearInterval(next);
      socket.write(whole.subarray(at, at + 5_000));
      at += 5_000;
    }, 500);
    return undefined;
  };
  const comes = fetch(0);
  await broker.until("fetch", 7);

  answer(answered());
  const fetched = await comes;

  expect(fetched.records).toEqual(records);
  expect(broker.sockets).toHaveLength(2);
  expect(failures).toEqual([]);
});

/** Of a request to fetch, of version 13: its session, and how many partitions it names. */
function sessionOf(request: Buffer) {
  const reader = new ApiReader(request.subarray(10 + request.readInt16BE(8)), 13, true);
  reader.tags();
  reader.skip(4 + 4 + 4 + 4 + 1); // replica, waits, bytes, isolation
  return { id: reader.int32(), epoch: reader.int32(), named: reader.arrayLength() };
}

test.concurrent("of a broker that keeps a session only what has changed is asked for; what it leaves out goes on waiting, or stands as it was", async ({
  onTestFinished,
  expect,
}) => {
  const { broker, fetch } = await World.begin(onTestFinished);
  const asked: ReturnType<typeof sessionOf>[] = [];
  const session = { id: 5, error: 0 };
  const whole = [0, 1, 2].map((partition) => ({ partition, records: Buffer.alloc(0) }));
  const one = [{ partition: 1, records }];
  broker.answers.fetch = (_socket, _correlation, request) => {
    asked.push(sessionOf(request));
    return fetchAnswer(0, TOPIC, asked.length === 1 ? whole : asked.length < 5 ? [] : one, session);
  };

  const waits = [fetch(0), fetch(1), fetch(2)] as const;
  const fetched = await waits[1];
  const first = await fetch(1, "first");

  expect(fetched.records).toEqual(records);
  // There is no news of it.
  expect(first).toMatchObject({ partition: 1, highWatermark: 1 });
  expect(asked[0]).toEqual({ id: 0, epoch: 0, named: 3 });
  expect(asked[1]).toEqual({ id: 5, epoch: 1, named: 0 });
  expect(asked[4]).toEqual({ id: 5, epoch: 4, named: 0 });
  expect(broker.sockets).toHaveLength(1);
  await expect(Promise.race([waits[0], waits[2], "waits"])).resolves.toBe("waits");
  for (const wait of waits) wait.catch(() => {});
});

test.concurrent("after an answer that may have been cut short all is asked for in order, which a session doesn't keep; then it goes on", async ({
  onTestFinished,
  expect,
}) => {
  const { broker, fetch } = await World.begin(onTestFinished);
  const asked: ReturnType<typeof sessionOf>[] = [];
  const session = { id: 5, error: 0 };
  const large = recordBatch({ firstOffset: 0, values: ["x".repeat(20_000)] });
  broker.answers.fetch = (_socket, _correlation, request) => {
    asked.push(sessionOf(request));
    const whole = [0, 1, 2].map((partition) => ({
      partition,
      records: asked.length === 2 && partition === 1 ? large : Buffer.alloc(0),
    }));
    return asked.length < 4
      ? fetchAnswer(0, TOPIC, whole, asked.length === 3 ? undefined : session)
      : fetchAnswer(0, TOPIC, [{ partition: 1, records }], session);
  };

  const waits = [fetch(0), fetch(1), fetch(2)] as const;
  await waits[1];
  await fetch(1);

  expect(asked.slice(1, 4)).toEqual([
    { id: 5, epoch: 1, named: 0 },
    { id: 0, epoch: -1, named: 3 },
    { id: 5, epoch: 2, named: 0 },
  ]);
  for (const wait of waits) wait.catch(() => {});
});

test.concurrent.for([70, 71, 106])(
  "a broker that refuses its session with %i is asked again at once, over the same connection, with all that is wanted",
  async (error, { onTestFinished, expect }) => {
    const { broker, fetch, failures } = await World.begin(onTestFinished);
    const asked: ReturnType<typeof sessionOf>[] = [];
    broker.answers.fetch = (_socket, _correlation, request) => {
      asked.push(sessionOf(request));
      const none = [0, 1].map((partition) => ({ partition, records: Buffer.alloc(0) }));
      const both = [0, 1].map((partition) => ({ partition, records }));
      if (asked.length === 1) return fetchAnswer(0, TOPIC, none, { id: 5, error: 0 });
      return asked.length === 2
        ? fetchAnswer(0, undefined, [], { id: 0, error })
        : fetchAnswer(0, TOPIC, both, { id: 6, error: 0 });
    };

    const both = await Promise.all([fetch(0), fetch(1)]);

    for (const fetched of both) expect(fetched.records).toEqual(records);
    expect(asked.slice(0, 3)).toEqual([
      { id: 0, epoch: 0, named: 2 },
      { id: 5, epoch: 1, named: 0 },
      { id: 5, epoch: 0, named: 2 },
    ]);
    expect(broker.sockets).toHaveLength(1);
    expect(failures).toEqual([]);
  },
);

test.concurrent("an answer that its asker takes is no answer to wait for: what it wants next is asked for", async ({
  onTestFinished,
  expect,
}) => {
  const { broker, fetcher, answer } = await World.begin(onTestFinished);
  answer(answered());
  const from = { topic: "t", topicId: TOPIC, partition: 0, offset: 0, leaderEpoch: -1, lastEpoch: -1 };
  const taken: Fetched[] = [];
  const take = (fetched: Fetched): Next | undefined => {
    taken.push(fetched);
    if (taken.length === 3) return undefined;
    return { from: { ...from, offset: taken.length }, mood: "flowing", knownHeld: 0 };
  };

  const standing = { mood: "first", knownHeld: 0, turn: new Turn() } as const;
  const fetched = await fetcher.fetch(from, standing, never, () => {}, take);

  expect(taken).toHaveLength(3);
  expect(fetched).toBe(taken[2]);
  expect(broker.asked.filter((one) => one === "fetch")).toHaveLength(3);
});

test.concurrent("renewed, nothing that was under way is waited for, and what comes next goes over new connections", async ({
  onTestFinished,
  expect,
}) => {
  const { broker, fetcher, fetch, answer } = await World.begin(onTestFinished);
  delete broker.answers.fetch;
  const stuck = [fetch(0), fetch(1)].map((one) => one.catch((error: unknown) => error));
  await broker.until("fetch");

  answer(answered(0, [0, 1, 2]));
  fetcher.renew();

  for (const one of stuck) expect(await one).toBeInstanceOf(Error);
  expect((await fetch(2)).records).toEqual(records);
  expect(broker.sockets.length).toBeGreaterThan(1);
});

test.concurrent.for(range(1, 6))(
  "whatever is aborted, renewed, throttled or cut meanwhile, no fetch is forgotten: order %i",
  { timeout: 30_000 },
  async (seed, { onTestFinished, expect }) => {
    const { broker, fetcher } = await World.begin(onTestFinished);
    let state = seed;
    const below = (bound: number) => {
      state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
      return Math.floor((state / 2 ** 31) * bound);
    };
    const nothing = fetchAnswer(
      0,
      TOPIC,
      range(0, 4).map((partition) => ({ partition, records: Buffer.alloc(0) })),
    );
    const all = answered(0, range(0, 4));
    broker.answers.fetch = (socket, correlation) => {
      const kind = below(20);
      if (kind === 0) return void socket.end();
      if (kind < 3) return fetchAnswer(2);
      setTimeout(() => socket.write(frame(correlation, kind < 12 ? nothing : all)), below(8));
      return undefined;
    };
    const outcomes: unknown[] = [];
    const reader = async (partition: number) => {
      const from = { topic: "t", topicId: TOPIC, partition, offset: 0, leaderEpoch: -1, lastEpoch: -1 };
      const turn = new Turn();
      for (const _ of range(0, 20)) {
        const stop = new AbortController();
        const mood = (["first", "flowing", "idle"] as const)[below(3)] ?? "idle";
        const fetching = fetcher.fetch(from, { mood, knownHeld: 0, turn }, stop.signal, () => {});
        if (below(3) === 0) setTimeout(() => stop.abort("aborted"), below(8));
        if (below(40) === 0) fetcher.renew();
        if (below(40) === 0) fetcher.dropIdle();
        outcomes.push(await fetching.catch((why: unknown) => why));
      }
    };

    // Two readers of each.
    await Promise.all(range(0, 8).map((i) => reader(i % 4)));

    expect(outcomes).toHaveLength(160);
    expect(outcomes.filter((one) => one instanceof SilentError)).toEqual([]);
    expect(outcomes.filter((one) => one === "aborted").length).toBeGreaterThan(10);
    expect(outcomes.filter((one) => one instanceof Object && "records" in one).length).toBeGreaterThan(40);
  },
);
