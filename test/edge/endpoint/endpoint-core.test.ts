import { beforeEach, describe, expect, test } from "vitest";
import { EndpointCore } from "../../../edge/endpoint/endpoint-core.ts";
import { encodeWaiting } from "../../../shared/protocol/attach.ts";
import { encodeCount, encodeEnough, encodeLinkHello } from "../../../shared/protocol/link.ts";
import { SEPARATOR } from "../../../shared/protocol/message.ts";
import { answer, PATH, position, update } from "../../support/endpoint-frames.ts";
import { FakeSocket } from "../../support/fake-socket.ts";
import { noTokens, UNLIMITED } from "../../support/holders.ts";
import { Clock } from "../../support/simulated-wires.ts";

let clock: Clock;
let attaches: number;
let failing: boolean;

function createCore(links: FakeSocket[] = [], subscribers: FakeSocket[] = []): EndpointCore {
  const ports = {
    now: () => clock.now,
    wall: () => clock.now,
    verify: noTokens,
    random: () => 0.5,
    after: (ms: number, run: () => void) => clock.after(ms, run),
    log: () => undefined,
    attach: async () => {
      attaches++;
      if (failing) throw new Error("the shard is away");
    },
    pingedAt: () => undefined,
    sent: () => undefined,
    answered: () => undefined,
  };
  const window = { updates: 3, ageMs: 60_000, bytes: 1_000_000 };
  return new EndpointCore(
    ports,
    { path: PATH, shard: 0, window, replays: false, limits: UNLIMITED },
    { links, subscribers },
  );
}

function link(core: EndpointCore, dial = 1, generation = 1, shard = 0): FakeSocket {
  const socket = new FakeSocket();
  core.linkOpened(socket);
  core.linkMessage(socket, encodeLinkHello({ version: 1, shard, generation, dial }));
  return socket;
}

function subscribe(core: EndpointCore, from?: string): FakeSocket {
  const socket = new FakeSocket();
  core.subscribe(socket, from === undefined ? undefined : position(from));
  return socket;
}

/** An object with a link, a live subscriber, and the updates e:1, e:3, e:5 after e:0; it stands at e:5. */
function running(): { core: EndpointCore; up: FakeSocket; live: FakeSocket } {
  const core = createCore();
  const live = subscribe(core);
  const up = link(core);
  core.linkMessage(up, answer("e:0", "e:5", [update(1, 0), update(3, 1), update(5, 3)]));
  live.take();
  up.take();
  return { core, up, live };
}

beforeEach(() => {
  clock = new Clock();
  attaches = 0;
  failing = false;
});

describe("links", () => {
  test("[L5] an object that wakes without subscribers says that it is empty, whatever it said before", () => {
    const { core, up, live } = running();
    expect(core.subscribers).toBe(1);

    const woken = createCore([up], []);
    expect(up.take()).toEqual([{ empty: PATH }]);
    woken.subscriberClosed(live);
    expect(up.messages).toEqual([]);

    subscribe(woken);
    expect(up.take()).toEqual([{ occupied: PATH }]);
  });

  test("[L1] [L4] the first subscriber makes the object ask its shard, and the link's hello makes it attach", () => {
    const core = createCore();
    const live = subscribe(core);
    expect(attaches).toBe(1);

    const up = link(core);

    expect(up.take()).toEqual([{ attach: PATH, id: 1 }]);
    expect(live.messages).toEqual([]);
  });

  test("[L3] of two links the one with the higher generation and dial stays, whichever came first", () => {
    const core = createCore();
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
    const { core, up, live } = running();

    const foreign = link(core, 9, 9, 1);
    core.linkMessage(foreign, update(6, 5));
    core.linkMessage(foreign, new Uint8Array([1, 2, 3]));
    core.linkClosed(foreign, 4_004);

    expect(foreign.take()).toEqual([{ empty: PATH }]);
    expect([up.closed, foreign.closed]).toEqual([undefined, undefined]);
    expect([up.take(), live.take(), attaches]).toEqual([[], [], 1]);
  });

  test("[L1] [L3] nor is its link one for an object that has no other, awake or after a hibernation", () => {
    const core = createCore();
    const live = subscribe(core);
    const foreign = link(core, 9, 9, 1);
    expect(foreign.take()).toEqual([{ empty: PATH }]);

    const woken = createCore([foreign], [live]);

    expect(attaches).toBe(2);
    const up = link(woken);
    expect([foreign.take(), up.take()]).toEqual([[], [{ attach: PATH, id: 1 }]]);
  });

  test("[L3] [V2] a link that doesn't begin with a hello of this version is closed", () => {
    const core = createCore();
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
    const { core, up, live } = running();

    core.subscriberClosed(live);
    subscribe(core);
    subscribe(core);

    expect(up.take()).toEqual([{ empty: PATH }, { occupied: PATH }]);
  });

  test("[L5] with the last subscriber's leaving it is said if the key has no record, as long as it has none", () => {
    const core = createCore();
    const first = subscribe(core);
    const up = link(core);
    core.linkMessage(up, answer("e:0", "e:0", []));
    up.take();
    core.subscriberClosed(first);
    expect(up.take()).toEqual([{ empty: PATH, nothing: true }]);

    const second = subscribe(core);
    core.linkMessage(up, update(1, 0));
    up.take();
    core.subscriberClosed(second);
    expect(up.take()).toEqual([{ empty: PATH }]);
  });

  test("[L5] a link to an object without subscribers is told so, and nothing is asked on it", () => {
    const core = createCore();

    const up = link(core);

    expect(up.take()).toEqual([{ empty: PATH }]);
  });

  test("[L4] after a break the object attaches from where it is, and its subscribers notice nothing", () => {
    const { core, up, live } = running();
    core.linkClosed(up, 1006);

    const again = link(core, 2);
    core.linkMessage(again, answer("e:5", "e:7", [update(7, 5)], { id: 2, recovered: true }));

    expect(again.take()).toEqual([{ attach: PATH, id: 2, from: "e:5" }]);
    expect(live.frames).toEqual([update(7, 5)]);
  });

  test("[L1] a shard that can't be reached is asked again a bounded number of times, then subscribers are sent away", async () => {
    failing = true;
    const core = createCore();
    const waiting = subscribe(core, "e:1");

    for (let i = 0; i < 50; i++) {
      await Promise.resolve();
      clock.next(60_000);
    }

    expect(attaches).toBe(6);
    expect(waiting.closed).toEqual({ code: 4002, reason: "unavailable" });
    expect(clock.next(600_000)).toBe(false);
  });

  test("an object with a link has no timer, so that it can hibernate", async () => {
    running();
    await Promise.resolve();

    expect(clock.next(600_000)).toBe(false);
  });
});

describe("passing on", () => {
  test("[F1] a message of updates that all follow goes out as it came in, the same object to everyone", () => {
    const { core, up, live } = running();
    const other = subscribe(core, "e:5");
    other.take();
    const message = [update(6, 5), update(8, 6)].join(SEPARATOR);

    core.linkMessage(up, message);

    expect(live.messages).toEqual([message]);
    expect(other.messages[0]).toBe(live.messages[0]);
  });

  test("[P5] duplicates are dropped, and of a gap the object asks once, from where it is", () => {
    const { core, up, live } = running();

    core.linkMessage(up, [update(5, 3), update(6, 5), update(9, 8), update(11, 9)].join(SEPARATOR));
    core.linkMessage(up, update(12, 11));

    expect(live.frames).toEqual([update(6, 5)]);
    expect(up.take()).toEqual([{ attach: PATH, id: 2, from: "e:6" }]);
  });

  test("[C5] [L3] a link that says what can't be read is closed, what came before is passed on, and the next is asked anew", () => {
    const { core, up, live } = running();
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
    const { core, up } = running();

    core.linkMessage(up, new Uint8Array([1, 2, 3]));

    expect(up.take()).toEqual([{ attach: PATH, id: 2, from: "e:5" }]);
  });

  test("updates of other endpoints don't reach subscribers", () => {
    const { core, up, live } = running();

    core.linkMessage(up, update(7, 5).replace(PATH, "/quotes/B"));

    expect(live.messages).toEqual([]);
  });

  test("[S9] a subscriber with more than 256 KiB unsent is closed, and the others get the update", () => {
    const { core, up, live } = running();
    const slow = subscribe(core, "e:5");
    slow.take();
    slow.bufferedAmount = 256 * 1024 + 1;

    core.linkMessage(up, update(6, 5));

    expect(slow.closed).toEqual({ code: 4001, reason: "slow_consumer" });
    expect(live.frames).toEqual([update(6, 5)]);
    expect(core.subscribers).toBe(1);
  });
});

describe("answers", () => {
  test("[S4] [R5] those who wait are told so once each, who comes later too", () => {
    const core = createCore();
    const first = subscribe(core);
    const up = link(core);

    core.linkMessage(up, encodeWaiting(PATH, 1));
    core.linkMessage(up, encodeWaiting(PATH, 1));
    const second = subscribe(core);

    const wait = { id: 0, wait: expect.objectContaining({ code: "unavailable", retry: true }) };
    expect(first.frames).toEqual([wait]);
    expect(second.frames).toEqual([wait]);
  });

  test("[R2] one question for those of which the answer serves all; one who stands before it has one of its own", () => {
    const { core, up } = running();
    for (let offset = 6; offset < 10; offset++) core.linkMessage(up, update(offset, offset - 1));
    const first = subscribe(core, "e:1");
    const second = subscribe(core, "e:3");
    const third = subscribe(core, "e:0");
    const asked = [
      { attach: PATH, id: 2, from: "e:1" },
      { attach: PATH, id: 3, from: "e:0" },
    ];
    expect(up.take()).toEqual(asked);

    const from3 = [update(5, 3), update(6, 5), update(7, 6), update(8, 7), update(9, 8)];
    core.linkMessage(up, answer("e:1", "e:9", [update(3, 1), ...from3], { id: 2, recovered: true }));
    core.linkMessage(
      up,
      answer("e:0", "e:9", [update(1, 0), update(3, 1), ...from3], { id: 3, recovered: true }),
    );

    const ok = (from: string) => ({ id: 0, ok: { position: from, head: "e:9", recovered: true } });
    expect(first.frames).toEqual([ok("e:1"), update(3, 1), ...from3]);
    expect(second.frames).toEqual([ok("e:3"), ...from3]);
    expect(third.frames).toEqual([ok("e:0"), update(1, 0), update(3, 1), ...from3]);
    expect(up.take()).toEqual([]);
  });

  test("[U5] an answer that doesn't reach the window is asked on from where it ends; the verdict is sent once", () => {
    const { core, up } = running();
    for (let offset = 6; offset < 20; offset++) core.linkMessage(up, update(offset, offset - 1));
    const back = subscribe(core, "e:5");

    core.linkMessage(up, answer("e:5", "e:6", [update(6, 5)], { id: 2, recovered: true, head: "e:19" }));
    const rest = Array.from({ length: 13 }, (_, i) => update(7 + i, 6 + i));
    core.linkMessage(up, answer("e:6", "e:19", rest, { id: 3, recovered: true }));
    core.linkMessage(up, update(20, 19));

    expect(up.take()).toEqual([
      { attach: PATH, id: 2, from: "e:5" },
      { attach: PATH, id: 3, from: "e:6" },
    ]);
    expect(back.frames).toEqual([
      { id: 0, ok: { position: "e:5", head: "e:19", recovered: true } },
      update(6, 5),
      ...rest,
      update(20, 19),
    ]);
  });

  test("[R4] past the horizon only those are refused who stand before it; the others wait for their own answer", () => {
    const { core, up, live } = running();
    for (let offset = 6; offset < 12; offset++) core.linkMessage(up, update(offset, offset - 1));
    live.take();
    const lost = subscribe(core, "e:1");
    const held = subscribe(core, "e:7");

    const recent = [update(9, 8), update(10, 9), update(11, 10)];
    core.linkMessage(
      up,
      answer("e:8", "e:11", recent, { id: 2, recovered: false, cause: "horizon", horizon: "e:6" }),
    );

    expect(lost.frames).toEqual([
      { id: 0, ok: { position: "e:10", head: "e:11", recovered: false, cause: "horizon" } },
      update(11, 10),
    ]);
    expect(held.frames).toEqual([]);
    expect(up.take()).toEqual([
      { attach: PATH, id: 2, from: "e:1" },
      { attach: PATH, id: 3, from: "e:7" },
    ]);
    expect(live.frames).toEqual([]);
  });

  test("[R3] [R4] who stands at the last record of every epoch is not refused, however far the horizon has moved", () => {
    const core = createCore();
    const lost = subscribe(core, "e:1,f:3");
    const held = subscribe(core, "e:5,f:4");
    const up = link(core);
    core.linkMessage(up, answer("e:5,f:9", "e:5,f:9", []));

    const refusal = { id: 2, recovered: false, cause: "horizon", horizon: "e:8,f:3" } as const;
    core.linkMessage(up, answer("e:5,f:9", "e:5,f:9", [], refusal));

    expect(lost.frames).toEqual([
      { id: 0, ok: { position: "e:5,f:9", head: "e:5,f:9", recovered: false, cause: "horizon" } },
    ]);
    expect(held.frames).toEqual([]);
    expect(up.take().at(-1)).toEqual({ attach: PATH, id: 3, from: "e:5,f:4" });
  });

  test("[N5] [R2] a refusal of one slice moves the object past nothing that it lacks in another", () => {
    const { core, up, live } = running();
    core.linkMessage(up, update(9, 8));
    expect(up.take()).toEqual([{ attach: PATH, id: 2, from: "e:5" }]);

    // The shard has sent e:9, which the object couldn't take.
    core.linkMessage(
      up,
      answer("e:9,f:4", "e:9,f:4", [], { id: 0, recovered: false, cause: "horizon", horizon: "f:4" }),
    );
    core.linkMessage(up, answer("e:5", "e:9", [update(8, 5), update(9, 8)], { id: 2, recovered: true }));

    expect(live.take()).toEqual([
      { reset: PATH, position: "e:5,f:4", head: "e:5,f:4", cause: "horizon" },
      update(8, 5),
      update(9, 8),
    ]);
  });

  test("[N5] after a refusal of one slice the latest update is asked for, which may be another's", () => {
    const { core, up } = running();
    core.linkMessage(
      up,
      answer("e:5,f:4", "e:5,f:4", [], { id: 0, recovered: false, cause: "horizon", horizon: "f:4" }),
    );
    up.take();

    const fresh = subscribe(core);
    expect(up.take()).toEqual([{ attach: PATH, id: 2 }]);
    core.linkMessage(up, answer("e:3,f:4", "e:5,f:4", [update(5, 3)], { id: 2 }));

    expect(fresh.take().slice(1)).toEqual([update(5, 3)]);
  });

  test("[S5] where the object itself lost continuity, who is live is reset and goes on from the latest update", () => {
    const { core, up, live } = running();

    core.linkMessage(
      up,
      answer(
        "f:1",
        "f:4",
        [update(2), update(4, 2)].map((frame) => frame.replace('"e:', '"f:')),
        { id: 0, recovered: false, cause: "epoch" },
      ),
    );

    const latest = update(4, 2).replace('"e:', '"f:');
    expect(live.frames).toEqual([{ reset: PATH, position: "f:2", head: "f:4", cause: "epoch" }, latest]);
  });

  test("[U5] an answer that breaks off is asked for again", () => {
    const core = createCore();
    const waiting = subscribe(core);
    const up = link(core);
    const whole = answer("e:0", "e:5", [update(1, 0), update(5, 1)]);

    core.linkMessage(up, whole.split(SEPARATOR).slice(0, 2).join(SEPARATOR));
    core.linkMessage(up, answer("e:0", "e:5", [update(1, 0), update(5, 1)], { id: 0, recovered: true }));

    expect(waiting.frames).toEqual([{ id: 0, ok: { position: "e:1", head: "e:5" } }, update(5, 1)]);
  });

  test("an answer that contradicts itself ends in a reset and not in asking for ever", () => {
    const { core, up, live } = running();
    core.linkMessage(up, update(9, 8));

    core.linkMessage(up, answer("e:5", "e:9", [update(9, 8)], { id: 2, recovered: true }));

    expect(live.frames).toEqual([
      { reset: PATH, position: "e:8", head: "e:9", cause: "horizon" },
      update(9, 8),
    ]);
    expect(up.take()).toEqual([{ attach: PATH, id: 2, from: "e:5" }]);
  });

  test("[U5] an answer without updates that leads past the object's position has found nothing on the way", () => {
    const { core, up, live } = running();
    core.linkMessage(up, update(9, 8));

    core.linkMessage(up, answer("e:5", "e:8", [], { id: 2, recovered: true }));
    core.linkMessage(up, update(9, 8));

    expect(live.frames).toEqual([update(9, 8)]);
    expect(up.take()).toEqual([{ attach: PATH, id: 2, from: "e:5" }]);
  });
});

describe("hibernation", () => {
  test("[S6] a new memory goes on from the sockets: no update twice, none missing, and the window holds the latest", () => {
    const { up, live } = running();

    const woken = createCore([up], [live]);
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
    const { core, up } = running();
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
    const { core, up, live } = running();
    const large = update(6, 5, JSON.stringify(text));
    core.linkMessage(up, large);

    const woken = createCore([up], [live]);
    const fresh = subscribe(woken);

    const verdict = { id: 0, ok: { position: "e:5", head: "e:6" } };
    expect(fresh.frames).toEqual(fits ? [verdict, large] : []);
    expect(up.take()).toEqual(fits ? [] : [{ attach: PATH, id: 2 }]);
    if (!fits) woken.linkMessage(up, answer("e:5", "e:6", [large], { id: 2 }));
    expect(fresh.frames).toEqual([verdict, large]);
  });

  test("where the latest update was asked for and has gone meanwhile, the subscriber hears where the endpoint is", () => {
    const { core, up, live } = running();
    core.linkMessage(up, update(6, 5, JSON.stringify("x".repeat(20_000))));
    const woken = createCore([up], [live]);
    const fresh = subscribe(woken);

    woken.linkMessage(up, answer("e:6", "e:6", [], { id: 2 }));

    expect(fresh.frames).toEqual([{ id: 0, ok: { position: "e:6", head: "e:6" } }]);
  });

  test("a question that was open before is not asked again, and its answer serves who waited", () => {
    const { core, up, live } = running();
    for (let offset = 6; offset < 12; offset++) core.linkMessage(up, update(offset, offset - 1));
    const waiting = subscribe(core, "e:5");
    up.take();

    const woken = createCore([up], [live, waiting]);
    const rest = Array.from({ length: 6 }, (_, i) => update(6 + i, 5 + i));
    woken.linkMessage(up, answer("e:5", "e:11", rest, { id: 2, recovered: true }));

    expect(up.take()).toEqual([]);
    expect(waiting.frames).toEqual([
      { id: 0, ok: { position: "e:5", head: "e:11", recovered: true } },
      ...rest,
    ]);
  });

  test("a socket whose attachment can't be read is sent away, to come back by position", () => {
    const { up, live } = running();
    const strange = new FakeSocket();
    strange.serializeAttachment({ kind: "of a later version" });

    const woken = createCore([up], [live, strange]);

    expect(strange.closed).toEqual({ code: 4000, reason: "going_away" });
    expect(woken.subscribers).toBe(1);
  });
});

describe("who has nothing", () => {
  /** An object that was answered so, and what it asks if somebody comes who has nothing. */
  function asksFor(options: Parameters<typeof answer>[3]) {
    const core = createCore();
    subscribe(core);
    const up = link(core);
    core.linkMessage(up, answer("-", "e:5", [update(5)], options));
    up.take();
    const nobody = subscribe(core, "-");
    return { core, up, nobody };
  }

  test("[R1] is served from a window that holds all of the key's home, without a question", () => {
    const { up, nobody } = asksFor({});

    expect(up.messages).toEqual([]);
    expect(nobody.take()).toEqual([
      { id: 0, ok: { position: "-", head: "e:5", recovered: true } },
      update(5),
    ]);
  });

  test("[R1] is asked for where the window holds another partition alone, and then served like that one", () => {
    const { core, up, nobody } = asksFor({ withoutHome: true });
    expect(up.take()).toEqual([{ attach: PATH, id: 2, from: "-" }]);

    core.linkMessage(up, answer("-", "e:5", [update(5)], { id: 2, recovered: true, horizon: "e:0,h:0" }));

    expect(nobody.take()).toMatchObject([{ ok: { position: "-", recovered: true } }, update(5)]);
    const next = subscribe(core, "-");
    expect(up.messages, "the window has learnt it").toEqual([]);
    expect(next.take()).toMatchObject([{ ok: { position: "-", recovered: true } }, update(5)]);
  });

  test("[R1] [S3] is served by no answer to others that doesn't speak of the key's home", () => {
    const core = createCore();
    subscribe(core);
    const nobody = subscribe(core, "-");
    const up = link(core);
    up.take();
    core.linkMessage(up, answer("-", "e:5", [update(5)], { withoutHome: true }));

    expect(nobody.messages).toEqual([]);
    expect(up.take()).toEqual([{ attach: PATH, id: 2, from: "-" }]);
    const refused = { id: 2, recovered: false, cause: "horizon", horizon: "e:0,h:3" } as const;
    core.linkMessage(up, answer("h:7", "e:5,h:7", [update(5)], refused));
    expect(nobody.take()).toMatchObject([{ ok: { recovered: false, cause: "horizon" } }, update(5)]);
  });

  test("[R1] is asked for once the next source says that it doesn't speak of the key's home", () => {
    const { core, up } = asksFor({});
    core.linkClosed(up, 1_006);
    const next = link(core, 2);
    expect(next.take()).toEqual([{ attach: PATH, id: 2, from: "e:5" }]);
    core.linkMessage(next, answer("e:5", "e:5", [], { id: 2, recovered: true, withoutHome: true }));

    expect(subscribe(core, "-").messages).toEqual([]);
    expect(next.take()).toEqual([{ attach: PATH, id: 3, from: "-" }]);
    expect(subscribe(core, "e:0").take()).toMatchObject([{ ok: { recovered: true } }, update(5)]);
  });

  test("[R1] is served without a question of a key without a record, too", () => {
    const core = createCore();
    subscribe(core);
    const up = link(core);
    core.linkMessage(up, answer("-", "-", [], { horizon: "e:0" }));
    up.take();

    expect(subscribe(core, "-").take()).toEqual([
      { id: 0, ok: { position: "-", head: "-", recovered: true } },
    ]);
    expect(up.messages).toEqual([]);
  });
});

describe("[O2] how many subscribers there are", () => {
  const counted = (subscribers: number) => ({ counted: { endpoint: PATH, subscribers } });

  test("is said when the shard asks, and when it changes, until the shard has enough", () => {
    const { core, up, live } = running();
    core.linkMessage(up, encodeCount(PATH));
    expect(up.take()).toEqual([counted(1)]);
    clock.now += 500;
    const second = subscribe(core);
    expect(up.take()).toEqual([counted(2)]);
    core.subscriberClosed(second);
    expect(up.take()).toEqual([{ later: PATH }]);
    core.linkMessage(up, encodeCount(PATH));
    expect(up.take()).toEqual([counted(1)]);

    core.linkMessage(up, encodeEnough(PATH));
    clock.now += 500;
    core.subscriberClosed(live);
    expect(up.take()).toEqual([{ empty: PATH }]);
  });

  test("is said after a hibernation by one that was asked before, of a subscriber that left meanwhile, too", () => {
    const { core, up, live } = running();
    const other = subscribe(core);
    core.linkMessage(up, encodeCount(PATH));
    up.take();

    const woken = createCore([up], [live]);
    expect(up.take()).toEqual([counted(1)]);
    woken.subscriberClosed(other);
    expect(up.take()).toEqual([]);
  });

  test("isn't said on a new link before it is asked there", () => {
    const { core, up } = running();
    core.linkMessage(up, encodeCount(PATH));
    core.linkClosed(up, 1_006);
    const next = link(core, 2);
    clock.now += 1_000;
    subscribe(core);
    expect(next.take().filter((frame) => JSON.stringify(frame).includes("counted"))).toEqual([]);
    core.linkMessage(next, encodeCount(PATH));
    expect(next.take()).toContainEqual(counted(2));
  });
});
