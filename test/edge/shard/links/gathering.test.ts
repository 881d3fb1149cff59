import { beforeEach, describe, expect, test } from "vitest";
import { Gathering, gatherMs } from "../../../../edge/shard/links/gathering.ts";
import { messagesPerSecond } from "../../../bench/shapes/gathering.ts";
import { FakeClock } from "../../../support/fake-clock.ts";

let clock: FakeClock;
let left: { readonly at: number; readonly link: string; readonly frames: readonly unknown[] }[];
let gathering: Gathering<string>;

function gather(ms: number): void {
  gathering = new Gathering<string>(clock, ms, (link, frames) =>
    left.push({ at: clock.now(), link, frames }),
  );
}

beforeEach(() => {
  clock = new FakeClock();
  left = [];
  gather(25);
});

describe("[L15] updates for a relay", () => {
  test("leave at once on a quiet link, and within the set time after a message they wait for its end, in order", () => {
    gathering.add("a", ["1", "2"]);
    clock.pass(10);
    gathering.add("a", ["3"]);
    gathering.add("b", ["other"]);
    clock.pass(10);
    gathering.add("a", ["4"]);
    clock.pass(100);
    gathering.add("a", ["5"]);

    expect(left).toEqual([
      { at: 0, link: "a", frames: ["1", "2"] },
      { at: 10, link: "b", frames: ["other"] },
      { at: 25, link: "a", frames: ["3", "4"] },
      { at: 120, link: "a", frames: ["5"] },
    ]);
    clock.pass(100);
    expect(clock.pending).toBe(0);
  });

  test("go before whatever else leaves on the link, and what comes then waits for as long again", () => {
    gathering.add("a", ["1"]);
    clock.pass(5);
    gathering.add("a", ["2"]);
    clock.pass(5);
    expect(gathering.take("a")).toEqual(["2"]);
    gathering.add("a", ["3"]);
    clock.pass(100);
    expect(left.map(({ at, frames }) => [at, frames])).toEqual([
      [0, ["1"]],
      [35, ["3"]],
    ]);
  });

  test("leave sooner if they come to a message's size", () => {
    const half = "x".repeat(128 * 1024);
    gathering.add("a", ["1"]);
    gathering.add("a", [half]);
    expect(left.length).toBe(1);
    gathering.add("a", [half]);
    expect(left.map(({ at, frames }) => [at, frames.length])).toEqual([
      [0, 1],
      [0, 2],
    ]);
  });

  test("of a link that has gone are forgotten", () => {
    gathering.add("a", ["1"]);
    gathering.add("a", ["2"]);
    gathering.add("b", ["1"]);
    gathering.add("b", ["2"]);
    gathering.forget("a");
    clock.pass(100);
    expect(left.map(({ link, frames }) => [link, frames])).toEqual([
      ["a", ["1"]],
      ["b", ["1"]],
      ["b", ["2"]],
    ]);
    expect(clock.pending).toBe(0);
  });

  test("that come when the time is over, and others still wait because a timer is late, leave with them", () => {
    let now = 0;
    const late = new Gathering<string>({ now: () => now, after: () => () => undefined }, 25, (link, frames) =>
      left.push({ at: now, link, frames }),
    );
    late.add("a", ["1"]);
    late.add("a", ["2"]);
    now = 60;
    late.add("a", ["3"]);
    expect(left.at(-1)).toEqual({ at: 60, link: "a", frames: ["2", "3"] });
  });

  test("aren't gathered at all if the time is 0", () => {
    gather(0);
    for (const frame of ["1", "2", "3"]) gathering.add("a", [frame]);
    expect(left.map(({ frames }) => frames)).toEqual([["1"], ["2"], ["3"]]);
    expect(clock.pending).toBe(0);
  });

  test("of many links: as many messages as the estimate reckons, none lost, none out of order, none late", () => {
    let state = 5;
    const random = () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state / 2 ** 32;
    };
    const rates = [1, 20, 40, 400];
    const links = Array.from({ length: 24 }, (_, i) => ({ name: `l${i}`, rate: rates[i % 4] ?? 1, sent: 0 }));
    const came = new Map<string, number>();
    const seconds = 100;
    const arrivals = links.flatMap((link) => {
      const all: { readonly at: number; readonly link: typeof link }[] = [];
      // Of all rates about as many.
      for (let at = 0; all.length < link.rate * seconds && all.length < 2_000; ) {
        at -= (1_000 / link.rate) * Math.log(1 - random());
        all.push({ at, link });
      }
      return all;
    });
    for (const { at, link } of arrivals.toSorted((one, other) => one.at - other.at)) {
      clock.pass(at - clock.now());
      const frame = `${link.name} ${link.sent++}`;
      came.set(frame, clock.now());
      gathering.add(link.name, [frame]);
    }
    clock.pass(1_000);
    expect(clock.pending).toBe(0);

    for (const { name, sent } of links) {
      const frames = left.filter(({ link }) => link === name).flatMap((message) => message.frames);
      expect(frames).toEqual(Array.from({ length: sent }, (_, i) => `${name} ${i}`));
    }
    for (const { at, frames } of left)
      for (const frame of frames) expect(at - (came.get(String(frame)) ?? 0)).toBeLessThanOrEqual(25 + 1e-6);
    for (const rate of rates) {
      const of = links.filter((link) => link.rate === rate);
      const messages = left.filter(({ link }) => of.some(({ name }) => name === link)).length / of.length;
      const each = messages / ((of[0]?.sent ?? 0) / rate);
      expect(each / messagesPerSecond(rate, 25)).toBeGreaterThan(0.9);
      expect(each / messagesPerSecond(rate, 25)).toBeLessThan(1.1);
    }
  });
});

test("the time that updates are gathered for is a whole number of milliseconds up to a second", () => {
  expect([gatherMs({}), gatherMs({ GATHER_MS: "0" }), gatherMs({ GATHER_MS: "1000" })]).toEqual([
    25, 0, 1_000,
  ]);
  for (const GATHER_MS of ["-1", "1001", "2.5", "soon"])
    expect(() => gatherMs({ GATHER_MS })).toThrow("GATHER_MS");
});
