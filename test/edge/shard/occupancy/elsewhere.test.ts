import { beforeEach, describe, expect, test } from "vitest";
import type { HibernatingPeer } from "../../../../edge/peer.ts";
import type { Watch } from "../../../../edge/shard/links/links.ts";
import { Occupancy } from "../../../../edge/shard/occupancy/occupancy.ts";
import { LIMITS } from "../../../../shared/protocol/limits.ts";
import { watchOf } from "../../../support/counted-objects.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { FakeSocket } from "../../../support/fake-socket.ts";

const PATH = "/quotes/A";
const [FIRST, SECOND] = [new FakeSocket(), new FakeSocket()];

let clock: FakeClock;
let occupancy: Occupancy;
/** Those that lead. */
let origins: HibernatingPeer[];
let onLinks: unknown[];
let toOrigins: [of: HibernatingPeer, frame: unknown][];

beforeEach(() => {
  clock = new FakeClock();
  origins = [FIRST];
  [onLinks, toOrigins] = [[], []];
  occupancy = new Occupancy({
    now: () => clock.now(),
    after: (ms, run) => clock.after(ms, run),
    send: (_, frame) => onLinks.push(JSON.parse(frame)),
    origins: () => origins,
    tell: (uplink, frames) =>
      toOrigins.push(...frames.map((frame): [HibernatingPeer, unknown] => [uplink, JSON.parse(frame)])),
  });
});

function watch(subscribers: number): Watch {
  const made = watchOf(PATH);
  occupancy.begin(made);
  occupancy.counted(made, subscribers);
  return made;
}

/** What one origin was told since this was last called for it. */
function told(origin: HibernatingPeer = FIRST): unknown[] {
  const frames = toOrigins.filter(([of]) => of === origin).map(([, frame]) => frame);
  toOrigins = toOrigins.filter(([of]) => of !== origin);
  return frames;
}

const count = { count: PATH };
const enough = { enough: PATH };
const counted = (subscribers: number) => ({ counted: { endpoint: PATH, subscribers } });
const occupancyIs = (subscribers: number) => ({ occupancy: { endpoint: PATH, subscribers } });
const wants = (origin: HibernatingPeer = FIRST, path = PATH) => occupancy.toTell(origin, path, true);

/** Somebody asks, and the object there is has three. */
async function askedHere(elsewhere: number): Promise<Watch> {
  const one = watch(0);
  const asked = occupancy.ask(PATH);
  occupancy.counted(one, 3);
  occupancy.elsewhere.heard(FIRST, PATH, elsewhere);
  expect(await asked).toBe(3 + elsewhere);
  expect(told()).toEqual([count]);
  return one;
}

describe("[D6] who asks how many subscribers there are", () => {
  test("is told with those of other edges; they are known from then on, as they change", async () => {
    await askedHere(4);
    occupancy.elsewhere.heard(FIRST, PATH, 5);
    expect(await occupancy.ask(PATH)).toBe(8);
    expect(told()).toEqual([]);
  });

  test("is told of those elsewhere though nobody is here, and waits a second at most", async () => {
    const asked = [occupancy.ask(PATH), occupancy.ask(PATH)];
    expect(told()).toEqual([count]);
    occupancy.elsewhere.heard(FIRST, PATH, 4);
    expect(await Promise.all(asked)).toEqual([4, 4]);

    const late = occupancy.ask("/quotes/B");
    clock.pass(999);
    let isThere = false;
    void late.then(() => {
      isThere = true;
    });
    await Promise.resolve();
    expect(isThere).toBe(false);
    clock.pass(1);
    expect(await late).toBe(0);
  });

  test("leaves nothing behind if nobody is anywhere, and if no origin is there", async () => {
    const asked = occupancy.ask(PATH);
    occupancy.elsewhere.heard(FIRST, PATH, 0);
    expect(await asked).toBe(0);
    expect(told()).toEqual([count, enough]);
    clock.pass(1_000);
    origins = [];
    expect(await occupancy.ask(PATH)).toBe(0);
    expect([told(), clock.pending]).toEqual([[], 0]);
  });

  test("is told of this edge alone, and at once, if its origin dials no other; more, once it does", async () => {
    occupancy.elsewhere.alone(FIRST, true);
    const one = watch(0);
    const asked = occupancy.ask(PATH);
    occupancy.counted(one, 3);
    expect([await asked, told()]).toEqual([3, []]);

    occupancy.elsewhere.alone(FIRST, false);
    expect(told()).toEqual([count]);
    occupancy.elsewhere.heard(FIRST, PATH, 2);
    expect(await occupancy.ask(PATH)).toBe(5);
    occupancy.elsewhere.alone(FIRST, true);
    expect([await occupancy.ask(PATH), told()]).toEqual([3, [enough]]);
  });

  test("keeps it known for a minute: it is asked for again every 20 s, then no more, and no timer is left", async () => {
    await askedHere(4);
    clock.pass(59_000);
    expect(told()).toEqual([count, count]);
    expect(await occupancy.ask(PATH)).toBe(7);
    clock.pass(59_000);
    expect(told()).toEqual([count, count, count]);
    clock.pass(1_000);
    expect([told(), clock.pending]).toEqual([[enough], 0]);
    occupancy.elsewhere.heard(FIRST, PATH, 9);
    expect(told()).toEqual([enough]);
  });

  test("is told what the last origin said until the next one says something, for 10 s; then without", async () => {
    await askedHere(4);
    origins = [];
    occupancy.elsewhere.look();
    expect([await occupancy.ask(PATH), told()]).toEqual([7, [enough]]);
    clock.pass(3_000);
    origins = [SECOND];
    occupancy.elsewhere.look();
    expect([await occupancy.ask(PATH), told(SECOND)]).toEqual([7, [count]]);
    // What the first one says late isn't heard.
    occupancy.elsewhere.heard(FIRST, PATH, 100);
    occupancy.elsewhere.heard(SECOND, PATH, 5);
    expect(await occupancy.ask(PATH)).toBe(8);
    clock.pass(20_000);
    expect(await occupancy.ask(PATH)).toBe(8);

    origins = [];
    occupancy.elsewhere.look();
    clock.pass(9_999);
    expect(await occupancy.ask(PATH)).toBe(8);
    clock.pass(1);
    expect(await occupancy.ask(PATH)).toBe(3);
  });

  test("of so many endpoints at once, and of more only what is here", async () => {
    const asked = Array.from({ length: LIMITS.countsElsewhere + 1 }, (_, i) => occupancy.ask(`/quotes/${i}`));
    expect(told().length).toBe(LIMITS.countsElsewhere);
    expect(await asked.at(-1)).toBe(0);
    // What is answered makes room.
    occupancy.elsewhere.heard(FIRST, "/quotes/0", 0);
    await asked[0];
    void occupancy.ask(PATH);
    expect(told().at(-1)).toEqual(count);
  });
});

test("[D6] [O3] those who want to be told are told of all edges, once that is known or was waited for, and as it changes", () => {
  const one = watch(0);
  occupancy.curious(one, true);
  occupancy.counted(one, 1);
  onLinks = [];
  clock.pass(999);
  expect(onLinks).toEqual([]);
  clock.pass(1);
  expect(onLinks.splice(0)).toEqual([occupancyIs(1)]);
  clock.pass(1_000);
  occupancy.elsewhere.heard(FIRST, PATH, 6);
  expect(onLinks.splice(0)).toEqual([occupancyIs(7)]);
  clock.pass(600_000);
  told();
  occupancy.elsewhere.heard(FIRST, PATH, 5);
  expect([onLinks, told()]).toEqual([[occupancyIs(6)], []]);
});

describe("[D6] an origin that asks for other edges", () => {
  test("is told of this edge alone, when all objects have said it and when it changes, no more often than every 400 ms", async () => {
    const one = watch(0);
    wants();
    occupancy.counted(one, 3);
    await Promise.resolve();
    expect(told()).toEqual([counted(3)]);
    // Those elsewhere are asked for if somebody wants to know it here, and are never among them.
    occupancy.curious(one, true);
    expect(told()).toEqual([count]);
    occupancy.elsewhere.heard(FIRST, PATH, 50);
    occupancy.counted(one, 4);
    occupancy.counted(one, 5);
    clock.pass(399);
    expect(told()).toEqual([]);
    clock.pass(1);
    expect(told()).toEqual([counted(5)]);
  });

  test("is told after half a second without objects that don't say it", async () => {
    watch(0);
    wants();
    clock.pass(500);
    await Promise.resolve();
    expect(told()).toEqual([counted(0)]);
  });

  test("is told of objects that come, and until it has had enough; then these have, too", async () => {
    wants();
    await Promise.resolve();
    expect([told(), onLinks]).toEqual([[counted(0)], []]);
    clock.pass(1_000);
    const one = watch(2);
    expect([told(), onLinks.splice(0)]).toEqual([[counted(2)], [count]]);
    occupancy.toTell(FIRST, PATH, false);
    expect([onLinks.splice(0), clock.pending]).toEqual([[enough], 0]);
    occupancy.counted(one, 3);
    expect(told()).toEqual([]);
  });

  test("is told until it hasn't asked for a minute, or its uplink ends; another one isn't concerned", async () => {
    const one = watch(1);
    wants();
    wants(SECOND);
    occupancy.counted(one, 1);
    await Promise.resolve();
    expect([told(), told(SECOND)]).toEqual([[counted(1)], [counted(1)]]);
    clock.pass(50_000);
    wants();
    await Promise.resolve();
    expect(told()).toEqual([counted(1)]);
    occupancy.uplinkEnded(FIRST);
    occupancy.counted(one, 2);
    expect([told(), told(SECOND)]).toEqual([[], [counted(2)]]);
    onLinks = [];
    clock.pass(60_000);
    expect([onLinks, clock.pending]).toEqual([[enough], 0]);
  });

  test("is told of so many endpoints, and of no more; another one isn't concerned", async () => {
    for (let i = 0; i <= LIMITS.countsForOrigin; i++) wants(FIRST, `/quotes/${i}`);
    wants(SECOND);
    await Promise.resolve();
    await Promise.resolve();
    expect(told().length).toBe(LIMITS.countsForOrigin);
    expect(told(SECOND)).toEqual([counted(0)]);
    occupancy.toTell(FIRST, "/quotes/0", false);
    wants();
    await Promise.resolve();
    expect(told()).toEqual([counted(0)]);
  });
});
