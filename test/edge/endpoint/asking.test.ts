/** Several questions at once: who asks in vain delays nobody else. */
import { beforeEach, describe, expect, test } from "vitest";
import type { EndpointCore } from "../../../edge/endpoint/endpoint-core.ts";
import { encodeWaiting } from "../../../shared/protocol/attach.ts";
import { LIMITS } from "../../../shared/protocol/limits.ts";
import { formatPosition, parsePosition } from "../../../shared/protocol/position.ts";
import { encodeSubscribe } from "../../../shared/protocol/subscriber.ts";
import { answer, PATH, position, update } from "../../support/endpoint-frames.ts";
import { FakeSocket } from "../../support/fake-socket.ts";
import { link, SmallEndpoint } from "../../support/small-endpoint.ts";

/** Those of each of the two kinds that are open at once, and of these those that the source may hold. */
const PLACES = 8;
const HELD = 4;

let object: SmallEndpoint;
let core: EndpointCore;
let up: FakeSocket;
let subscribers: FakeSocket[];

function subscribe(from?: string): FakeSocket {
  const socket = new FakeSocket();
  subscribers.push(socket);
  core.subscribe(socket, from === undefined ? undefined : position(from));
  return socket;
}

function resubscribe(socket: FakeSocket, id: number, from: string): void {
  core.clientMessage(socket, encodeSubscribe(id, PATH, position(from)));
}

function leave(socket: FakeSocket): void {
  subscribers = subscribers.filter((other) => other !== socket);
  core.clientClosed(socket);
}

type Up = { readonly attach?: string; readonly cancel?: string; readonly id: number; readonly from?: string };

/** What went up since this was last called, in short. */
const asked = () =>
  (up.take() as Up[]).map(({ attach, id, from }) =>
    `${attach === undefined ? "cancel " : ""}${id} ${from ?? ""}`.trim(),
  );
const wait = (id: number) => core.linkMessage(up, encodeWaiting(PATH, id));
const refuse = (id: number, cause: "epoch" | "ahead" = "ahead") =>
  core.linkMessage(up, answer("e:18", "e:19", [update(19, 18)], { id, recovered: false, cause }));
/** All from e:5 on. */
const recover = (id: number) => {
  const frames = Array.from({ length: 14 }, (_, i) => update(6 + i, 5 + i));
  core.linkMessage(up, answer("e:5", "e:19", frames, { id, recovered: true }));
};
const verdicts = (socket: FakeSocket) =>
  (socket.frames as { ok?: { recovered?: boolean; cause?: string } }[])
    .filter((frame) => typeof frame === "object" && "ok" in frame)
    .map(({ ok }) => ok?.cause ?? ok?.recovered);
const waits = (socket: FakeSocket) =>
  socket.frames.filter((frame) => typeof frame === "object" && frame !== null && "wait" in frame).length;

/** It stands at e:19, and its window reaches back to e:16. */
beforeEach(() => {
  object = new SmallEndpoint();
  subscribers = [];
  core = object.wake();
  subscribe();
  up = link(core);
  core.linkMessage(up, answer("e:16", "e:19", [update(17, 16), update(18, 17), update(19, 18)]));
  up.take();
});

describe("a question that can't be answered", () => {
  test("[R2] [R5] delays no other one: who resumes from the index is asked for at once, and answered", () => {
    const doomed = subscribe("e:90");
    wait(2);

    const honest = subscribe("e:5");
    recover(3);

    expect(asked()).toEqual(["2 e:90", "3 e:5"]);
    expect(verdicts(honest)).toEqual([true]);
    expect([verdicts(doomed), waits(doomed)]).toEqual([[], 1]);
  });

  test("[R2] nor do a thousand at made-up positions, told to wait or not: the next question is the honest one's", () => {
    for (let i = 0; i < 1_000; i++) subscribe(`e:${9_000 - i}`);
    const before = asked().length;

    const honest = subscribe("e:5");

    expect(before).toBe(PLACES);
    expect(asked()).toEqual([`${2 + PLACES} e:5`]);
    recover(2 + PLACES);
    expect(verdicts(honest)).toEqual([true]);
  });

  test("[R2] nor does one who asks again and again: a re-subscribe waits behind all who came before it", () => {
    const attackers = Array.from({ length: PLACES }, (_, i) => subscribe(`f:${9 - i}`));
    const other = subscribe("e:90");
    asked();

    for (const [i, socket] of attackers.entries()) resubscribe(socket, 1, `g:${9 - i}`);

    // The place of the first that was taken back is the other one's.
    expect(asked().slice(0, 2)).toEqual(["cancel 2", "10 e:90"]);
    refuse(10);
    expect(verdicts(other)).toEqual(["ahead"]);
  });

  test("[R2] [R5] [L8] past those that are held it is taken back, and asked again in turn, with how long it has waited", () => {
    const all = Array.from({ length: PLACES }, (_, i) => subscribe(`e:${99 - i}`));
    for (let id = 2; id < 2 + PLACES; id++) wait(id);
    expect(asked()).toEqual([
      ...all.map((_, i) => `${2 + i} e:${99 - i}`),
      ...all.slice(HELD).map((_, i) => `cancel ${2 + HELD + i}`),
    ]);
    object.clock.now += 15_000;

    refuse(2);

    const again = { attach: PATH, id: 10, from: `e:${99 - HELD}`, waited: 15_000 };
    expect(up.take()).toEqual([again]);
    expect(all.map(waits)).toEqual(all.map(() => 1));
    expect(verdicts(all[0] as FakeSocket)).toEqual(["ahead"]);
  });

  test("[R2] all who wait get their verdict, however many there are, and no more questions are open than may be", () => {
    const all = Array.from({ length: 100 }, (_, i) => subscribe(`e:${999 - i}`));
    const open = new Map<number, boolean>();
    let count = 0;
    for (let round = 0; round < 1_000; round++) {
      for (const { attach, id } of up.take() as Up[]) {
        if (attach === undefined) open.delete(id);
        else {
          open.set(id, false);
          count++;
        }
      }
      expect(open.size).toBeLessThanOrEqual(LIMITS.openAsks);
      const [untold] = [...open].filter(([, told]) => !told);
      const [oldest] = open.keys();
      if (untold !== undefined) {
        open.set(untold[0], true);
        wait(untold[0]);
      } else if (oldest !== undefined) {
        open.delete(oldest);
        refuse(oldest);
      } else break;
    }

    expect(all.map(verdicts)).toEqual(all.map(() => ["ahead"]));
    expect(count).toBeLessThanOrEqual(2 * all.length);
  });
});

describe("a question for whose answer nobody waits any more", () => {
  test("[L8] is taken back when its asker leaves, and its place is another one's", () => {
    const all = Array.from({ length: PLACES + 1 }, (_, i) => subscribe(`e:${99 - i}`));
    asked();

    leave(all[0] as FakeSocket);

    expect(asked()).toEqual(["cancel 2", `${2 + PLACES} e:${99 - PLACES}`]);
  });

  test("[L8] [S2] and when it subscribes from elsewhere; not when it subscribes from there again", () => {
    const socket = subscribe("e:90");
    asked();

    resubscribe(socket, 1, "e:90");
    expect(asked()).toEqual([]);
    resubscribe(socket, 2, "e:5");

    expect(asked()).toEqual(["cancel 2", "3 e:5"]);
  });

  test("[L8] and when the answer to another one has served it", () => {
    const later = subscribe("e:9");
    const earlier = subscribe("e:5");
    expect(asked()).toEqual(["2 e:9", "3 e:5"]);

    recover(3);

    expect([verdicts(later), verdicts(earlier)]).toEqual([[true], [true]]);
    expect(asked()).toEqual(["cancel 2"]);
  });

  test("[L8] [L5] when all have left, before the object says that it is empty", () => {
    subscribe("e:90");
    up.take();

    for (const socket of subscribers) leave(socket);

    expect(up.take()).toEqual([{ cancel: PATH, id: 2 }, { empty: PATH }]);
  });

  test("[L8] its answer may be under way: it changes nothing, and nobody is told twice", () => {
    const socket = subscribe("e:5");
    resubscribe(socket, 1, "e:9");
    up.take();

    recover(2);
    recover(3);

    expect(verdicts(socket)).toEqual([true]);
  });
});

describe("those who may be served by one answer", () => {
  test("[R2] wait for what is asked when they come, and are then asked for themselves, whatever came after them", () => {
    subscribe("e:5");
    const later = subscribe("e:9");
    expect(asked()).toEqual(["2 e:5"]);
    subscribe("e:4");

    core.linkMessage(
      up,
      answer("e:5", "e:7", [update(6, 5), update(7, 6)], { id: 2, recovered: true, head: "e:19" }),
    );

    // The one that comes after it, from before it, is open; it has waited for one like that already.
    expect(asked()).toEqual(["3 e:4", "4 e:9"]);
    expect(verdicts(later)).toEqual([]);
  });

  test("[R2] are those at the same position, at once", () => {
    const all = Array.from({ length: 50 }, () => subscribe("e:5"));
    expect(asked()).toEqual(["2 e:5"]);

    recover(2);

    expect(all.map(verdicts)).toEqual(all.map(() => [true]));
  });
});

describe("one who is too full for more", () => {
  test("[S9] [R2] is asked for at the first event of any kind that finds room, and others meanwhile", () => {
    const slow = subscribe("e:5");
    const page = [update(6, 5), update(7, 6)];
    // Nothing of what it is sent leaves.
    slow.send = () => {
      slow.bufferedAmount = LIMITS.subscriberBacklogBytes + 1;
    };
    core.linkMessage(up, answer("e:5", "e:7", page, { id: 2, recovered: true, head: "e:19" }));
    subscribe("e:90");
    core.linkMessage(up, update(20, 19));
    expect(asked()).toEqual(["2 e:5", "3 e:90"]);

    slow.bufferedAmount = 0;
    core.linkMessage(up, update(21, 20));

    expect(asked()).toEqual(["4 e:7"]);
  });
});

describe("a refusal", () => {
  /** Of what is asked from e:7, where the index begins at e:12. */
  const horizon = { recovered: false, cause: "horizon", horizon: "e:12" } as const;
  const recent = [update(19, 18)];

  test("[R4] for the horizon is one of all who stand before that, further back or further on", () => {
    const all = ["e:7", "e:9", "e:5"].map(subscribe);
    const held = subscribe("e:11");
    asked();

    core.linkMessage(up, answer("e:18", "e:19", recent, { id: 2, ...horizon }));

    expect(all.map(verdicts)).toEqual(all.map(() => ["horizon"]));
    expect(verdicts(held)).toEqual([]);
  });

  test("[R4] [R7] where the log is read again, it is none of one who stands further on, for whom less is to be read", () => {
    core = object.wake([up], subscribers, true);
    const all = ["e:7", "e:5"].map(subscribe);
    const later = subscribe("e:9");
    expect(asked()).toEqual(["2 e:7", "3 e:5"]);

    core.linkMessage(up, answer("e:18", "e:19", recent, { id: 2, ...horizon }));

    expect(all.map(verdicts)).toEqual(all.map(() => ["horizon"]));
    expect(verdicts(later)).toEqual([]);
    expect(asked()).toEqual(["cancel 3", "4 e:9"]);
  });

  test.each([
    ["ahead", [["ahead"], ["ahead"], []]],
    ["epoch", [["epoch"], ["epoch"], ["epoch"]]],
  ] as const)("[R4] for the cause %s is one of all for whom it must be the same", (cause, expected) => {
    const all = ["f:7", "f:9", "f:5"].map(subscribe);

    refuse(2, cause);

    expect(all.map(verdicts)).toEqual(expected);
  });
});

describe("a source that knows less than the object", () => {
  test("[R2] is asked from where the object is, while others are asked on; then the one that led nowhere, once more", () => {
    const stalled = subscribe("e:9");
    core.linkMessage(up, answer("e:9", "e:9", [], { id: 2, recovered: true }));
    const honest = subscribe("e:5");
    expect(asked()).toEqual(["2 e:9", "3 e:19", "4 e:5"]);
    recover(4);
    expect([verdicts(stalled), verdicts(honest)]).toEqual([[true], [true]]);
  });

  test("[R2] [R4] and when it has answered that, what it says counts", () => {
    const stalled = subscribe("e:9");
    core.linkMessage(up, answer("e:9", "e:9", [], { id: 2, recovered: true }));
    wait(3);
    expect(waits(stalled)).toBe(1);
    core.linkMessage(up, answer("e:19", "e:19", [], { id: 3, recovered: true }));
    expect(asked()).toEqual(["2 e:9", "3 e:19", "4 e:9"]);

    core.linkMessage(up, answer("e:9", "e:9", [], { id: 4, recovered: true }));

    expect(verdicts(stalled)).toEqual(["horizon"]);
    expect(asked()).toEqual([]);
  });

  test("[R2] [R5] [L4] what counts is asked of no source that hasn't read as far as the object, whichever it is by then", () => {
    subscribe("e:9");
    core.linkMessage(up, answer("e:9", "e:9", [], { id: 2, recovered: true }));
    core.linkMessage(up, update(21, 19));
    up.take();

    core.linkMessage(up, answer("e:19", "e:21", [update(21, 19)], { id: 3, recovered: true }));

    expect(up.take()).toEqual([{ attach: PATH, id: 4, from: "e:9", reached: "e:21" }]);
  });
});

describe("a memory or a link that is lost", () => {
  test("questions that were open are not asked again after waking, and those that were held are still held", () => {
    const held = subscribe("e:90");
    wait(2);
    const open = subscribe("e:5");
    asked();

    core = object.wake([up], subscribers);
    const more = Array.from({ length: PLACES }, (_, i) => subscribe(`e:${80 - i}`));

    expect(asked()).toEqual(more.slice(1).map((_, i) => `${4 + i} e:${80 - i}`));
    recover(3);
    refuse(2);
    expect([verdicts(open), verdicts(held)]).toEqual([[true], ["ahead"]]);
  });

  test("those that fit on no attachment are taken back and asked again, so that there are no more than may be", () => {
    const epochs = Array.from({ length: LIMITS.positionComponents }, (_, i) => `incarnation.${100 + i}`);
    const long = (offset: number) => epochs.map((epoch) => `${epoch}:${offset}`).join();
    for (let i = 0; i < PLACES; i++) subscribe(long(9_999 - i));
    const before = (up.take() as Up[]).map(({ id }) => id);
    expect(before).toHaveLength(PLACES);

    core = object.wake([up], subscribers);
    subscribe("e:5");

    const after = up.take() as Up[];
    const cancelled = after.filter(({ cancel }) => cancel !== undefined).map(({ id }) => id);
    const again = after.filter(({ from }) => from !== undefined && from !== "e:5");
    expect(cancelled.length).toBeGreaterThan(0);
    expect(again).toHaveLength(cancelled.length);
    const kept = before.length - cancelled.length;
    expect(kept).toBeGreaterThan(0);
    const firstAgain = parsePosition(again[0]?.from ?? "");
    expect(firstAgain && formatPosition(firstAgain)).toBe(long(9_999 - kept));
  });

  test("[L4] on another link all of them are asked anew, and nothing is taken back there", () => {
    const held = subscribe("e:90");
    wait(2);
    subscribe("e:5");
    core.linkClosed(up, 1006);

    up = link(core, 2);

    expect(asked()).toEqual(["4 e:19", "5 e:5", "6 e:90"]);
    expect(waits(held)).toBe(1);
  });

  test("[F9] after what can't be read all of them are taken back and asked anew: answers may have been lost with it", () => {
    subscribe("e:5");
    asked();

    core.linkMessage(up, new Uint8Array([1, 2, 3]));

    expect(asked()).toEqual(["cancel 2", "3 e:19", "4 e:5"]);
  });
});
