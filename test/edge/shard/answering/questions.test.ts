import { beforeEach, describe, expect, test } from "vitest";
import type { Answering, AnsweringPorts } from "../../../../edge/shard/answering/answering.ts";
import type { LatestResult } from "../../../../edge/shard/answering/latest.ts";
import { Questions } from "../../../../edge/shard/answering/questions.ts";
import { wayFor } from "../../../../edge/shard/answering/ways.ts";
import type { OriginSays } from "../../../../shared/protocol/uplink.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { settled } from "../../../support/simulated-edge.ts";

const A = "/quotes/A";
const B = "/quotes/B";

let clock: FakeClock;
let present: number[];
/** What was put to an origin, as `path id slice`, since this was last taken. */
let put: string[];
let questions: Questions;
/** The way to the origins. */
let answering: Answering;

const ways: AnsweringPorts = {
  now: () => clock.now(),
  after: (ms, run) => clock.after(ms, run),
  watches: () => [],
  present: () => present,
  send: (frames, slice) => {
    for (const frame of frames) {
      const { get, id } = JSON.parse(frame) as { get: string; id: number };
      put.push(`${get} ${id} ${slice}`);
    }
  },
  down: { add: () => undefined, addAll: () => undefined },
};

/** So many slices are served from now on. */
function serve(count: number): void {
  answering = wayFor(count, ways, questions.open());
}

beforeEach(() => {
  clock = new FakeClock();
  present = [1];
  put = [];
  questions = new Questions({
    after: (ms, run) => clock.after(ms, run),
    isPresent: () => present.length > 0,
    gets: () => answering.gets,
  });
  serve(1);
});

function answer(id: number, slice: number, says: OriginSays): void {
  answering.gets.take(id, slice, { to: { kind: "question", id }, frame: "", says, update: undefined });
}

const taken = () => put.splice(0);

/** An asker, and what it has been told so far. */
function ask(path = A): { told: LatestResult | undefined } {
  const asker: { told: LatestResult | undefined } = { told: undefined };
  void questions.ask(path).then((result) => {
    asker.told = result;
  });
  return asker;
}

const none = (offset: number, endpoint = A): OriginSays => {
  return { kind: "latest", endpoint, position: new Map([["e.0", offset]]), count: 0, notHome: undefined };
};
const answered = (offset: number) => ({ kind: "none", position: `e.0:${offset}` });
const refused = (code: string) => expect.objectContaining({ kind: "error", code });

describe("many at once", () => {
  test("[H5] [U8] whoever asks while a question is under way shares the next one", async () => {
    const first = ask();
    const others = Array.from({ length: 500 }, () => ask());
    expect(taken()).toEqual([`${A} 1 1`]);

    answer(1, 1, none(5));
    expect(taken()).toEqual([`${A} 2 1`]);
    answer(2, 1, none(6));
    await settled();

    expect(first.told).toEqual(answered(5));
    for (const { told } of others) expect(told).toEqual(answered(6));
    expect([taken(), clock.pending]).toEqual([[], 0]);
  });

  test("[H5] [U8] nobody gets an answer to a question that was put before they came", async () => {
    ask();
    // The origin has answered, and then seen e.0:6, which the second asker has seen on a socket.
    const second = ask();

    answer(1, 1, none(5));
    await settled();
    expect(second.told).toBeUndefined();
    const third = ask();
    answer(2, 1, none(6));
    await settled();

    expect([second.told, third.told]).toEqual([answered(6), undefined]);
  });

  test("[U8] questions for other paths wait for nobody", () => {
    ask(A);
    ask(B);

    expect(taken()).toEqual([`${A} 1 1`, `${B} 2 1`]);
  });

  test("[U8] nobody waits for the question of another for longer than a second, though it isn't answered", async () => {
    const first = ask();
    clock.pass(500);
    const second = ask();
    clock.pass(999);
    expect(taken()).toEqual([`${A} 1 1`]);

    clock.pass(1);
    expect(taken()).toEqual([`${A} 2 1`]);
    answer(2, 1, none(6));
    await settled();
    expect([first.told, second.told]).toEqual([undefined, answered(6)]);
    answer(1, 1, none(5));
    await settled();

    expect(first.told).toEqual(answered(5));
    expect([taken(), clock.pending]).toEqual([[], 0]);
  });

  test("[U8] however many ask, an origin that says nothing is asked once a second, and all are told within 5 s", async () => {
    const asked: { readonly asker: ReturnType<typeof ask>; readonly at: number }[] = [];
    for (let tenth = 0; tenth < 100; tenth++) {
      asked.push({ asker: ask(), at: clock.now() });
      clock.pass(100);
      await settled();
      for (const { asker, at } of asked)
        if (clock.now() - at >= 5_000) expect(asker.told).toEqual(refused("unavailable"));
    }

    expect(taken().length).toBeLessThanOrEqual(10);
  });
});

describe("several slices", () => {
  beforeEach(() => {
    present = [1, 2];
    serve(2);
  });

  test("[N8] the next question waits for all of one before it, and is put to all", async () => {
    const [first, second] = [ask(), ask()];
    expect(taken()).toEqual([`${A} 1 1`, `${A} 1 2`]);

    answer(1, 1, none(5));
    expect(taken()).toEqual([]);
    answer(1, 2, none(5));
    expect(taken()).toEqual([`${A} 2 1`, `${A} 2 2`]);
    answer(2, 1, none(7));
    answer(2, 2, none(7));
    await settled();

    expect([first.told, second.told]).toEqual([answered(5), answered(7)]);
  });

  test("[N8] a slice that is silent delays those who came later by a second, and then by another at most", async () => {
    const [first, second] = [ask(), ask()];
    answer(1, 1, none(5));
    clock.pass(1_000);
    await settled();
    expect(first.told).toEqual(answered(5));
    answer(2, 1, none(6));
    clock.pass(1_000);
    await settled();

    expect(second.told).toEqual(answered(6));
  });
});

describe("another number of slices", () => {
  function serveInstead(count: number): void {
    answering.gets.end();
    serve(count);
  }

  test("[N9] [U8] what is open is put to the new slices as they come, and waits for a silent one for a second", async () => {
    const asker = ask();
    taken();
    serveInstead(2);
    expect(taken()).toEqual([]);

    answering.gets.repeat(2);
    answering.gets.repeat(1);
    expect(taken()).toEqual([`${A} 1 2`, `${A} 1 1`]);
    answer(1, 1, none(5));
    clock.pass(999);
    await settled();
    expect(asker.told).toBeUndefined();
    clock.pass(1);
    await settled();

    expect(asker.told).toEqual(answered(5));
    expect(clock.pending).toBe(0);
  });

  test("[N9] [U8] what slices of another count have answered counts no more", async () => {
    present = [1, 2];
    serveInstead(2);
    const asker = ask();
    answer(1, 1, none(5));
    serveInstead(1);
    clock.pass(1_000);
    taken();

    answering.gets.repeat(1);
    expect(taken()).toEqual([`${A} 1 1`]);
    answer(1, 1, none(7));
    await settled();

    expect(asker.told).toEqual(answered(7));
    expect(clock.pending).toBe(0);
  });
});

describe("an origin that goes", () => {
  test("[U8] those who wait for their turn are told with the others where there is no other", async () => {
    const askers = [ask(), ask(), ask()];
    present = [];
    answering.gets.lost(1);
    await settled();

    for (const { told } of askers) expect(told).toEqual(refused("unavailable"));
    expect([taken(), clock.pending]).toEqual([[`${A} 1 1`], 0]);
  });

  test("[U8] who takes over is asked what is open, and in its turn what waits", async () => {
    const askers = [ask(), ask()];
    taken();
    answering.gets.repeat(1);
    expect(taken()).toEqual([`${A} 1 1`]);
    answer(1, 1, none(5));
    expect(taken()).toEqual([`${A} 2 1`]);
    answer(2, 1, none(6));
    await settled();

    expect(askers.map(({ told }) => told)).toEqual([answered(5), answered(6)]);
  });
});

describe("bounds", () => {
  test("[C2] past a thousand questions one for another path is overloaded; who shares one is not", async () => {
    const open = Array.from({ length: 999 }, (_, i) => ask(`/quotes/${i}`));
    const waiting = ask("/quotes/0");
    const [more, shared] = [ask("/quotes/more"), ask("/quotes/0")];
    await settled();
    expect([more.told, shared.told, waiting.told]).toEqual([refused("overloaded"), undefined, undefined]);

    answer(1, 1, none(5, "/quotes/0"));
    await settled();
    expect(open[0]?.told).toEqual(answered(5));
    ask("/quotes/more");

    expect(taken().at(-1)).toMatch(/^\/quotes\/more /);
  });

  test("[C2] past 5,000 who wait for an answer one more is overloaded, until some have theirs", async () => {
    for (let i = 0; i < 5_000; i++) ask();
    const refusal = ask(B);
    await settled();
    expect(refusal.told).toEqual(refused("overloaded"));

    answer(1, 1, none(5));
    const last = ask(B);
    answer(3, 1, none(5, B));
    await settled();

    expect(last.told).toEqual(answered(5));
  });
});
