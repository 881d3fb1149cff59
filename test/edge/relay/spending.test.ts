/** What all connections of one sender may say together. */
import { expect, test } from "vitest";
import { Spending } from "../../../edge/endpoint/connection-limits.ts";
import { SenderSpending } from "../../../edge/endpoint/sender-spending.ts";
import { areSet, countedSender, senderLimits } from "../../../edge/http/sender-limits.ts";
import { BY_SENDER, UNLIMITED } from "../../support/holders.ts";
import { RelayWorld } from "../../support/relay-world.ts";

const [A, B] = ["/t/a", "/t/b"];
const error = (id: number, code: string, more = {}) =>
  expect.objectContaining({ id, error: expect.objectContaining({ code, ...more }) });

/** One subscribe a second after two at once, and as many publishes. */
const FEW = { perSecond: 1, burst: 2 };

test("[M10] the connections of one sender share what it may subscribe, and nobody else is refused for it", () => {
  const world = new RelayWorld({ bySender: { ...BY_SENDER, asks: FEW, publishes: FEW } });
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
  const world = new RelayWorld({ bySender: { ...BY_SENDER, asks: FEW, publishes: FEW } });
  world.mayPublish = true;
  const [one, two] = [world.connect(undefined, undefined, "x"), world.connect(undefined, undefined, "x")];
  world.hibernate();
  world.say(one, { id: 1, pub: A, v: 1 }, { id: 2, pub: A, v: 2 });
  world.say(two, { id: 1, pub: B, v: 1 });
  expect(one.take()).toEqual([]);
  expect(two.take()).toEqual([error(1, "rate_limited")]);
});

test("[S20] sockets of one endpoint share how many frames they say, and one that goes on is closed, whichever it is", () => {
  const world = new RelayWorld({ bySender: { ...BY_SENDER, messages: FEW } });
  const alone = (path: string, sender?: string) => world.alone(path, undefined, undefined, sender);
  const [one, two, other, unknown] = [alone(A, "x"), alone(B, "x"), alone(A, "y"), alone(A)];
  const unsupported = (id: number) => error(id, "unsupported");
  world.say(one, { id: 1, later: 1 }, { id: 2, later: 1 });
  world.say(two, { id: 1, later: 1 });
  for (const client of [other, unknown]) world.say(client, { id: 1, later: 1 }, { id: 2, later: 1 });

  expect(one.take()).toEqual([unsupported(1), unsupported(2)]);
  expect(two.take()).toEqual([error(1, "rate_limited", { retryAfterMs: 1_000 })]);
  for (const client of [other, unknown]) expect(client.take()).toEqual([unsupported(1), unsupported(2)]);

  world.clock.now += 1_000;
  world.say(two, { id: 2, later: 1 });
  expect(two.take()).toEqual([unsupported(2)]);
});

test("[S20] sockets of a sender that was refused 10,000 times, and goes on, are closed at once", () => {
  const always = () => 0;
  const spending = new SenderSpending({ ...BY_SENDER, messages: FEW }, always);
  const of = new Spending<{ readonly sender: string }>(UNLIMITED, {
    senderOf: ({ sender }) => sender,
    spending,
  });
  const sockets = Array.from({ length: 101 }, () => ({ sender: "x" }));
  for (const socket of sockets.slice(1)) for (let i = 0; i < 100; i++) expect(of.bears(socket, 0)).toBe(true);

  expect(of.bears(sockets[0] ?? { sender: "x" }, 0)).toBe(false);
  expect(of.bears({ sender: "y" }, 0)).toBe(true);
});

test("[S20] whose frames are counted: not this machine's own, unless a limit is set", async () => {
  const sender = { key: "192.0.2.1", isOwn: false };
  const own = { key: "127.0.0.1", isOwn: true };
  expect(await countedSender(undefined, {})).toBeUndefined();
  expect(await countedSender(own, {})).toBeUndefined();
  expect(await countedSender(own, { FRAMES_PER_MINUTE: "5" })).toMatch(/^[\w-]{16}$/);
  expect(await countedSender(sender, {})).toMatch(/^[\w-]{16}$/);
});

test("[S20] [S27] [M10] how much that is can be set, and is the quota of publishes, whatever carries them", () => {
  expect(senderLimits({})).toEqual({
    messages: { perSecond: 1_000, burst: 60_000 },
    asks: { perSecond: 1_000, burst: 60_000 },
    publishes: { perSecond: 100, burst: 6_000 },
    replayed: { perSecond: 10_000, burst: 20_000 },
  });
  const set = {
    FRAMES_PER_MINUTE: "180",
    CONNECT_SUBSCRIBES_PER_MINUTE: "60",
    PUBLISHES_PER_MINUTE: "120",
    REPLAYED_PER_MINUTE: "300",
  };
  expect(senderLimits(set)).toEqual({
    messages: { perSecond: 3, burst: 180 },
    asks: { perSecond: 1, burst: 60 },
    publishes: { perSecond: 2, burst: 120 },
    replayed: { perSecond: 5, burst: 10 },
  });
  expect(areSet({})).toBe(false);
  for (const name of Object.keys(set)) {
    expect(areSet({ [name]: "1" })).toBe(true);
    for (const wrong of ["0", "1.5", "many", "1000000001"])
      expect(() => senderLimits({ [name]: wrong })).toThrow(name);
  }
});
