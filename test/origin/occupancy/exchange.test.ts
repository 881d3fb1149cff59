import { beforeEach, describe, expect, test } from "vitest";
import { type CountPort, OccupancyExchange } from "../../../origin/occupancy/exchange.ts";
import { shardOf } from "../../../shared/protocol/address.ts";
import { LIMITS } from "../../../shared/protocol/limits.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const PATH = "/quotes/A";
const QUIET = "/quiet/A";

let clock: FakeClock;
let opening: string[];
let exchange: OccupancyExchange;

beforeEach(() => {
  clock = new FakeClock();
  opening = [];
  exchange = new OccupancyExchange({
    now: () => clock.now(),
    after: (ms, run) => clock.after(ms, run),
    tells: (path) => path !== QUIET,
    opening: () => opening,
  });
  exchange.isAlone = false;
});

/** A shard of an edge, as the exchange sees it. */
class Shard implements CountPort {
  readonly #said: unknown[] = [];

  constructor(edge: string, shard = 0, shards = 1) {
    exchange.connected(this, edge, { shard, shards });
  }

  say(frame: string): void {
    this.#said.push(JSON.parse(frame));
  }

  /** What was said to it since this was last called. */
  take(): unknown[] {
    return this.#said.splice(0);
  }

  wants(path = PATH): void {
    exchange.count(this, path);
  }

  has(subscribers: number, path = PATH): void {
    exchange.counted(this, path, subscribers);
  }
}

const count = { count: PATH };
const enough = { enough: PATH };
const elsewhere = (subscribers: number, endpoint = PATH) => ({ elsewhere: { endpoint, subscribers } });

describe("[D6] an origin between edges", () => {
  test("asks nothing while nobody wants to know; then the others, and passes on their sum, without the asker's own", () => {
    const [a, b, c] = [new Shard("a"), new Shard("b"), new Shard("c")];
    expect([a.take(), b.take(), c.take(), exchange.size]).toEqual([[], [], [], 0]);

    a.wants();
    expect([a.take(), b.take(), c.take()]).toEqual([[], [count], [count]]);
    b.has(3);
    expect(a.take()).toEqual([]);
    c.has(4);
    expect(a.take()).toEqual([elsewhere(7)]);

    // Each of two that want to know it hears of the other, and is asked what it has itself.
    b.wants();
    expect([a.take(), b.take(), c.take()]).toEqual([[count], [], []]);
    a.has(100);
    expect(b.take()).toEqual([elsewhere(104)]);
    clock.pass(100);
    expect(a.take()).toEqual([]);
  });

  test("tells of changes, no more often than every 100 ms, and ends with `enough`", () => {
    const [a, b] = [new Shard("a"), new Shard("b")];
    a.wants();
    b.has(1);
    expect([a.take(), b.take()]).toEqual([[elsewhere(1)], [count]]);
    b.has(2);
    b.has(3);
    clock.pass(99);
    expect(a.take()).toEqual([]);
    clock.pass(1);
    expect(a.take()).toEqual([elsewhere(3)]);

    exchange.enough(a, PATH);
    expect([b.take(), exchange.size]).toEqual([[enough], 0]);
    b.has(4);
    expect([a.take(), b.take()]).toEqual([[], [enough]]);
    clock.pass(20_000);
    expect(clock.pending).toBe(0);
  });

  test("waits for a slow edge no longer than 750 ms, and tells what it says later", () => {
    const [a, b, slow] = [new Shard("a"), new Shard("b"), new Shard("slow")];
    a.wants();
    b.has(2);
    clock.pass(749);
    expect(a.take()).toEqual([]);
    clock.pass(1);
    expect(a.take()).toEqual([elsewhere(2)]);
    clock.pass(100);
    slow.has(5);
    expect(a.take()).toEqual([elsewhere(7)]);
  });

  test("drops what an edge had when that is lost, and asks it when it is back; one that comes is asked, too", () => {
    const [a, b, c] = [new Shard("a"), new Shard("b"), new Shard("c")];
    a.wants();
    b.has(2);
    c.has(3);
    expect(a.take()).toEqual([elsewhere(5)]);
    clock.pass(1_000);

    exchange.ended(b);
    expect(a.take()).toEqual([elsewhere(3)]);
    clock.pass(1_000);
    const [back, d] = [new Shard("b"), new Shard("d")];
    expect([back.take(), d.take()]).toEqual([[count], [count]]);
    back.has(1);
    expect(a.take()).toEqual([elsewhere(4)]);
    clock.pass(1_000);
    d.has(10);
    expect(a.take()).toEqual([elsewhere(14)]);
  });

  test("counts each shard once: of two uplinks to it the newer one", () => {
    const [a, b] = [new Shard("a"), new Shard("b")];
    a.wants();
    b.has(2);
    a.take();
    const again = new Shard("b");
    again.has(2);
    b.has(7);
    clock.pass(1_000);
    // It is what was told, and so soon that nothing was told in between.
    expect(a.take()).toEqual([]);
    exchange.ended(b);
    clock.pass(1_000);
    expect(a.take()).toEqual([]);
  });

  test("holds nothing for an asker that is gone, or hasn't asked for a minute; one that asks again is told again", () => {
    const [a, b, c] = [new Shard("a"), new Shard("b"), new Shard("c")];
    a.wants();
    c.wants();
    b.has(1);
    a.has(0);
    c.has(0);
    for (const shard of [a, b, c]) shard.take();
    exchange.ended(c);
    clock.pass(50_000);
    a.wants();
    // Nobody wants to know any more what it has itself.
    expect([a.take(), b.take()]).toEqual([[enough, elsewhere(1)], [count]]);
    clock.pass(50_000);
    expect(exchange.size).toBe(1);
    clock.pass(20_000);
    expect([b.take(), exchange.size, clock.pending]).toEqual([[enough], 0, 0]);
  });

  test("asks of each edge the shard that has the endpoint there, however many there are", () => {
    const a = new Shard("a");
    const shards = Array.from({ length: 5 }, (_, i) => new Shard("b", i, 5));
    a.wants();
    expect(shards.map((shard) => shard.take())).toEqual(
      shards.map((_, i) => (i === shardOf(PATH, 5) ? [count] : [])),
    );
  });

  test("waits for edges that are about to be there, as after its start, and not for one that can't be reached", () => {
    opening = ["b", "gone"];
    const a = new Shard("a");
    a.wants();
    expect(a.take()).toEqual([]);
    const b = new Shard("b");
    opening = ["gone"];
    b.has(2);
    expect(a.take()).toEqual([]);
    clock.pass(750);
    expect(a.take()).toEqual([elsewhere(2)]);
    opening = [];
    exchange.count(a, "/quotes/B");
    b.has(1, "/quotes/B");
    expect(a.take()).toEqual([elsewhere(1, "/quotes/B")]);
  });

  test("says when it dials one edge only, holds nothing then, and says when that has changed", () => {
    const [a, b] = [new Shard("a"), new Shard("b")];
    a.wants();
    a.take();
    b.take();
    exchange.isAlone = true;
    expect([a.take(), b.take(), exchange.size]).toEqual([[{ alone: true }], [{ alone: true }, enough], 0]);
    // One that has forgotten it.
    a.wants();
    expect([a.take(), exchange.size]).toEqual([[{ alone: true }], 0]);
    exchange.isAlone = false;
    expect(a.take()).toEqual([{ alone: false }]);
  });

  test("tells nobody of a topic that doesn't tell it, and holds nothing of it", () => {
    const [a, b] = [new Shard("a"), new Shard("b")];
    a.wants(QUIET);
    expect([a.take(), b.take(), exchange.size]).toEqual([[elsewhere(0, QUIET)], [], 0]);
    expect(exchange.counts.refused).toBe(1);
  });

  test("holds so much for one shard and no more, whatever that asks for; others don't notice", () => {
    const [greedy, b, c] = [new Shard("a"), new Shard("b"), new Shard("c")];
    for (let i = 0; i < LIMITS.countsElsewhere + 100; i++) greedy.wants(`/quotes/${i}`);
    expect([exchange.size, exchange.counts.refused]).toEqual([LIMITS.countsElsewhere, 100]);
    greedy.take();
    b.take();
    c.take();
    b.wants();
    greedy.has(1);
    c.has(2);
    expect(b.take()).toEqual([elsewhere(3)]);
    // What has ended makes room.
    exchange.enough(greedy, "/quotes/0");
    greedy.wants("/quotes/new");
    expect(exchange.counts.refused).toBe(100);
    exchange.ended(greedy);
    exchange.enough(b, PATH);
    expect(exchange.size).toBe(0);
  });

  test("hears nothing that wasn't asked, nor from who isn't there, and sums what can be read", () => {
    const [a, b, c] = [new Shard("a"), new Shard("b"), new Shard("c")];
    b.has(3);
    expect(b.take()).toEqual([enough]);
    a.wants();
    // Its own number isn't asked for.
    a.has(9);
    expect(a.take()).toEqual([enough]);
    b.has(2 ** 40);
    c.has(2 ** 40);
    expect(a.take()).toEqual([elsewhere(2 ** 40)]);
    exchange.ended(a);
    exchange.ended(a);
    a.wants();
    a.has(1);
    exchange.enough(a, PATH);
    expect([a.take(), exchange.size]).toEqual([[], 0]);
  });
});
