import { beforeEach, describe, expect, test } from "vitest";
import { encodeLinkHello } from "../../../shared/protocol/link.ts";
import { SEPARATOR } from "../../../shared/protocol/message.ts";
import { answer, PATH, position, update } from "../../support/endpoint-frames.ts";
import { FakeSocket } from "../../support/fake-socket.ts";
import { link, SmallEndpoint, subscribe } from "../../support/small-endpoint.ts";

let object: SmallEndpoint;
beforeEach(() => {
  object = new SmallEndpoint();
});

describe("links", () => {
  test("[L5] an object that wakes without subscribers says that it is empty, whatever it said before", () => {
    const { core, up, live } = object.running();
    expect(core.subscribers).toBe(1);

    const woken = object.wake([up], []);
    expect(up.take()).toEqual([{ empty: PATH }]);
    woken.clientClosed(live);
    expect(up.messages).toEqual([]);

    subscribe(woken);
    expect(up.take()).toEqual([{ occupied: PATH }]);
  });

  test("[L1] [L4] the first subscriber makes the object ask its shard, and the link's hello makes it attach", () => {
    const core = object.wake();
    const live = subscribe(core);
    expect(object.attaches).toBe(1);

    const up = link(core);

    expect(up.take()).toEqual([{ attach: PATH, id: 1 }]);
    expect(live.messages).toEqual([]);
  });

  test("[L3] of two links the one with the higher generation and dial stays, whichever came first", () => {
    const core = object.wake();
    subscribe(core);
    const first = link(core, 2, 5);

    const older = link(core, 9, 4);
    const newer = link(core, 3, 5);
    const newest = link(core, 1, 6);

    expect(older.closed).toEqual({ code: 4003, reason: "replaced" });
    expect(first.closed).toEqual({ code: 4003, reason: "replaced" });
    expect(newer.closed).toEqual({ code: 4003, reason: "replaced" });
    expect(newest.closed).toBeUndefined();
    expect(newest.take()).toEqual([{ attach: PATH, id: 3 }]);
  });

  test("[L3] [L5] a shard that the endpoint no longer belongs to is told that nobody is there, and disturbs nothing", () => {
    const { core, up, live } = object.running();

    const foreign = link(core, 9, 9, 1);
    core.linkMessage(foreign, update(6, 5));
    core.linkMessage(foreign, new Uint8Array([1, 2, 3]));
    core.linkClosed(foreign, 4_004);

    expect(foreign.take()).toEqual([{ empty: PATH }]);
    expect([up.closed, foreign.closed]).toEqual([undefined, undefined]);
    expect([up.take(), live.take(), object.attaches]).toEqual([[], [], 1]);
  });

  test("[L1] [L3] nor is its link one for an object that has no other, awake or after a hibernation", () => {
    const core = object.wake();
    const live = subscribe(core);
    const foreign = link(core, 9, 9, 1);
    expect(foreign.take()).toEqual([{ empty: PATH }]);

    const woken = object.wake([foreign], [live]);

    expect(object.attaches).toBe(2);
    const up = link(woken);
    expect([foreign.take(), up.take()]).toEqual([[], [{ attach: PATH, id: 1 }]]);
  });

  test("[L3] [V2] a link that doesn't begin with a hello of this version is closed", () => {
    const core = object.wake();
    subscribe(core);
    const rude = new FakeSocket();
    core.linkOpened(rude);
    const later = new FakeSocket();
    core.linkOpened(later);

    core.linkMessage(rude, update(1));
    core.linkMessage(later, encodeLinkHello({ version: 2, shard: 0, generation: 1, dial: 1 }));

    expect(rude.closed).toEqual({ code: 4500, reason: "bad_frame" });
    expect(later.closed).toEqual({ code: 4502, reason: "unsupported_version" });
  });

  test("[L5] the last subscriber's leaving and the next one's coming are said once each", () => {
    const { core, up, live } = object.running();

    core.clientClosed(live);
    subscribe(core);
    subscribe(core);

    expect(up.take()).toEqual([{ empty: PATH }, { occupied: PATH }]);
  });

  test("[L5] with the last subscriber's leaving it is said if the key has no record, as long as it has none", () => {
    const core = object.wake();
    const first = subscribe(core);
    const up = link(core);
    core.linkMessage(up, answer("e:0", "e:0", []));
    up.take();
    core.clientClosed(first);
    expect(up.take()).toEqual([{ empty: PATH, nothing: true }]);

    const second = subscribe(core);
    core.linkMessage(up, update(1, 0));
    up.take();
    core.clientClosed(second);
    expect(up.take()).toEqual([{ empty: PATH }]);
  });

  test("[L5] a link to an object without subscribers is told so, and nothing is asked on it", () => {
    const core = object.wake();

    const up = link(core);

    expect(up.take()).toEqual([{ empty: PATH }]);
  });

  test("[L4] after a break the object attaches from where it is, and its subscribers notice nothing", () => {
    const { core, up, live } = object.running();
    core.linkClosed(up, 1006);

    const again = link(core, 2);
    core.linkMessage(again, answer("e:5", "e:7", [update(7, 5)], { id: 2, recovered: true }));

    expect(again.take()).toEqual([{ attach: PATH, id: 2, from: "e:5" }]);
    expect(live.frames).toEqual([update(7, 5)]);
  });

  test("[L1] a shard that can't be reached is asked again a bounded number of times, then subscribers are sent away", async () => {
    object.failing = true;
    const core = object.wake();
    const waiting = subscribe(core, "e:1");

    for (let i = 0; i < 50; i++) {
      await Promise.resolve();
      object.clock.next(60_000);
    }

    expect(object.attaches).toBe(6);
    expect(waiting.closed).toEqual({ code: 4002, reason: "unavailable" });
    expect(object.clock.next(600_000)).toBe(false);
  });

  test("[S9] an object with a link looks once whether its subscribers have taken their verdicts, and then has no timer, so that it can hibernate", async () => {
    object.running();
    await Promise.resolve();

    expect(object.clock.next(100)).toBe(true);
    expect(object.clock.next(600_000)).toBe(false);
  });
});

describe("passing on", () => {
  test("[F1] a message of updates that all follow goes out as it came in, the same object to everyone", () => {
    const { core, up, live } = object.running();
    const other = subscribe(core, "e:5");
    other.take();
    const message = [update(6, 5), update(8, 6)].join(SEPARATOR);

    core.linkMessage(up, message);

    expect(live.messages).toEqual([message]);
    expect(other.messages[0]).toBe(live.messages[0]);
  });

  test("[P5] duplicates are dropped, and of a gap the object asks once, from where it is", () => {
    const { core, up, live } = object.running();

    core.linkMessage(up, [update(5, 3), update(6, 5), update(9, 8), update(11, 9)].join(SEPARATOR));
    core.linkMessage(up, update(12, 11));

    expect(live.frames).toEqual([update(6, 5)]);
    expect(up.take()).toEqual([{ attach: PATH, id: 2, from: "e:6" }]);
  });

  test("[C5] [L3] a link that says what can't be read is closed, what came before is passed on, and the next is asked anew", () => {
    const { core, up, live } = object.running();
    const waiting = subscribe(core, "f:0");
    up.take();

    const bad = JSON.stringify({ attached: PATH, id: 2, position: "x" });
    core.linkMessage(up, [update(6, 5), bad, update(9)].join(SEPARATOR));

    expect(up.closed).toEqual({ code: 4500, reason: "bad_frame" });
    expect([live.frames, waiting.frames]).toEqual([[update(6, 5)], []]);
    expect(link(core, 2).take()).toMatchObject([
      { attach: PATH, from: "e:6" },
      { attach: PATH, from: "f:0" },
    ]);
  });

  test("[F9] a binary message that can't be read is a gap", () => {
    const { core, up } = object.running();

    core.linkMessage(up, new Uint8Array([1, 2, 3]));

    expect(up.take()).toEqual([{ attach: PATH, id: 2, from: "e:5" }]);
  });

  test("updates of other endpoints don't reach subscribers", () => {
    const { core, up, live } = object.running();

    core.linkMessage(up, update(7, 5).replace(PATH, "/quotes/B"));

    expect(live.messages).toEqual([]);
  });

  test("[S9] a subscriber with more than 256 KiB unsent is closed, and the others get the update", () => {
    const { core, up, live } = object.running();
    const slow = subscribe(core, "e:5");
    slow.take();
    slow.bufferedAmount = 256 * 1024 + 1;

    core.linkMessage(up, update(6, 5));

    expect(slow.closed).toEqual({ code: 4001, reason: "slow_consumer" });
    expect(live.frames).toEqual([update(6, 5)]);
    expect(core.subscribers).toBe(1);
  });

  test("[S9] one that doesn't take its verdict is closed after 30 s, though nothing else comes; one that does lets the object sleep", () => {
    const { core, up } = object.running();
    const gone = new FakeSocket();
    gone.bufferedAmount = 80;
    core.subscribe(gone, position("e:5"));
    const pass = (ms: number) => {
      const until = object.clock.now + ms;
      while (object.clock.next(until - object.clock.now));
      object.clock.now = until;
    };
    pass(29_000);
    expect([gone.closed, core.subscribers]).toEqual([undefined, 2]);
    pass(3_000);
    expect([gone.closed?.reason, core.subscribers]).toEqual(["slow_consumer", 1]);
    // Bytes that were left when it was closed are counted for a while longer.
    pass(35_000);

    expect(object.clock.next(Number.POSITIVE_INFINITY)).toBeFalsy();
    expect(up.closed).toBeUndefined();
  });
});

describe("hibernation", () => {
  test("[S6] a new memory goes on from the sockets: no update twice, none missing, and the window holds the latest", () => {
    const { up, live } = object.running();

    const woken = object.wake([up], [live]);
    woken.linkMessage(up, [update(5, 3), update(6, 5)].join(SEPARATOR));
    const back = subscribe(woken, "e:3");

    expect(live.frames).toEqual([update(6, 5)]);
    expect(back.frames).toEqual([
      { id: 0, ok: { position: "e:3", head: "e:6", recovered: true } },
      update(5, 3),
      update(6, 5),
    ]);
    expect(up.take()).toEqual([]);
  });

  test("what is written on the link is written once for each message, not for each update", () => {
    const { core, up } = object.running();
    const before = up.saves;

    core.linkMessage(up, [update(6, 5), update(7, 6), update(8, 7)].join(SEPARATOR));

    expect(up.saves - before).toBe(1);
  });

  test.each([
    ["of Latin-1 that fits", "x".repeat(14_000), true],
    ["of Latin-1 that doesn't", "x".repeat(15_000), false],
    ["of wider characters that fits", "–".repeat(7_000), true],
    ["of wider characters that doesn't", "–".repeat(8_000), false],
  ])("a latest update %s is shown after waking, or asked for", (_, text, fits) => {
    const { core, up, live } = object.running();
    const large = update(6, 5, JSON.stringify(text));
    core.linkMessage(up, large);

    const woken = object.wake([up], [live]);
    const fresh = subscribe(woken);

    const verdict = { id: 0, ok: { position: "e:5", head: "e:6" } };
    expect(fresh.frames).toEqual(fits ? [verdict, large] : []);
    expect(up.take()).toEqual(fits ? [] : [{ attach: PATH, id: 2 }]);
    if (!fits) woken.linkMessage(up, answer("e:5", "e:6", [large], { id: 2 }));
    expect(fresh.frames).toEqual([verdict, large]);
  });

  test("where the latest update was asked for and has gone meanwhile, the subscriber hears where the endpoint is", () => {
    const { core, up, live } = object.running();
    core.linkMessage(up, update(6, 5, JSON.stringify("x".repeat(20_000))));
    const woken = object.wake([up], [live]);
    const fresh = subscribe(woken);

    woken.linkMessage(up, answer("e:6", "e:6", [], { id: 2 }));

    expect(fresh.frames).toEqual([{ id: 0, ok: { position: "e:6", head: "e:6" } }]);
  });

  test("a question that was open before is not asked again, and its answer serves who waited", () => {
    const { core, up, live } = object.running();
    for (let offset = 6; offset < 12; offset++) core.linkMessage(up, update(offset, offset - 1));
    const waiting = subscribe(core, "e:5");
    up.take();

    const woken = object.wake([up], [live, waiting]);
    const rest = Array.from({ length: 6 }, (_, i) => update(6 + i, 5 + i));
    woken.linkMessage(up, answer("e:5", "e:11", rest, { id: 2, recovered: true }));

    expect(up.take()).toEqual([]);
    expect(waiting.frames).toEqual([
      { id: 0, ok: { position: "e:5", head: "e:11", recovered: true } },
      ...rest,
    ]);
  });

  test("a socket whose attachment can't be read is sent away, to come back by position", () => {
    const { up, live } = object.running();
    const strange = new FakeSocket();
    strange.serializeAttachment({ kind: "of a later version" });

    const woken = object.wake([up], [live, strange]);

    expect(strange.closed).toEqual({ code: 4000, reason: "going_away" });
    expect(woken.subscribers).toBe(1);
  });
});

describe("what is kept of a subscriber", () => {
  test("[S3] who is served at once is written down once, and stands in its sockets after a hibernation", () => {
    const { core, up } = object.running();
    const back = subscribe(core, "e:3");
    expect(back.take()).toMatchObject([{ ok: { recovered: true } }, update(5, 3)]);
    expect(back.saves).toBe(1);

    const woken = object.wake([up], [back]);
    woken.linkMessage(up, update(7, 5));
    expect(back.take()).toMatchObject([update(7, 5)]);
  });

  test("[S2] who has to wait is written down as it comes, and has its verdict after a hibernation", () => {
    const core = object.wake();
    const waits = subscribe(core, "e:1");
    const up = link(core);
    expect(waits.saves).toBe(1);

    const woken = object.wake([up], [waits]);
    woken.linkMessage(up, answer("e:0", "e:3", [update(1, 0), update(3, 1)]));
    expect(waits.take()).toMatchObject([{ ok: { recovered: true } }, update(3, 1)]);
  });

  test("[S2] who subscribes again, though it was live, is served anew and once", () => {
    const { core, up, live } = object.running();
    core.clientMessage(live, JSON.stringify({ id: 1, sub: PATH, from: "e:3" }));
    expect(live.take()).toMatchObject([{ id: 1, ok: { recovered: true } }, update(5, 3)]);
    core.linkMessage(up, update(7, 5));
    expect(live.take()).toMatchObject([update(7, 5)]);
  });
});
