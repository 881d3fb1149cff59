import { expect, test } from "vitest";
import { Wakes } from "../../../../edge/shard/links/wakes.ts";
import { encodeWakeAt } from "../../../../shared/protocol/link.ts";
import { Clock } from "../../../support/simulated-wires.ts";
import { SmallShard } from "../../../support/small-shard.ts";

const MINUTE = 60_000;

/** A clock that can be set, while timers run on. */
class World {
  readonly clock = new Clock();
  readonly start = this.clock.now;
  offMs = 0;
  /** Timers that wait. */
  pending = 0;
  readonly woken: string[] = [];
  readonly wakes = new Wakes<string>(
    {
      wall: () => this.clock.now + this.offMs,
      after: (ms, run) => {
        this.pending++;
        const cancel = this.clock.after(ms, () => {
          this.pending--;
          run();
        });
        return () => {
          this.pending--;
          cancel();
        };
      },
    },
    (sleeper) => this.woken.push(`${sleeper} at ${this.clock.now - this.start}`),
  );

  pass(ms: number): void {
    const until = this.clock.now + ms;
    while (this.clock.next(until - this.clock.now));
    this.clock.now = until;
  }
}

test("[L9] each is woken once, at the time that it named last, with one timer for all", () => {
  const world = new World();
  const { wakes, start } = world;
  for (const [name, at] of Object.entries({ b: 5_000, a: 3_000, c: 90_000, d: 4_000, e: 2_000 }))
    wakes.set(name, start + at);
  wakes.set("d", start + 7_000);
  wakes.forget("e");
  expect(world.pending).toBe(1);

  world.pass(2 * MINUTE);

  expect(world.woken).toEqual(["a at 3000", "b at 5000", "d at 7000", "c at 90000"]);
  expect(world.pending).toBe(0);
});

test("[L9] nobody is woken who was forgotten, and no timer is left for nobody", () => {
  const world = new World();
  world.wakes.set("a", world.start + 5_000);
  world.wakes.forget("a");
  world.wakes.forget("never there");

  expect(world.pending).toBe(0);
});

test("[L9] one whose clock is behind, and asks again for what is past, doesn't make it spin", () => {
  const world = new World();
  const { start } = world;
  const wakes = new Wakes<string>(
    { wall: () => world.clock.now, after: (ms, run) => world.clock.after(ms, run) },
    (sleeper) => {
      world.woken.push(`at ${world.clock.now - start}`);
      if (world.woken.length < 4) wakes.set(sleeper, start + 1_000);
    },
  );
  wakes.set("a", start + 1_000);

  world.pass(MINUTE);

  expect(world.woken).toEqual(["at 1000", "at 1100", "at 1200", "at 1300"]);
});

test("[L9] it is noticed within a minute that the clock was set forward, and a time that is far off is no overflow", () => {
  const world = new World();
  const year = 366 * 24 * 60 * MINUTE;
  world.wakes.set("a", world.start + 30 * MINUTE);
  world.wakes.set("b", world.start + year);
  world.pass(5 * MINUTE);
  expect(world.woken).toEqual([]);
  world.offMs = 40 * MINUTE;

  world.pass(MINUTE);

  expect(world.woken).toEqual([expect.stringMatching(/^a at /)]);
  expect(world.pending).toBe(1);
});

test("[L9] a shard wakes an object on its link, and not one whose link has gone", async () => {
  const shard = new SmallShard();
  const origin = shard.connect("a");
  const [stays, goes] = [await shard.watch(origin, "/t/a", 1), await shard.watch(origin, "/t/b", 2)];
  for (const socket of [stays, goes]) shard.core.linkMessage(socket, encodeWakeAt(shard.clock.now + 5_000));
  shard.core.linkClosed(goes);

  const end = shard.clock.now + 5_000;
  while (shard.clock.next(end - 1 - shard.clock.now));
  expect([stays.take(), goes.take()]).toEqual([[], []]);
  while (shard.clock.next(end - shard.clock.now));

  expect([stays.take(), goes.take()]).toEqual([[{ wake: true }], []]);
});
