import { beforeEach, describe, expect, test } from "vitest";
import type { Link, Watch } from "../../../../edge/shard/links/links.ts";
import { Occupancy } from "../../../../edge/shard/occupancy/occupancy.ts";
import { Holder, watchOf } from "../../../support/counted-objects.ts";
import { FakeClock } from "../../../support/fake-clock.ts";

const PATH = "/quotes/A";

let clock: FakeClock;
let occupancy: Occupancy;
let said: { readonly link: Link; readonly frame: unknown }[];

beforeEach(() => {
  clock = new FakeClock();
  said = [];
  occupancy = new Occupancy({
    now: () => clock.now(),
    after: (ms, run) => clock.after(ms, run),
    send: (link, frame) => said.push({ link, frame: JSON.parse(frame) }),
    origins: () => [],
    tell: () => undefined,
  });
});

function watch(): Watch {
  const made = watchOf(PATH);
  occupancy.begin(made);
  return made;
}

/** What was said since this was last called, by the link. */
function take(): unknown[] {
  return said.splice(0).map(({ link, frame }) => [link.number, frame]);
}

const count = (of: Watch) => [of.link.number, { count: PATH }];
const enough = (of: Watch) => [of.link.number, { enough: PATH }];

describe("[O2] how many subscribers an endpoint has", () => {
  test("is 0 if no object watches it, and nobody is asked", async () => {
    expect(await occupancy.ask(PATH)).toBe(0);
    expect([take(), clock.pending]).toEqual([[], 0]);
  });

  test("is the sum of what its objects say, all of which are asked; those who ask at once share an answer", async () => {
    const [one, two] = [watch(), watch()];
    expect(take()).toEqual([]);
    const asked = [occupancy.ask(PATH), occupancy.ask(PATH)];
    expect(take()).toEqual([count(one), count(two)]);

    occupancy.counted(one, 3);
    occupancy.counted(two, 4);

    expect(await Promise.all(asked)).toEqual([7, 7]);
    // From now on they say it by themselves.
    occupancy.counted(two, 5);
    expect(await occupancy.ask(PATH)).toBe(8);
    expect(take()).toEqual([]);
  });

  test("is told after half a second without those who don't say, and with what they said before", async () => {
    const [one, two] = [watch(), watch()];
    const asked = occupancy.ask(PATH);
    occupancy.counted(one, 3);
    clock.pass(500);
    expect(await asked).toBe(3);
    occupancy.counted(two, 1);
    expect(await occupancy.ask(PATH)).toBe(4);
  });

  test("is asked of an object that comes to watch it, and not said of one that has gone", async () => {
    const one = watch();
    const first = occupancy.ask(PATH);
    occupancy.counted(one, 3);
    expect(await first).toBe(3);
    take();

    const two = watch();
    expect(take()).toEqual([count(two)]);
    const both = occupancy.ask(PATH);
    occupancy.counted(two, 2);
    expect(await both).toBe(5);
    occupancy.end(one);
    expect(await occupancy.ask(PATH)).toBe(2);
    occupancy.end(two);
    expect(await occupancy.ask(PATH)).toBe(0);
  });

  test("is told at once if who had not said it goes", async () => {
    const [one, two] = [watch(), watch()];
    const asked = occupancy.ask(PATH);
    occupancy.counted(one, 3);
    occupancy.end(two);
    expect(await asked).toBe(3);
  });

  test("is asked again half a second after an object has news that it couldn't tell", () => {
    const one = watch();
    void occupancy.ask(PATH);
    occupancy.counted(one, 3);
    take();
    occupancy.later(one);
    clock.pass(499);
    expect(take()).toEqual([]);
    clock.pass(1);
    expect(take()).toEqual([count(one)]);
    occupancy.later(one);
    occupancy.end(one);
    clock.pass(500);
    expect(take()).toEqual([]);
  });

  test("is wanted for a minute after the last question; then its objects are told that it is enough, and no timer is left", async () => {
    const one = watch();
    void occupancy.ask(PATH);
    occupancy.counted(one, 3);
    clock.pass(59_000);
    expect(await occupancy.ask(PATH)).toBe(3);
    take();
    clock.pass(59_000);
    expect(take()).toEqual([]);
    clock.pass(1_000);
    expect(take()).toEqual([enough(one)]);
    expect(clock.pending).toBe(0);
    // One that hasn't heard of it, or has woken and knows nothing of it.
    occupancy.counted(one, 4);
    expect(take()).toEqual([enough(one)]);
    const again = occupancy.ask(PATH);
    expect(take()).toEqual([count(one)]);
    occupancy.counted(one, 5);
    expect(await again).toBe(5);
  });
});

describe("[O3] objects whose subscribers want to know", () => {
  const told = (of: Watch, subscribers: number) => [
    of.link.number,
    { occupancy: { endpoint: PATH, subscribers } },
  ];

  test("are told once all have said how many they hold, and when that changes, but not more than once a second", () => {
    const [one, two] = [watch(), watch()];
    occupancy.curious(one, true);
    expect(take()).toEqual([count(one), count(two)]);
    occupancy.counted(one, 3);
    expect(take()).toEqual([]);
    occupancy.counted(two, 4);
    expect(take()).toEqual([told(one, 7)]);
    occupancy.counted(two, 5);
    clock.pass(600);
    occupancy.counted(two, 6);
    expect(take()).toEqual([]);
    clock.pass(400);
    expect(take()).toEqual([told(one, 9)]);
    clock.pass(10_000);
    expect(take()).toEqual([]);
    occupancy.counted(one, 4);
    expect(take()).toEqual([told(one, 10)]);
  });

  test("aren't told what is as it was by the time that they may be", () => {
    const one = watch();
    occupancy.curious(one, true);
    occupancy.counted(one, 3);
    take();
    occupancy.counted(one, 4);
    occupancy.counted(one, 3);
    clock.pass(5_000);
    expect(take()).toEqual([]);
  });

  test("are told again if one more has come, which was told nothing yet", () => {
    const one = watch();
    occupancy.curious(one, true);
    occupancy.counted(one, 3);
    clock.pass(2_000);
    take();
    occupancy.curious(one, true);
    expect(take()).toEqual([told(one, 3)]);
    occupancy.curious(one, true);
    expect(take()).toEqual([]);
    clock.pass(1_000);
    expect(take()).toEqual([told(one, 3)]);
  });

  test("keep all counting for as long as there is one, and a minute longer", () => {
    const [one, two] = [watch(), watch()];
    occupancy.curious(one, true);
    occupancy.counted(one, 1);
    occupancy.counted(two, 1);
    take();
    clock.pass(600_000);
    expect(take()).toEqual([]);
    occupancy.curious(one, false);
    occupancy.counted(two, 2);
    clock.pass(60_000);
    expect(take()).toEqual([enough(one), enough(two)]);
    expect(clock.pending).toBe(0);
  });

  test("are told nothing on a link that has gone", () => {
    const one = watch();
    occupancy.curious(one, true);
    occupancy.counted(one, 1);
    occupancy.counted(one, 2);
    take();
    occupancy.end(one);
    clock.pass(2_000);
    expect(take()).toEqual([]);
  });
});

test("[O2] is right within a second of whatever happened: 300 histories of objects, links that break, and sleep", async () => {
  let state = 11;
  const random = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  for (let history = 0; history < 300; history++) {
    const objects = 1 + Math.floor(random() * 4);
    const holders = Array.from({ length: objects }, () => new Holder(PATH, clock, random));
    for (const holder of holders) holder.linked(occupancy);
    const deliver = () => {
      for (const { link, frame } of said.splice(0))
        for (const holder of holders) holder.hear(link, JSON.stringify(frame));
    };
    const pass = (ms: number) => {
      for (let i = 0; i < ms; i += 10) {
        deliver();
        clock.pass(10);
      }
      deliver();
    };
    for (let step = 0; step < 40; step++) {
      const holder = holders[Math.floor(random() * holders.length)] ?? new Holder(PATH, clock, random);
      const what = random();
      if (what < 0.6) holder.change(random() < 0.5 ? 1 : -1);
      else if (what < 0.7) holder.lost();
      else if (what < 0.8 && holder.watch === undefined) holder.linked(occupancy);
      else if (what < 0.85) {
        pass(600);
        holder.sleep();
      } else if (what < 0.95) void occupancy.ask(PATH);
      pass(random() < 0.7 ? 10 : 400);
    }
    for (const holder of holders) if (holder.watch === undefined) holder.linked(occupancy);
    void occupancy.ask(PATH);
    pass(1_000);
    const expected = holders.reduce((sum, { subscribers }) => sum + subscribers, 0);
    expect(await occupancy.ask(PATH), `history ${history}`).toBe(expected);
    for (const holder of holders) holder.lost();
    pass(61_000);
    expect(clock.pending).toBe(0);
  }
});
