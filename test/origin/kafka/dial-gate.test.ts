import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { DialGate, type Turn } from "../../../origin/kafka/dial-gate.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

let gate: DialGate;
/** What became of turns, by name, in order. */
let told: string[];

beforeEach(() => {
  gate = new DialGate();
  told = [];
});

function take(name: string): Turn {
  const turn = gate.take();
  turn.granted.then(
    () => told.push(`${name} dials`),
    (error: Error) => told.push(`${name} fails: ${error.message}`),
  );
  return turn;
}

const passed = (ms: number) => vi.advanceTimersByTimeAsync(ms);

describe("of those that want a connection to an address", () => {
  test("that isn't known to answer, one dials; the others fail with it, and it isn't dialled for them", async () => {
    const first = take("a");
    take("b");
    take("c");
    await passed(0);
    first.ended(new Error("refused"));
    await passed(10_000);

    expect(told).toEqual(["a dials", "b fails: refused", "c fails: refused"]);
  });

  test("who comes after a failure waits for the next dial, and no longer", async () => {
    take("a").ended(new Error("refused"));
    take("b");
    await passed(500);
    expect(told).toEqual(["a dials"]);

    await passed(50);
    expect(told).toEqual(["a dials", "b dials"]);
  });

  test("that answers, all dial at once, and so do those that come later", async () => {
    const first = take("a");
    take("b");
    take("c");
    await passed(0);
    first.opened();
    first.answered();
    take("d");
    await passed(0);

    expect(told).toEqual(["a dials", "b dials", "c dials", "d dials"]);
  });

  test("that is open, but hasn't answered anything yet, the others wait no longer than for a dial", async () => {
    const first = take("a");
    take("b");
    first.opened();
    await passed(550);

    expect(told).toEqual(["a dials", "b dials"]);
  });

  test("one that gives up before its turn, or while it dials, holds up nobody", async () => {
    const first = take("a");
    const second = take("b");
    take("c");
    await passed(0);
    second.ended(undefined);
    first.ended(undefined);
    await passed(550);

    expect(told).toEqual(["a dials", "c dials"]);
  });

  test("that ended a connection which was good, one dials at once, if that was long ago", async () => {
    const first = take("a");
    first.opened();
    first.answered();
    await passed(5_000);
    first.ended(new Error("reset"));
    take("b");
    take("c");
    await passed(0);

    expect(told).toEqual(["a dials", "b dials"]);
  });
});
