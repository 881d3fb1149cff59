/** What all connections of one sender may ask of a relay together. */
import { expect, test } from "vitest";
import { areSet, senderLimits } from "../../../edge/http/sender-limits.ts";
import { RelayWorld } from "../../support/relay-world.ts";

const [A, B] = ["/t/a", "/t/b"];
const error = (id: number, code: string, more = {}) =>
  expect.objectContaining({ id, error: expect.objectContaining({ code, ...more }) });

/** One subscribe a second after two at once, and as many publishes. */
const FEW = { perSecond: 1, burst: 2 };

test("[M10] the connections of one sender share what it may subscribe, and nobody else is refused for it", () => {
  const world = new RelayWorld({ bySender: { asks: FEW, publishes: FEW } });
  const [one, two, other, unknown] = ["x", "x", "y", undefined].map((sender) =>
    world.connect(undefined, undefined, sender),
  );
  if (!one || !two || !other || !unknown) throw new Error("four connections");
  world.say(one, { id: 1, sub: A });
  world.say(two, {
    subs: [
      { id: 1, sub: A },
      { id: 2, sub: B },
      { id: 3, unsub: A },
    ],
  });
  expect(one.take()).toEqual([]);
  expect(two.take()).toEqual([
    error(2, "rate_limited", { retryAfterMs: 1_000 }),
    error(3, "rate_limited", { retryAfterMs: 1_000 }),
  ]);
  for (const client of [other, unknown]) {
    world.say(client, { id: 1, sub: A }, { id: 2, sub: B });
    expect(client.take()).toEqual([]);
  }
  for (let id = 3; id < 10; id++) world.say(unknown, { id, sub: A });
  expect(unknown.take().filter((told) => JSON.stringify(told).includes("rate_limited"))).toEqual([]);

  world.clock.now += 1_000;
  world.say(one, { id: 2, sub: B }, { id: 3, sub: A });
  expect(one.take()).toEqual([error(3, "rate_limited")]);
});

test("[M10] [W25] so they share what it may publish, and it goes on to count over a hibernation by whom each is from", () => {
  const world = new RelayWorld({ bySender: { asks: FEW, publishes: FEW } });
  world.mayPublish = true;
  const [one, two] = [world.connect(undefined, undefined, "x"), world.connect(undefined, undefined, "x")];
  world.hibernate();
  world.say(one, { id: 1, pub: A, v: 1 }, { id: 2, pub: A, v: 2 });
  world.say(two, { id: 1, pub: B, v: 1 });
  expect(one.take()).toEqual([]);
  expect(two.take()).toEqual([error(1, "rate_limited")]);
});

test("[M10] how much that is can be set, and is the quota of publishes, whatever carries them", () => {
  expect(senderLimits({})).toEqual({
    asks: { perSecond: 1_000, burst: 60_000 },
    publishes: { perSecond: 100, burst: 6_000 },
  });
  const set = { CONNECT_SUBSCRIBES_PER_MINUTE: "60", PUBLISHES_PER_MINUTE: "120" };
  expect(senderLimits(set)).toEqual({
    asks: { perSecond: 1, burst: 60 },
    publishes: { perSecond: 2, burst: 120 },
  });
  expect([areSet({}), areSet(set), areSet({ PUBLISHES_PER_MINUTE: "1" })]).toEqual([false, true, true]);
  for (const wrong of ["0", "1.5", "many", "1000001"])
    expect(() => senderLimits({ CONNECT_SUBSCRIBES_PER_MINUTE: wrong })).toThrow(
      "CONNECT_SUBSCRIBES_PER_MINUTE",
    );
});
