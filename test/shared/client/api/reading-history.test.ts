/**
 * Iterations over subscriptions of a client against a model of the edge: they are read now and then, are full, pause, leave out or
 * fail, are closed and begun again from their positions, while connections break and updates get lost. However that plays together,
 * each iteration reads what follows what it has read, or is told what it lacks; and in the end it has everything.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { Client, type Subscription, type Update, type WhenFull } from "../../../../shared/client/index.ts";
import { parsePosition } from "../../../../shared/protocol/position.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { ModelEdge } from "../../../support/model-edge.ts";

const ENDPOINTS = Array.from({ length: 6 }, (_, i) => `/flights/${i}`);

interface Reading {
  readonly subscription: Subscription<number>;
  readonly iterator: AsyncIterator<Update<number>, undefined>;
  /** The offset that was read last, or from which it began; undefined: none is known. */
  at: number | undefined;
  isWaiting: boolean;
  over: "closed" | "refused" | "slow_reader" | undefined;
}

const offsetIn = (position: string | undefined) =>
  position === undefined ? undefined : (parsePosition(position)?.get("a") ?? -1);

/** What promises that are settled lead to has happened. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

class World {
  readonly clock = new FakeClock();
  readonly edge = new ModelEdge(ENDPOINTS, () => {});
  readonly client = new Client("ws://edge.example", { transport: this.edge, clock: this.clock });
  readonly readings = new Map<string, Reading>();
  #problem: unknown;
  readonly seen = { read: 0, skipped: 0, gaps: 0, pauses: 0, slow: 0, resumed: 0 };

  begin(endpoint: string, from: string | undefined, whenFull: WhenFull, size: number): void {
    const before = this.readings.get(endpoint);
    if (before !== undefined && before.over === undefined) return;
    const subscription = this.client.subscribe<number>(endpoint, { from, buffer: { size, whenFull } });
    const iterator = subscription[Symbol.asyncIterator]() as Reading["iterator"];
    const reading: Reading = {
      subscription,
      iterator,
      at: offsetIn(from),
      isWaiting: false,
      over: undefined,
    };
    subscription.on("closed", ({ error }) => {
      reading.over =
        error === undefined ? "closed" : error.code === "slow_reader" ? "slow_reader" : "refused";
      if (error?.code === "slow_reader") this.seen.slow++;
    });
    if (from !== undefined) this.seen.resumed++;
    this.readings.set(endpoint, reading);
  }

  /** Closes it, and goes on from where it was. */
  async reopen(endpoint: string, whenFull: WhenFull, size: number): Promise<void> {
    const reading = this.readings.get(endpoint);
    if (reading === undefined) return;
    reading.subscription.close();
    await turn();
    const { position } = reading.subscription;
    if (this.#problem !== undefined) throw this.#problem;
    // What lies unread isn't counted: it comes again.
    this.begin(endpoint, position, whenFull, size);
  }

  async read(endpoint: string): Promise<void> {
    const reading = this.readings.get(endpoint);
    if (reading === undefined || reading.isWaiting) return;
    reading.isWaiting = true;
    reading.iterator
      .next()
      .then(
        ({ value }) => {
          reading.isWaiting = false;
          if (value !== undefined) this.#check(endpoint, reading, value);
        },
        () => {
          reading.isWaiting = false;
          expect(reading.over).not.toBe("closed");
        },
      )
      .catch((problem: unknown) => {
        this.#problem ??= problem;
      });
    await turn();
    if (this.#problem !== undefined) throw this.#problem;
  }

  note(): void {
    for (const { subscription } of this.readings.values())
      if (subscription.phase === "paused") this.seen.pauses++;
  }

  /** All that is under way gets there. */
  flow(): void {
    this.edge.open();
    for (let i = 0; i < 20; i++) {
      this.edge.hear();
      this.edge.answer(i, "verdict");
      this.edge.deliver(1_000);
    }
  }

  /** No more faults, all is read, and as much time passes as it takes. */
  async settle(): Promise<void> {
    for (let second = 0; second < 300; second++) {
      this.flow();
      for (const endpoint of ENDPOINTS) for (let i = 0; i < 10; i++) await this.read(endpoint);
      const present = [...this.readings.values()].filter(({ over }) => over === undefined);
      const isDone = present.every(({ subscription, isWaiting }) => subscription.upToDate && isWaiting);
      if (isDone && (present.length === 0 || this.edge.isQuiet)) return;
      this.clock.pass(1_000);
    }
  }

  async checkEnd(): Promise<void> {
    await this.settle();
    // A connection that lost its last updates shows it with the next ones.
    for (const endpoint of ENDPOINTS) this.edge.append(endpoint, 0);
    await this.settle();

    for (const [endpoint, { over, at }] of this.readings)
      if (over === undefined) expect([endpoint, at]).toEqual([endpoint, this.edge.logs.get(endpoint)?.head]);
    this.client.close();
    await turn();
    expect(
      [...this.readings.values()].filter(({ over, isWaiting }) => over === undefined || isWaiting),
    ).toEqual([]);
    expect(this.clock.pending).toBe(0);
  }

  /** It is the next one after what was read before, but for what it says itself. */
  #check(
    endpoint: string,
    reading: Reading,
    { offset, gap, skipped, position, value }: Update<number>,
  ): void {
    this.seen.read++;
    this.seen.skipped += skipped;
    expect([value, offsetIn(position)]).toEqual([offset, offset]);
    if (gap !== undefined) this.seen.gaps++;
    else if (reading.at !== undefined) {
      const { at } = reading;
      const between = this.edge.logs
        .get(endpoint)
        ?.updates.filter((one) => one.offset > at && one.offset < offset);
      expect([endpoint, offset > at, between?.length]).toEqual([endpoint, true, skipped]);
    }
    reading.at = offset;
  }
}

const which = fc.nat(ENDPOINTS.length - 1);
const whenFull = fc.constantFrom<WhenFull>("pause", "conflate", "error");
const size = fc.integer({ min: 1, max: 4 });
const action = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constantFrom("begin", "reopen" as const), which, whenFull, size }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("close", "pause", "resume" as const), which }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constantFrom("read", "flow" as const), which }) },
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constantFrom("hear", "open", "deliver", "verdict" as const), which }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom("unavailable", "forbidden", "end" as const), which }),
  },
  { weight: 10, arbitrary: fc.record({ do: fc.constant("append" as const), which, sparse: fc.nat(2) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("lose", "forget", "cut" as const), which }) },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant("pass" as const), which, ms: fc.constantFrom(0, 300, 2_000) }),
  },
);
type Action = typeof action extends fc.Arbitrary<infer T> ? T : never;

async function act(world: World, action: Action): Promise<void> {
  const { edge, readings } = world;
  const endpoint = ENDPOINTS[action.which] ?? "";
  switch (action.do) {
    case "begin":
      world.begin(endpoint, undefined, action.whenFull, action.size);
      break;
    case "reopen":
      await world.reopen(endpoint, action.whenFull, action.size);
      break;
    case "close":
    case "pause":
    case "resume":
      readings.get(endpoint)?.subscription[action.do]();
      break;
    case "read":
      await world.read(endpoint);
      break;
    case "flow":
      world.flow();
      break;
    case "hear":
      for (let i = 0; i <= action.which; i++) edge.hear();
      break;
    case "open":
    case "cut":
      edge[action.do]();
      break;
    case "deliver":
      edge.deliver(action.which + 1);
      break;
    case "verdict":
    case "unavailable":
    case "forbidden":
      edge.answer(action.which, action.do);
      break;
    case "end":
      edge.end(action.which, "unavailable");
      break;
    case "append":
      edge.append(endpoint, action.sparse);
      break;
    case "lose":
      edge.lose(action.which);
      break;
    case "forget":
      edge.forget(endpoint);
      break;
    case "pass":
      world.clock.pass(action.ms);
  }
  world.note();
}

test("[P5] each iteration reads what follows what it has read, or is told what it lacks, whatever is paused, left out, cut and begun again", async () => {
  const total = { read: 0, skipped: 0, gaps: 0, pauses: 0, slow: 0, resumed: 0 };
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 50, maxLength: 200, size: "max" }), async (actions) => {
      const world = new World();
      world.edge.open();
      for (const action of actions) await act(world, action);
      for (const { subscription } of world.readings.values()) subscription.resume();

      await world.checkEnd();
      for (const name of Object.keys(total) as (keyof typeof total)[]) total[name] += world.seen[name];
    }),
    { numRuns: 500 },
  );
  // Not in vain: everything has happened.
  for (const [name, count] of Object.entries(total)) expect(count, name).toBeGreaterThan(50);
});
