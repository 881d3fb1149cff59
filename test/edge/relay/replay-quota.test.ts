/** How much of the past all connections of one sender are sent together. */
import { expect, test } from "vitest";
import type { FakeSocket } from "../../support/fake-socket.ts";
import { BY_SENDER } from "../../support/holders.ts";
import { RelayWorld, verdict } from "../../support/relay-world.ts";

const A = "/t/a";

/** A hundred updates a second, after a hundred at once. Of the key there are so many; what is kept at hand are its last 3. */
function world(updates: number): RelayWorld {
  const made = new RelayWorld({ bySender: { ...BY_SENDER, replayed: { perSecond: 100, burst: 100 } } });
  for (let i = 0; i < updates; i++) made.append(A);
  return made;
}

/** A connection of a sender that wants all there was since. */
function resuming(made: RelayWorld, sender: string | undefined, since = "e:0"): FakeSocket {
  const socket = made.connect(undefined, undefined, sender);
  made.say(socket, { id: 1, sub: A, from: since });
  return socket;
}

/** One has been sent all of it. */
function spent(updates: number): RelayWorld {
  const made = world(updates);
  const first = resuming(made, "x");
  made.link(0);
  made.answer(0);
  expect(first.take()).toHaveLength(1 + updates);
  return made;
}

test("[S27] a sender that was sent much waits for more, on whichever connection, and then is sent all of it", () => {
  const made = spent(150);
  const again = resuming(made, "x");
  expect(made.answer(0).asked).toEqual([]);
  expect(again.take()).toEqual([]);

  made.pass(500);
  expect(made.answer(0).asked).toEqual([]);
  made.pass(60);
  expect(made.answer(0).asked).toEqual([A]);
  const told = again.take();
  expect(told).toHaveLength(151);
  expect(told[0]).toMatchObject({ id: 1, ok: { position: "e:0", recovered: true } });
});

test("[S27] nobody else waits for that, and what is sent to them isn't sent to those who wait", () => {
  const made = spent(150);
  const [again, other, unknown] = [resuming(made, "x"), resuming(made, "y"), resuming(made, undefined)];
  expect(made.answer(0).asked).toEqual([A]);
  expect(other.take()).toHaveLength(151);
  expect(unknown.take()).toHaveLength(151);
  expect(again.take()).toEqual([]);
});

test("[S27] of those who came before it was too much one is sent what was asked for, and the others wait in turn", () => {
  const made = world(150);
  const sockets = [1, 2, 3].map(() => resuming(made, "x"));
  made.link(0);
  const got = () => sockets.map((socket) => socket.take().length);
  made.answer(0);
  expect(got()).toEqual([151, 0, 0]);
  made.pass(550);
  made.answer(0);
  expect(got()).toEqual([0, 151, 0]);
  // What was asked for counts as well as what was sent.
  made.pass(2_900);
  made.answer(0);
  expect(got()).toEqual([0, 0, 0]);
  made.pass(100);
  made.answer(0);
  expect(got()).toEqual([0, 0, 151]);
});

test("[S27] what an origin is asked for counts when it is asked: of many positions one at a time is asked for", () => {
  const made = spent(150);
  const sockets = ["e:0", "e:1", "e:2", "e:3"].map((since) => resuming(made, "x", since));
  made.pass(560);
  expect(made.answer(0).asked).toEqual([A]);
  expect(sockets.map((socket) => socket.take().length)).toEqual([151, 0, 0, 0]);
});

test("[S27] who would wait for more than 5 s is refused, told for how long, and served when it comes then", () => {
  const made = spent(1_000);
  const again = resuming(made, "x");
  const waits = 10 * (1_000 - 99);
  expect(again.take()).toEqual([
    { id: 1, error: expect.objectContaining({ code: "rate_limited", retry: true, retryAfterMs: waits }) },
  ]);
  expect(made.answer(0).asked).toEqual([]);

  made.pass(waits);
  made.say(again, { id: 2, sub: A, from: "e:0" });
  expect(made.answer(0).asked).toEqual([A]);
  expect(again.take()).toHaveLength(1_001);
});

test("[S27] who has waited for 5 s in vain is refused, too", () => {
  const made = spent(590);
  const [one, two] = [resuming(made, "x"), resuming(made, "x")];
  made.pass(4_960);
  made.answer(0);
  expect(one.take()).toHaveLength(591);
  made.pass(60);
  expect(two.take()).toEqual([{ id: 1, error: expect.objectContaining({ code: "rate_limited" }) }]);
});

test("[S27] a socket of one endpoint is told the same, and closed", () => {
  const made = spent(1_000);
  const alone = made.alone(A, undefined, undefined, "x", "e:0");
  expect(alone.take()).toEqual([
    { id: 0, error: expect.objectContaining({ code: "rate_limited", retryAfterMs: 9_010 }) },
  ]);
  expect(alone.closed?.code).toBe(4007);
});

test("[S27] ten updates and the latest value wait for nothing, and aren't counted", () => {
  const made = spent(1_000);
  const [near, fresh] = [resuming(made, "x", "e:997"), made.connect(undefined, undefined, "x")];
  made.say(fresh, { id: 1, sub: A });
  expect(near.take()).toEqual([verdict(1), ...Array(3).fill(expect.anything())]);
  expect(fresh.take()).toEqual([verdict(1), expect.anything()]);

  const little = world(10);
  for (let i = 0; i < 100; i++) resuming(little, "x");
  little.link(0);
  little.answer(0);
  const last = resuming(little, "x");
  little.answer(0);
  expect(last.take()).toHaveLength(11);
});

test("[S27] a large value counts as one for each KiB that it has, and so does a newcomer's first", () => {
  const made = world(0);
  const frame = made.append(A, "x".repeat(120 * 1_024));
  const first = made.connect(undefined, undefined, "x");
  made.say(first, { id: 1, sub: A });
  made.link(0);
  made.answer(0);
  made.down(0, frame);
  const newcomer = () => {
    const socket = made.connect(undefined, undefined, "x");
    made.say(socket, { id: 1, sub: A });
    return socket;
  };
  const live = made.live(A, "y".repeat(120 * 1_024));
  expect(live.length).toBeGreaterThan(120 * 1_024);
  const [one, two] = [newcomer(), newcomer()];
  expect(one.take()).toHaveLength(2);
  expect(two.take()).toEqual([]);
  made.pass(300);
  expect(two.take()).toHaveLength(2);
});
